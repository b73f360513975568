"""No host stops a small array: what it has accepted brings results, whatever comes behind.

Shown for so many clocks after reset, not for ever; that the parts wait for nothing else, and for
how long, is proved of each of them.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from accelsim.passes import Opcode
from rtl.engines.systolic_array import core
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.mutants import Mutant, load

ARRAY = SystolicArray(1, 1, bank_depth=8, accumulator_depth=2, max_taps=2)
CLOCKS = 26
LONGEST = 19  # clocks to the next result: of two products, from the command on


class Results(wiring.Component):
    """Passes of os with one product or two, whose commands come when they like, in any sequences.

    longest : clocks to the next result of what has been accepted, at most.
    """

    def __init__(self, dut, longest):
        self.dut, self.longest = dut, longest
        super().__init__({"commands": In(dut.commands.signature.flip())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.commands), dut.commands)
        work = self.commands.payload.work
        owed, waited = Signal(5), Signal(5)
        accepts, brings = self.commands.valid & self.commands.ready, dut.results.valid
        m.d.sync += [
            owed.eq(owed + accepts - brings),
            waited.eq(Mux(brings | (owed == 0), 0, waited + 1)),
        ]
        m.d.comb += [
            dut.results.ready.eq(1),
            Assume((work.opcode == Opcode.OS) & (work.m == 1) & (work.n == 1)),
            Assume((work.k >= 1) & (work.k <= 2) & ~work.accumulate & work.emit),
            Assume((work.taps == 0) & (work.streams == 1) & (work.fires == 1)),
            Assert(waited <= self.longest),
            Assert((owed != 0) | ~brings),
            Cover(waited == LONGEST),
        ]
        return m


MUTANTS = (
    Mutant(
        "a first command that waits",
        "commands.valid.eq(queue.may_start)",
        "commands.valid.eq(queue.may_start & under_way)",
    ),
)


@pytest.mark.full
def test_results_come():
    prove(Results(core.Core(ARRAY), LONGEST), CLOCKS, induction=0)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(core, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Results(twin.Core(ARRAY), LONGEST), CLOCKS, induction=0)
