"""Every tile gives all of its taps, a tap in a clock, and only its last one waits.

A tile of so many kernel rows and columns is over as many clocks after it was taken as it has taps,
or as soon behind that as the results of the tile before it have left and there is room. So whoever
waits for a tile waits for room at most, which the reader of results gives.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, signed
from amaranth.lib import wiring

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise import issue
from rtl.engines.depthwise.queue import FOLLOWS
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past
from tests.rtl.mutants import Mutant, load

ENGINE = DepthwiseEngine(3, 1)
MOST = 255  # kernel rows and columns
WIDE = signed(18)  # rows and columns of the input, without wrapping


class Taps(wiring.Component):
    """Any tiles at any time, whose operands and room come at any time.

    Decisions are told in the clock in which they fall, what is issued FOLLOWS clocks later.
    """

    def __init__(self, dut):
        self.dut = dut
        ports = dut.signature.members
        names = ("orders", "tile", "room", "room_behind", "loaded")
        super().__init__({name: ports[name] for name in names})
        counts = dut.orders.payload.counts
        # The tile that is decided about, and its tap.
        self.valid, self.head = Signal(), Signal.like(dut.orders.payload.head)
        self.rows, self.columns, self.row, self.column = (
            Signal(range(MOST + 1), name=name) for name in ("rows", "columns", "row", "column")
        )
        self.coming_rows, self.coming_columns = counts.rows + 3, counts.columns + 3
        # Clocks since a tile ended, as far as they count, and its result words.
        self.since, self.before = Signal(4, init=15), Signal.like(self.head.beats)
        # Room is told a clock ahead.
        self.had_room, self.had_room_behind = (
            Signal(init=1, name=name) for name in ("had_room", "had_room_behind")
        )

    def elaborate(self, platform):
        m = Module()
        inside = Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.orders), self.dut.orders)
        for name in ("tile", "room", "room_behind", "loaded"):
            m.d.comb += getattr(self.dut, name).eq(getattr(self, name))
        self._decide(m)
        self._issue(m, inside)
        return m

    def _decide(self, m):
        """Tiles in order, and their taps; the last one of each waits."""
        dut, head, orders = self.dut, self.head, self.orders
        counts, begins = orders.payload.counts, orders.payload.head.begins
        first = (self.row == 0) & (self.column == 0)
        ends_row, in_last_row = self.column + 1 == self.columns, self.row + 1 == self.rows
        last = ends_row & in_last_row
        drained = self.since >= self.before
        m.d.sync += [
            self.had_room.eq(self.room),
            self.had_room_behind.eq(self.room_behind),
        ]
        room = Mux(self.since == 1, self.had_room_behind, self.had_room)
        issues, ends, comes = Signal(), Signal(), Signal()
        opens = self.loaded | ~begins
        m.d.comb += [
            Assume((self.coming_rows >= 1) & (self.coming_rows <= MOST)),
            Assume((self.coming_columns >= 1) & (self.coming_columns <= MOST)),
            Assume(counts.one_row == (self.coming_rows == 1)),
            Assume(counts.one_column == (self.coming_columns == 1)),
            Assume(counts.one == (counts.one_row & counts.one_column)),
            Assume(orders.payload.head.beats != 0),
            issues.eq(self.valid & (~last | (drained & room))),
            ends.eq(issues & last),
            comes.eq(orders.valid & orders.ready),
            Assert(orders.ready == ((~self.valid | ends) & opens)),
        ]
        with m.If(issues):
            m.d.sync += self.column.eq(self.column + 1)
            with m.If(ends_row):
                m.d.sync += [self.column.eq(0), self.row.eq(self.row + 1)]
        with m.If(self.since != 15):
            m.d.sync += self.since.eq(self.since + 1)
        with m.If(ends):
            m.d.sync += [self.since.eq(1), self.before.eq(head.beats), self.valid.eq(0)]
        with m.If(comes):
            m.d.sync += [
                self.valid.eq(1),
                head.eq(orders.payload.head),
                self.rows.eq(self.coming_rows),
                self.columns.eq(self.coming_columns),
                self.row.eq(0),
                self.column.eq(0),
            ]
        self._registers(m, first, ends_row, in_last_row, drained)
        step, later = dut.slot.step, FOLLOWS
        m.d.comb += [
            Assert(dut.begun == past(m, comes & begins)),
            Assert(dut.reserved == past(m, Mux(ends, head.beats, 0))),
            Assert(dut.slot.valid == past(m, issues, later)),
            Assert(step.first == past(m, issues & first, later)),
            Assert(step.beats == past(m, Mux(ends, head.beats, 0), later)),
            Assert(step.end == past(m, ends & head.ends, later)),
            Assert(step.last == past(m, ends & head.last, later)),
            Assert(dut.begins == past(m, issues & first & head.begins, later)),
            Assert(dut.empty == ~past(m, self.valid, later)),
            Assert(dut.crowded == past(m, self.valid & last & drained & ~room, later)),
            Cover(ends & (self.since == 3) & (self.before == 3)),
        ]
        self._came, self._ended_row = past(m, comes, later), past(m, issues & ends_row, later)
        self._held, self._issued = past(m, self.valid, later), past(m, issues, later)
        self._column, self._columns = past(m, self.column, later), past(m, self.columns, later)

    def _registers(self, m, first, ends_row, in_last_row, drained):
        """What the registers of the decision mean."""
        dut, held = self.dut, self.valid
        left = self.before - self.since + 1
        m.d.comb += [
            Assert(dut.valid == held),
            Assert(~held | ((self.row < self.rows) & (self.column < self.columns))),
            Assert(~held | ((dut.head == self.head) & (self.head.beats != 0))),
            Assert(~held | (dut.is_first == first)),
            Assert(~held | (dut.begins_pass == (first & self.head.begins))),
            Assert(~held | (dut.ends_row == ends_row)),
            Assert(~held | (dut.in_last_row == in_last_row)),
            Assert(~held | (dut.is_last == (ends_row & in_last_row))),
            Assert(~held | (dut.one_column == (self.columns == 1))),
            Assert(~held | (dut.columns == self.columns - 3)),
            Assert(~held | ends_row | (dut.columns_left == self.columns - self.column - 3)),
            Assert(~held | in_last_row | (dut.rows_left == self.rows - self.row - 3)),
            Assert((self.since != 0) & ((self.since == 15) | (self.before != 0))),
            Assert(dut.ended == (self.since == 1)),
            Assert(
                ~dut.ended
                | ((dut.ended_short == (self.before == 1)) & (dut.reserved == self.before))
            ),
            Assert(dut.drain_left == Mux((self.since == 1) | (self.since > self.before), 0, left)),
            Assert(dut.ended | (dut.drained == drained)),
            Assert(dut.ended | (dut.may_end == (drained & self.had_room))),
            Assert(~dut.ended | (dut.may_end_behind == (drained & self.had_room_behind))),
        ]

    def _issue(self, m, inside):
        """Where the tap of the slot lies, as its kernel row and column say."""
        dut = self.dut
        tile = Signal.like(self.tile)
        # The entry of the first column, and how far the tap is from the first one.
        entry = Signal.like(dut.slot.address)
        down, across = Signal(WIDE), Signal(WIDE)
        with m.If(self._issued):
            m.d.sync += across.eq(across + tile.dw)
        with m.If(self._ended_row):
            m.d.sync += [
                across.eq(0),
                down.eq(down + tile.dh),
                entry.eq(entry + tile.row_gap + self._columns - 1),
            ]
        with m.If(self._came):
            m.d.sync += [tile.eq(self.tile), entry.eq(self.tile.address), down.eq(0), across.eq(0)]
        address = (entry + self._column)[: len(entry)]
        edges = {"top": down, "bottom": down, "left": across, "right": across}
        kept = {"row_left": "left", "row_right": "right"}
        kept |= {name: name for name in ("dh", "dw", "row_gap")}
        lowest = -(1 << (len(tile.top) - 1))
        held = self._held
        m.d.comb += [
            # A legal kernel reaches no further.
            *(Assume(~held | (tile[name] - far >= lowest)) for name, far in edges.items()),
            Assert(~held | ((down >= 0) & (across >= 0))),
            Assert(~held | (dut.address == address)),
            Assert(~held | ((dut.word == tile.word) & (dut.pixels == tile.pixels))),
            *(
                Assert(~held | (getattr(dut, name) == tile[name] - far))
                for name, far in edges.items()
            ),
            *(Assert(~held | (getattr(inside, name) == tile[of])) for name, of in kept.items()),
            Assert(~dut.slot.valid | (dut.slot.address == address)),
            Assert(~dut.slot.valid | (dut.slot.word == tile.word)),
        ]
        alive = [
            dut.slot.valid
            & tile.pixels.inside[p]
            & (tile.pixels.y[p] + down >= tile.top)
            & (tile.pixels.y[p] + down < tile.bottom)
            & (tile.pixels.x[p] + across >= tile.left)
            & (tile.pixels.x[p] + across < tile.right)
            for p in range(ENGINE.pixels)
        ]
        m.d.comb += Assert(dut.mask == past(m, Cat(alive)))


MUTANTS = (
    Mutant("results of two tiles at once", "drained.eq(self.reserved <= 2)", "drained.eq(1)"),
    Mutant("a tile that never ends", "drained.eq(self.drain_left <= 2)", "drained.eq(0)"),
    Mutant(
        "a tile before its operands",
        "there.eq(orders.valid & (self.loaded |",
        "there.eq(orders.valid & (1 |",
    ),
    Mutant("taps wait for room", "self.valid & (may_end | ~is_last)", "self.valid & may_end"),
    Mutant(
        "a row too few",
        "self.in_last_row.eq(self.rows_left < 0)",
        "self.in_last_row.eq(self.rows_left <= 0)",
    ),
    Mutant(
        "all rows as short as the last",
        "self.columns_left.eq(self.columns)",
        "self.columns_left.eq(0)",
    ),
    Mutant("rows of taps without a gap", "self.address + row_gap", "self.address + 1"),
)


@pytest.mark.full
def test_taps_and_when_they_are_issued():
    prove(Taps(issue.Issue(ENGINE)), FOLLOWS + 6, induction=FOLLOWS + 1)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(issue, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Taps(twin.Issue(ENGINE)), FOLLOWS + 6, induction=0)
