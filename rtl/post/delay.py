"""Words that come out a number of clocks later, in a memory instead of many registers."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.lib.memory import memory


class Delay(wiring.Component):
    """`o` is what `i` was so many clocks ago, at least 2."""

    def __init__(self, shape: ShapeLike, clocks: int) -> None:
        self.shape, self.clocks = shape, clocks
        super().__init__({"i": In(shape), "o": Out(shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = memory(self.shape, self.clocks)
        read_port, write_port = words.read_port(), words.write_port()
        # The place that is written next holds the oldest word.
        place, following = Signal(range(self.clocks)), Signal(range(self.clocks))
        with m.If(place != self.clocks - 1):
            m.d.comb += following.eq(place + 1)
        m.d.sync += place.eq(following)
        m.d.comb += [
            write_port.en.eq(1),
            write_port.addr.eq(place),
            write_port.data.eq(self.i),
            read_port.en.eq(1),
            read_port.addr.eq(following),
            self.o.eq(read_port.data),
        ]
        return m


def delayed(m: Module, name: str, value: Signal, clocks: int) -> Signal:
    """What a value was so many clocks ago; itself for 0."""
    if clocks >= 2:
        m.submodules[name] = delay = Delay(value.shape(), clocks)
        m.d.comb += delay.i.eq(value)
        return delay.o
    for _ in range(clocks):
        before = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += before.eq(value)
        value = before
    return value
