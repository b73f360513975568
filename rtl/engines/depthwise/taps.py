"""The memory of taps."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import entry_layout, tap_fill_layout
from rtl.lib.layout import address_bits
from rtl.lib.memory import memory


class TapMemory(wiring.Component):
    """The taps of two passes: where their values lie, and their weights.

    fill : an entry written in this clock, where it is valid.
    read, address : the entry is on `entry` two clocks later, from a register.
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
        m.submodules.memory = words = memory(entry, self.engine.tap_depth)
        write_port = words.write_port()
        read_port = words.read_port()
        m.d.comb += [
            write_port.en.eq(self.fill.valid),
            write_port.addr.eq(self.fill.payload.address),
            write_port.data.eq(self.fill.payload.entry),
            read_port.en.eq(self.read),
            read_port.addr.eq(self.address),
        ]
        entered = Signal(entry, reset_less=True)
        m.d.comb += self.entry.eq(entered)
        m.d.sync += entered.eq(read_port.data)
        return m
