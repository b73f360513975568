"""What ws and is share: one operand waits in the array, the other streams past it.

The matrix product X S, with X streamed (m rows of it per pass) and S stationary (k x n of it per
pass). Half a bank and room for the results bound the rows of X that stream at a time; where K needs
several tiles, `accumulator_depth` does as well, as their partial sums meet in that memory.

Convolutions with few channels, depthwise above all, fill the array badly. Neighbouring outputs
therefore may share one vector of inputs: that of a block of outputs is the patch that they see
together, and every output has a vector of weights for it, zeros where it does not look (a Toeplitz
matrix). Multiplications by zero are free where multipliers would idle; a patch of 8 x 8 inputs
makes 6 x 6 outputs of a 3 x 3 kernel at once, instead of one.

The tiling is the fastest of all that a Plan can state (`_tiling` proves it for a product, `_best`
looks at every block); of equally fast blocks it has the fewest rows, then the fewest columns.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.array import (
    FIELD_LIMIT,
    ArrayProgram,
    address,
    expand,
    repeat,
    skewed,
    split,
)
from accelsim.dataflows.base import Indices, Plan, Tiles, ceil_div
from accelsim.dataflows.im2col import gemm, seen
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Body, Opcode

Int = npt.NDArray[np.int64]


class Tiling(NamedTuple):
    """Tiles of the streamed rows, of the stationary columns and of K, in order.

    block : outputs (rows, columns) that share one vector of inputs.
    """

    block: tuple[int, int]
    streams: tuple[Tiles, ...]
    columns: tuple[Tiles, ...]
    depths: tuple[Tiles, ...]


def tilings(
    conv: Conv, array: SystolicArray, most: int, weights: bool
) -> Iterator[tuple[int, Tiling]]:
    """The best tiling.

    most : clocks of interest; one that takes more is left out.
    weights : whether the weights wait and the pixels stream; else the reverse.
    """
    if conv.groups * _blocks(conv).least[weights] > most:
        return
    clocks, tiling = _best(conv, array, weights)
    if clocks <= most:
        yield clocks, tiling


def _best(conv: Conv, array: SystolicArray, weights: bool) -> tuple[int, Tiling]:
    """The fastest tiling of all blocks; of equal ones that of the first block."""
    blocks = _blocks(conv)
    streamed, waiting = blocks.counts, blocks.outputs
    if not weights:
        streamed, waiting = waiting, streamed
    least = _least(array, conv.groups, streamed, waiting, blocks.depths)
    best: tuple[int, int, Tiling] | None = None
    for index in least.argsort(kind="stable").tolist():
        if best and least[index] > best[0]:
            break
        sizes = (int(each[index]) for each in (streamed, waiting, blocks.depths))
        clocks, tiling = _tiling(array, blocks.sizes[index], conv.groups, *sizes)
        if best is None or (clocks, index) < best[:2]:
            best = clocks, index, tiling
    assert best is not None
    return best[0], best[2]


class Blocks(NamedTuple):
    """The blocks that are worth a look: for none of them does a smaller one make as few.

    sizes : (rows, columns) of outputs.
    outputs, depths, counts : int64[sizes], of one group: outputs of a block in all channels,
        inputs that it sees, and number of blocks
        in all images.
    least : clocks that a group takes at least, on any array, if pixels wait and if weights wait:
        some block must load its inputs, and stream its outputs or all blocks.
    """

    sizes: tuple[tuple[int, int], ...]
    outputs: npt.NDArray[np.int64]
    depths: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    least: tuple[int, int]


@lru_cache(maxsize=1 << 10)
def _blocks(conv: Conv) -> Blocks:
    high, wide = _parts(conv.oh), _parts(conv.ow)
    depths = _depths(conv, high, wide)
    counts = np.multiply.outer(
        [conv.n * ceil_div(conv.oh, size) for size in high],
        [ceil_div(conv.ow, size) for size in wide],
    ).ravel()
    outputs = conv.k // conv.groups * np.multiply.outer(high, wide).ravel()
    streams, waiting = (int(np.maximum(depths, each).min()) for each in (counts, outputs))
    return Blocks(tuple(product(high, wide)), outputs, depths, counts, (waiting, streams))


def _depths(conv: Conv, high: list[int], wide: list[int]) -> Int:
    """Inputs of a group that blocks of so many rows and so many columns of outputs see."""
    if conv.live is None:
        rows = [seen(size, conv.fh, conv.sh, conv.dh) for size in high]
        columns = [seen(size, conv.fw, conv.sw, conv.dw) for size in wide]
        return conv.c // conv.groups * np.multiply.outer(rows, columns).ravel()
    channels: Counter[tuple[int, ...]] = Counter()
    for run in conv.live:
        channels[run.taps] += run.channels
    places = conv.fw, conv.sh, conv.sw, conv.dh, conv.dw
    every = [count * _seen(taps, *places, conv.oh, conv.ow) for taps, count in channels.items()]
    total: Int = np.sum(every, axis=0)
    return total


@lru_cache(maxsize=1 << 14)
def _seen(
    taps: tuple[int, ...], fw: int, sh: int, sw: int, dh: int, dw: int, oh: int, ow: int
) -> Int:
    """Places of one channel that blocks of outputs see through such taps."""
    row, column = np.divmod(np.array(taps, np.int64), fw)
    seen = []
    for high, wide in product(_parts(oh), _parts(ow)):
        y = np.add.outer(np.arange(high) * sh, row * dh)
        x = np.add.outer(np.arange(wide) * sw, column * dw)
        met = np.zeros((y.max(initial=0) + 1, x.max(initial=0) + 1), np.bool_)
        met[y[:, None], x] = True
        seen.append(int(met.sum()))
    return np.array(seen)


@lru_cache(maxsize=1 << 10)
def _parts(size: int) -> list[int]:
    """The least sizes that cut `size` into 1, 2, 3, ... parts."""
    sizes: list[int] = np.unique(-(-size // np.arange(1, size + 1))).tolist()
    return sizes


def _least(array: SystolicArray, groups: int, streamed: Int, waiting: Int, depth: Int) -> Int:
    """Clocks of the best tilings of products, or fewer where they take next to none.

    Parameters
    ----------
    streamed, waiting, depth : int64[products], rows of X, columns of S, and K.
    """
    height = _height(array)
    deep = -(-depth // height)
    most = np.where(deep == 1, _most(array, 1), _most(array, 2))
    chunks, across = -(-streamed // most), -(-waiting // array.columns)
    if not array.overlap:
        loads = chunks * across * (depth + deep * array.result_latency)
        clocks: Int = groups * (loads + across * deep * streamed + chunks * deep * waiting)
        return clocks
    (m, longer), (k, deeper) = np.divmod(streamed, chunks), np.divmod(depth, deep)
    # A pass takes the larger of its stream and the next load; both cut into equal parts.
    each = (chunks - longer) * ((deep - deeper) * np.maximum(m, k) + deeper * np.maximum(m, k + 1))
    each += longer * ((deep - deeper) * np.maximum(m + 1, k) + deeper * np.maximum(m + 1, k + 1))
    first = depth - (deep - 1) * np.minimum(height, m)
    last = streamed - (chunks - 1) * np.minimum(most, k)
    end = np.where(m * deep >= depth, first, np.where(k * chunks >= streamed, last, m))
    skew = np.where(groups * each >= array.columns, waiting - (across - 1) * array.columns, 1)
    clocks = groups * across * each + end + array.result_latency + skew
    return clocks


def _height(array: SystolicArray) -> int:
    """Rows of a tile of S at most."""
    return min(array.rows, array.most_read)


def _most(array: SystolicArray, deep: int) -> int:
    """Rows of X that stream at a time, at most, where K has so many tiles."""
    most = min(FIELD_LIMIT, array.most_read, array.most_streamed)
    return most if deep == 1 else min(most, array.accumulator_depth)


def _tiling(
    array: SystolicArray,
    block: tuple[int, int],
    groups: int,
    streamed: int,
    waiting: int,
    depth: int,
) -> tuple[int, Tiling]:
    """The best tiling of a product, and its clocks.

    With tiles m of X's rows and k of K, and a column tiles, passes take the clocks of the busier
    port: each stream hides the next load, so that a sequence takes

        groups a sum over m, k of max(m, k)  +  min(first k, last m)  +  R  +  skew

    clocks, `skew` being what the last columns to end are behind (see `skewed`). The sum is convex
    in every tile: equal parts make it least, and fewer parts never make it more. Neither is undone
    by the smaller first load or last stream that other parts would have; among equal sums, these
    are made as small as they can be.
    """
    height = _height(array)
    deep = ceil_div(depth, height)
    most = _most(array, deep)
    chunks = ceil_div(streamed, most)
    if not array.overlap:
        streams, depths, columns = (
            split(*cut, FIELD_LIMIT)
            for cut in ((streamed, most), (depth, height), (waiting, array.columns))
        )
        across = ceil_div(waiting, array.columns)
        loads = chunks * across * (depth + deep * array.result_latency)
        clocks = groups * (loads + across * deep * streamed + chunks * deep * waiting)
        return clocks, Tiling(block, streams, columns, depths)
    streams = split(streamed, most, depth // deep)
    depths = split(depth, height, streamed // chunks)[::-1]
    each = [sum(count * max(size, part) for count, part in depths) for _, size in streams]
    total = groups * sum(count * clocks for (count, _), clocks in zip(streams, each, strict=True))
    skew, columns = skewed(array.columns, waiting, total, each[-1])
    across = sum(count for count, _ in columns)
    clocks = across * total + min(depths[0][1], streams[-1][1]) + array.result_latency + skew
    return clocks, Tiling(block, streams, columns, depths)


def body(conv: Conv, opcode: Opcode, tiling: Hashable) -> Body:
    """Groups outside, then chunks of streamed rows, column tiles, K tiles."""
    _, streams, columns, depths = cast(Tiling, tiling)
    streamed, waiting = "pixel tiles", "channel tiles"
    if opcode == Opcode.IS:
        streamed, waiting = waiting, streamed
    parts: Body = ()
    for chunks, m in streams:
        tiles = [repeat(count, _accumulate(opcode, m, n, depths), waiting) for count, n in columns]
        parts += repeat(chunks, sum(tiles, ()), streamed)
    return repeat(conv.groups, parts, "groups")


def _accumulate(opcode: Opcode, m: int, n: int, depths: tuple[Tiles, ...]) -> Body:
    """The passes over K: the first starts the sums, the last sends them."""
    body: Body = ()
    left = sum(count for count, _ in depths)
    for count, k in depths:
        tile = ArrayPass(opcode, m, n, k, accumulate=1, emit=0)
        left -= count
        starts, ends = int(not body), int(not left)
        if count == starts == ends == 1:
            return (tile._replace(accumulate=0, emit=1),)
        body += (tile._replace(accumulate=0),) * starts
        body += repeat(count - starts - ends, (tile,), "depth tiles")
        body += (tile._replace(emit=1),) * ends
    return body


def program(conv: Conv, array: SystolicArray, plan: Plan, weights: bool) -> ArrayProgram:
    """The index maps of a plan."""
    tiling = cast(Tiling, plan.tiling)
    x, s, dest = gemm(conv, tiling.block)
    if not weights:
        x, s, dest = s, x, dest.swapaxes(1, 2)
    left, top, out = _maps(array, tiling, x, s, dest)
    return ArrayProgram(address(expand(plan.body)), left, top, out)


def _maps(
    array: SystolicArray, tiling: Tiling, x: Indices, s: Indices, dest: Indices
) -> tuple[Indices, Indices, Indices]:
    """Words for x[groups, rows, K] streamed, s[groups, columns, K] stationary."""
    groups = len(x)
    across = sum(count for count, _ in tiling.columns)
    deep = sum(count for count, _ in tiling.depths)
    width = max(n for _, n in tiling.columns)
    stationary = _stationary_words(tiling, s, width)
    left, top, out = [], [], []
    row = 0
    for chunks, m in tiling.streams:
        end = row + chunks * m
        streamed = np.zeros((groups, chunks, across, deep, m, array.rows), np.int32)
        i = at = 0
        for count, k in tiling.depths:
            tiles = x[:, row:end, at : at + count * k].reshape(groups, chunks, 1, m, count, k)
            streamed[:, :, :, i : i + count, :, :k] = tiles.swapaxes(3, 4)
            i, at = i + count, at + count * k
        results = np.full((groups, chunks, across, m, width), -1, np.int32)
        j = column = 0
        for count, n in tiling.columns:
            tiles = dest[:, row:end, column : column + count * n].reshape(
                groups, chunks, m, count, n
            )
            results[:, :, j : j + count, :, :n] = tiles.swapaxes(2, 3)
            j, column = j + count, column + count * n
        left.append(streamed.reshape(groups, -1, array.rows))
        top.append(np.tile(stationary, (1, chunks, 1)))
        out.append(results.reshape(groups, -1, width))
        row = end
    return (
        np.concatenate(left, 1).reshape(-1, array.rows),
        np.concatenate(top, 1).reshape(-1, width),
        np.concatenate(out, 1).reshape(-1, width),
    )


def _stationary_words(tiling: Tiling, s: Indices, width: int) -> Indices:
    """int32[groups, words, width]: the stationary operand once, every tile bottom row first."""
    groups, _, depth = s.shape
    order, at = [], 0
    for count, k in tiling.depths:
        order += [at + i * k + k - 1 - b for i, b in product(range(count), range(k))]
        at += count * k
    words = []
    column = 0
    for count, n in tiling.columns:
        tiles = s[:, column : column + count * n][:, :, order].reshape(groups, count, n, depth)
        padded = np.zeros((groups, count, depth, width), np.int32)
        padded[..., :n] = tiles.swapaxes(2, 3)
        words.append(padded.reshape(groups, -1, width))
        column += count * n
    return np.concatenate(words, 1)
