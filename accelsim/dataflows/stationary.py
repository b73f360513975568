"""What ws and is share: one operand waits in the array, the other streams past it.

The matrix product X S, with X streamed (m rows of it per pass) and S stationary (k x n of it per
pass). Where K needs several tiles, their partial sums meet in the accumulator memory, so that at
most `accumulator_depth` rows of X stream at a time.
"""

from itertools import product
from typing import NamedTuple, cast

import numpy as np

from accelsim.dataflows.base import (
    FIELD_LIMIT,
    Body,
    Indices,
    Plan,
    Program,
    Run,
    address,
    expand,
    repeat,
    split,
)
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode


class Tiling(NamedTuple):
    """Tiles of the streamed rows, of the stationary columns and of K, in order."""

    streams: tuple[Run, ...]
    columns: tuple[Run, ...]
    depths: tuple[Run, ...]


def plan(
    name: str, opcode: Opcode, array: SystolicArray, sizes: tuple[int, int, int], groups: int
) -> Plan:
    """The plan for `groups` products of (rows of X, columns of S, K) = sizes."""
    rows, columns, depth = sizes
    most = FIELD_LIMIT if depth <= array.rows else array.accumulator_depth
    # A pass costs the larger of its stream and the next load: tiles of either are made so that
    # neither side has small ones that the other side would wait for.
    longest = min(rows, most)
    depths = split(depth, array.rows, longest if array.overlap else FIELD_LIMIT)
    streams = split(rows, most, depths[0][1] if array.overlap else FIELD_LIMIT)
    tiling = Tiling(streams, split(columns, array.columns, FIELD_LIMIT), depths)
    body = tuple(
        step
        for chunks, m in streams
        for step in repeat(
            chunks,
            tuple(
                step
                for count, n in tiling.columns
                for step in repeat(count, _accumulate(opcode, m, n, depths))
            ),
        )
    )
    return Plan(name, repeat(groups, body), tiling)


def _accumulate(opcode: Opcode, m: int, n: int, depths: tuple[Run, ...]) -> Body:
    """The passes over K: the first starts the sums, the last sends them."""
    sizes = [size for count, size in depths for _ in range(count)]
    last = len(sizes) - 1
    steps: list[ArrayPass] = [
        ArrayPass(opcode, m, n, k, accumulate=int(i > 0), emit=int(i == last))
        for i, k in enumerate(sizes)
    ]
    body: Body = ()
    i = 0
    while i < len(steps):
        same = i + 1
        while same < len(steps) and steps[same] == steps[i]:
            same += 1
        body += repeat(same - i, (steps[i],))
        i = same
    return body


def program(plan: Plan, array: SystolicArray, x: Indices, s: Indices, dest: Indices) -> Program:
    """The index maps of a plan: groups, chunks of streamed rows, column tiles, K tiles.

    Parameters
    ----------
    x : int32[groups, rows, K], streamed.
    s : int32[groups, columns, K], stationary.
    dest : int32[groups, rows, columns].
    """
    tiling = cast(Tiling, plan.tiling)
    groups = len(x)
    across = sum(count for count, _ in tiling.columns)
    deep = sum(count for count, _ in tiling.depths)
    stationary = _stationary_words(tiling, array, s)
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
        results = np.full((groups, chunks, across, m, array.columns), -1, np.int32)
        j = column = 0
        for count, n in tiling.columns:
            tiles = dest[:, row:end, column : column + count * n].reshape(
                groups, chunks, m, count, n
            )
            results[:, :, j : j + count, :, :n] = tiles.swapaxes(2, 3)
            j, column = j + count, column + count * n
        left.append(streamed.reshape(groups, -1, array.rows))
        top.append(np.tile(stationary, (1, chunks, 1)))
        out.append(results.reshape(groups, -1, array.columns))
        row = end
    return Program(
        address(expand(plan.body)),
        np.concatenate(left, 1).reshape(-1, array.rows),
        np.concatenate(top, 1).reshape(-1, array.columns),
        np.concatenate(out, 1).reshape(-1, array.columns),
    )


def _stationary_words(tiling: Tiling, array: SystolicArray, s: Indices) -> Indices:
    """int32[groups, words, C]: the stationary operand once, every tile bottom row first."""
    groups, _, depth = s.shape
    order, at = [], 0
    for count, k in tiling.depths:
        order += [at + i * k + k - 1 - b for i, b in product(range(count), range(k))]
        at += count * k
    words = []
    column = 0
    for count, n in tiling.columns:
        tiles = s[:, column : column + count * n][:, :, order].reshape(groups, count, n, depth)
        padded = np.zeros((groups, count, depth, array.columns), np.int32)
        padded[..., :n] = tiles.swapaxes(2, 3)
        words.append(padded.reshape(groups, -1, array.columns))
        column += count * n
    return np.concatenate(words, 1)
