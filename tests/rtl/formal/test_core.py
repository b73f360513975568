"""No host stops a small array: what it has accepted brings results, whatever comes behind.

Shown for so many clocks after reset, not for ever; that the parts wait for nothing else, and for
how long, is proved of each of them.
"""

from typing import NamedTuple

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from accelsim.passes import Opcode
from rtl.engines.systolic_array import core
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import results_come
from tests.rtl.mutants import Mutant, load


class Case(NamedTuple):
    """A core, the modes of its passes, and clocks.

    longest : to the next result, at most: of the longest pass, from its command on.
    depth : from reset on, for which it is shown.
    """

    rows: int
    columns: int
    opcodes: tuple[Opcode, ...]
    longest: int
    depth: int

    @property
    def array(self):
        return SystolicArray(self.rows, self.columns, bank_depth=8, accumulator_depth=2, max_taps=2)


SMALLEST = Case(1, 1, (Opcode.OS,), 19, 26)
CASES = (
    SMALLEST,
    Case(2, 2, (Opcode.OS,), 21, 28),
    Case(2, 1, (Opcode.WS, Opcode.IS), 22, 28),
    Case(1, 2, (Opcode.ROWS,), 21, 28),
)


class Results(wiring.Component):
    """Passes of two words at most each way, whose commands come when they like, in any sequences.

    The host takes results when it likes.
    """

    def __init__(self, dut, case):
        self.dut, self.case = dut, case
        super().__init__({"commands": In(dut.commands.signature.flip()), "ready": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        case, array = self.case, dut.array
        wiring.connect(m, wiring.flipped(self.commands), dut.commands)
        work = self.commands.payload.work
        tile = (work.opcode == Opcode.WS) | (work.opcode == Opcode.IS)
        results_come(m, dut, work.m, case.longest)
        m.d.comb += [
            dut.results.ready.eq(self.ready),
            Assume(Cat(work.opcode == opcode for opcode in case.opcodes).any()),
            Assume((work.m >= 1) & (work.m <= 2) & (work.k >= 1) & (work.k <= 2)),
            Assume((Mux(tile, work.k, work.m) <= array.rows) & (work.n <= array.columns)),
            Assume((work.n >= 1) & (work.streams == 1) & (work.fires == 1)),
            Assume(
                Mux(work.opcode == Opcode.ROWS, (work.taps == 1) & (work.k == 2), ~work.taps.any())
            ),
            Assume(~work.accumulate & work.emit),
        ]
        return m


MUTANTS = (
    Mutant(
        "a first command that waits",
        "commands.valid.eq(queue.may_start)",
        "commands.valid.eq(queue.may_start & under_way)",
    ),
)


def check(module, case):
    prove(Results(module.Core(case.array), case), case.depth, induction=0)


@pytest.mark.full
@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.rows}x{case.columns} {case.opcodes[0].name}"
)
def test_results_come(case):
    check(core, case)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(core, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check(twin, SMALLEST)
