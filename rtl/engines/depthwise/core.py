"""A core: the depthwise engine, its memories behind stream ports, and result memory.

A host fills the banks and the tap memory, sends commands, and reads result words, at any pace. A
sequence is the commands up to the one with `last` set. Inside, one clock-enable freezes everything
where a command, or a word of a fill port, is needed that is not there, or where the result memory
is full; so waiting adds stall clocks and changes neither values nor busy clocks.
"""

from amaranth.hdl import EnableInserter, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.engines.depthwise.parts import (
    Issue,
    Lanes,
    Loader,
    TapMemory,
    TileGenerator,
    map_fill_layout,
    tap_fill_layout,
)
from rtl.lib.counters import COUNTER_BITS
from rtl.lib.layout import layout
from rtl.lib.results import ResultMemory


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

    def __init__(self, engine: DepthwiseEngine, shared: bool = False) -> None:
        self.engine = engine
        self.generator, self.issue = TileGenerator(engine), Issue(engine)
        self.lanes = Lanes(engine, shared=shared)
        word = self.lanes.word.shape()
        ready = not engine.fill_port
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "map_fill": In(stream.Signature(map_fill_layout(engine), always_ready=ready)),
                "tap_fill": In(stream.Signature(tap_fill_layout(engine), always_ready=ready)),
                "results": Out(stream.Signature(word)),
                "busy_cycles": Out(COUNTER_BITS),
                "stall_cycles": Out(COUNTER_BITS),
                "passes_read": Out(32),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine, generator, issue, lanes = self.engine, self.generator, self.issue, self.lanes
        go = Signal()  # the clock-enable of the engine
        taps, memory = TapMemory(engine), ResultMemory(lanes.word.shape(), 1)
        m.submodules.generator = EnableInserter(go)(generator)
        m.submodules.issue = EnableInserter(go)(issue)
        m.submodules.tap_memory = taps
        m.submodules.lanes = lanes
        m.submodules.memory = memory
        wiring.connect(m, generator.tiles, issue.tiles)
        m.d.comb += [
            lanes.fill.payload.eq(self.map_fill.payload),
            taps.fill.payload.eq(self.tap_fill.payload),
            taps.read.eq(go & issue.slot.valid),
            taps.address.eq(issue.slot.address),
            lanes.en.eq(go),
            lanes.slot.eq(issue.slot),
            lanes.entry.eq(taps.entry),
            memory.en.eq(go),
            memory.write.eq(lanes.write),
            memory.word[0].eq(lanes.word),
            self.results.payload.eq(memory.results.payload[0]),
            self.results.valid.eq(memory.results.valid),
            memory.results.ready.eq(self.results.ready),
        ]

        # What the engine needs from the host in this clock, and whether it is there.
        begun, last = Signal(), Signal()  # a command has been taken; the last one has
        commands, missing, starting = generator.commands, Signal(), issue.starting
        if engine.fill_port:
            loader = Loader(engine)
            m.submodules.loader = EnableInserter(go)(loader)
            wiring.connect(m, loader.loaded, generator.commands)
            commands, starting = loader.commands, loader.commands.valid & loader.commands.ready
            map_needed, tap_needed = loader.map_beat, loader.tap_beat
            m.d.comb += [
                loader.released.eq(issue.slot.step.end),
                missing.eq(
                    (map_needed & ~self.map_fill.valid) | (tap_needed & ~self.tap_fill.valid)
                ),
                self.map_fill.ready.eq(map_needed & go),
                self.tap_fill.ready.eq(tap_needed & go),
            ]
        m.d.comb += [
            lanes.fill.valid.eq(self.map_fill.valid & self.map_fill.ready),
            taps.fill.valid.eq(self.tap_fill.valid & self.tap_fill.ready),
            commands.payload.eq(self.commands.payload),
            commands.valid.eq(self.commands.valid & ~last),
            self.commands.ready.eq(commands.ready & ~last & go),
            go.eq(
                ~(memory.full & lanes.write)
                & ~(begun & ~last & commands.ready & ~self.commands.valid)
                & ~missing
            ),
            self.idle.eq(~begun),
        ]

        # A sequence: `active` from its first tap, or word of a fill port, to its last result.
        active = Signal()
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
        with m.Elif(active):
            m.d.sync += self.stall_cycles.eq(self.stall_cycles + 1)
        return m
