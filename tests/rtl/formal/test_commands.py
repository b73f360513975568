"""Commands on their way to the sequencer: order, what follows from them, room for their results."""

from itertools import pairwise

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from accelsim.passes import Opcode
from rtl.engines.systolic_array import commands
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past, stays
from tests.rtl.mutants import Mutant, load

ARRAY = SystolicArray(3, 2)
NUMBER_BITS = 4  # commands are counted modulo this power of two, above what can be under way


class Promises(wiring.Component):
    """Any command leaves by its number as it came: what decides, decoded, and then the whole.

    No command sends more words than the result memory has. Whether there is room follows from those
    that were promised, and handed over since.

    which : the number of the command that is followed.
    """

    def __init__(self, dut):
        self.dut = dut
        ports = dut.signature.members
        super().__init__(
            {name: ports[name] for name in ("i", "o", "handed", "coming_opens", "staying_opens")}
            | {"which": In(NUMBER_BITS)}
        )

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.i), dut.i)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        for name in ("handed", "coming_opens", "staying_opens"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))
        stays(m, self.which)
        self._follow(m, inside)
        return m

    def _follow(self, m, inside):
        """The command that is followed and the one before it, through five queues of two."""
        dut = self.dut
        parts = (dut._noted, dut._measured, dut._summed, dut._decoded, dut._head)
        counts = [Signal(NUMBER_BITS, name=f"count_{place}") for place in range(6)]
        moves = [part.i.valid & part.i.ready for part in parts] + [self.o.valid & self.o.ready]
        m.d.sync += [count.eq(count + moving) for count, moving in zip(counts, moves, strict=True)]
        followed, before = Signal.like(self.i.payload), Signal.like(self.i.payload)
        for number, command in ((self.which, followed), (self.which - 1, before)):
            with m.If(moves[0] & (counts[0] == number[:NUMBER_BITS])):
                m.d.sync += command.eq(self.i.payload)
        m.d.comb += [
            Assume(self._legal(self.i.payload)),
            Assert(self._legal(followed)),
            *(Assert((begin - end)[:NUMBER_BITS] <= 2) for begin, end in pairwise(counts)),
            Assert((counts[0] == inside.write) & (counts[5] == inside.read)),
        ]
        for part, (begin, end) in zip(parts, pairwise(counts), strict=True):
            m.d.comb += [
                Assert(part.o.valid == (begin != end)),
                Assert(part.i.ready == ((begin - end)[:NUMBER_BITS] != 2)),
            ]
        for number, command in ((self.which, followed), (self.which - 1, before)):
            words = self._words(m, command)
            for part, word, ends in zip(parts, words, pairwise(counts), strict=False):
                self._holds(m, part, word, number, *ends)
        word = Signal.like(self.o.payload)
        known = self._decoded(followed, before)
        m.d.comb += [word[name].eq(value) for name, value in known.items()]
        m.d.comb += Assert(
            (counts[3] != self.which) | (inside.results == before.work.m[: len(inside.results)])
        )
        for part, ends in zip(parts[3:], pairwise(counts[3:]), strict=True):
            self._holds(m, part, word, self.which, *ends)
        self._promise(m, inside, followed, moves[3], counts[3:])
        waits = (self.which - counts[5])[:NUMBER_BITS] < (counts[0] - counts[5])[:NUMBER_BITS]
        kept = Value.cast(inside.word(m, "commands", self.which))
        left = past(m, moves[5] & (counts[5] == self.which))
        m.d.comb += [
            Assert(~waits | (kept == Value.cast(followed))),
            Assert(~left | (dut.command == followed)),
            Cover(left & (self.which == 1)),
        ]

    def _holds(self, m, part, word, number, begin, end):
        """A queue has a word in the place of its number, if it has that number."""
        held, front = (begin - end)[:NUMBER_BITS], (number - end)[:NUMBER_BITS]
        m.d.comb += [
            Assert((held == 0) | (front != 0) | (part.o.payload == word)),
            Assert((held != 2) | (front != 1) | (part._second == word)),
        ]

    def _words(self, m, command):
        """What the first three queues hold of a command."""
        work = command.work
        bits = ARRAY.result_depth.bit_length()
        fields = self._decoded(command, command)
        each = Mux(fields["is_tile"], 1, work.m)[: ARRAY.rows.bit_length()]
        times = Mux(work.emit, Mux(fields["is_tile"], work.m, work.fires), 0)
        terms = [((times * each[at : at + 2]) << at)[:bits] for at in range(0, len(each), 2)]
        noted = {name: work[name] for name in ("opcode", "m", "k", "taps", "streams", "fires")}
        noted |= {"each": each, "times": times, "emit": work.emit, "last": command.last}
        same = {name: fields[name] for name in ("is_tile", "one_stream", "one_fire")}
        same |= {"emit": work.emit, "last": command.last}
        rows = ARRAY.rows.bit_length()
        measured = {
            **same,
            "length": work.k + work.taps,
            "m": work.m,
            "k": work.k[:rows],
            "parts": Cat(terms),
        }
        summed = {
            **same,
            **{name: fields[name] for name in ("clocks", "short", "later", "results", "words")},
            "parts": Cat(
                sum(terms[at : at + 2], Value.cast(0)).as_unsigned()[:bits]
                for at in range(0, len(terms), 2)
            ),
        }
        words = []
        parts = (self.dut._noted, self.dut._measured, self.dut._summed)
        for part, named in zip(parts, (noted, measured, summed), strict=True):
            word = Signal.like(part.o.payload)
            m.d.comb += [word[name].eq(value) for name, value in named.items()]
            words.append(word)
        return words

    def _legal(self, command):
        """What limits allow, as far as the words that a command sends depend on it."""
        work = command.work
        tile = (work.opcode == Opcode.WS) | (work.opcode == Opcode.IS)
        return Mux(tile, work.fires == 1, work.m <= ARRAY.rows) & (
            self._results(command) <= ARRAY.result_depth
        )

    def _results(self, command):
        return Mux(command.work.emit, command.work.m * command.work.fires, 0)

    def _decoded(self, command, before):
        work = command.work
        tile = (work.opcode == Opcode.WS) | (work.opcode == Opcode.IS)
        length = work.k + work.taps
        clocks = Mux(tile, work.m, length)
        rows = ARRAY.rows.bit_length()
        short = Mux(length > ARRAY.rows, ARRAY.rows, length)
        return {
            "is_tile": tile,
            "clocks": clocks,
            "one": clocks < 2,
            "two": clocks < 3,
            "one_stream": work.streams < 2,
            "one_fire": work.fires < 2,
            "free": (clocks < 2) & (work.fires < 2),
            "over": (clocks < 2) & (work.fires < 2) & (work.streams < 2),
            "short": short,
            "later": short + 1,
            "follows": (work.streams > 1) | (before.work.m[:rows] <= short),
            "follows_later": before.work.m[:rows] <= short + 1,
            "results": work.m[:rows],
            "words": work.k[:rows],
            "emit": work.emit,
            "last": command.last,
        }

    def _promise(self, m, inside, followed, decodes, counts):
        """Room for what is promised, counted from all that has been, and has been handed over."""
        dut, depth = self.dut, ARRAY.result_depth
        shape = Signal(commands.left_shape(ARRAY)).shape()
        handed, promised, owed = (Signal(shape, name=n) for n in ("given", "promised", "owed"))
        sums = dut._summed.o.payload.parts
        m.d.sync += handed.eq(handed + self.handed)
        with m.If(decodes):
            m.d.sync += promised.eq(promised + sum(sums[at] for at in range(len(sums))))
            with m.If(counts[0] == self.which):
                m.d.sync += owed.eq(promised + self._results(followed))
        left = Signal(shape, name="left")
        m.d.comb += [left.eq(depth + handed - owed)]
        for name, ends in zip(("decoded", "head"), pairwise(counts), strict=True):
            held, front = (ends[0] - ends[1])[:NUMBER_BITS], (self.which - ends[1])[:NUMBER_BITS]
            first, second = (getattr(inside, f"{name}_{at}_left") for at in ("first", "second"))
            m.d.comb += [
                Assert((held == 0) | (front != 0) | (first == left)),
                Assert((held != 2) | (front != 1) | (second == left)),
            ]
        opens = past(m, Mux(dut.moves, self.coming_opens, self.staying_opens))
        leaves = self.o.valid & (counts[2] == self.which)
        before = past(m, handed)  # what has been handed over a clock later counts
        m.d.comb += [
            Assert(dut.may_start == (self.o.valid & dut.has_room & opens)),
            Assert(dut.holds == ~dut.may_start),
            Assert(inside.left == (depth + handed - promised)[: len(left)].as_signed()),
            Assert(
                ~leaves | (dut.has_room == ((depth + before - owed)[: len(left)].as_signed() >= 0))
            ),
            Cover(leaves & (left == 0) & dut.has_room),
            Cover(leaves & (left == -1) & ~dut.has_room),
        ]


MUTANTS = (
    Mutant(
        "room for one too many",
        "init=self.array.result_depth)",
        "init=self.array.result_depth + 1)",
    ),
    Mutant("kept sums are promised", "times.eq(Mux(work.emit,", "times.eq(Mux(1,"),
    Mutant("taps are forgotten", "i.k + i.taps", "i.k"),
    Mutant("room is lost", "coming, first + self.handed", "coming, first"),
    Mutant(
        "room of the command before",
        "~Mux(head.moves, coming_lacks, staying_lacks)",
        "~staying_lacks",
    ),
    Mutant("a start without room", "self.staying_opens & ~staying_lacks", "self.staying_opens"),
    Mutant("commands out of order", "read + (self.o.valid & self.o.ready)", "read + self.o.ready"),
)


def test_order_and_room():
    prove(Promises(commands.Commands(ARRAY)), 9)


@pytest.mark.full
def test_words_that_are_added_up_in_parts(monkeypatch):
    """An array of so many rows that their product with fires is a sum of several parts."""
    monkeypatch.setitem(globals(), "ARRAY", SystolicArray(16, 2))
    prove(Promises(commands.Commands(ARRAY)), 9)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(commands, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Promises(twin.Commands(ARRAY)), 6, induction=0)
