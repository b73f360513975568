"""No bank of the array reads a word of a pass that `passes_read` counts."""

import pytest
from amaranth.hdl import Assert, Cover, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array import core
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.mutants import Mutant, load

SIZES = ((1, 1), (3, 2), pytest.param(2, 4, marks=pytest.mark.full))


class Overwriting(wiring.Component):
    """Any commands at any time.

    A word that a bank reads is of the pass that is then the first not to be read to its end, or of
    one behind it; bank i of the rows reads i clocks after the sequencer, of the columns one more.
    """

    def __init__(self, dut):
        self.dut = dut
        super().__init__({"commands": In(dut.commands.signature.flip())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.commands), dut.commands)
        rows, columns = dut.array.rows, dut.array.columns
        ended = Signal.like(dut.passes_read)
        m.d.sync += ended.eq(ended + dut.sequencer.read_done)
        # The passes that had been read, and whether a word was, so many clocks ago.
        counts, left, top = [ended], [dut.left_banks.read], [dut.top_banks.read]
        for _ in range(max(rows, columns + 1)):
            for values in (counts, left, top):
                later = Signal(values[-1].shape())
                m.d.sync += later.eq(values[-1])
                values.append(later)
            m.d.comb += Assert((counts[-2] - counts[-1])[: len(ended)] <= 1)
        for i in range(rows):
            m.d.comb += Assert(~left[i] | self._uncounted(counts[i]))
        for j in range(columns):
            m.d.comb += Assert(~top[j] | self._uncounted(counts[j + 1]))
        m.d.comb += [
            Assert(dut.passes_read == counts[max(rows, columns)]),
            Cover((dut.passes_read == 1) & dut.left_banks.read),
        ]
        return m

    def _uncounted(self, number):
        return (number - self.dut.passes_read)[: len(number)].as_signed() >= 0


MUTANTS = (
    Mutant(
        "counted by rows only",
        "Signal(max(self.array.rows, self.array.columns))",
        "Signal(self.array.rows)",
    ),
    Mutant("counted a clock early", "+ reads[-1]", "+ self.sequencer.read_done"),
)


def check(module, rows, columns):
    array = SystolicArray(rows, columns, bank_depth=4, accumulator_depth=2, max_taps=2)
    prove(Overwriting(module.Core(array)), 14, induction=max(rows, columns) + 2)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_words_of_passes_that_are_counted_are_not_read(rows, columns):
    check(core, rows, columns)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(core, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check(twin, 2, 4)
