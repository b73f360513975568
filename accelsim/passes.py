"""The commands of the engines: one immutable record per piece of work.

A record is a NamedTuple whose fields are Annotated with their width, so the same definition is
hashable (cost tables), goes into Numba kernels, and becomes the command word of the RTL.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple, get_type_hints


class Bits(int):
    """Width in bits of an unsigned field."""


class Opcode(IntEnum):
    """Mode of the systolic array for one pass."""

    OS = 0  # output stationary
    WS = 1  # weight stationary
    IS = 2  # input stationary: the hardware of WS with the operands exchanged
    ROWS = 3  # row streams: one-dimensional convolutions along the rows


class ArrayPass(NamedTuple):
    """One command to the systolic array; everything that its timing depends on.

    os        m rows x n columns of results, k products each
    ws, is    k rows x n columns of stationary operands, m rows streamed past them; `accumulate`
              adds the accumulator memory to the results, `emit` sends them to the result port
              instead of writing them back
    rows      m rows, each running `streams` one-dimensional correlations with `taps` taps over
              k values (preceded by zeros), summed into n windows; with one stream, `fires`
              such groups of n windows follow each other on one long line

    Legal are m rows (k in ws and is) and n columns that the array has, taps up to its max_taps.
    ws and is: m up to the accumulator depth where accumulate is 1 or emit is 0; os and rows:
    accumulate 0, emit 1. rows: k at least 2 and from n - 1 to n + taps - 1; more than one fire
    needs one stream, n >= m and n > taps. All but taps and the two flags are at least 1.
    """

    opcode: Annotated[int, Bits(2)]
    m: Annotated[int, Bits(16)]
    n: Annotated[int, Bits(16)]
    k: Annotated[int, Bits(16)]
    taps: Annotated[int, Bits(8)] = 0
    streams: Annotated[int, Bits(8)] = 1
    fires: Annotated[int, Bits(16)] = 1
    accumulate: Annotated[int, Bits(1)] = 0
    emit: Annotated[int, Bits(1)] = 1


class ArrayCommand(NamedTuple):
    """An ArrayPass and where its operands begin, as the sequencer of a core receives it.

    left, top : word addresses in the row banks and the column banks.
    last : 1 ends a sequence; the engine then waits for nothing more.
    """

    work: ArrayPass
    left: Annotated[int, Bits(24)]
    top: Annotated[int, Bits(24)]
    last: Annotated[int, Bits(1)]


class DepthwiseOpcode(IntEnum):
    """How the depthwise engine cuts a map into tiles of P output pixels."""

    ROW = 0  # a tile lies in one output row
    FLAT = 1  # the rows follow each other without a gap, a tile may span several


class DepthwisePass(NamedTuple):
    """One command to the depthwise engine: up to L channels, one a lane, with one kernel shape.

    Output (oy, ox) of a channel is the sum over ky, kx of its weight [ky, kx] times its input
    [oy sh + ky dh - pt, ox sw + kx dw - pl], which is 0 outside of h x w.

    The map lies in a lane's bank as sh x sw planes, plane (ry, rx) = x[ry::sh, rx::sw], so that a
    stride costs nothing (polyphase). Row by row: `row`, every plane row begins on a word of P
    values; `flat`, plane rows lie `pitch` values apart.
    """

    opcode: Annotated[int, Bits(1)]
    channels: Annotated[int, Bits(10)]
    h: Annotated[int, Bits(14)]
    w: Annotated[int, Bits(14)]
    oh: Annotated[int, Bits(14)]
    ow: Annotated[int, Bits(14)]
    fh: Annotated[int, Bits(8)] = 1
    fw: Annotated[int, Bits(8)] = 1
    sh: Annotated[int, Bits(4)] = 1
    sw: Annotated[int, Bits(4)] = 1
    dh: Annotated[int, Bits(6)] = 1
    dw: Annotated[int, Bits(6)] = 1
    pt: Annotated[int, Bits(12)] = 0
    pl: Annotated[int, Bits(12)] = 0

    def layout(self, pixels: int) -> "DepthwiseLayout":
        """Where the map lies in a bank of words of so many pixels."""
        rows, columns = -(-self.h // self.sh), -(-self.w // self.sw)
        if self.opcode == DepthwiseOpcode.ROW:
            row_words = -(-columns // pixels)
            return DepthwiseLayout(row_words * pixels, row_words, rows * row_words)
        pitch = max(columns, self.ow)
        return DepthwiseLayout(pitch, 0, -(-rows * pitch // pixels))


class DepthwiseLayout(NamedTuple):
    """A map in a lane's bank.

    pitch : values from a plane row to the next.
    row_words : words of a plane row in mode row, 0 in flat.
    plane_words : words of a plane.
    """

    pitch: int
    row_words: int
    plane_words: int


NO_WRAP = (1 << 15) - 1  # a row of output pixels that never ends


class DepthwiseCommand(NamedTuple):
    """A DepthwisePass, what follows from it, and where its operands begin.

    wrap : (pitch x sw) input columns after which output pixels go on in the next row; NO_WRAP in
        mode row.
    bottom, right : input row and column of the last output, (oh - 1) sh and (ow - 1) sw.
    row_words, words : words of a plane row in mode row, and of the whole map in a lane's bank.
    map, taps : word address in the banks, entry of the tap memory.
    last : 1 ends a sequence.
    """

    work: DepthwisePass
    wrap: Annotated[int, Bits(15)]
    bottom: Annotated[int, Bits(15)]
    right: Annotated[int, Bits(15)]
    row_words: Annotated[int, Bits(14)]
    words: Annotated[int, Bits(24)]
    map: Annotated[int, Bits(24)]
    taps: Annotated[int, Bits(16)]
    last: Annotated[int, Bits(1)]


def depthwise_command(
    work: DepthwisePass, pixels: int, map: int, taps: int, last: int
) -> DepthwiseCommand:
    """The command of a pass on an engine of so many pixels."""
    layout = work.layout(pixels)
    flat = work.opcode == DepthwiseOpcode.FLAT
    return DepthwiseCommand(
        work,
        wrap=layout.pitch * work.sw if flat else NO_WRAP,
        bottom=(work.oh - 1) * work.sh,
        right=(work.ow - 1) * work.sw,
        row_words=layout.row_words,
        words=work.sh * work.sw * layout.plane_words,
        map=map,
        taps=taps,
        last=last,
    )


class Repeat(NamedTuple):
    """`trips` times the passes of `body`, in order; `name` is for reports."""

    trips: int
    body: tuple["ArrayPass | Repeat", ...]
    name: str = "tiles"


def widths(record: type) -> dict[str, int | dict[str, int]]:
    """Width of every field of a pass record, nested records as nested dicts."""
    found: dict[str, int | dict[str, int]] = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        bits = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Bits)]
        found[name] = int(bits[0]) if bits else widths(hint)  # type: ignore[assignment]
    return found
