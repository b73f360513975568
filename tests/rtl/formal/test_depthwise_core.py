"""No host stops a small depthwise engine: what it has accepted brings results, whatever comes.

Shown for so many clocks after reset, not for ever, and for a few passes in any sequence.
"""

from typing import NamedTuple

import pytest
from amaranth.hdl import Array, Assume, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwisePass, depthwise_command, depthwise_words
from rtl.engines.depthwise import core
from tests.rtl.engines.depthwise.cases import flat, row
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import results_come
from tests.rtl.mutants import Mutant, load


class Case(NamedTuple):
    """A core, and clocks.

    longest : to the next result, at most: of the longest pass, from its command on.
    depth : from reset on, for which it is shown.
    """

    lanes: int
    pixels: int
    fill_port: int
    longest: int
    depth: int

    @property
    def engine(self):
        return DepthwiseEngine(
            self.lanes, self.pixels, fill_port=self.fill_port, bank_depth=16, tap_depth=16,
            max_kernel=2, max_stride=1, max_dilation=1, max_padding=2,
        )  # fmt: skip

    @property
    def passes(self):
        """Of one tile and of several, of which some meet no map."""
        return (
            row(1, 1, 1, 1, 1),
            flat(self.lanes, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1),
            row(self.lanes, 2, 2, 1, 2, 2, 1),
            row(1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2),
        )


SMALLEST = Case(1, 1, 0, 37, 42)
CASES = (SMALLEST, Case(2, 1, 0, 37, 42), Case(1, 2, 0, 37, 42), Case(1, 1, 1, 38, 43))


class Results(wiring.Component):
    """Some passes in any sequence, whose commands come when they like.

    The host takes results when it likes; through a fill port, words come in every clock.
    """

    def __init__(self, dut, case):
        self.dut, self.case = dut, case
        members = {"which": In(range(len(case.passes))), "offered": In(1), "last": In(1)}
        for name in ("map_fill", "tap_fill"):
            members[name] = In(getattr(dut, name).signature.flip())
        super().__init__({**members, "ready": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        case, engine = self.case, dut.engine
        for name in ("map_fill", "tap_fill"):
            fill = getattr(self, name)
            wiring.connect(m, wiring.flipped(fill), getattr(dut, name))
            m.d.comb += Assume(fill.valid | (not engine.fill_port))
        words = [depthwise_words(p, engine.pixels, engine.result_lanes) for p in case.passes]
        results = Array(each.results for each in words)[self.which]
        results_come(m, dut, results, case.longest)
        m.d.comb += [
            self._command(dut.commands.payload),
            dut.commands.valid.eq(self.offered),
            dut.results.ready.eq(self.ready),
            Assume(self.which < len(case.passes)),
        ]
        return m

    def _command(self, payload):
        """The command of the pass that is chosen, in a sequence that ends where the host likes."""
        made = [depthwise_command(p, self.dut.engine, 0, 0, 0) for p in self.case.passes]
        work = [command.work for command in made]
        fields = [(payload.work[name], work, name) for name in DepthwisePass._fields]
        fields += [(payload[name], made, name) for name in made[0]._fields[1:] if name != "last"]
        yield payload.last.eq(self.last)
        for field, records, name in fields:
            choices = Array(int(getattr(record, name)) for record in records)
            yield Value.cast(field).eq(choices[self.which])


MUTANTS = (
    Mutant("no tile ever has room", "room.eq(following >= 0)", "room.eq(0)"),
    Mutant("nothing is ever loaded", "self.issue.loaded.eq(1)", "self.issue.loaded.eq(0)"),
)  # fmt: skip


def check(module, case):
    prove(Results(module.DepthwiseCore(case.engine), case), case.depth, induction=0)


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[:3]}")
def test_results_come(case):
    check(core, case)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(core, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check(twin, SMALLEST)
