"""Tiles of a command: P neighbouring output pixels each."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.layouts import (
    COORDINATE_BITS,
    extent_layout,
    kept_layout,
    place_layout,
)


class TileGenerator(wiring.Component):
    """Turns every command into its tiles, one in a clock where there is room for them.

    extents : how many tiles a command has; taken as soon as the last tile of the command before it
        leaves.  command : of which they were taken in the clock before.
    room : for one more tile behind the generator.
    sent : a tile leaves in this clock.  place : of the tile that left in the clock before.

    What is decided in a clock is which tile leaves; where that lies follows a clock later. Pixels
    are steps of `sw` columns through a map that is `wrap` columns wide.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "extents": In(stream.Signature(extent_layout())),
                "command": In(kept_layout()),
                "room": In(1),
                "sent": Out(1),
                "place": Out(place_layout(engine)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        new = self.extents.payload
        valid, take = Signal(), Signal()
        # It is the last of its row, and in the last row; and whether a row has no other.
        ends_row, in_last_row, one_tile = (
            Signal(name=name, reset_less=True) for name in ("ends_row", "in_last_row", "one_tile")
        )
        ends = ends_row & in_last_row
        # Tiles behind it in its row, also where that begins, and rows behind that, all less two, so
        # that the sign says whether there are none behind the next.
        tiles_left, row_left = (
            Signal.like(new.tiles_left, name=name, reset_less=True)
            for name in ("tiles_left", "row_left")
        )
        rows_left = Signal.like(new.rows_left, reset_less=True)
        m.d.comb += [
            take.eq(~valid | (self.room & ends)),
            self.extents.ready.eq(take),
            self.sent.eq(valid & self.room),
        ]
        with m.If(take):
            m.d.sync += [
                valid.eq(self.extents.valid),
                in_last_row.eq(new.one_row),
                *(register.eq(new.one_tile) for register in (ends_row, one_tile)),
                *(register.eq(new.tiles_left) for register in (tiles_left, row_left)),
                rows_left.eq(new.rows_left),
            ]
        with m.Elif(self.room):
            with m.If(ends_row):
                m.d.sync += [
                    in_last_row.eq(rows_left < 0),
                    ends_row.eq(one_tile),
                    tiles_left.eq(row_left),
                    rows_left.eq(rows_left - 1),
                ]
            with m.Else():
                m.d.sync += [
                    ends_row.eq(tiles_left < 0),
                    tiles_left.eq(tiles_left - 1),
                ]
        last = Signal(reset_less=True)
        m.d.sync += last.eq(ends)
        m.d.comb += self.place.ends.eq(last)
        self._place(m, take, ends_row)
        return m

    def _place(self, m: Module, take: Value, ends_row: Value) -> None:
        """Where the tile lies: of the next command, or a tile further, perhaps in the next row."""
        place = self.place
        took, moved, new_row = (Signal(name=name) for name in ("took", "moved", "new_row"))
        # Almost the same turned round, registers of their own: few read them, and they lie there.
        stays, goes_on = Signal(init=1), Signal()
        m.d.sync += [
            took.eq(take),
            moved.eq(self.room),
            new_row.eq(ends_row),
            stays.eq(~take),
            goes_on.eq(~take & ~ends_row),
        ]
        following, of = self.command, Signal(kept_layout())  # and the one whose tile is next
        kept = Signal(kept_layout(), reset_less=True)
        with m.If(stays):
            m.d.comb += of.eq(kept)
        with m.Else():
            m.d.comb += of.eq(following)
        with m.If(took):
            m.d.sync += kept.eq(following)
        begins = Signal(reset_less=True)
        word, row_word = (
            Signal.like(place.word, name=name, reset_less=True) for name in ("word", "row_word")
        )
        # As it is; further by a tile, by a tile with a wrap, and by a row.
        y, ahead_y, wrapped_y, below_y, x, ahead_x = (
            Signal(COORDINATE_BITS, name=name, reset_less=True)
            for name in ("y", "ahead_y", "wrapped_y", "below_y", "x", "ahead_x")
        )
        wrapped_x = Signal(signed(COORDINATE_BITS + 1), reset_less=True)
        wraps = wrapped_x >= 0
        m.d.comb += [
            place.command.eq(kept.command),
            place.y.eq(y),
            place.x.eq(x),
            place.ahead_y.eq(Mux(wraps, wrapped_y, ahead_y)),
            place.ahead_x.eq(Mux(wraps, wrapped_x, ahead_x)),
            place.word.eq(word),
            place.begins.eq(begins),
        ]
        next_y = Mux(stays, Mux(new_row, below_y, place.ahead_y), 0)
        next_x = Mux(goes_on, place.ahead_x, 0)
        with m.If(~stays | moved):
            m.d.sync += [
                begins.eq(~stays),
                y.eq(next_y),
                x.eq(next_x),
                ahead_y.eq(next_y + of.command.stride_y),
                wrapped_y.eq(next_y + of.over_y),
                below_y.eq(next_y + of.command.work.sh),
                ahead_x.eq(next_x + of.command.stride_x),
                wrapped_x.eq(next_x + of.over_x),
            ]
        below = row_word + kept.command.row_words
        with m.If(~stays):
            m.d.sync += [word.eq(following.command.map), row_word.eq(following.command.map)]
        with m.Elif(moved & new_row):
            m.d.sync += [word.eq(below), row_word.eq(below)]
        with m.Elif(moved):
            m.d.sync += word.eq(word + 1)
