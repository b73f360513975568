"""Resize: each output from a few taps of the input.

Coordinates are float32, as onnxruntime computes them, for they decide what is nearest.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from accelsim.graph.types import Array


class Axis(NamedTuple):
    """One axis: from `size` elements to `out`, said to be `scale` times as many.

    first, last : the part of it that is resized, 0 to 1 of its length, where a mode asks for it.
    """

    size: int
    out: int
    scale: np.float32
    first: np.float32 = np.float32(0)
    last: np.float32 = np.float32(1)


def resize(
    x: Array,
    roi: Array | None = None,
    scales: Array | None = None,
    sizes: Array | None = None,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Array:
    """`x` with axes of other sizes, by `scales` or to `sizes`; integers are cut toward zero."""
    places = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes)]
    if roi is None or roi.size == 0:
        roi = np.repeat(np.array([0, 1], np.float32), len(places))
    extents = _extents(
        [x.shape[place] for place in places], scales, sizes, keep_aspect_ratio_policy
    )
    resized: list[Coordinates] = []
    outside = np.zeros((1,) * x.ndim, np.bool_)
    for order, (place, (size, out, scale)) in enumerate(zip(places, extents, strict=True)):
        axis = Axis(size, out, scale, roi[order], roi[order + len(places)])
        at = coordinates(axis, coordinate_transformation_mode)
        if coordinate_transformation_mode == "tf_crop_and_resize":
            beyond = (at < 0) | (at > size - 1)
            outside = outside | beyond.reshape(_along(place, x.ndim))
        if coordinate_transformation_mode == "tf_crop_and_resize" or out != size or scale != 1:
            resized.append(Coordinates(place, size, at, min(scale, np.float32(1))))
    made = x
    if mode == "nearest":
        for each in resized:
            made = np.take(made, nearest(each.at, each.size, nearest_mode), each.place)
    elif mode == "linear" and not antialias:
        made = _between(x, resized)
    else:
        for each in resized[::-1]:
            shrunk = each.shrunk if antialias else np.float32(1)
            indices, weights = taps(
                each.at, each.size, mode, cubic_coeff_a, shrunk, bool(exclude_outside)
            )
            made = _filtered(made, each.place, indices, weights)
    if outside.any():
        made = np.where(outside, np.float32(extrapolation_value), made)
    return made.astype(x.dtype, copy=False)


class Coordinates(NamedTuple):
    """Where the elements of a resized axis lie in the input.

    at : float32[out], among the `size` elements of the axis `place`.
    shrunk : how many times as many elements it gets, 1 at most.
    """

    place: int
    size: int
    at: Array
    shrunk: np.float32


def _between(x: Array, axes: Sequence[Coordinates]) -> Array:
    """Linear along all axes at once: the corners around each element, as onnxruntime adds them."""
    total = np.zeros((), np.float32)
    sides = [_neighbours(each) for each in axes]
    for corner in product((0, 1), repeat=len(axes)):
        part, weight = x, np.ones((), np.float32)
        for side, each, (indices, weights) in zip(corner, axes, sides, strict=True):
            part = np.take(part, indices[side], each.place)
            weight = weight * weights[side].reshape(_along(each.place, x.ndim))
        total = total + weight * part
    return total


def _neighbours(axis: Coordinates) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The elements before and behind each coordinate, and their weights; an edge is halved."""
    at = np.clip(axis.at, np.float32(0), np.float32(axis.size - 1))
    before = at.astype(np.int64)
    behind = np.minimum(before + 1, axis.size - 1)
    edge, half = before == behind, np.float32(0.5)
    weights = (
        np.where(edge, half, behind.astype(np.float32) - at),
        np.where(edge, half, at - before.astype(np.float32)),
    )
    return (before, behind), weights


def _filtered(x: Array, place: int, indices: Array, weights: Array) -> Array:
    """Sums of weighted taps along one axis."""
    total = np.zeros((), np.float32)
    for index, weight in zip(indices, weights, strict=True):
        total = total + np.take(x, index, place) * weight.reshape(_along(place, x.ndim))
    return total


def _along(place: int, rank: int) -> tuple[int, ...]:
    """The shape of one value for each index of an axis."""
    return tuple(-1 if axis == place else 1 for axis in range(rank))


def _extents(
    shape: Sequence[int], scales: Array | None, sizes: Array | None, policy: str
) -> list[tuple[int, int, np.float32]]:
    """Of each axis its size, the size that it gets, and how many times as many that is."""
    if scales is not None and scales.size:
        return [
            (size, int(np.floor(np.float32(size) * scale)), scale)
            for size, scale in zip(shape, scales.astype(np.float32), strict=True)
        ]
    assert sizes is not None
    wanted = [int(out) for out in sizes]
    ratios = [np.float32(out) / np.float32(size) for size, out in zip(shape, wanted, strict=True)]
    if policy != "stretch":
        one = min(ratios) if policy == "not_larger" else max(ratios)
        return [(size, int(np.floor(one * size + np.float32(0.5))), one) for size in shape]
    return list(zip(shape, wanted, ratios, strict=True))


def coordinates(axis: Axis, how: str) -> Array:
    """float32[out]: where in the input each element of the output lies."""
    one, half = np.float32(1), np.float32(0.5)
    x = np.arange(axis.out, dtype=np.float32)
    last = np.float32(axis.size - 1)
    if how == "asymmetric":
        return x / axis.scale
    if how == "align_corners":
        return x * last / (axis.scale * np.float32(axis.size) - one) if axis.out > 1 else x
    if how == "tf_crop_and_resize":
        if axis.out == 1:
            return np.array([half * (axis.first + axis.last) * last], np.float32)
        return axis.first * last + x * ((axis.last - axis.first) * last / np.float32(axis.out - 1))
    if how == "tf_half_pixel_for_nn":
        return (x + half) / axis.scale
    if how == "pytorch_half_pixel" and axis.out == 1:
        return x
    centred = (x + half) / axis.scale - half
    if how == "half_pixel_symmetric":
        share = np.float32(axis.out) / (axis.scale * np.float32(axis.size))
        centred = centred + np.float32(axis.size) * half * (one - share)
    return centred


def nearest(at: Array, size: int, how: str) -> Array:
    """int64[out]: the element of the input that is nearest to each coordinate."""
    if how == "round_prefer_floor":
        chosen = np.ceil(at - np.float32(0.5))
    elif how == "round_prefer_ceil":
        chosen = np.floor(at + np.float32(0.5))
    else:
        chosen = np.floor(at) if how == "floor" else np.ceil(at)
    return np.clip(chosen.astype(np.int64), 0, size - 1)


def taps(
    at: Array, size: int, mode: str, cubic: float, shrunk: np.float32, exclude_outside: bool
) -> tuple[Array, Array]:
    """int64[taps, out] elements of the input and float32[taps, out] their weights.

    shrunk : below 1, the filter is so many times wider, against aliasing.
    """
    reach = int(np.ceil((1 if mode == "linear" else 2) / shrunk))
    before = np.ceil(at).astype(np.int64) - 1
    offsets = np.arange(1 - reach, reach + 1)[:, None]
    distance = np.abs((offsets - (at - before)).astype(np.float32) * shrunk)
    weights = _linear(distance) if mode == "linear" else _cubic(distance, np.float32(cubic))
    indices = before + offsets
    if exclude_outside:
        weights = np.where((indices < 0) | (indices >= size), np.float32(0), weights)
    if exclude_outside or shrunk < 1:
        weights = weights / weights.sum(0)
    return np.clip(indices, 0, size - 1), weights


def _linear(u: Array) -> Array:
    return np.asarray(np.maximum(1 - u, np.float32(0)))


def _cubic(u: Array, a: np.float32) -> Array:
    """The kernel of cubic convolution (Keys, 1981), 0 from 2 on."""
    inner = ((a + 2) * u - (a + 3)) * u * u + 1
    outer = ((a * u - 5 * a) * u + 8 * a) * u - 4 * a
    return np.where(u <= 1, inner, np.where(u < 2, outer, np.float32(0))).astype(np.float32)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"Resize": resize}
