"""The memory of taps."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import entry_layout, tap_fill_layout
from rtl.lib.layout import address_bits


class TapMemory(wiring.Component):
    """The taps of two passes: where their values lie, and their weights.

    fill : an entry written in this clock, where it is valid.
    read, address : the entry is on `entry` in the next clock.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "fill": In(stream.Signature(tap_fill_layout(engine), always_ready=True)),
                "read": In(1),
                "address": In(address_bits(engine.tap_depth)),
                "entry": Out(entry_layout(engine)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = entry_layout(self.engine)
        m.submodules.memory = memory = Memory(shape=entry, depth=self.engine.tap_depth, init=[])
        write_port = memory.write_port()
        read_port = memory.read_port()
        m.d.comb += [
            write_port.en.eq(self.fill.valid),
            write_port.addr.eq(self.fill.payload.address),
            write_port.data.eq(self.fill.payload.entry),
            read_port.en.eq(self.read),
            read_port.addr.eq(self.address),
            self.entry.eq(read_port.data),
        ]
        return m
