"""A core: the depthwise engine, its memories behind stream ports, and result memory.

A host fills the banks and the tap memory, sends commands, and reads result words, at any pace. A
sequence is the commands up to the one with `last` set. Nothing freezes: a pass starts once its
command, and with a fill port its operands, are there, and a tile ends once there is room for its
results; what is under way goes on meanwhile.
"""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.engines.depthwise.commands import Commands
from rtl.engines.depthwise.issue import Issue
from rtl.engines.depthwise.lanes import Lanes
from rtl.engines.depthwise.layouts import map_fill_layout, tap_fill_layout
from rtl.engines.depthwise.loader import Loader
from rtl.engines.depthwise.queue import TileQueue
from rtl.engines.depthwise.taps import TapMemory
from rtl.engines.depthwise.tiles import TileGenerator
from rtl.lib.counters import COUNTER_BITS, TOTAL_BITS
from rtl.lib.results import ResultMemory
from rtl.lib.skid import Skid
from rtl.lib.waits import Gate, command_layout, progress_ports


class DepthwiseCore(wiring.Component):
    """One depthwise engine with its memories behind stream ports.

    commands : DepthwiseCommands; the last of a sequence has `last` set.
    map_fill, tap_fill : words for the banks of the lanes and for the tap memory. Without a fill
        port both are always ready, and a word must be there before the command that reads it.
        With one, every pass takes its words behind its command, in the order of the commands: of
        each bank word as many parts as its channels fill, part 0 first, and an entry per tap.
        Neither stream waits for the other, as long as the memories hold what comes.
    results : result words in order, values of lane 0 first.
    busy_cycles : clocks from the first tap, or the first in which a word of the fill port could be
        taken, to the last result at the result port, of the sequence under way or the last one.
    stall_cycles : those among them in which a command, a word of a fill port or room for results
        was missing.
    passes_read : passes whose operands have been read; from then on their words may be
        overwritten.  idle : no sequence is under way.
    """

    def __init__(self, engine: DepthwiseEngine, shared: bool = False, units: int = 0) -> None:
        """A core whose commands can wait for so many units, and whose passes others can wait for.

        With units it has the ports of rtl.lib.waits as well. A command that waits is not taken and
        holds up those behind it, while the passes before it go on; that is no stall. What it waits
        for opens it as many clocks before its pass starts as a command must be there before that.
        """
        self.engine, self.units = engine, units
        self.command_queue, self.generator = Commands(engine, units), TileGenerator(engine)
        self.queue, self.issue = TileQueue(engine), Issue(engine)
        self.lanes = Lanes(engine, shared=shared, tells_passes=units > 0)
        self.taps = TapMemory(engine)
        word = self.lanes.word.shape()
        self.memory = ResultMemory(word, 1, engine.result_depth)
        ready = not engine.fill_port
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(DepthwiseCommand, units))),
                "map_fill": In(stream.Signature(map_fill_layout(engine), always_ready=ready)),
                "tap_fill": In(stream.Signature(tap_fill_layout(engine), always_ready=ready)),
                "results": Out(stream.Signature(word)),
                "busy_cycles": Out(COUNTER_BITS),
                "stall_cycles": Out(COUNTER_BITS),
                "passes_read": Out(TOTAL_BITS),
                "idle": Out(1),
                **progress_ports(units),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._connect(m)
        self._run_sequence(m)
        return m

    def _connect(self, m: Module) -> None:
        """The engine between its memories."""
        issue, lanes, taps, memory = self.issue, self.lanes, self.taps, self.memory
        m.submodules.command_queue = self.command_queue
        m.submodules.generator, m.submodules.queue = self.generator, self.queue
        m.submodules.issue = issue
        m.submodules.tap_memory = taps
        m.submodules.lanes = lanes
        m.submodules.memory = memory
        wiring.connect(m, wiring.flipped(self.commands), self.command_queue.i)
        wiring.connect(m, self.queue.orders, issue.orders)
        extents = self.generator.extents
        m.d.comb += [
            self.command_queue.begun.eq(extents.valid & extents.ready),
            self.generator.command.eq(self.command_queue.command),
            self.generator.room.eq(self.queue.room),
            self.queue.sent.eq(self.generator.sent),
            self.queue.place.eq(self.generator.place),
            issue.tile.eq(self.queue.tile),
            taps.read.eq(issue.slot.valid),
            taps.address.eq(issue.slot.address),
            lanes.slot.eq(issue.slot),
            lanes.mask.eq(issue.mask),
            lanes.entry.eq(taps.entry),
            memory.write.eq(lanes.write),
            memory.word[0].eq(lanes.word),
            self.results.payload.eq(memory.results.payload[0]),
            self.results.valid.eq(memory.results.valid),
            memory.results.ready.eq(self.results.ready),
        ]
        self._keep_room(m)

    def _keep_room(self, m: Module) -> None:
        """Room for the results of a tile, reserved by its last tap."""
        # Words of the result memory that are free beside those that a tile may take, as the tiles
        # up to that of two clocks ago left it; and one less, for a tile between.
        lanes, together = self.engine.lanes, self.engine.result_lanes
        beside = self.memory.depth + lanes // -together
        shape = signed(beside.bit_length() + 1)
        for name, room, words in (
            ("spare", self.issue.room, beside),
            ("behind", self.issue.room_behind, beside - 1),
        ):
            free = Signal(shape, init=words, name=name)
            following = Signal(shape, name=f"{name}_next")
            m.d.comb += [
                following.eq(free - self.issue.reserved + self.memory.handed),
                room.eq(following >= 0),
            ]
            m.d.sync += free.eq(following)

    def _run_sequence(self, m: Module) -> None:
        """A sequence: from its first command to the result of the last."""
        lanes, issue, queued = self.lanes, self.issue, self.command_queue.o
        begun = Signal()  # a command has been taken
        last = Signal()  # the last one has been taken
        issued = Signal()  # the last tap has been issued
        head, closed = queued.valid & ~last, Signal()
        if self.units:
            m.d.comb += closed.eq(head & ~self._gate_open(m, queued.payload.wait))
        feed = self._fill_port if self.engine.fill_port else self._no_fill_port
        commands, starts, missing = feed(m, closed, ~last & ~closed)
        m.d.comb += [
            # Of what decides, the lowest bits.
            Value.cast(commands.payload).eq(queued.payload),
            commands.valid.eq(head & ~closed),
            queued.ready.eq(commands.ready & ~last & ~closed),
            self.idle.eq(~begun),
        ]
        with m.If(commands.valid & commands.ready):
            m.d.sync += [begun.eq(1), last.eq(queued.payload.last)]
        with m.If(issue.slot.step.last):
            m.d.sync += issued.eq(1)
        self._count_clocks(m, starts, (missing & ~issued) | issue.crowded)
        with m.If(lanes.finished):
            m.d.sync += [begun.eq(0), last.eq(0), issued.eq(0)]
        m.d.sync += self.passes_read.eq(self.passes_read + lanes.read_done)
        if self.units:
            m.d.sync += [
                self.started.eq(self.started + starts),
                self.retired.eq(self.retired + lanes.retires),
            ]

    def _no_fill_port(
        self, m: Module, closed: Value, more: Value
    ) -> tuple[stream.Interface, Value, Value]:
        """Fills that are always taken: commands of the engine, and as `_fill_port`."""
        m.d.comb += self.issue.loaded.eq(1)
        for fill, memory in ((self.map_fill, self.lanes), (self.tap_fill, self.taps)):
            self._write(m, fill, fill.valid, memory)
        # A clock without a tile comes from one in which no command was taken; not for a gate.
        for n in range(self.engine.lead):
            later = Signal(name=f"closed_{n + 1}")
            m.d.sync += later.eq(closed)
            closed = later
        return self.generator.extents, self.issue.begins, self.issue.empty & ~closed

    def _fill_port(
        self, m: Module, closed: Value, more: Value
    ) -> tuple[stream.Interface, Value, Value]:
        """A loader in front of the engine: its commands, that a pass starts, what is missing.

        closed : the command at the head of the queue waits.  more : one should be there.
        """
        m.submodules.loader = loader = Loader(self.engine)
        wiring.connect(m, loader.extents, self.generator.extents)
        for name, fill, memory, word, take in (
            ("map", self.map_fill, self.lanes, loader.map_word, loader.map_take),
            ("tap", self.tap_fill, self.taps, loader.tap_word, loader.tap_take),
        ):
            m.submodules[f"{name}_words"] = queued = Skid(fill.payload.shape())
            wiring.connect(m, wiring.flipped(fill), queued.i)
            m.d.comb += [word.eq(queued.o.valid), queued.o.ready.eq(take)]
            self._write(m, queued.o, take, memory)
        starts = Signal()
        m.d.sync += starts.eq(loader.commands.valid & loader.commands.ready)
        m.d.comb += [
            loader.begun.eq(self.issue.begun),
            loader.released.eq(self.issue.slot.step.end),
            loader.more.eq(more),
            self.issue.loaded.eq(loader.loaded),
        ]
        return loader.commands, starts, loader.dry

    def _write(self, m: Module, fill: stream.Interface, taken: Value, memory: Any) -> None:
        """A word of a fill goes into its memory, from a register."""
        valid, payload = Signal(), Signal.like(fill.payload, reset_less=True)
        m.d.sync += [valid.eq(taken), payload.eq(fill.payload)]
        m.d.comb += [memory.fill.valid.eq(valid), memory.fill.payload.eq(payload)]

    def _count_clocks(self, m: Module, starts: Value, stalls: Value) -> None:
        """Clocks of the sequence under way, and those in which something is missing."""
        active = Signal()  # from the first tap, or word of a fill port, to the last result
        stalled = Signal()  # in the clock before: the last one is never a stall
        m.d.sync += stalled.eq(stalls)
        with m.If(starts & ~active):
            m.d.sync += [active.eq(1), self.busy_cycles.eq(1), self.stall_cycles.eq(0)]
        with m.Elif(active):
            m.d.sync += [
                active.eq(~self.lanes.finished),
                self.busy_cycles.eq(self.busy_cycles + 1),
                self.stall_cycles.eq(self.stall_cycles + stalled),
            ]

    def _gate_open(self, m: Module, wait: data.View) -> Value:
        """What the command at the head of the queue waits for has happened."""
        m.submodules.gate = gate = Gate(self.units)
        progress = Value.cast(self.progress)
        for clock in range(Commands.LATENCY):
            kept = Signal(len(progress), name=f"progress_{clock + 1}")
            m.d.sync += kept.eq(progress)
            progress = kept
        m.d.comb += Value.cast(gate.progress).eq(progress)
        m.d.comb += gate.wait.eq(wait)
        return gate.open
