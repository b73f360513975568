"""What leaves the lanes of the depthwise engine: the result words of a tile, behind its last tap.

Last taps are as far apart as the results of each take, which test_issue proves.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise import lanes
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import past
from tests.rtl.mutants import Mutant, load

BEATS = 3  # result words of a tile at most
ENGINE = DepthwiseEngine(BEATS, 1, bank_depth=4, tap_depth=2)
READ, RESULT = 3, 11  # clocks from a tap to the reading of its words, and to the first result


class Results(wiring.Component):
    """Any taps in any clocks."""

    def __init__(self, dut):
        self.dut = dut
        super().__init__({"step": In(dut.slot.step.shape())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        step = self.step
        beats, last, end = (
            [past(m, value, clocks) for clocks in range(RESULT + BEATS)]
            for value in (step.beats, step.last, step.end)
        )
        leaves, last_leaves, end_leaves = [], [], []
        for n in range(BEATS):
            clock = RESULT + n
            leaves.append(beats[clock] > n)
            is_last = beats[clock] == n + 1
            last_leaves.append(is_last & last[clock])
            end_leaves.append(is_last & end[clock])
        there = past(m, Const(1), RESULT + BEATS)
        m.d.comb += [
            dut.slot.step.eq(step),
            Assume((step.beats != 0) | ~(step.last | step.end)),
            *(Assume((beats[0] == 0) | (beats[n] <= n)) for n in range(1, BEATS)),
            Assert(~there | (dut.write == Cat(leaves).any())),
            Assert(~there | (dut.finished == Cat(last_leaves).any())),
            Assert(~there | (dut.retires == Cat(end_leaves).any())),
            Assert(~there | (dut.read_done == end[READ])),
            Cover(there & dut.finished & (beats[RESULT] == 1)),
        ]
        return m


MUTANTS = (
    Mutant("a word that does not leave", "self.moves.eq(beats_left > 2)", "self.moves.eq(0)"),
    Mutant("a word too many", "self.moves.eq(summed.beats > 1)", "self.moves.eq(1)"),
    Mutant(
        "the end before the last word",
        "(beats_left == 1) & ends_sequence",
        "(beats_left != 0) & ends_sequence",
    ),
    Mutant("read before it is", "self.steps[ADDRESSED - 1].end", "self.steps[0].end"),
)


def check(module):
    dut = module.Lanes(ENGINE, tells_passes=True)
    prove(Results(dut), RESULT + 2 * BEATS, induction=RESULT + 2 * BEATS - 1)


def test_words_leave_when_they_are_said_to():
    check(lanes)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(lanes, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check(twin)
