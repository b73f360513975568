"""What moves, repeats or picks elements, and what makes tensors of shapes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from accelsim.graph.types import Array


def concat(*x: Array, axis: int) -> Array:
    """The inputs behind each other along the axis."""
    return np.concatenate(x, axis)


def split(
    x: Array, sizes: Array | None = None, axis: int = 0, num_outputs: int | None = None
) -> tuple[Array, ...]:
    """Parts along the axis: of the sizes, or `num_outputs` of equal size, the last may be less."""
    count = x.shape[axis]
    if sizes is None:
        assert num_outputs is not None
        each = -(-count // num_outputs)
        ends = [min(each * place, count) for place in range(num_outputs + 1)]
    else:
        ends = [0, *np.cumsum(sizes).tolist()]
    return tuple(np.take(x, np.arange(a, b), axis) for a, b in pairwise(ends))


def cut(
    x: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> Array:
    """Slices along axes, all of them where none are said, as Python has them."""
    chosen = range(starts.size) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    where = [slice(None)] * x.ndim
    for axis, start, end, step in zip(chosen, starts.tolist(), ends.tolist(), strides, strict=True):
        where[axis] = slice(*_clamped(start, end, step, x.shape[axis]))
    return x[tuple(where)]


def _clamped(start: int, end: int, step: int, size: int) -> tuple[int, int | None, int]:
    """As for slice(); an end before the first element is None."""
    first, last, step = slice(start, end, step).indices(size)
    return first, None if last < 0 else last, step


def reshape(x: Array, shape: Array, allowzero: int = 0) -> Array:
    """In another shape; a 0 in it keeps the size of x, unless `allowzero`, a -1 takes the rest."""
    wanted = shape.tolist()
    if not allowzero:
        wanted = [x.shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return x.reshape(wanted)


def flatten(x: Array, axis: int = 1) -> Array:
    """A matrix: the axes before `axis` are rows."""
    before = axis + x.ndim if axis < 0 else axis
    rows = int(np.prod(x.shape[:before], dtype=np.int64))
    return x.reshape(rows, int(np.prod(x.shape[before:], dtype=np.int64)))


def transpose(x: Array, perm: Sequence[int] | None = None) -> Array:
    """The axes in the order `perm`, or reversed."""
    return np.ascontiguousarray(x.transpose(perm))


def squeeze(x: Array, axes: Array | None = None) -> Array:
    """Without axes of size 1: those named, or all."""
    return np.squeeze(x, None if axes is None else tuple(axes.tolist()))


def unsqueeze(x: Array, axes: Array) -> Array:
    """With axes of size 1 where the result has them."""
    return np.expand_dims(x, tuple(axes.tolist()))


def gather(x: Array, indices: Array, axis: int = 0) -> Array:
    """The indices of one axis; negative ones count from its end."""
    return np.asarray(np.take(x, indices, axis))


def gather_elements(x: Array, indices: Array, axis: int = 0) -> Array:
    """For each index the element there along the axis, at its own place along the others."""
    where = list(np.ix_(*(np.arange(size) for size in indices.shape)))
    where[axis] = indices
    return x[tuple(where)]


def gather_nd(x: Array, indices: Array, batch_dims: int = 0) -> Array:
    """The parts whose indices are rows of the last axis; the first axes are common to both."""
    lead = indices.shape[:batch_dims]
    places = np.ix_(*(np.arange(size) for size in lead))
    common = tuple(
        place.reshape(place.shape + (1,) * (indices.ndim - 1 - batch_dims)) for place in places
    )
    return np.asarray(x[common + tuple(np.moveaxis(indices, -1, 0))])


_COMBINED: Mapping[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def scatter_elements(
    x: Array, indices: Array, updates: Array, axis: int = 0, reduction: str = "none"
) -> Array:
    """`x` with the updates where gather_elements would read, or combined with what is there."""
    where = list(np.ix_(*(np.arange(size) for size in indices.shape)))
    where[axis] = indices
    return _scatter(x, tuple(where), updates, reduction)


def scatter_nd(x: Array, indices: Array, updates: Array, reduction: str = "none") -> Array:
    """`x` with the updates where gather_nd would read, or combined with what is there."""
    return _scatter(x, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)


def _scatter(x: Array, where: tuple[Array, ...], updates: Array, reduction: str) -> Array:
    made = x.copy()
    if reduction == "none":
        made[where] = updates
    else:
        _COMBINED[reduction].at(made, where, updates)
    return made


def pad(
    x: Array,
    pads: Array,
    value: Array | None = None,
    axes: Array | None = None,
    mode: str = "constant",
) -> Array:
    """Before and behind each axis so many more elements, or fewer where a number is negative."""
    chosen = list(range(x.ndim)) if axes is None else axes.tolist()
    sides = [(0, 0)] * x.ndim
    half = len(chosen)
    for axis, before, behind in zip(
        chosen, pads[:half].tolist(), pads[half:].tolist(), strict=True
    ):
        sides[axis] = before, behind
    kept = tuple(
        slice(max(-before, 0), size - max(-behind, 0))
        for size, (before, behind) in zip(x.shape, sides, strict=True)
    )
    more = [(max(before, 0), max(behind, 0)) for before, behind in sides]
    if mode == "constant":
        filled = 0 if value is None else value.ravel()[0]
        return np.pad(x[kept], more, constant_values=filled)
    return np.pad(x[kept], more, mode=mode)  # type: ignore[call-overload, no-any-return]


def expand(x: Array, shape: Array) -> Array:
    """`x` repeated to the shape that it and `shape` broadcast to."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist()))).copy()


def tile(x: Array, repeats: Array) -> Array:
    """`x` so many times along every axis."""
    return np.tile(x, repeats.tolist())


def depth_to_space(x: Array, blocksize: int, mode: str = "DCR") -> Array:
    """Channels become rows and columns; those of a block are the outer ones of c, or the inner."""
    n, c, h, w = x.shape
    b = blocksize
    if mode == "DCR":
        parts = x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // b**2, h * b, w * b)


def space_to_depth(x: Array, blocksize: int, mode: str = "DCR") -> Array:
    """Rows and columns of a block become channels, as depth_to_space takes them."""
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(order)
    return parts.reshape(n, c * b**2, h // b, w // b)


def channel_shuffle(x: Array, groups: int) -> Array:
    """Channel i of group g becomes channel g of the i-th, of so many as a group has."""
    n, c, *image = x.shape
    return x.reshape(n, groups, c // groups, *image).swapaxes(1, 2).reshape(x.shape)


def shape_of(x: Array, start: int = 0, end: int | None = None) -> Array:
    """int64[rank]: the sizes of x, or those from `start` to `end`."""
    return np.array(x.shape[start:end], np.int64)


def size_of(x: Array) -> Array:
    """int64[]: how many elements x has."""
    return np.array(x.size, np.int64)


def constant_of_shape(shape: Array, value: Array | None = None) -> Array:
    """A tensor of one value, 0.0 where none is said."""
    one = np.zeros((), np.float32) if value is None else np.asarray(value).ravel()[0]
    return np.full(tuple(shape.tolist()), one)


def count(start: Array, limit: Array, delta: Array) -> Array:
    """[n]: start, start + delta, ... before the limit."""
    first, step = start.ravel()[0], delta.ravel()[0]
    n = max(int(np.ceil((float(limit.ravel()[0]) - float(first)) / float(step))), 0)
    return np.asarray((first + np.arange(n) * step).astype(start.dtype))


def one_hot(indices: Array, depth: Array, values: Array, axis: int = -1) -> Array:
    """values[1] at each index of a new axis, values[0] beside it."""
    n = int(depth.ravel()[0])
    place = axis + indices.ndim + 1 if axis < 0 else axis
    sizes = [1] * (indices.ndim + 1)
    sizes[place] = n
    hot = np.expand_dims(np.mod(indices, n), place) == np.arange(n).reshape(sizes)
    inside = np.expand_dims((indices >= -n) & (indices < n), place)
    return np.asarray(np.where(hot & inside, values[1], values[0]))


def nonzero(x: Array) -> Array:
    """int64[rank, n]: where x is not 0."""
    return np.array(np.nonzero(x), np.int64).reshape(x.ndim, -1)


def triangle(x: Array, k: Array | None = None, upper: int = 1) -> Array:
    """The upper or the lower triangle of matrices, from the diagonal k on, else 0."""
    diagonal = 0 if k is None else int(k.ravel()[0])
    return np.triu(x, diagonal) if upper else np.tril(x, diagonal)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ChannelShuffle": channel_shuffle,  # ours; ONNX has it as Reshape, Transpose, Reshape
    "Concat": concat,
    "ConstantOfShape": constant_of_shape,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "NonZero": nonzero,
    "OneHot": one_hot,
    "Pad": pad,
    "Range": count,
    "Reshape": reshape,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "Shape": shape_of,
    "Size": size_of,
    "Slice": cut,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Trilu": triangle,
    "Unsqueeze": unsqueeze,
}
