"""Commands of the depthwise engine.

What is counted of a pass is counted of many at once where its fields are columns of a table,
int64[passes].
"""

from enum import IntEnum
from typing import Annotated, Any, NamedTuple, Protocol

from accelsim.passes.base import Address, Bits


class DepthwiseOpcode(IntEnum):
    """How the depthwise engine cuts a map into tiles of P output pixels."""

    ROW = 0  # a tile lies in one output row
    FLAT = 1  # the rows follow each other without a gap, a tile may span several


_OPCODES = ", ".join(f"{opcode.value} {opcode.name.lower()}" for opcode in DepthwiseOpcode)


class DepthwisePass(NamedTuple):
    """One command to the depthwise engine: up to L channels, one a lane, with one kernel shape.

    Output (oy, ox) of a channel is the sum over ky, kx of its weight [ky, kx] times its input
    [oy sh + ky dh - pt, ox sw + kx dw - pl], which is 0 outside of h x w.

    The map lies in a lane's bank as sh x sw planes, plane (ry, rx) = x[ry::sh, rx::sw], so that a
    stride costs nothing (polyphase). Row by row: `row`, every plane row begins on a word of P
    values; `flat`, plane rows lie `pitch` values apart.

    Legal are as many channels as lanes; kernel, stride, dilation and padding up to the largest that
    the engine is made for; fh fw entries in half of the tap memory; the map's words in half of a
    bank; oh sh, ow sw and pitch sw up to 16383. All but opcode, pt and pl are at least 1.
    """

    opcode: Annotated[int, Bits(1), DepthwiseOpcode, _OPCODES]
    channels: Annotated[int, Bits(10), "lanes that take part, from lane 0"]
    h: Annotated[int, Bits(14), "rows of the map"]
    w: Annotated[int, Bits(14), "columns of the map"]
    oh: Annotated[int, Bits(14), "rows of outputs"]
    ow: Annotated[int, Bits(14), "columns of outputs"]
    fh: Annotated[int, Bits(8), "rows of the kernel"] = 1
    fw: Annotated[int, Bits(8), "columns of the kernel"] = 1
    sh: Annotated[int, Bits(4), "stride from row to row"] = 1
    sw: Annotated[int, Bits(4), "stride from column to column"] = 1
    dh: Annotated[int, Bits(6), "dilation from row to row"] = 1
    dw: Annotated[int, Bits(6), "dilation from column to column"] = 1
    pt: Annotated[int, Bits(12), "rows of zeros above the map"] = 0
    pl: Annotated[int, Bits(12), "columns of zeros on the left of the map"] = 0

    def layout(self, pixels: int) -> "DepthwiseLayout":
        """Where the map lies in a bank of words of so many pixels."""
        rows, columns = -(-self.h // self.sh), -(-self.w // self.sw)
        flat = self.opcode == DepthwiseOpcode.FLAT.value
        row_words = (1 - flat) * -(-columns // pixels)
        pitch = row_words * pixels + flat * _larger(columns, self.ow)
        plane_words = -(-rows * pitch // pixels)
        return DepthwiseLayout(pitch, row_words, plane_words, self.sh * self.sw * plane_words)

    def tiles(self, pixels: int) -> Any:
        """Tiles of so many pixels."""
        rows = self.oh * -(-self.ow // pixels)
        pitch = _larger(-(-self.w // self.sw), self.ow)
        flat = -(-((self.oh - 1) * pitch + self.ow) // pixels)
        return rows + (self.opcode == DepthwiseOpcode.FLAT.value) * (flat - rows)


def _larger(a: Any, b: Any) -> Any:
    """Of two numbers, or of each two of two columns; numbers stay what they are."""
    return a + (b > a) * (b - a)


class DepthwiseLayout(NamedTuple):
    """A map in a lane's bank.

    pitch : values from a plane row to the next.
    row_words : words of a plane row in mode row, 0 in flat.
    plane_words, words : words of a plane, and of the whole map.
    """

    pitch: Any
    row_words: Any
    plane_words: Any
    words: Any


class DepthwiseWords(NamedTuple):
    """Words of a pass: of its map in a lane's bank, entries of its taps, words of its results."""

    map: Any
    taps: Any
    results: Any


def depthwise_words(p: DepthwisePass, pixels: int, result_lanes: int) -> DepthwiseWords:
    """The words of a pass on an engine of so many pixels, so many lanes to a result word."""
    results = depthwise_results(p, pixels, result_lanes)
    return DepthwiseWords(p.layout(pixels).words, p.fh * p.fw, results)


def depthwise_results(p: DepthwisePass, pixels: int, result_lanes: int) -> Any:
    """The words of its results alone."""
    return p.tiles(pixels) * -(-p.channels // result_lanes)


NO_WRAP = (1 << 15) - 1  # a row of output pixels that never ends


class DepthwisePorts(Protocol):
    """What of an engine is in its commands."""

    @property
    def pixels(self) -> int:
        """Values of a word of a bank."""

    @property
    def result_lanes(self) -> int:
        """Lanes whose results leave in one clock."""

    @property
    def fill_port(self) -> int:
        """Operands that come in through the fill port in a clock; 0 without one."""


class DepthwiseCommand(NamedTuple):
    """A DepthwisePass, what follows from it, and where its operands begin.

    What the engine would need a multiplier or a division for is here, so that it has none.

    wrap : (pitch x sw) input columns after which output pixels go on in the next row; NO_WRAP in
        mode row.
    stride_y, stride_x : input rows and columns from the first pixel of a tile to that of the next.
    bottom, right : input row and column of the last output, (oh - 1) sh and (ow - 1) sw.
    row_words, words : words of a plane row in mode row, and of the whole map in a lane's bank.
    row_tiles : tiles of a row of outputs in mode row, of the whole map in mode flat.
    beats : result words of a tile.
    parts, entries : what comes in through a fill port, of every word and of the taps.
    map, taps : word address in the banks, entry of the tap memory.
    last : 1 ends a sequence.
    """

    work: DepthwisePass
    wrap: Annotated[int, Bits(15), "`pitch * sw` in mode flat, 32767 in mode row"]
    stride_y: Annotated[int, Bits(12), "`P / pitch * sh` in mode flat, 0 in mode row"]
    stride_x: Annotated[int, Bits(12), "`P mod pitch * sw` in mode flat, `P * sw` in mode row"]
    bottom: Annotated[int, Bits(15), "`(oh - 1) * sh`"]
    right: Annotated[int, Bits(15), "`(ow - 1) * sw`"]
    row_words: Annotated[int, Bits(14), "words of a plane row in mode row, 0 in mode flat"]
    row_tiles: Annotated[int, Bits(28), "tiles of a row of outputs, in mode flat of all rows"]
    beats: Annotated[int, Bits(10), "result words of a tile, `ceil(channels / Q)`"]
    words: Annotated[int, Bits(24), "words of the whole map, `sh * sw * plane_words`"]
    parts: Annotated[int, Bits(18), "of a word, that come in through the fill port; 1 without one"]
    entries: Annotated[int, Bits(16), "of the tap memory, `fh * fw`"]
    map: Annotated[int, Address(24), "address of the first word in the banks"]
    taps: Annotated[int, Address(16), "address of the first entry in the tap memory"]
    last: Annotated[int, Bits(1), "1 ends the sequence"]


def depthwise_command(
    work: DepthwisePass, ports: DepthwisePorts, map: int, taps: int, last: int
) -> DepthwiseCommand:
    """The command of a pass on an engine of such ports."""
    pixels = ports.pixels
    layout = work.layout(pixels)
    flat = work.opcode == DepthwiseOpcode.FLAT
    rows, columns = divmod(pixels, layout.pitch) if flat else (0, pixels)
    return DepthwiseCommand(
        work,
        wrap=layout.pitch * work.sw if flat else NO_WRAP,
        stride_y=rows * work.sh,
        stride_x=columns * work.sw,
        bottom=(work.oh - 1) * work.sh,
        right=(work.ow - 1) * work.sw,
        row_words=layout.row_words,
        row_tiles=work.tiles(pixels) if flat else -(-work.ow // pixels),
        beats=-(-work.channels // ports.result_lanes),
        words=layout.words,
        parts=-(-work.channels * pixels // ports.fill_port) if ports.fill_port else 1,
        entries=work.fh * work.fw,
        map=map,
        taps=taps,
        last=last,
    )
