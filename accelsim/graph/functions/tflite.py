"""Functions of TFLite's operators on tensors (n, h, w, c), where ONNX has none that is the same.

Those of integers are its reference kernels (kernels/internal/reference of TFLite).
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from accelsim.graph.types import Array
from accelsim.numerics.programs import Clamp, Requantise, clamp, requantise
from accelsim.numerics.tflite_rules import half_away
from accelsim.numerics.tflite_softmax import softmax

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]  # top, bottom, left, right


def max_pool(x: Array, kernel: Pair, stride: Pair, sides: Sides) -> Array:
    """[n, oh, ow, c]: the largest value of each window, of those within the map."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return _windows(x, kernel, stride, sides, np.maximum, least)


def average_pool(x: Array, kernel: Pair, stride: Pair, sides: Sides) -> Array:
    """[n, oh, ow, c]: the mean of each window within the map; integers round ties away from 0."""
    of_reals = x.dtype.kind == "f"
    wide = np.float32 if of_reals else np.int32
    total = _windows(x.astype(wide), kernel, stride, sides, np.add, 0)
    inside = np.ones((1, *x.shape[1:3], 1), wide)
    counts = _windows(inside, kernel, stride, sides, np.add, 0)
    if of_reals:
        return np.asarray(total / counts, np.float32)
    size = (np.abs(total) + counts // 2) // counts
    return np.asarray(np.where(total < 0, -size, size), x.dtype)


def _windows(
    x: Array, kernel: Pair, stride: Pair, sides: Sides, combine: np.ufunc, border: Any
) -> Array:
    """What an associative function makes of each window of a map with a border: [n, oh, ow, c].

    Columns first, then rows.
    """
    top, bottom, left, right = sides
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=border)
    for axis, reach, step in ((2, kernel[1], stride[1]), (1, kernel[0], stride[0])):
        moved = np.moveaxis(x, axis, 0)
        last = len(moved) - reach
        made = moved[: last + 1 : step].copy()
        for tap in range(1, reach):
            combine(made, moved[tap : tap + last + 1 : step], out=made)
        x = np.moveaxis(made, 0, axis)
    return x


def total(x: Array, axes: tuple[int, ...], keepdims: bool, zero_point: int) -> Array:
    """int32: sums of an integer map less its zero point along axes."""
    sums = x.sum(axes, np.int32, keepdims=keepdims)
    return np.asarray(sums - np.int32(zero_point * prod(x.shape[axis] for axis in axes)))


def prelu(
    x: Array,
    alpha: Array,
    zero_points: Pair,
    above: Requantise,
    below: Requantise,
    bounds: Clamp,
) -> Array:
    """Integers on the scale of the result, those below 0 times alpha.

    zero_points : of x and of alpha.
    """
    value = x.astype(np.int32) - zero_points[0]
    product = value * (alpha.astype(np.int32) - zero_points[1])
    positive = np.broadcast_to(requantise(above, value), product.shape)
    return clamp(bounds, np.where(value < 0, requantise(below, product), positive))


def scaled_softmax(x: Array, beta: float) -> Array:
    """Of reals along the last axis, times beta before the exponential."""
    grown = np.exp((x - x.max(-1, keepdims=True)) * np.float32(beta))
    return np.asarray(grown / grown.sum(-1, keepdims=True))


def l2_normalise(x: Array) -> Array:
    """Reals over their length along the last axis, which counts as 1e-6 where it is less."""
    length = np.sqrt(np.sum(np.square(x), axis=-1, keepdims=True))
    return np.asarray(x / np.maximum(length, np.float32(1e-6)))


def quantise(x: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Integers of reals: x / scale rounded, ties away from 0, plus the zero point, clamped."""
    limits = np.iinfo(dtype)
    steps = half_away(np.asarray(x / np.float32(scale), np.float32)).astype(np.float64) + zero_point
    return np.asarray(np.clip(np.nan_to_num(steps), limits.min, limits.max), dtype)


def dequantise(x: Array, scale: Array, zero_point: Array) -> Array:
    """float32: scale (x - zero point), both of them numbers or shaped to broadcast against x."""
    return np.asarray(scale * (x.astype(np.int32) - zero_point), np.float32)


def depth_to_space(x: Array, block: int) -> Array:
    """[n, h b, w b, c / b**2]: channels become rows and columns of blocks."""
    n, h, w, c = x.shape
    parts = x.reshape(n, h, w, block, block, -1).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h * block, w * block, c // block**2)


def space_to_depth(x: Array, block: int) -> Array:
    """[n, h / b, w / b, c b**2]: rows and columns of blocks become channels."""
    n, h, w, c = x.shape
    parts = x.reshape(n, h // block, block, w // block, block, c).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h // block, w // block, c * block**2)


def resize_nearest(x: Array, size: Pair, align_corners: bool, half_pixel: bool) -> Array:
    """[n, oh, ow, c]: the nearest value of the map."""
    rows, columns = (
        _nearest(old, new, align_corners, half_pixel)
        for old, new in zip(x.shape[1:3], size, strict=True)
    )
    return x[:, rows][:, :, columns]


def _nearest(old: int, new: int, align_corners: bool, half_pixel: bool) -> Array:
    step = _step(old, new, align_corners)
    places = np.arange(new, dtype=np.float32)
    if half_pixel:
        places = places + np.float32(0.5)
    scaled = places * step
    whole = (half_away(scaled) if align_corners else np.floor(scaled)).astype(np.int64)
    return np.clip(whole, 0, old - 1)


def _step(old: int, new: int, align_corners: bool) -> np.float32:
    """Distance of two results in values of the map."""
    if align_corners and new > 1:
        return np.float32(old - 1) / np.float32(new - 1)
    return np.float32(old) / np.float32(new)


def resize_bilinear(x: Array, size: Pair, align_corners: bool, half_pixel: bool) -> Array:
    """[n, oh, ow, c]: between the four values around each place.

    int8 in steps of 2**-10 of a value; reals and uint8 in float32; both round ties away from 0.
    """
    if x.dtype == np.int8:
        return _resize_integers(x, size, align_corners, half_pixel)
    ends = []
    for old, new in zip(x.shape[1:3], size, strict=True):
        places = np.arange(new, dtype=np.float32)
        step = _step(old, new, align_corners)
        half = np.float32(0.5)
        scaled = (places + half) * step - half if half_pixel else places * step
        low = np.maximum(np.floor(scaled).astype(np.int64), 0)
        high = np.minimum(np.ceil(scaled).astype(np.int64), old - 1)
        ends.append((low, high, scaled - low.astype(np.float32)))
    (top, bottom, down), (left, right, across) = ends
    down, across = down[:, None, None], across[:, None]
    one = np.float32(1)
    parts = (
        (x[:, top][:, :, left], one - down, one - across),
        (x[:, bottom][:, :, left], down, one - across),
        (x[:, top][:, :, right], one - down, across),
        (x[:, bottom][:, :, right], down, across),
    )
    sums: Any = sum(value.astype(np.float32) * a * b for value, a, b in parts)
    return np.asarray(sums if x.dtype.kind == "f" else half_away(sums), x.dtype)


def _resize_integers(x: Array, size: Pair, align_corners: bool, half_pixel: bool) -> Array:
    ends = []
    for old, new in zip(x.shape[1:3], size, strict=True):
        aligned = align_corners and new > 1
        span, count = (old - 1, new - 1) if aligned else (old, new)
        step = ((span << 10) + count // 2) // count
        scaled = np.arange(new, dtype=np.int64) * step
        if half_pixel:
            scaled += step // 2 - (1 << 9)
        low = np.maximum(scaled >> 10, 0)
        high = np.minimum((scaled + (1 << 10) - 1) >> 10, old - 1)
        ends.append((low, high, scaled - (low << 10)))
    (top, bottom, down), (left, right, across) = ends
    down, across = down[:, None, None], across[:, None]
    wide = x.astype(np.int64)
    one = 1 << 10
    sums = (
        wide[:, top][:, :, left] * (one - down) * (one - across)
        + wide[:, bottom][:, :, left] * down * (one - across)
        + wide[:, top][:, :, right] * (one - down) * across
        + wide[:, bottom][:, :, right] * down * across
    )
    rounded = (np.abs(sums) + (1 << 19)) >> 20
    return np.asarray(np.where(sums < 0, -rounded, rounded), np.int8)


def unpack(x: Array, axis: int) -> tuple[Array, ...]:
    """Parts of size 1 along the axis, without it."""
    return tuple(np.moveaxis(x, axis, 0))


def floor_div(a: Array, b: Array) -> Array:
    """A / b rounded down, of the type of a."""
    return np.asarray(np.floor_divide(a, b))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tflite.average_pool": average_pool,
    "tflite.depth_to_space": depth_to_space,
    "tflite.dequantise": dequantise,
    "tflite.floor_div": floor_div,
    "tflite.l2_normalise": l2_normalise,
    "tflite.max_pool": max_pool,
    "tflite.prelu": prelu,
    "tflite.quantise": quantise,
    "tflite.resize_bilinear": resize_bilinear,
    "tflite.resize_nearest": resize_nearest,
    "tflite.scaled_softmax": scaled_softmax,
    "tflite.softmax": softmax,
    "tflite.space_to_depth": space_to_depth,
    "tflite.total": total,
    "tflite.unpack": unpack,
}
