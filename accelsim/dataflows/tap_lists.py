"""Which taps the entries of a pass of the depthwise engine are, and which part of the map it holds.

An entry of the tap memory says by itself where its values lie, and the engine takes kernel rows and
columns only to find which positions miss the map. So a pass need not have the rows and columns of
its kernel. Along an axis

* whose padding is not stored, positions are those between the first and the last live tap, in steps
  that all live taps have in common; those that miss the map are skipped;
* whose padding is stored as zeros, the map is declared so large that no position misses it, and a
  position may be any tap: the pass is a list.

With both axes stored, a pass has as many entries as taps meet the map, and few that are left over.
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
    met = y.met & x.met
    # A kernel without any takes an entry all the same.
    taps = places[met] if met.any() else np.array([NONE])
    y, x = (
        axis._replace(offsets=axis.offsets[met] if met.any() else np.zeros(1, np.int64))
        for axis in (y, x)
    )
    y = y._replace(outputs=rows)
    down, right = (
        _stored(axis) if stored else _skipping(axis, engine.max_dilation)
        for axis, stored in zip((y, x), padded, strict=True)
    )
    made = (
        _pass(conv, engine, opcode, rows, padded, (y, x), (down, right), grid, taps)
        for grid in _grids(padded, down.position, right.position, engine.max_kernel)
    )
    return min(made, key=lambda each: _rank(engine, each.work))


class _Axis(NamedTuple):
    """Values of the map, outputs, stride, and int64[taps] from an output to the values of taps."""

    size: int
    outputs: int
    stride: int
    offsets: Places

    @property
    def met(self) -> npt.NDArray[np.bool_]:
        """bool[taps], whether any output has a value of the map at a tap."""
        first = np.maximum(0, -(self.offsets // self.stride))
        return (first < self.outputs) & (first * self.stride + self.offsets < self.size)


class _Side(NamedTuple):
    """An axis of a pass.

    first : of the map, where that of the pass begins.
    size : values that the pass may read, from there on.
    dilation, padding : of the pass.
    position : int64[taps], of the kernel of the pass; any, if padding is stored.
    """

    first: int
    size: int
    dilation: int
    padding: int
    position: Places


def _skipping(axis: _Axis, most: int) -> _Side:
    """Positions from the first live tap to the last, dilated by what steps have in common."""
    low, high = int(axis.offsets.min()), int(axis.offsets.max())
    common = gcd(*(axis.offsets - low).tolist()) or 1
    step = max(step for step in range(1, min(common, most) + 1) if common % step == 0)
    first = max(0, low)
    end = min(axis.size, (axis.outputs - 1) * axis.stride + high + 1)
    return _Side(first, end - first, step, first - low, (axis.offsets - low) // step)


def _stored(axis: _Axis) -> _Side:
    low, high = int(axis.offsets.min()), int(axis.offsets.max())
    size = (axis.outputs - 1) * axis.stride + high - low + 1
    return _Side(low, size, 1, 0, axis.offsets)


class _Grid(NamedTuple):
    """Rows and columns of entries, and int64[taps] the entry of every tap."""

    rows: int
    columns: int
    entry: Places


def _grids(padded: Padded, y: Places, x: Places, most: int) -> Iterator[_Grid]:
    """Of taps whose positions are y and x; along an axis whose padding is stored they may be any.

    most : rows or columns, where both may be any.
    """
    if padded.rows and padded.columns:
        for columns in range(1, min(len(y), most) + 1):
            yield _Grid(ceil_div(len(y), columns), columns, np.arange(len(y)))
        return
    y, x = _before(x) if padded.rows else y, _before(y) if padded.columns else x
    columns = int(x.max()) + 1
    yield _Grid(int(y.max()) + 1, columns, y * columns + x)


def _before(position: Places) -> Places:
    """int64[taps], taps in front of each one that have the same position along the other axis."""
    count: Places = np.tril(position[:, None] == position, -1).sum(axis=1)
    return count


def _rank(engine: DepthwiseEngine, work: DepthwisePass) -> tuple[bool, int, int]:
    """Passes of equal outputs: those that the engine can run, the fewest clocks, the least map."""
    clocks = work.fh * work.fw * work.tiles(engine.pixels)
    return limits(engine, work) is not None, clocks, work.layout(engine.pixels).words


def _pass(
    conv: Conv,
    engine: DepthwiseEngine,
    opcode: DepthwiseOpcode,
    rows: int,
    padded: Padded,
    axes: tuple[_Axis, _Axis],
    sides: tuple[_Side, _Side],
    grid: _Grid,
    taps: Places,
) -> Taps:
    """A pass whose entries are a grid."""
    (y, x), (above, left) = axes, sides
    h, w = above.size, left.size
    if padded.rows:
        h = max(h, (rows - 1) * conv.sh + grid.rows)
    if padded.columns:
        reach = (conv.ow - 1) * conv.sw + grid.columns
        pitch = _pitch(x, left) if padded.rows else ceil_div(left.size, conv.sw)
        w = max(pitch, ceil_div(reach, conv.sw)) * conv.sw
    work = DepthwisePass(
        opcode, 1, h, w, rows, conv.ow, grid.rows, grid.columns, conv.sh, conv.sw,
        above.dilation, left.dilation, above.padding, left.padding,
    )  # fmt: skip
    if padded.columns:
        # Zeros behind the last row are a row of their own.
        more = ceil_div(ceil_div(left.size, conv.sw), work.layout(engine.pixels).pitch) - 1
        work = work._replace(h=work.h + more * conv.sh)
    at = np.full(grid.rows * grid.columns, NONE)
    at[grid.entry] = taps
    # What is left over reads values of the map as well.
    down, right = (
        np.zeros_like(each) if stored else each
        for each, stored in zip(regular(work), padded, strict=True)
    )
    down[grid.entry], right[grid.entry] = y.offsets - above.first, x.offsets - left.first
    return Taps(work, at, down, right, above.first, left.first)


def _pitch(axis: _Axis, side: _Side) -> int:
    """Values of a plane row, and zeros that are both behind it and in front of the next one.

    Of the columns that taps read, those from `begin` to before `end` are of the map in any plane.
    Those before `begin` must lie behind the values of the row above, and those from `end` on before
    the values of the row below.
    """
    columns = ceil_div(side.size, axis.stride)
    before = max(0, -side.first)
    begin = max(0, ceil_div(before - (axis.stride - 1), axis.stride))
    end = min(columns, ceil_div(axis.size - side.first, axis.stride))
    return max(axis.outputs, end, columns - begin)
