"""Tiles of a command: P neighbouring output pixels each."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode
from rtl.engines.depthwise.layouts import COORDINATE_BITS, place_layout
from rtl.lib.layout import layout


class TileGenerator(wiring.Component):
    """Turns every command into its tiles, one in a clock where there is room for them.

    commands : taken as soon as the last tile of the command before it leaves.
    room : for one more tile behind the generator.
    sent, place : a tile that leaves in this clock.

    Pixels are steps of `sw` columns through a map that is `wrap` columns wide.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "room": In(1),
                "sent": Out(1),
                "place": Out(place_layout(engine)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, new = self.place, self.commands.payload
        valid = Signal()
        command = Signal(layout(DepthwiseCommand), reset_less=True)
        y, x = (Signal(COORDINATE_BITS, name=name, reset_less=True) for name in "yx")
        word, row_word = Signal.like(place.word), Signal.like(place.word)
        begins = Signal(reset_less=True)
        # It is the last of its row, in the last row, and both; and whether a row has no other.
        ends_row, in_last_row, ends, one_tile = (
            Signal(name=name, reset_less=True)
            for name in ("ends_row", "in_last_row", "ends", "one_tile")
        )
        # Tiles behind it in its row, also where that begins, and rows behind that, all less two, so
        # that the sign says whether there are none behind the next.
        tiles_left, row_left = (
            Signal(signed(1 + len(command.row_tiles)), name=name, reset_less=True)
            for name in ("tiles_left", "row_left")
        )
        rows_left = Signal(signed(1 + len(command.work.oh)), reset_less=True)
        # From tile to tile, and the same where that goes on in the next row.
        over_y = Signal.like(command.stride_y, reset_less=True)
        over_x = Signal(signed(COORDINATE_BITS + 1), reset_less=True)
        folded = Signal(signed(COORDINATE_BITS + 1))
        wraps, take = Signal(), Signal()
        flat = new.work.opcode == DepthwiseOpcode.FLAT
        m.d.comb += [
            folded.eq(x + over_x),
            wraps.eq(folded >= 0),
            take.eq(~valid | (self.room & ends)),
            self.commands.ready.eq(take),
            self.sent.eq(valid & self.room),
            place.command.eq(command),
            place.y.eq(y),
            place.x.eq(x),
            place.ahead_y.eq(Mux(wraps, y + over_y, y + command.stride_y)),
            place.ahead_x.eq(Mux(wraps, folded, x + command.stride_x)),
            place.word.eq(word),
            place.begins.eq(begins),
            place.ends.eq(ends),
        ]
        new_one_row, new_one_tile = flat | (new.work.oh == 1), new.row_tiles == 1
        with m.If(take):
            m.d.sync += [
                valid.eq(self.commands.valid),
                command.eq(new),
                y.eq(0),
                x.eq(0),
                word.eq(new.map),
                row_word.eq(new.map),
                begins.eq(1),
                in_last_row.eq(new_one_row),
                *(register.eq(new_one_tile) for register in (ends_row, one_tile)),
                ends.eq(new_one_row & new_one_tile),
                tiles_left.eq(new.row_tiles - 3),
                row_left.eq(new.row_tiles - 3),
                rows_left.eq(new.work.oh - 3),
                over_y.eq(new.stride_y + new.work.sh),
                over_x.eq(new.stride_x - new.wrap),
            ]
        with m.Elif(self.sent):
            m.d.sync += begins.eq(0)
            with m.If(ends_row):
                m.d.sync += [
                    in_last_row.eq(rows_left < 0),
                    ends_row.eq(one_tile),
                    ends.eq((rows_left < 0) & one_tile),
                    y.eq(y + command.work.sh),
                    x.eq(0),
                    word.eq(row_word + command.row_words),
                    row_word.eq(row_word + command.row_words),
                    tiles_left.eq(row_left),
                    rows_left.eq(rows_left - 1),
                ]
            with m.Else():
                m.d.sync += [
                    y.eq(place.ahead_y),
                    x.eq(place.ahead_x),
                    word.eq(word + 1),
                    ends_row.eq(tiles_left < 0),
                    ends.eq(in_last_row & (tiles_left < 0)),
                    tiles_left.eq(tiles_left - 1),
                ]
        return m
