"""The result memory hands on words in their order, none lost and none doubled, without delay."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.lib import results
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, stays
from tests.rtl.mutants import Mutant, load

NUMBER_BITS = 4  # words are counted modulo this power of two, above what can be under way
COLUMNS, DEPTH = 3, 4


class Order(wiring.Component):
    """Any column of any word is read as it was written, by the number of the word.

    Columns write when they like while there is room, none ahead of the first or behind the last.

    which, column : what is followed.
    """

    def __init__(self, dut):
        self.dut = dut
        word = data.ArrayLayout(1, COLUMNS)
        super().__init__(
            {
                "write": In(COLUMNS),
                "word": In(word),
                "results": Out(stream.Signature(word)),
                "which": In(NUMBER_BITS),
                "column": In(range(COLUMNS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        m.d.comb += [dut.write.eq(self.write), dut.word.eq(self.word)]
        wiring.connect(m, dut.results, wiring.flipped(self.results))
        stays(m, self.which)
        stays(m, self.column)
        m.d.comb += Assume(self.column < COLUMNS)

        handed, taken = Signal(), Signal(NUMBER_BITS)
        taking = self.results.valid & self.results.ready
        m.d.sync += [handed.eq(taking), taken.eq(taken + taking)]
        value, held = self._write(m, taken)
        m.d.comb += Assert(dut.handed == handed)
        places = [getattr(inside, f"write_{j}") for j in range(COLUMNS)]
        for place, count in zip(places, held, strict=True):
            m.d.comb += Assert(place == (taken + count)[: len(place)])
        self._hand_over(m, inside, taken, value, held, places)
        return m

    def _write(self, m, taken):
        """What was written of the word that is followed; words that each column holds."""
        value = Signal()
        held, most = [], DEPTH
        for j, write in enumerate(self.write):
            here, after = (
                Signal(NUMBER_BITS, name=f"held_{j}"),
                Signal(NUMBER_BITS, name=f"after_{j}"),
            )
            written = Signal(NUMBER_BITS, name=f"written_{j}")
            m.d.sync += written.eq(written + write)
            m.d.comb += [
                here.eq(written - taken),
                after.eq(here + write),
                Assume(after <= most),
                Assert(here <= (held[-1] if held else DEPTH)),
            ]
            with m.If(write & (self.column == j) & (written == self.which)):
                m.d.sync += value.eq(self.word[j])
            held.append(here)
            most = after
        return value, held

    def _hand_over(self, m, inside, taken, value, held, writes):
        """The word that is followed, on its way out."""
        column, results, whole = self.column, self.results, held[-1]
        # Words: in registers behind the banks, in front of the one that is followed, and of its
        # column; clocks in which there was a word and none was offered.
        ready, front, mine = (Signal.like(taken, name=name) for name in ("ready", "front", "mine"))
        waited = Signal(range(4))
        m.d.sync += waited.eq(Mux((whole == 0) | results.valid, 0, waited + 1))
        at = self.which[: len(inside.read)]
        banked = Array(inside.word(m, f"result_{j}", at) for j in range(COLUMNS))[column]
        payload = Array(results.payload)[column]
        # Those behind the banks, the one in front first.
        places = [
            (getattr(inside, there), Array(getattr(inside, word))[column])
            for there, word in (("kept", "second"), ("stored", "first"), ("fetched", "outputs"))
        ]
        (kept, _), (stored, _), (fetched, _) = places
        m.d.comb += [
            ready.eq(kept + stored + fetched),
            front.eq(self.which - taken),
            mine.eq(Array(held)[column]),
            # Where the words are; the claims follow from it.
            Assert(ready <= whole),
            Assert(inside.complete == whole - ready),
            Assert(inside.some == (inside.complete != 0)),
            Assert(inside.read == (taken + ready)[: len(inside.read)]),
            # No word is read while it is written: anything may come of that.
            *(
                Assert((inside.complete == 0) | ~write | (inside.read != at))
                for write, at in zip(self.write, writes, strict=True)
            ),
            Assert((front >= mine) | (front < ready) | (banked == value)),
            *(
                Assert((front != sum(there for there, _ in places[:n])) | ~there | (word == value))
                for n, (there, word) in enumerate(places)
            ),
            Assert(inside.stores == ~(stored & kept)),
            Assert(inside.fetches == ~(fetched & stored & kept)),
            Assert(results.valid | (waited == 0) | ((waited == 1) & fetched)),
            Assert(~results.valid | (front != 0) | (payload == value)),
            Assert(results.valid | (whole == 0) | (waited < 2)),
            Cover(results.valid & (front == 0) & (self.which == 3)),
            Cover(whole == DEPTH),
        ]


MUTANTS = (
    Mutant("a word too early", "whole = self.write[self.columns - 1]", "whole = self.write[0]"),
    Mutant("a word is lost", 'will["fetched"] & will["stored"] & will["kept"]', "0"),
    Mutant("a word is lost behind the banks", '~(will["stored"] & will["kept"])', "1"),
    Mutant("a word is doubled", "read.eq(read + fetch)", "read.eq(read + (fetch & stores))"),
    Mutant("a word is read where there is none", "some | ~fetches", "1"),
    Mutant("words while none is taken", "with m.If(~kept):", "with m.If(1):"),
    Mutant("the second word first", "Mux(kept, second, first)", "Mux(stored, first, second)"),
    Mutant(
        "handed when offered", "self.results.valid & self.results.ready),", "self.results.valid),"
    ),
)


def test_words_and_their_order():
    prove(Order(results.ResultMemory(1, COLUMNS, DEPTH)), 12)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(results, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Order(twin.ResultMemory(1, COLUMNS, DEPTH)), 12, induction=0)
