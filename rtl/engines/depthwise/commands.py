"""The commands of the depthwise engine on their way to its tiles."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode
from rtl.engines.depthwise.layouts import decided_layout, kept_layout, noted_layout
from rtl.lib.memory import memory
from rtl.lib.pipeline import later
from rtl.lib.skid import Skid
from rtl.lib.waits import command_layout


class Commands(wiring.Component):
    """Commands from a host: first what decides about their passes, the whole of them behind it.

    i : commands, with `units` those that wait for them.
    o : what `decided_layout` says, LATENCY clocks later.
    begun : the first tile of the next pass is made.
    command : of the pass that began in the clock before, the whole of it, from a register.
    """

    LATENCY = 2

    def __init__(self, engine: DepthwiseEngine, units: int = 0) -> None:
        self.engine, self.units = engine, units
        self._noted, self._decided = Skid(noted_layout(units)), Skid(decided_layout(units))
        super().__init__(
            {
                "i": In(stream.Signature(command_layout(DepthwiseCommand, units))),
                "o": Out(self._decided.o.signature),
                "begun": In(1),
                "command": Out(kept_layout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.noted, m.submodules.decided = self._noted, self._decided
        self._note(m, self._noted.i)
        self._decide(m, self._noted.o, self._decided.i)
        wiring.connect(m, self._decided.o, wiring.flipped(self.o))
        self._keep(m)
        return m

    def _note(self, m: Module, noted: stream.Interface) -> None:
        command, o = self.i.payload, noted.payload
        m.d.comb += [
            self.i.ready.eq(noted.ready),
            noted.valid.eq(self.i.valid),
            o.opcode.eq(command.work.opcode),
            o.oh.eq(command.work.oh),
            o.row_tiles.eq(command.row_tiles),
            *(o.fill[name].eq(command[name]) for name, _ in o.fill.shape()),
            o.last.eq(command.last),
        ]
        if self.units:
            m.d.comb += o.wait.eq(command.wait)

    def _decide(self, m: Module, noted: stream.Interface, decided: stream.Interface) -> None:
        i, o = noted.payload, decided.payload
        m.d.comb += [
            noted.ready.eq(decided.ready),
            decided.valid.eq(noted.valid),
            o.extent.one_row.eq((i.opcode == DepthwiseOpcode.FLAT) | (i.oh == 1)),
            o.extent.one_tile.eq(i.row_tiles == 1),
            o.extent.tiles_left.eq(i.row_tiles - 3),
            o.extent.rows_left.eq(i.oh - 3),
            o.fill.eq(i.fill),
            o.last.eq(i.last),
        ]
        if self.units:
            m.d.comb += o.wait.eq(i.wait)

    def _keep(self, m: Module) -> None:
        """Whole commands wait in a memory: nothing asks for them before their tiles are made."""
        # Those whose passes have not begun are fewer: two in each of the skid buffers, and one in
        # a loader.
        depth = self.engine.command_depth
        m.submodules.memory = words = memory(kept_layout(), depth)
        write_port, read_port = words.write_port(), words.read_port()
        write = Signal(range(depth))
        read = Signal.like(write)
        comes = Signal()
        came = later(m, "came", command=Value.cast(self.i.payload))
        word = Signal(kept_layout())
        command = word.command
        m.d.comb += [
            Value.cast(command).eq(came.command),  # without its Wait, the highest bits
            word.over_y.eq(command.stride_y + command.work.sh),
            word.over_x.eq(command.stride_x - command.wrap),
            write_port.en.eq(comes),
            write_port.addr.eq(write),
            write_port.data.eq(word),
            read_port.en.eq(1),
            read_port.addr.eq(read),
            self.command.eq(read_port.data),
        ]
        m.d.sync += [
            comes.eq(self.i.valid & self.i.ready),
            write.eq(write + comes),
            read.eq(read + self.begun),
        ]
