"""Output stationary: every pass makes m x n results in place, k products each.

The Conv becomes one matrix product per group by im2col. Either operand may take the rows of the
array: results leave row by row, so that the side with more tiles is better put on the columns
where k is short.

A depthwise Conv runs channel by channel by im2col in a single column, pixels on the rows: what a
plain array does and what published baselines count. The orientation that would spread pixels over
the columns is the dataflow `is`.
"""

from typing import NamedTuple, cast

import numpy as np

from accelsim.dataflows.base import (
    FIELD_LIMIT,
    Plan,
    Program,
    Run,
    address,
    depth_of,
    expand,
    gemm,
    repeat,
    split,
)
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Opcode

name = "os"


class Tiling(NamedTuple):
    """Tiles along the rows and along the columns of the array, in order.

    swapped : output channels on the rows and pixels on the columns, instead of the reverse.
    """

    swapped: bool
    rows: tuple[Run, ...]
    columns: tuple[Run, ...]


def plans(conv: Conv, array: SystolicArray) -> tuple[Plan, ...]:
    """One plan per operand that may take the rows."""
    depth = depth_of(conv)
    if depth > FIELD_LIMIT:
        raise UnsupportedError(f"os adds up at most {FIELD_LIMIT} products per result, not {depth}")
    pixels, channels = conv.oh * conv.ow, conv.k // conv.groups
    sides = [(False, pixels, channels)]
    if conv.c == 1 or not conv.depthwise:
        sides.append((True, channels, pixels))
    found = []
    for swapped, m, n in sides:
        rows = split(m, array.rows, depth if array.overlap else FIELD_LIMIT)
        columns = split(n, array.columns, FIELD_LIMIT)
        body = tuple(
            step
            for across, width in columns
            for step in repeat(
                across,
                tuple(
                    step
                    for count, height in rows
                    for step in repeat(count, (ArrayPass(Opcode.OS, height, width, depth),))
                ),
            )
        )
        found.append(Plan(name, repeat(conv.groups, body), Tiling(swapped, rows, columns)))
    return tuple(found)


def program(conv: Conv, array: SystolicArray, plan: Plan) -> Program:
    """The index maps of a plan: groups outside, then column tiles, then row tiles."""
    tiling = cast(Tiling, plan.tiling)
    maps = gemm(conv)
    a, b, dest = maps.pixels, maps.weights, maps.dest
    if tiling.swapped:
        a, b, dest = b, a, dest.swapaxes(1, 2)
    groups, depth = conv.groups, depth_of(conv)
    across = sum(count for count, _ in tiling.columns)
    down = sum(count for count, _ in tiling.rows)
    # One array per kind of word, with an axis per loop around the pass.
    left = np.zeros((groups, across, down, depth, array.rows), np.int32)
    top = np.zeros((groups, across, down, depth, array.columns), np.int32)
    out = np.full((groups, across, a.shape[1], array.columns), -1, np.int32)
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
    return Program(
        address(expand(plan.body)),
        left.reshape(-1, array.rows),
        top.reshape(-1, array.columns),
        out.reshape(-1, array.columns),
    )
