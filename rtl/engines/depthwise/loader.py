"""What fills the memories through a fill port of limited width."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import decided_layout, extent_layout


class Counter(wiring.Component):
    """What comes in on one stream for pass after pass: `words` of so many `parts` each.

    begin : a pass more is to come in, behind the one that is.
    word : the stream has a word.  take : it is taken.
    ends : with the word of this clock, all of a pass are in.
    over : none is to come in behind this clock.  dry : one is, and there is none.
    """

    def __init__(self, words: int, parts: int) -> None:
        super().__init__(
            {
                "begin": In(1),
                "words": In(words),
                "parts": In(parts),
                "word": In(1),
                "take": Out(1),
                "ends": Out(1),
                "over": Out(1),
                "dry": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        filling, waiting = Signal(), Signal()
        words_left, parts_left = Signal.like(self.words), Signal.like(self.parts)
        parts = Signal.like(self.parts)  # of every word of the pass
        next_words, next_parts = Signal.like(self.words), Signal.like(self.parts)
        m.d.comb += [
            self.take.eq(filling & self.word),
            self.dry.eq(filling & ~self.word),
            self.ends.eq(self.take & (words_left == 1) & (parts_left == 1)),
            self.over.eq(~filling | (self.ends & ~waiting)),
        ]
        with m.If(self.take):
            m.d.sync += parts_left.eq(parts_left - 1)
            with m.If(parts_left == 1):
                m.d.sync += [parts_left.eq(parts), words_left.eq(words_left - 1)]
        with m.If(~filling | self.ends):
            m.d.sync += [
                filling.eq(self.begin | waiting),
                waiting.eq(0),
                words_left.eq(Mux(waiting, next_words, self.words)),
                parts_left.eq(Mux(waiting, next_parts, self.parts)),
                parts.eq(Mux(waiting, next_parts, self.parts)),
            ]
        with m.Elif(self.begin):
            m.d.sync += [waiting.eq(1), next_words.eq(self.words), next_parts.eq(self.parts)]
        return m


class Loader(wiring.Component):
    """Fills the memories for command after command, whose passes may run once that is done.

    commands : taken where the pass before it has been filled and at most one pass is loaded or
        running, since two share the memories; also before the pass in front of it has been filled,
        where one of the streams has all of that and the other one has nothing. So neither stream
        waits for the other as long as the memories hold what comes.
    extents : of the same commands, whose tiles can be made meanwhile.
    map_word, tap_word : these streams have a word.  map_take, tap_take : it is taken, from the
        clock after the command was taken on.
    loaded : the first tile of the next pass may be taken, no earlier than two clocks behind its
        last word.  begun : it was taken in the clock before.  released : the last tap of a pass is
        issued.
    dry : a command could be taken, or a word, and there is none; `more` commands are to come.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(decided_layout())),
                "extents": Out(stream.Signature(extent_layout())),
                "map_word": In(1),
                "tap_word": In(1),
                "map_take": Out(1),
                "tap_take": Out(1),
                "begun": In(1),
                "loaded": Out(1),
                "released": In(1),
                "more": In(1),
                "dry": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        commands: Any = self.commands
        extents: Any = self.extents
        new = commands.payload.fill
        m.submodules.map = map_ = Counter(len(new.words), len(new.parts))
        m.submodules.taps = taps = Counter(len(new.entries), 1)
        passes_held = Signal(range(3))  # that have words in the memories, or are being filled
        take, extent = Signal(), Signal(extent_layout(), reset_less=True)
        # A pass that is released is still read until its last words have left the banks.
        released = self._after(m, "released", self.released, RELEASE_STAGES)
        room = passes_held <= 1
        behind = (map_.over & (taps.over | taps.dry)) | (taps.over & map_.dry)
        m.d.comb += [
            commands.ready.eq(room & behind),
            take.eq(commands.valid & commands.ready),
            extents.payload.eq(extent),
            self.dry.eq(
                map_.dry | taps.dry | (self.more & ~commands.valid & room & map_.over & taps.over)
            ),
        ]
        # A pass is loaded that was not taken two clocks ago, and another one: that is the next, if
        # the first was taken since.
        one, two = [], []
        for name, counter, words, parts, word, taken in (
            ("map", map_, new.words, new.parts, self.map_word, self.map_take),
            ("taps", taps, new.entries, 1, self.tap_word, self.tap_take),
        ):
            m.d.comb += [
                counter.begin.eq(take),
                counter.words.eq(words),
                counter.parts.eq(parts),
                counter.word.eq(word),
                taken.eq(counter.take),
            ]
            passes = Signal(range(3), name=f"{name}_loaded")
            ended = self._after(m, f"{name}_ended", counter.ends, 1)
            m.d.sync += passes.eq(passes + ended - self.begun)
            one.append(passes != 0)
            two.append(passes[1])
        m.d.comb += self.loaded.eq(Mux(self.begun, two[0] & two[1], one[0] & one[1]))
        # The generator has taken the pass before last when a command is taken.
        with m.If(take):
            m.d.sync += [extent.eq(commands.payload.extent), extents.valid.eq(1)]
        with m.Elif(extents.ready):
            m.d.sync += extents.valid.eq(0)
        m.d.sync += passes_held.eq(passes_held + take - released)
        return m

    def _after(self, m: Module, name: str, event: Value, clocks: int) -> Value:
        """An event so many clocks later."""
        for n in range(clocks):
            later = Signal(name=f"{name}_{n + 1}")
            m.d.sync += later.eq(event)
            event = later
        return event


RELEASE_STAGES = 1  # taps reach the banks before the words that take the place of theirs
