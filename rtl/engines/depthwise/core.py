"""A core: the depthwise engine, its memories behind stream ports, and result memory.

A host fills the banks and the tap memory, sends commands, and reads result words, at any pace. A
sequence is the commands up to the one with `last` set. Inside, one clock-enable freezes everything
where a command, or a word of a fill port, is needed that is not there, or where the result memory
is full; so waiting adds stall clocks and changes neither values nor busy clocks.
"""

from amaranth.hdl import EnableInserter, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.engines.depthwise.issue import Issue
from rtl.engines.depthwise.lanes import Lanes
from rtl.engines.depthwise.layouts import map_fill_layout, tap_fill_layout
from rtl.engines.depthwise.loader import Loader
from rtl.engines.depthwise.taps import TapMemory
from rtl.engines.depthwise.tiles import TileGenerator
from rtl.lib.counters import COUNTER_BITS, TOTAL_BITS
from rtl.lib.results import ResultMemory
from rtl.lib.waits import Gate, command_layout, progress_ports

RESULT_DEPTH = 8  # words of the result memory


class DepthwiseCore(wiring.Component):
    """One depthwise engine with its memories behind stream ports.

    commands : DepthwiseCommands; the last of a sequence has `last` set.
    map_fill, tap_fill : words for the banks of the lanes and for the tap memory. Without a fill
        port both are always ready, and a word must be there before the command that reads it.
        With one, every pass takes its words after its command, in the order of the commands: of
        each bank word as many parts as its channels fill, part 0 first, and an entry per tap.
    results : result words in order, values of lane 0 first.
    busy_cycles : clocks, stalls left out, from the first tap, or the first word of a fill port,
        to the last result at the result port, of the sequence under way or of the last one.
    stall_cycles : clocks frozen meanwhile.
    passes_read : passes whose operands have been read; from then on their words may be
        overwritten.  idle : no sequence is under way.
    """

    def __init__(self, engine: DepthwiseEngine, shared: bool = False, units: int = 0) -> None:
        """A core whose commands can wait for so many units, and whose passes others can wait for.

        With units it has the ports of rtl.lib.waits as well. A command that waits is not taken and
        holds up those behind it, while the passes before it go on; that is no stall. What it waits
        for opens it so many clocks ahead as lie between a command and the start of its pass:
        without a fill port two before the first tap, with one the clock before the first word.
        """
        self.engine, self.units = engine, units
        self.generator, self.issue = TileGenerator(engine), Issue(engine)
        self.lanes = Lanes(engine, shared=shared, tells_passes=units > 0)
        word = self.lanes.word.shape()
        self.taps, self.memory = TapMemory(engine), ResultMemory(word, 1, RESULT_DEPTH)
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
        go = Signal()  # the clock-enable of the engine
        self._connect(m, go)
        self._run_sequence(m, go)
        return m

    def _connect(self, m: Module, go: Signal) -> None:
        """The engine between its memories."""
        issue, lanes, taps, memory = self.issue, self.lanes, self.taps, self.memory
        m.submodules.generator = EnableInserter(go)(self.generator)
        m.submodules.issue = EnableInserter(go)(issue)
        m.submodules.tap_memory = taps
        m.submodules.lanes = lanes
        m.submodules.memory = memory
        wiring.connect(m, self.generator.tiles, issue.tiles)
        m.d.comb += [
            lanes.fill.payload.eq(self.map_fill.payload),
            taps.fill.payload.eq(self.tap_fill.payload),
            taps.read.eq(go & issue.slot.valid),
            taps.address.eq(issue.slot.address),
            lanes.en.eq(go),
            lanes.slot.eq(issue.slot),
            lanes.entry.eq(taps.entry),
            memory.write.eq(lanes.write & go),
            memory.word[0].eq(lanes.word),
            self.results.payload.eq(memory.results.payload[0]),
            self.results.valid.eq(memory.results.valid),
            memory.results.ready.eq(self.results.ready),
        ]

    def _run_sequence(self, m: Module, go: Signal) -> None:
        """A sequence: from its first command to the result of the last."""
        lanes, memory = self.lanes, self.memory
        begun = Signal()  # a command has been taken
        last = Signal()  # the last one has been taken
        missing = Signal()  # a word of a fill port is needed and not there
        held = Signal(range(RESULT_DEPTH + 1))  # words in the result memory
        m.d.sync += held.eq(held + memory.write - memory.handed)
        commands, starting = self.generator.commands, self.issue.starting
        if self.engine.fill_port:
            commands, starting = self._load(m, go, missing)
        valid, ready = self.commands.valid & ~last, commands.ready & ~last
        if self.units:
            is_open = self._gate_open(m)
            valid, ready = valid & is_open, ready & is_open
        m.d.comb += [
            lanes.fill.valid.eq(self.map_fill.valid & self.map_fill.ready),
            self.taps.fill.valid.eq(self.tap_fill.valid & self.tap_fill.ready),
            # Without its Wait, which is the highest bits.
            Value.cast(commands.payload).eq(self.commands.payload),
            commands.valid.eq(valid),
            self.commands.ready.eq(ready & go),
            go.eq(
                ~((held == RESULT_DEPTH) & lanes.write)
                & ~(begun & ~last & commands.ready & ~self.commands.valid)
                & ~missing
            ),
            self.idle.eq(~begun),
        ]

        active = Signal()  # from the first tap, or word of a fill port, to the last result
        with m.If(go):
            with m.If(starting & ~active):
                m.d.sync += [active.eq(1), self.busy_cycles.eq(0), self.stall_cycles.eq(0)]
            with m.If(commands.valid & commands.ready):
                m.d.sync += [begun.eq(1), last.eq(self.commands.payload.last)]
            with m.If(active):
                m.d.sync += self.busy_cycles.eq(self.busy_cycles + 1)
            with m.If(lanes.finished):
                m.d.sync += [active.eq(0), begun.eq(0), last.eq(0)]
            m.d.sync += self.passes_read.eq(self.passes_read + lanes.read_done)
            if self.units:
                self._count_passes(m, starting)
        with m.Elif(active):
            m.d.sync += self.stall_cycles.eq(self.stall_cycles + 1)

    def _load(self, m: Module, go: Signal, missing: Signal) -> tuple[stream.Interface, Value]:
        """A loader in front of the tile generator: its commands, and that it takes one."""
        loader = Loader(self.engine)
        m.submodules.loader = EnableInserter(go)(loader)
        wiring.connect(m, loader.loaded, self.generator.commands)
        map_needed, tap_needed = loader.map_beat, loader.tap_beat
        m.d.comb += [
            loader.released.eq(self.issue.slot.step.end),
            missing.eq((map_needed & ~self.map_fill.valid) | (tap_needed & ~self.tap_fill.valid)),
            self.map_fill.ready.eq(map_needed & go),
            self.tap_fill.ready.eq(tap_needed & go),
        ]
        return loader.commands, loader.commands.valid & loader.commands.ready

    def _gate_open(self, m: Module) -> Value:
        """What the command at the head of the queue waits for has happened."""
        m.submodules.gate = gate = Gate(self.units)
        m.d.comb += [gate.wait.eq(self.commands.payload.wait), gate.progress.eq(self.progress)]
        return gate.open

    def _count_passes(self, m: Module, taken: Value) -> None:
        """Passes that have started and retired, in a clock that is not frozen.

        taken : with a fill port, the loader takes a command, whose first words come a clock later.
        """
        slot = self.issue.slot
        if self.engine.fill_port:
            starts: Value = Signal(name="starts")
            m.d.sync += starts.eq(taken)
        else:
            pass_begins = Signal(init=1)  # with the next tap
            with m.If(slot.valid):
                m.d.sync += pass_begins.eq(slot.step.end)
            starts = slot.valid & pass_begins
        m.d.sync += [
            self.started.eq(self.started + starts),
            self.retired.eq(self.retired + self.lanes.retires),
        ]
