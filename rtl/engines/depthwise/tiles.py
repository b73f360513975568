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
        # Tiles behind it in its row, also where that begins, and rows behind that, all less one, so
        # that the sign says whether there are none.
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
            take.eq(~valid | (self.sent & place.ends)),
            self.commands.ready.eq(take),
            self.sent.eq(valid & self.room),
            place.command.eq(command),
            place.y.eq(y),
            place.x.eq(x),
            place.ahead_y.eq(Mux(wraps, y + over_y, y + command.stride_y)),
            place.ahead_x.eq(Mux(wraps, folded, x + command.stride_x)),
            place.word.eq(word),
            place.begins.eq(begins),
            place.ends.eq((tiles_left < 0) & (rows_left < 0)),
        ]
        with m.If(take):
            m.d.sync += [
                valid.eq(self.commands.valid),
                command.eq(new),
                y.eq(0),
                x.eq(0),
                word.eq(new.map),
                row_word.eq(new.map),
                begins.eq(1),
                tiles_left.eq(new.row_tiles - 2),
                row_left.eq(new.row_tiles - 2),
                rows_left.eq(Mux(flat, -1, new.work.oh - 2)),
                over_y.eq(new.stride_y + new.work.sh),
                over_x.eq(new.stride_x - new.wrap),
            ]
        with m.Elif(self.sent):
            m.d.sync += begins.eq(0)
            with m.If(tiles_left < 0):
                m.d.sync += [
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
                    tiles_left.eq(tiles_left - 1),
                ]
        return m
