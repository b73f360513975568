"""Output stationary: every pass makes m x n results in place, k products each.

The Conv becomes one matrix product per group by im2col. A pass multiplies all vectors on the rows
with all vectors on the columns. Three ways to fill it:

straight   pixels on the rows, output channels on the columns
swapped    the reverse; results leave row by row, so that the operand with more vectors is better
           put on the columns where k is short
crossed    where one operand has few vectors p (pixels of a fully connected layer, channels of a
           narrow one): they stand on both sides, and the vectors of the other operand fill what is
           left of rows *and* columns. Both operand ports then carry new vectors, R + C - 2p per
           pass instead of R or C; the products of a vector with its own kind are thrown away.

K of any length is added up by passes of half a bank each, all but the last of which keep their sums
in the array.

A depthwise Conv runs channel by channel in a single column, pixels on the rows: what a plain array
does and what published baselines count. Mappings that spread its pixels are those of `is`, `ws`
and `rows`.
"""

from collections.abc import Hashable, Iterator
from typing import NamedTuple, cast

import numpy as np

from accelsim.dataflows.array import (
    FIELD_LIMIT,
    ArrayProgram,
    Cost,
    address,
    equal,
    expand,
    in_chunks,
    port_clocks,
    repeat,
    skewed,
    split,
)
from accelsim.dataflows.base import UNBOUNDED, Candidate, Indices, Plan, Tiles, ceil_div
from accelsim.dataflows.im2col import gemm
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Body, Opcode

name = "os"
engine = SystolicArray.name
eager = False


class Straight(NamedTuple):
    """Tiles along the rows and along the columns of the array, in order.

    swapped : output channels on the rows and pixels on the columns, instead of the reverse.
    """

    swapped: bool
    rows: tuple[Tiles, ...]
    columns: tuple[Tiles, ...]


class Crossed(NamedTuple):
    """All vectors of one operand on both sides.

    swapped : the shared vectors are output channels, instead of pixels.
    shared : how many they are.
    passes : (count, others on the rows, others on the columns), in order.
    """

    swapped: bool
    shared: int
    passes: tuple[tuple[int, int, int], ...]


def tilings(conv: Conv, array: SystolicArray, most: int = UNBOUNDED) -> Iterator[Candidate]:
    """Every way to fill the passes that may be the best."""
    depth = _Depth(conv.depth, min(array.most_read, FIELD_LIMIT))
    pixels, channels = conv.n * conv.oh * conv.ow, conv.k // conv.groups
    ways = ((pixels, channels, False), (channels, pixels, True))
    for m, n, swapped in ways[:1] if conv.depthwise and conv.c > 1 else ways:
        # The passes load one after another.
        passes = conv.groups * ceil_div(m, array.rows) * ceil_div(n, array.columns)
        if passes * depth.total <= most:
            yield _straight(array, conv.groups, depth, m, n, swapped)
    if conv.depthwise and conv.c > 1:
        return
    for shared, others, swapped in ((pixels, channels, False), (channels, pixels, True)):
        if 2 * shared < min(array.rows, array.columns):
            yield _crossed(array, conv.groups, depth, shared, others, swapped)


class _Depth(NamedTuple):
    """K, in chunks.

    total, most : products of a sum, and of a pass at most.
    """

    total: int
    most: int

    @property
    def first(self) -> int:
        """Products of the first chunk, the only one that the drain before it may hold up."""
        return min(self.total, self.most)

    def clocks(self, drain: int) -> int:
        """Of a sum behind such a drain."""
        return self.total + max(0, drain - self.first)

    def cost(self, trips: int, m: int, n: int) -> Cost:
        """Of passes m x n."""
        kept = ceil_div(self.total, self.most) - 1
        return trips, self.first, m, n, self.total - self.first, kept


def _straight(
    array: SystolicArray, groups: int, depth: _Depth, m: int, n: int, swapped: bool
) -> tuple[int, Straight]:
    if array.overlap:
        rows = split(m, array.rows, depth.first)
        each = sum(count * depth.clocks(high) for count, high in rows)
        _, columns = skewed(array.columns, n, groups * each, each)
    else:
        rows, columns = split(m, array.rows, FIELD_LIMIT), split(n, array.columns, FIELD_LIMIT)
    # All loads are equal, so that the order of the passes counts in the last column tile only.
    costs = [
        depth.cost(b * a, high, wide)
        for count, wide in columns
        for b in ((count - 1, 1) if count > 1 else (1,))
        for a, high in rows
    ]
    return port_clocks(array, costs, groups), Straight(swapped, rows, columns)


def _crossed(
    array: SystolicArray, groups: int, depth: _Depth, shared: int, others: int, swapped: bool
) -> tuple[int, Crossed]:
    """The best passes of this kind.

    A pass of `a` others on the rows takes depth.clocks(shared + a). So `free` others cost no
    more than none would, and any others on the rows beyond them a clock each; a further pass is
    cheaper for more of them than it takes clocks. What the last columns are behind is as in
    `skewed`, a pass of r others being a tile of r columns.
    """
    high, wide = array.rows - shared, array.columns - shared
    if not array.overlap:
        sizes = split(others, high + wide, FIELD_LIMIT)
    else:
        least = depth.clocks(shared)
        free = min(high, max(0, depth.first - shared)) + wide
        skew, sizes = skewed(free, others, groups * least, least)
        passes, more = divmod(others, free)
        if 0 < more <= passes * (high + wide - free):
            clocks = groups * (passes * least + more) + free
            if clocks < groups * sum(count for count, _ in sizes) * least + skew:
                sizes = equal(others, passes)
    parts = []
    for count, size in sizes:
        most = high if not array.overlap else free - wide + max(0, size - free)
        # One by one, every pass that keeps its sums waits for its last column.
        half = 0 if not array.overlap else ceil_div(size, 2)
        across = min(wide, max(half, size - most))
        parts.append((count, size - across, across))
    costs = [
        depth.cost(many, shared + a, shared + b)
        for count, a, b in parts
        for many in ((count - 1, 1) if count > 1 else (1,))
    ]
    return port_clocks(array, costs, groups), Crossed(swapped, shared, tuple(parts))


def body(conv: Conv, array: SystolicArray, tiling: Hashable) -> Body:
    """Groups outside, then column tiles, then row tiles, then chunks of K."""
    depth, most = conv.depth, min(array.most_read, FIELD_LIMIT)

    def tile(m: int, n: int) -> Body:
        return in_chunks(ArrayPass(Opcode.OS, m, n, depth), "k", most)

    if isinstance(tiling, Crossed):
        sizes = [(count, tiling.shared + a, tiling.shared + b) for count, a, b in tiling.passes]
        others = "pixel tiles" if tiling.swapped else "channel tiles"
        steps = [repeat(count, tile(m, n), others) for count, m, n in sizes]
        return repeat(conv.groups, sum(steps, ()), "groups")
    straight = cast(Straight, tiling)
    down, across = "pixel tiles", "channel tiles"
    if straight.swapped:
        down, across = across, down
    parts: Body = ()
    for count, n in straight.columns:
        steps = [repeat(many, tile(m, n), down) for many, m in straight.rows]
        parts += repeat(count, sum(steps, ()), across)
    return repeat(conv.groups, parts, "groups")


def program(conv: Conv, array: SystolicArray, plan: Plan) -> ArrayProgram:
    """The index maps of a plan."""
    maps = gemm(conv)
    pixels, channels, dest = maps.pixels, maps.weights, maps.dest
    tiling = cast(Straight | Crossed, plan.tiling)
    if tiling.swapped:
        pixels, channels, dest = channels, pixels, dest.swapaxes(1, 2)
    if isinstance(tiling, Crossed):
        left, top, out = _crossed_maps(array, tiling, pixels, channels, dest.swapaxes(1, 2))
    else:
        left, top, out = _straight_maps(array, tiling, pixels, channels, dest)
    return ArrayProgram(
        address(expand(plan.body)),
        left.reshape(-1, array.rows),
        top.reshape(-1, top.shape[-1]),
        out.reshape(-1, out.shape[-1]),
    )


def _straight_maps(
    array: SystolicArray, tiling: Straight, a: Indices, b: Indices, dest: Indices
) -> tuple[Indices, Indices, Indices]:
    """Words for vectors a[groups, rows, K] and b[groups, columns, K]; an axis per loop."""
    groups, height, depth = a.shape
    across = sum(count for count, _ in tiling.columns)
    down = sum(count for count, _ in tiling.rows)
    width = max(n for _, n in tiling.columns)
    left = np.zeros((groups, across, down, depth, array.rows), np.int32)
    top = np.zeros((groups, across, down, depth, width), np.int32)
    out = np.full((groups, across, height, width), -1, np.int32)
    j = column = 0
    for wide, n in tiling.columns:
        last = column + wide * n
        tiles = b[:, column:last].reshape(groups, wide, 1, n, depth)
        top[:, j : j + wide, :, :, :n] = tiles.swapaxes(3, 4)
        i = row = 0
        for high, m in tiling.rows:
            end = row + high * m
            tiles = a[:, row:end].reshape(groups, 1, high, m, depth)
            left[:, j : j + wide, i : i + high, :, array.rows - m :] = tiles.swapaxes(3, 4)
            # Results of a pass leave bottom row first.
            tiles = dest[:, row:end, column:last].reshape(groups, high, m, wide, n)[:, :, ::-1]
            out[:, j : j + wide, row:end, :n] = tiles.transpose(0, 3, 1, 2, 4).reshape(
                groups, wide, high * m, n
            )
            i, row = i + high, end
        j, column = j + wide, last
    return left, top, out


def _crossed_maps(
    array: SystolicArray, tiling: Crossed, shared: Indices, others: Indices, dest: Indices
) -> tuple[Indices, Indices, Indices]:
    """Words for vectors [groups, vectors, K] of both kinds and dest[groups, others, shared]."""
    groups, p, depth = shared.shape
    width = max(p + b for _, _, b in tiling.passes)
    left, top, out = [], [], []
    at = 0
    for count, a, b in tiling.passes:
        end = at + count * (a + b)
        fresh = others[:, at:end].reshape(groups, count, a + b, depth).swapaxes(2, 3)
        common = np.broadcast_to(shared.swapaxes(1, 2)[:, None], (groups, count, depth, p))
        goal = dest[:, at:end].reshape(groups, count, a + b, p)
        left_words = np.zeros((groups, count, depth, array.rows), np.int32)
        left_words[..., array.rows - a - p :] = np.concatenate([fresh[..., :a], common], 3)
        top_words = np.zeros((groups, count, depth, width), np.int32)
        top_words[..., : b + p] = np.concatenate([fresh[..., a:], common], 3)
        results = np.full((groups, count, a + p, width), -1, np.int32)
        results[:, :, :a, b : b + p] = goal[:, :, :a]
        results[:, :, a:, :b] = goal[:, :, a:].swapaxes(2, 3)
        left.append(left_words.reshape(groups, -1, array.rows))
        top.append(top_words.reshape(groups, -1, width))
        # Results of a pass leave bottom row first.
        out.append(results[:, :, ::-1].reshape(groups, -1, width))
        at = end
    return np.concatenate(left, 1), np.concatenate(top, 1), np.concatenate(out, 1)
