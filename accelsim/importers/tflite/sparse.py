"""Tensors that a TFLite file stores sparse, as the values that they stand for.

Axes, and blocks into which some of them are cut, are levels of a tree in the order of traversal
(arXiv 1711.10374). A dense level has all of its indices, a compressed one those that are listed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.graph.types import Array

Indices = npt.NDArray[np.int64]


class Level(NamedTuple):
    """A level of the tree.

    size : of a dense level, and of a block; None for a compressed one.
    segments, indices : of a compressed one: node n of the level before has the indices from
        segments[n] to segments[n + 1].
    """

    size: int | None
    segments: Indices
    indices: Indices


class Layout(NamedTuple):
    """Where the stored values belong.

    order : of every level, its axis or, from the number of axes on, its block.
    blocks : of every block, the axis that it cuts.
    """

    order: Sequence[int]
    blocks: Sequence[int]
    levels: Sequence[Level]


def dense(layout: Layout, stored: Array, shape: tuple[int, ...]) -> Array:
    """The tensor; ValueError or IndexError where the layout does not fit its shape or values."""
    nodes = np.zeros(1, np.int64)
    coordinates: list[Indices] = []
    for level in layout.levels:
        if level.size is not None:
            counts = np.full(len(nodes), level.size)
            _check_count(counts, shape)
            found = np.tile(np.arange(level.size), len(nodes))
            nodes = np.repeat(nodes * level.size, counts) + found
        else:
            first = level.segments[nodes]
            counts = level.segments[nodes + 1] - first
            _check_count(counts, shape)
            start = np.cumsum(counts) - counts
            nodes = np.repeat(first - start, counts) + np.arange(counts.sum())
            found = level.indices[nodes]
        coordinates = [*(np.repeat(each, counts) for each in coordinates), found]
    places = [np.zeros(len(nodes), np.int64) for _ in shape]
    for dimension, found in zip(layout.order, coordinates, strict=True):
        if dimension < len(shape):
            places[dimension] += found * _block_size(layout, dimension, len(shape))
        else:
            places[layout.blocks[dimension - len(shape)]] += found
    made = np.zeros(shape, stored.dtype)
    made[tuple(places)] = stored[nodes]
    return made


def _check_count(counts: Indices, shape: tuple[int, ...]) -> None:
    """ValueError where a level has nodes less than none, or more than the tensor has values."""
    if counts.min(initial=0) < 0 or counts.sum() > np.prod(shape, dtype=np.float64):
        raise ValueError("levels do not fit the shape")


def _block_size(layout: Layout, axis: int, axes: int) -> int:
    """Of the block that cuts an axis; 1 where none does."""
    for block, cut in enumerate(layout.blocks):
        if cut == axis:
            return layout.levels[list(layout.order).index(axes + block)].size or 1
    return 1
