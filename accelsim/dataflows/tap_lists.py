"""Which taps the entries of a pass of the depthwise engine are, and which part of the map it holds.

An entry of the tap memory says by itself where its values lie, and the engine takes kernel rows and
columns only to find which positions miss the map. So a pass need not have the rows and columns of
its kernel. Along an axis

* whose padding is not stored, positions are those between the first and the last live tap, in steps
  that all live taps have in common; those that miss the map are skipped;
* whose padding is stored as zeros, a position may be any tap: the pass is a list. The map is
  declared so large that no position misses it that an output needs.

With both axes stored, a pass has as many entries as taps meet the map, and few that are left over.
As the list is in order, its rows still lie about where the declared ones do, so that those far
outside the map are skipped (`_in_order`).
"""

from collections.abc import Iterator
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.base import ceil_div
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from accelsim.limits.depthwise import limits
from accelsim.passes import DepthwiseOpcode, DepthwisePass

NONE = -1  # no tap, but an entry
MOST_GRIDS = 6  # numbers of columns of a list that are compared

Places = npt.NDArray[np.int64]


class Padded(NamedTuple):
    """Whether padding is stored as zeros, of rows and of columns."""

    rows: bool
    columns: bool


class Taps(NamedTuple):
    """A pass of one channel, and what its entries are.

    taps : int64[entries], places in the kernel; NONE where an entry is left over.
    down, right : int64[entries], rows and columns of the map of the pass from those of an output
        (oy sh, ox sw) to the values of the tap.
    top, left : row and column of the layer's map where that of the pass begins.
    """

    work: DepthwisePass
    taps: Places
    down: Places
    right: Places
    top: int
    left: int


def dense(conv: Conv, opcode: DepthwiseOpcode, rows: int, padded: bool) -> Taps:
    """All taps of a kernel, for so many rows of outputs.

    padded : whether rows of padding are stored.
    """
    work = DepthwisePass(
        opcode,
        1,
        h=(rows - 1) * conv.sh + (conv.fh - 1) * conv.dh + 1 if padded else conv.h,
        w=conv.w,
        oh=rows,
        ow=conv.ow,
        fh=conv.fh,
        fw=conv.fw,
        sh=conv.sh,
        sw=conv.sw,
        dh=conv.dh,
        dw=conv.dw,
        pt=0 if padded else conv.pt,
        pl=conv.pl,
    )
    down, right = regular(work)
    return Taps(work, np.arange(conv.fh * conv.fw), down, right, -conv.pt if padded else 0, 0)


def regular(work: DepthwisePass) -> tuple[Places, Places]:
    """Rows and columns from an output to the values of its taps, where entry ky fw + kx is theirs.

    Both int64[fh fw].
    """
    down, right = np.indices((work.fh, work.fw)).reshape(2, -1)
    return down * work.dh - work.pt, right * work.dw - work.pl


@lru_cache(maxsize=1 << 10)
def live(
    conv: Conv, engine: DepthwiseEngine, opcode: DepthwiseOpcode, rows: int, padded: Padded
) -> Taps:
    """The live taps of a kernel that meet the map, for so many rows of outputs.

    Padding of rows is stored if these are not all. Of lists with rows and columns of any number,
    the one of the fewest clocks.
    """
    places = conv.places
    y = _Axis(conv.h, conv.oh, conv.sh, places // conv.fw * conv.dh - conv.pt)
    x = _Axis(conv.w, conv.ow, conv.sw, places % conv.fw * conv.dw - conv.pl)
    met = (y.first <= y.last) & (x.first <= x.last)
    # A kernel without any takes an entry all the same.
    taps = places[met] if met.any() else np.array([NONE])
    y, x = (
        axis._replace(offsets=axis.offsets[met] if met.any() else np.zeros(1, np.int64))
        for axis in (y, x)
    )
    wanted = _Wanted(conv, engine, opcode, padded, taps, y._replace(outputs=rows), x)
    best = min(_shapes(wanted), key=lambda shape: _rank(engine, shape.work(wanted)))
    return _pass(wanted, best)


class _Axis(NamedTuple):
    """Values of the map, outputs, stride, and int64[taps] from an output to the values of taps."""

    size: int
    outputs: int
    stride: int
    offsets: Places

    @property
    def first(self) -> Places:
        """int64[taps], the first output with a value of the map at a tap."""
        first: Places = np.maximum(0, -(self.offsets // self.stride))
        return first

    @property
    def last(self) -> Places:
        """int64[taps], the last one; before the first where there is none."""
        return np.minimum(self.outputs - 1, (self.size - 1 - self.offsets) // self.stride)

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest offset."""
        return int(self.offsets.min()), int(self.offsets.max())


class _Wanted(NamedTuple):
    """What passes are to run: int64[taps] places in the kernel, and the same along both axes.

    y has the outputs of a pass.
    """

    conv: Conv
    engine: DepthwiseEngine
    opcode: DepthwiseOpcode
    padded: Padded
    taps: Places
    y: _Axis
    x: _Axis

    @property
    def whole(self) -> bool:
        """Whether a pass makes all outputs."""
        return self.y.outputs == self.conv.oh


class _Side(NamedTuple):
    """An axis of a pass.

    first : of the map, where that of the pass begins.
    size, dilation, padding : of the pass.
    """

    first: int
    size: int
    dilation: int
    padding: int


def _skipping(axis: _Axis, most: int) -> tuple[_Side, Places]:
    """Positions from the first live tap to the last, dilated by what steps have in common.

    int64[taps] are those of the taps.

    most : of a dilation.
    """
    low, high = axis.ends
    common = gcd(*(axis.offsets - low).tolist()) or 1
    steps = range(1, min(common, most) + 1)
    step = max(step for step in steps if common % step == 0)
    first = max(0, low)
    end = min(axis.size, (axis.outputs - 1) * axis.stride + high + 1)
    return _Side(first, end - first, step, first - low), (axis.offsets - low) // step


class _Grid(NamedTuple):
    """Rows and columns of entries, and int64[taps] those of every tap."""

    rows: int
    columns: int
    row: Places
    column: Places

    @property
    def entry(self) -> Places:
        """int64[taps], of every tap."""
        return self.row * self.columns + self.column


class _Shape(NamedTuple):
    """Of a pass."""

    grid: _Grid
    above: _Side
    left: _Side

    def work(self, wanted: _Wanted) -> DepthwisePass:
        """The pass."""
        grid, above, left = self
        return DepthwisePass(
            wanted.opcode, 1, above.size, left.size, wanted.y.outputs, wanted.x.outputs,
            grid.rows, grid.columns, wanted.y.stride, wanted.x.stride,
            above.dilation, left.dilation, above.padding, left.padding,
        )  # fmt: skip


def _shapes(wanted: _Wanted) -> Iterator[_Shape]:
    """Those worth comparing."""
    most = wanted.engine.max_dilation
    (above, y), (left, x) = _skipping(wanted.y, most), _skipping(wanted.x, most)
    for grid in _grids(wanted, y, x):
        columns, spare = _columns(wanted, grid) if wanted.padded.columns else (left, 0)
        if not wanted.padded.rows:
            yield _Shape(grid, above, columns)
        elif wanted.whole:
            for dilation in _dilations(wanted.y, grid.rows, most):
                yield _Shape(grid, _in_order(wanted.y, grid.row, dilation, spare), columns)
        else:
            yield _Shape(grid, _all_rows(wanted.y, grid.rows, spare), columns)


def _pass(wanted: _Wanted, shape: _Shape) -> Taps:
    """A pass of a shape and its entries."""
    work, (grid, above, left) = shape.work(wanted), shape
    taps = np.full(grid.rows * grid.columns, NONE)
    taps[grid.entry] = wanted.taps
    down, right = regular(work)
    # What is left over reads values of the map as well.
    if wanted.padded.rows:
        of_rows = np.zeros(grid.rows, np.int64)
        of_rows[grid.row] = wanted.y.offsets - above.first
        down = of_rows.repeat(grid.columns)
    if wanted.padded.columns:
        right = np.zeros_like(right)
    down[grid.entry], right[grid.entry] = (
        wanted.y.offsets - above.first,
        wanted.x.offsets - left.first,
    )
    return Taps(work, taps, down, right, above.first, left.first)


def _columns(wanted: _Wanted, grid: _Grid) -> tuple[_Side, int]:
    """Columns with their padding, and rows of the map behind the last one that is read.

    Where all rows are stored, the zeros behind a row are in front of the next one as well.
    """
    axis, stride = wanted.x, wanted.x.stride
    low, high = axis.ends
    read = axis.outputs + (high - low) // stride  # of a plane
    pitch = _pitch(axis, read) if wanted.padded.rows else read
    columns = max(pitch, ceil_div((axis.outputs - 1) * stride + grid.columns, stride))
    if wanted.opcode == DepthwiseOpcode.ROW:
        pitch = ceil_div(columns, wanted.engine.pixels) * wanted.engine.pixels
    else:
        pitch = columns
    return _Side(low, columns * stride, 1, 0), (ceil_div(read, pitch) - 1) * wanted.y.stride


def _pitch(axis: _Axis, columns: int) -> int:
    """Values of a plane row, and zeros that are both behind it and in front of the next one.

    Of the columns that taps read, those from `begin` to before `end` are of the map in any plane.
    Those before `begin` must lie behind the values of the row above, and those from `end` on before
    the values of the row below.
    """
    low, _ = axis.ends
    begin = max(0, ceil_div(1 - low - axis.stride, axis.stride))
    end = min(columns, ceil_div(axis.size - low, axis.stride))
    return max(axis.outputs, end, columns - begin)


def _all_rows(axis: _Axis, positions: int, spare: int) -> _Side:
    """Rows of which no position is left out."""
    low, high = axis.ends
    reach = (axis.outputs - 1) * axis.stride
    return _Side(low, reach + max(high - low + 1 + spare, positions), 1, 0)


def _in_order(axis: _Axis, position: Places, dilation: int, spare: int) -> _Side:
    """Rows for which the engine leaves out no position of a tap that an output needs.

    It runs position k for the outputs with padding <= o stride + k dilation < padding + size.

    position : int64[taps], ascending along with the offsets.
    spare : values behind those that are read.
    """
    stride, at = axis.stride, position * dilation
    needed = axis.first * stride + at, axis.last * stride + at
    padding = int(needed[0].min())
    size = int(needed[1].max()) - padding + 1
    while True:
        begin = np.maximum(0, -((at - padding) // stride))
        end = np.minimum(axis.outputs - 1, (size - 1 + padding - at) // stride)
        low = int((begin * stride + axis.offsets).min())
        high = int((end * stride + axis.offsets).max())
        if (read := high - low + 1 + spare) <= size:
            return _Side(low, size, dilation, padding)
        size = read


def _grids(wanted: _Wanted, y: Places, x: Places) -> Iterator[_Grid]:
    """Of taps whose positions are y and x; along an axis whose padding is stored they may be any.

    Where both may be any, there are few columns, from as few as the engine has rows for on, or as
    many rows as the kernel, so that the map is not larger for them.
    """
    padded, taps = wanted.padded, len(y)
    if padded.rows and padded.columns:
        most, (low, high) = wanted.engine.max_kernel, wanted.y.ends
        few, square = ceil_div(taps, most), ceil_div(taps, high - low + 1)
        for columns in sorted({*range(few, few + MOST_GRIDS), square, square + 1}):
            if columns <= min(taps, most) or columns == few:
                row, column = np.divmod(np.arange(taps), columns)
                yield _Grid(ceil_div(taps, columns), columns, row, column)
        return
    y, x = _before(x) if padded.rows else y, _before(y) if padded.columns else x
    yield _Grid(int(y.max()) + 1, int(x.max()) + 1, y, x)


def _before(position: Places) -> Places:
    """int64[taps], taps in front of each one that have the same position along the other axis."""
    count: Places = np.tril(position[:, None] == position, -1).sum(axis=1)
    return count


def _dilations(axis: _Axis, positions: int, most: int) -> set[int]:
    """Those with which positions of a list in order lie about where their taps do."""
    low, high = axis.ends
    steps, between = high - low, max(1, positions - 1)
    return {max(1, min(most, each)) for each in (steps // between, ceil_div(steps, between))}


def _rank(engine: DepthwiseEngine, work: DepthwisePass) -> tuple[bool, int, int]:
    """Passes of equal outputs: those that the engine can run, the fewest clocks, the least map."""
    layout = work.layout(engine.pixels)
    if work.opcode == DepthwiseOpcode.FLAT:
        first = np.arange(0, (work.oh - 1) * layout.pitch + work.ow, engine.pixels)
        top, bottom = first // layout.pitch, (first + engine.pixels - 1) // layout.pitch
    else:
        top = bottom = np.arange(work.oh)
    low = np.maximum(0, -((bottom * work.sh - work.pt) // work.dh))
    high = np.minimum(work.fh - 1, (work.h - 1 + work.pt - top * work.sh) // work.dh)
    clocks = int(np.maximum(1, (high - low + 1) * work.fw).sum())
    clocks *= 1 if work.opcode == DepthwiseOpcode.FLAT else ceil_div(work.ow, engine.pixels)
    return limits(engine, work) is not None, clocks, layout.words
