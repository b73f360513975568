"""What ws and is share: one operand waits in the array, the other streams past it.

The matrix product X S, with X streamed (m rows of it per pass) and S stationary (k x n of it per
pass). Where K needs several tiles, their partial sums meet in the accumulator memory, so that at
most `accumulator_depth` rows of X stream at a time.

Groups with few channels, depthwise above all, fill the array badly. Neighbouring outputs of such a
Conv therefore share one vector of inputs: that of a block of outputs is the patch that they see
together, and every output has a vector of weights for it, zeros where it does not look (a Toeplitz
matrix). Multiplications by zero are free where multipliers would idle; a patch of 8 x 8 inputs
makes 6 x 6 outputs of a 3 x 3 kernel at once, instead of one.
"""

from collections.abc import Hashable, Iterator
from functools import lru_cache
from itertools import groupby, product
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.array import FIELD_LIMIT, ArrayProgram, address, expand, repeat, split
from accelsim.dataflows.base import Indices, Plan, Tiles, ceil_div
from accelsim.dataflows.im2col import gemm, seen
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Body, Opcode


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
    """Im2col, and where groups leave the array empty the best block of outputs.

    most : clocks of interest; of tilings that take more some are left out.
    weights : whether the weights wait and the pixels stream; else the reverse.
    """
    if conv.groups > 1 and conv.groups * _blocks(conv).least[weights] > most:
        return
    for block in ((1, 1), _block(conv, array, weights)) if conv.groups > 1 else ((1, 1),):
        rows, columns, depth = _sizes(conv, block, weights)
        # Every column tile of a group streams all rows past all K tiles, and loads them.
        each = max(ceil_div(depth, array.rows) * rows, depth)
        if conv.groups * ceil_div(columns, array.columns) * each <= most:
            tiling = _tiling(array, block, rows, columns, depth)
            yield _clocks(array, tiling, conv.groups), tiling


def _sizes(conv: Conv, block: tuple[int, int], weights: bool) -> tuple[int, int, int]:
    """Streamed rows, stationary columns and K of one group's product."""
    blocks = ceil_div(conv.oh, block[0]) * ceil_div(conv.ow, block[1])
    outputs = block[0] * block[1] * (conv.k // conv.groups)
    height = seen(block[0], conv.fh, conv.sh, conv.dh)
    width = seen(block[1], conv.fw, conv.sw, conv.dw)
    depth = conv.c // conv.groups * height * width
    return (blocks, outputs, depth) if weights else (outputs, blocks, depth)


def _block(conv: Conv, array: SystolicArray, weights: bool) -> tuple[int, int]:
    """The block with the least clocks on the ports, roughly: tiles as if they were all equal."""
    blocks = _blocks(conv)
    streamed, waiting = blocks.counts, blocks.outputs
    if not weights:
        streamed, waiting = waiting, streamed
    tiles = -(-blocks.depths // array.rows)
    clocks = -(-waiting // array.columns) * np.maximum(tiles * streamed, blocks.depths)
    return blocks.sizes[int(clocks.argmin())]


class Blocks(NamedTuple):
    """The blocks that are worth a look: for none of them does a smaller one make as few.

    sizes : (rows, columns) of outputs.
    outputs, depths, counts : int64[sizes], of one group: outputs of a block in all channels,
        inputs that it sees, and number of blocks.
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
    inputs = np.multiply.outer(
        [seen(size, conv.fh, conv.sh, conv.dh) for size in high],
        [seen(size, conv.fw, conv.sw, conv.dw) for size in wide],
    )
    counts = np.multiply.outer(
        [ceil_div(conv.oh, size) for size in high], [ceil_div(conv.ow, size) for size in wide]
    ).ravel()
    outputs = conv.k // conv.groups * np.multiply.outer(high, wide).ravel()
    depths = conv.c // conv.groups * inputs.ravel()
    streams, waiting = (int(np.maximum(depths, each).min()) for each in (counts, outputs))
    return Blocks(tuple(product(high, wide)), outputs, depths, counts, (waiting, streams))


@lru_cache(maxsize=1 << 10)
def _parts(size: int) -> list[int]:
    """The least sizes that cut `size` into 1, 2, 3, ... parts."""
    return sorted({ceil_div(size, parts) for parts in range(1, size + 1)})


def _tiling(
    array: SystolicArray, block: tuple[int, int], rows: int, columns: int, depth: int
) -> Tiling:
    most = FIELD_LIMIT if depth <= array.rows else array.accumulator_depth
    # A pass costs the larger of its stream and the next load: tiles of either are made so that
    # neither side has small ones that the other side would wait for.
    longest = min(rows, most)
    depths = split(depth, array.rows, longest if array.overlap else FIELD_LIMIT)
    streams = split(rows, most, depths[0][1] if array.overlap else FIELD_LIMIT)
    return Tiling(block, streams, split(columns, array.columns, FIELD_LIMIT), depths)


def _clocks(array: SystolicArray, tiling: Tiling, groups: int) -> int:
    """Clocks of the busier port; the stream of a pass hides the load of the next."""
    streams, columns, depths = tiling.streams, tiling.columns, tiling.depths
    across, deep = sum(count for count, _ in columns), sum(count for count, _ in depths)
    first, last = depths[0][1], streams[-1][1]
    if not array.overlap:
        chunks, rows = sum(count for count, _ in streams), sum(a * b for a, b in streams)
        depth, width = sum(a * b for a, b in depths), sum(a * b for a, b in columns)
        loads = chunks * across * (depth + deep * array.rows)
        return groups * (loads + across * deep * rows + chunks * deep * width)
    total = first + 1 + array.rows + last + columns[-1][1] - 1
    before = last
    each = 0
    for chunks, m in streams:
        each = sum(count * max(m, k) for count, k in depths)
        total += groups * chunks * across * each
        # The first load of these chunks hides behind a stream of the size before.
        total += groups * (max(before, first) - max(m, first))
        before = m
    total -= max(last, first)  # no stream comes before the first load
    # The last of the wider tiles may end later than the narrow ones after it.
    return total + max(0, columns[0][1] - columns[-1][1] - columns[-1][0] * each)


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
    sizes = [size for count, size in depths for _ in range(count)]
    last = len(sizes) - 1
    passes = [
        ArrayPass(opcode, m, n, k, accumulate=int(i > 0), emit=int(i == last))
        for i, k in enumerate(sizes)
    ]
    return sum((repeat(len(list(same)), (p,), "depth tiles") for p, same in groupby(passes)), ())


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
