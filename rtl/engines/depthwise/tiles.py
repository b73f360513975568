"""Tiles of a command: P neighbouring output pixels each."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode
from rtl.engines.depthwise.layouts import COORDINATE_BITS, Pixel, tile_layout
from rtl.lib.layout import layout


class TileGenerator(wiring.Component):
    """Turns every command into its tiles, one in a clock where they are taken so fast.

    commands : taken as soon as the last tile of the command before it leaves.
    tiles : the next tile; the first one of a command is there in the clock after it was taken.

    Pixels are steps of `sw` columns through a map that `wrap` columns wide. Where a pixel lies n
    steps from the first follows from two that are half as far, by one addition and one wrap.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "tiles": Out(stream.Signature(tile_layout(engine))),
            }
        )
        self.valid = Signal()
        self.tile = Signal(tile_layout(engine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid, tile = self.valid, self.tile
        command = Signal(layout(DepthwiseCommand))
        end = Signal()
        take = Signal()
        row_word = Signal.like(tile.word)  # of the first tile in this row
        stride = Pixel(  # from tile to tile
            *(Signal(COORDINATE_BITS, name=f"stride_{axis}") for axis in Pixel._fields)
        )
        m.d.comb += [
            command.eq(tile.command),
            take.eq(~valid | (self.tiles.ready & end)),
            self.commands.ready.eq(take),
            self.tiles.valid.eq(valid),
            self.tiles.payload.eq(tile),
            self.tiles.payload.end.eq(end),
        ]

        # The command that the next tile belongs to, and pixels 0 to P from where it begins.
        new_command = Signal.like(command)
        m.d.comb += new_command.eq(Mux(take, self.commands.payload, command))
        starts = self._steps(m, new_command)

        ahead, past_row = self._ahead(m, stride, command, end)
        flat = command.work.opcode == DepthwiseOpcode.FLAT
        with m.If(take):
            m.d.sync += [
                valid.eq(self.commands.valid),
                tile.command.eq(new_command),
                tile.word.eq(new_command.map),
                row_word.eq(new_command.map),
                stride.y.eq(starts[-1].y),
                stride.x.eq(starts[-1].x),
            ]
            m.d.sync += self._place(starts[:-1])
        with m.Elif(self.tiles.ready & past_row & ~flat):
            m.d.sync += [
                tile.word.eq(row_word + command.row_words),
                row_word.eq(row_word + command.row_words),
            ]
            m.d.sync += self._place(
                [Pixel(tile.y[0] + command.work.sh, pixel.x) for pixel in starts[:-1]]
            )
        with m.Elif(self.tiles.ready):
            m.d.sync += tile.word.eq(tile.word + 1)
            m.d.sync += self._place(ahead)
        return m

    def _ahead(
        self, m: Module, stride: Pixel, command: data.View, end: Signal
    ) -> tuple[list[Pixel], Signal]:
        """Pixels of the tile behind this one, along the row or the map, and if it is past the row.

        Where it is past the last output, this tile is the `end`.
        """
        tile, past_row = self.tile, Signal(name="past_row")
        ahead = [
            self._add(m, f"ahead_{p}", Pixel(tile.y[p], tile.x[p]), stride, command)
            for p in range(self.engine.pixels)
        ]
        first = ahead[0]
        m.d.comb += [
            past_row.eq(first.x > command.right),
            end.eq((first.y > command.bottom) | ((first.y == command.bottom) & past_row)),
        ]
        return ahead, past_row

    def _place(self, pixels: list[Pixel]) -> list[object]:
        """Statements that put the pixels of the tile there."""
        return [
            statement
            for p, pixel in enumerate(pixels)
            for statement in (self.tile.y[p].eq(pixel.y), self.tile.x[p].eq(pixel.x))
        ]

    def _steps(self, m: Module, command: data.View) -> list[Pixel]:
        """Pixels 0 to P of a command, counted from its first."""
        pixels = [Pixel(Const(0), Const(0))]
        one = Pixel(Const(0), command.work.sw)
        for n in range(1, self.engine.pixels + 1):
            half = 1 << (n - 1).bit_length() >> 1  # the largest power of two below n
            pair = (pixels[half], pixels[n - half]) if half else (pixels[0], one)
            pixels.append(self._add(m, f"step_{n}", *pair, command))
        return pixels

    def _add(self, m: Module, name: str, a: Pixel, b: Pixel, command: data.View) -> Pixel:
        """Pixel as far behind `a` as `b` is behind the first one."""
        x = Signal(COORDINATE_BITS + 1, name=f"{name}_sum")
        pixel = Pixel(*(Signal(COORDINATE_BITS, name=f"{name}_{axis}") for axis in Pixel._fields))
        wraps = x >= command.wrap
        m.d.comb += [
            x.eq(a.x + b.x),
            pixel.x.eq(x - Mux(wraps, command.wrap, 0)),
            pixel.y.eq(a.y + b.y + Mux(wraps, command.work.sh, 0)),
        ]
        return pixel
