"""When the passes of the systolic array retire."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class Retirement(wiring.Component):
    """A pass retires behind the result of the last column that it or a pass before it uses.

    Column 0 finishes the passes in their order; a narrow one may have all its results before a
    wide one in front of it, and then both retire in the same clock.

    finished, tail : of the accumulators.
    passes : that have their last result in this clock.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        super().__init__(
            {
                "finished": In(1),
                "tail": In(unsigned(columns.bit_length())),
                "passes": Out(unsigned(columns.bit_length())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Passes by the clocks until their last result. Column 0 finishes one in a clock, so at
        # most `columns` of them have it in the same one.
        counts = data.ArrayLayout(self.passes.shape(), self.columns)
        before = Signal(counts)
        due = Signal(counts)
        m.d.comb += self.passes.eq(due[0])
        for clocks in range(self.columns):
            m.d.comb += due[clocks].eq(before[clocks] + (self.finished & (self.tail == clocks)))
            if clocks:
                m.d.sync += before[clocks - 1].eq(due[clocks])
        return m
