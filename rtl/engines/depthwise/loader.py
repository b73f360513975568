"""What fills the memories through a fill port of limited width."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand
from rtl.lib.layout import layout


class Loader(wiring.Component):
    """Waits, command by command, until map and taps have come in through the fill port.

    commands : taken where the pass before it has been filled and at most one pass is loaded or
        running, since two share the memories.  loaded : commands whose pass may run.
    map_beat, tap_beat : a word of these streams is taken in this clock, beginning in the clock
        after the command was taken.  released : a pass has ended.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "loaded": Out(stream.Signature(layout(DepthwiseCommand))),
                "map_beat": Out(1),
                "tap_beat": Out(1),
                "released": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine, new_command = self.engine, self.commands.payload
        command = Signal(layout(DepthwiseCommand))
        valid = Signal()
        operands_left = Signal(range(engine.multipliers + 1))  # of the word that is coming in
        words_left = Signal.like(command.words)
        taps_left = Signal(range(engine.tap_depth + 1))
        passes_held = Signal(range(3))  # that have words in the memories, or are being filled
        word_end = Signal()
        take = Signal()
        m.d.comb += [
            word_end.eq(operands_left <= engine.fill_port),
            self.map_beat.eq(words_left != 0),
            self.tap_beat.eq(taps_left != 0),
            self.loaded.payload.eq(command),
            self.loaded.valid.eq(
                valid & ((words_left == 0) | ((words_left == 1) & word_end)) & (taps_left <= 1)
            ),
            self.commands.ready.eq(
                (~valid | (self.loaded.valid & self.loaded.ready)) & (passes_held <= 1)
            ),
            take.eq(self.commands.valid & self.commands.ready),
        ]
        with m.If(self.map_beat):
            m.d.sync += operands_left.eq(operands_left - engine.fill_port)
            with m.If(word_end):
                m.d.sync += [
                    words_left.eq(words_left - 1),
                    operands_left.eq(command.work.channels * engine.pixels),
                ]
        with m.If(self.tap_beat):
            m.d.sync += taps_left.eq(taps_left - 1)
        with m.If(self.loaded.valid & self.loaded.ready):
            m.d.sync += valid.eq(0)
        with m.If(take):
            m.d.sync += [
                valid.eq(1),
                command.eq(new_command),
                words_left.eq(new_command.words),
                operands_left.eq(new_command.work.channels * engine.pixels),
                taps_left.eq(new_command.work.fh * new_command.work.fw),
            ]
        m.d.sync += passes_held.eq(passes_held + take - self.released)
        return m
