"""A loader takes commands and words as they come, and no stream of words waits for the other.

A counter takes as many words of each pass as that has, which is shown for passes that follow each
other in so many clocks after reset; of the loader it is proved for ever, with counters of which
nothing is known but that.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise import loader
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past
from tests.rtl.mutants import Mutant, load

ENGINE = DepthwiseEngine(1, 1, fill_port=1)
COUNT_BITS = 2  # of words, and of their parts
CLOCKS = 12
NUMBER_BITS = 4  # passes are counted modulo this power of two, above what can be under way


class Counting(wiring.Component):
    """Any passes, one behind the one that comes in at most, and words at any time."""

    def __init__(self, dut):
        self.dut = dut
        names = ("begin", "words", "parts", "word")
        super().__init__({name: dut.signature.members[name] for name in names})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name in ("begin", "words", "parts", "word"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))
        # Words that are missing of the pass that comes in, and of the one behind it.
        left, behind = Signal(2 * COUNT_BITS, name="left"), Signal(2 * COUNT_BITS, name="behind")
        count, take, ends = self.words * self.parts, (left != 0) & self.word, Signal()
        m.d.comb += [
            ends.eq(take & (left == 1)),
            Assume(~self.begin | ((count != 0) & (behind == 0))),
            Assert(dut.take == take),
            Assert(dut.dry == ((left != 0) & ~self.word)),
            Assert(dut.ends == ends),
            Assert(dut.over == ((left == 0) | (ends & (behind == 0)))),
            Cover(ends & (behind == 6)),
        ]
        with m.If((left == 0) | ends):
            m.d.sync += [left.eq(Mux(behind != 0, behind, Mux(self.begin, count, 0))), behind.eq(0)]
        with m.Else():
            m.d.sync += left.eq(left - take)
            with m.If(self.begin):
                m.d.sync += behind.eq(count)
        return m


class AnyCounter(wiring.Component):
    """A counter of passes of any length; `last` says that a word is the last of its pass."""

    def __init__(self, words, parts):
        inputs = {**dict.fromkeys(("begin", "word", "last"), 1), "words": words, "parts": parts}
        outputs = ("take", "ends", "over", "dry")
        super().__init__(
            {name: In(bits) for name, bits in inputs.items()} | dict.fromkeys(outputs, Out(1))
        )
        self.filling, self.waiting = Signal(name="filling"), Signal(name="waiting")

    def elaborate(self, platform):
        m = Module()
        filling, waiting = self.filling, self.waiting
        m.d.comb += [
            self.take.eq(filling & self.word),
            self.dry.eq(filling & ~self.word),
            self.ends.eq(self.take & self.last),
            self.over.eq(~filling | (self.ends & ~waiting)),
        ]
        with m.If(~filling | self.ends):
            m.d.sync += [filling.eq(self.begin | waiting), waiting.eq(0)]
        with m.Elif(self.begin):
            m.d.sync += waiting.eq(1)
        return m


class Passes(wiring.Component):
    """Commands and words at any time, and an engine that takes its time.

    The engine begins a pass when it is loaded and its tiles are made, ends those that began, and
    takes on the tiles of a pass at once unless it has some to issue.

    map_last, tap_last : a word of this clock is the last one of its pass.  made : tiles are taken.
    """

    def __init__(self, dut):
        self.dut = dut
        ports = dut.signature.members
        names = ("map_word", "tap_word", "begun", "released", "more", "commands")
        free = dict.fromkeys(("map_last", "tap_last", "made"), In(1))
        super().__init__({**{name: ports[name] for name in names}, **free})

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.commands), dut.commands)
        for name in ("map_word", "tap_word", "begun", "released", "more"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))
        m.d.comb += dut.extents.ready.eq(self.made)
        counts = taken, generated, begun, released, gone = [
            Signal(NUMBER_BITS, name=f"{name}_passes")
            for name in ("taken", "generated", "begun", "released", "gone")
        ]
        takes = self.commands.valid & self.commands.ready
        now = takes, dut.extents.valid & self.made, self.begun, self.released
        now = *now, past(m, self.released)
        m.d.sync += [count.eq(count + more) for count, more in zip(counts, now, strict=True)]
        ahead, running = self._ahead, begun + self.begun
        m.d.comb += [
            Assume(~self.begun | (past(m, dut.loaded) & (begun != generated))),
            Assume(~self.released | (begun != released)),
            Assume(self.made | (generated != released)),
            # Two passes share the memories.
            Assert(ahead(taken, gone) <= 2),
            Assert(inside.passes_held == ahead(taken, gone)),
            Assert(dut.extents.valid == ahead(taken, generated)),
            Assert(ahead(generated, begun) <= 2),
            Assert(ahead(begun, released) <= 2),
            Assert(ahead(released, gone) == past(m, self.released)),
        ]
        counters, loaded = [], []
        for name in ("map", "taps"):
            counter = inside._module.submodules[name]
            last = self.map_last if name == "map" else self.tap_last
            # Passes that have all of their words, now and as it was two clocks ago.
            full, filled = (
                Signal(NUMBER_BITS, name=f"{name}_{what}") for what in ("full", "filled")
            )
            m.d.sync += [full.eq(full + counter.ends), filled.eq(filled + past(m, counter.ends))]
            m.d.comb += [
                counter.last.eq(last),
                Assert(counter.filling | ~counter.waiting),
                Assert(ahead(taken, full) == counter.filling + counter.waiting),
                Assert(ahead(full, filled) == past(m, counter.ends)),
                Assert(ahead(filled, begun) <= 2),
                Assert(getattr(inside, f"{name}_loaded") == ahead(filled, begun)),
                Assert(~past(m, dut.loaded) | (filled != begun)),
                # What comes takes the place of a pass that is over.
                Assert(~counter.take | (ahead(full, gone) <= 1)),
                Assert(~takes | ~counter.waiting),
            ]
            counters.append(counter)
            loaded.append(filled != running[:NUMBER_BITS])
        self._claim(m, counters, loaded[0] & loaded[1], ahead(taken, gone) <= 1, takes)
        return m

    def _ahead(self, many, few):
        """Passes by which one number is ahead of another."""
        return (many - few)[:NUMBER_BITS]

    def _claim(self, m, counters, loaded, room, takes):
        dut, (maps, taps) = self.dut, counters
        extent = Signal.like(self.commands.payload.extent)
        with m.If(takes):
            m.d.sync += extent.eq(self.commands.payload.extent)
        full = maps.over & taps.over
        one_waits = (maps.over & taps.dry) | (taps.over & maps.dry)
        missing = self.more & ~self.commands.valid & room & full
        m.d.comb += [
            Assert(self.commands.ready == (room & (full | one_waits))),
            # It is refused for nothing else, and for words only where both streams miss one.
            Assert(self.commands.ready | ~room | maps.take | taps.take | (maps.dry & taps.dry)),
            Assert((dut.map_take == maps.take) & (dut.tap_take == taps.take)),
            Assert(dut.loaded == loaded),
            Assert(~dut.extents.valid | (dut.extents.payload == extent)),
            Assert(~takes | ~dut.extents.valid | self.made),
            Assert(dut.dry == (maps.dry | taps.dry | missing)),
            Cover(takes & maps.filling & taps.dry),
            Cover(past(m, self.released) & maps.take & taps.take),
        ]


MUTANTS = (
    Mutant("a stream waits for the other", "(taps.over | taps.dry)", "taps.over"),
    Mutant("a pass too many", "room = passes_held <= 1", "room = passes_held <= 2"),
    Mutant("loaded before the last word", "counter.ends, 1)", "counter.ends, 0)"),
    Mutant("loaded with its map", "one[0] & one[1]", "one[0]"),
    Mutant("tiles are made once only", "extents.valid.eq(0)", "extents.valid.eq(1)"),
)
COUNTER_MUTANTS = (
    Mutant("a pass behind is forgotten", "eq(self.begin | waiting)", "eq(self.begin)"),
    Mutant("words of one part", "parts_left.eq(parts), words_left", "parts_left.eq(1), words_left"),
)


def check_passes(module, monkeypatch, depth, induction):
    monkeypatch.setattr(module, "Counter", AnyCounter)
    prove(Passes(module.Loader(ENGINE)), depth, induction)


def check_counter(module):
    prove(Counting(module.Counter(COUNT_BITS, COUNT_BITS)), CLOCKS, induction=0)


@pytest.mark.full
def test_words_of_passes():
    check_counter(loader)


@planted(COUNTER_MUTANTS)
def test_planted_errors_in_a_counter_are_found(mutant, tmp_path, monkeypatch):
    with pytest.raises(RefutedError):
        check_counter(load(loader, mutant, tmp_path, monkeypatch))


def test_commands_and_words(monkeypatch):
    check_passes(loader, monkeypatch, 10, induction=1)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(loader, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check_passes(twin, monkeypatch, 10, induction=0)
