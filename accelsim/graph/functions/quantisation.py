"""Between reals and integers of a scale and a zero point, and what onnxruntime does on integers.

Names of the latter are those of its operators in the domain com.microsoft.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

from accelsim.graph.functions.pools import counts, windows
from accelsim.graph.types import Array


def quantize_linear(
    x: Array,
    scale: Array,
    zero_point: Array | None = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: str = "uint8",
    saturate: int = 1,
    precision: int = 0,
) -> Array:
    """The quotient x / scale rounded half to even, the zero point added, saturated to its type.

    What is no number becomes the least, as in onnxruntime.

    output_dtype : the type where there is no zero point.
    """
    with np.errstate(all="ignore"):
        steps = np.rint(x.astype(scale.dtype) / spread(scale, x, axis, block_size))
    dtype = np.dtype(output_dtype) if zero_point is None else zero_point.dtype
    if zero_point is not None:
        steps = steps + spread(zero_point, x, axis, block_size)
    bounds = np.iinfo(dtype)
    return np.fmin(np.fmax(steps, bounds.min), bounds.max).astype(dtype)


def dequantize_linear(
    x: Array,
    scale: Array,
    zero_point: Array | None = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: str | None = None,
) -> Array:
    """(x - zero point) scale, of the type of the scale."""
    less = x.astype(np.int32)
    if zero_point is not None:
        less = less - spread(zero_point, x, axis, block_size).astype(np.int32)
    with np.errstate(over="ignore", invalid="ignore"):
        made = less.astype(scale.dtype) * spread(scale, x, axis, block_size)
    return made if output_dtype is None else made.astype(output_dtype)


def spread(values: Array, x: Array, axis: int = 1, block_size: int = 0) -> Array:
    """One value for all of x, or one for each index of an axis or each block, to broadcast."""
    if values.size == 1:
        return values.reshape(())
    if block_size:
        along = axis % x.ndim
        return np.take(np.repeat(values, block_size, along), np.arange(x.shape[along]), along)
    return values.reshape(-1, *(1,) * (x.ndim - 1 - axis % x.ndim))


def dynamic_quantize_linear(x: Array) -> tuple[Array, Array, Array]:
    """uint8 over the range of x and 0, with the scale float32[] and the zero point uint8[]."""
    low, high = np.minimum(x.min(), np.float32(0)), np.maximum(x.max(), np.float32(0))
    scale = np.asarray((high - low) / np.float32(255))
    if scale == 0:
        scale = np.ones((), np.float32)
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.uint8)
    return quantize_linear(x, scale, zero), scale, np.asarray(zero)


def q_linear_average_pool(
    x: Array,
    x_scale: Array,
    x_zero: Array | None,
    y_scale: Array,
    y_zero: Array | None,
    count_include_pad: int = 0,
    channels_last: int = 0,
    **of_windows: Any,
) -> Array:
    """The mean of each window: reals added up element by element, in the order of the window.

    count_include_pad : whether every window counts as if it were whole.
    """
    if channels_last:
        x = np.moveaxis(x, -1, 1)
    real = dequantize_linear(x, x_scale, x_zero).astype(np.float32)
    axes = windows(x.shape[2:], **of_windows)
    more = [(axis.begin, max(axis.span - axis.begin - axis.size, 0)) for axis in axes]
    padded = np.pad(real, ((0, 0), (0, 0), *more))
    total = np.zeros((), np.float32)
    for tap in product(*(range(0, axis.reach, axis.dilation) for axis in axes)):
        ends = ((a, a + axis.span - axis.reach + 1) for a, axis in zip(tap, axes, strict=True))
        where = (slice(*each, axis.stride) for each, axis in zip(ends, axes, strict=True))
        total = total + padded[(slice(None), slice(None), *where)]
    whole = np.float32(np.prod([axis.kernel for axis in axes]))
    mean = total / (whole if count_include_pad else counts(axes, 0, np.float32))
    zero = np.float32(0 if y_zero is None else y_zero.ravel()[0])
    bounds = np.iinfo(x.dtype)
    steps = np.rint(mean / y_scale.ravel()[0] + zero)  # the zero point decides ties
    made = np.clip(steps, bounds.min, bounds.max).astype(x.dtype)
    return np.ascontiguousarray(np.moveaxis(made, 1, -1)) if channels_last else made


def q_linear_softmax(
    x: Array,
    x_scale: Array,
    x_zero: Array | None,
    y_scale: Array,
    y_zero: Array | None,
    opset: int = 13,
    axis: int | None = None,
) -> Array:
    """Shares of exponentials along an axis; before operator set 13, along all from it on.

    Exponentials are float32 from a table of 256, as large as their sum allows, and are added up one
    by one; the whole number below 1 / y_scale, not the scale, makes integers of the shares, in
    float64.
    """
    if axis is None:
        axis = -1 if opset >= 13 else 1
    place = axis % x.ndim
    if opset >= 13:
        rows = np.moveaxis(x, place, -1)
    else:
        rows = x.reshape(*x.shape[:place], -1)
    grown = _exponentials(float(x_scale.ravel()[0]), rows.shape[-1])[_below_largest(rows)]
    total = np.add.accumulate(grown, -1, dtype=np.float32)[..., -1:]  # from first to last
    most = np.floor(1 / y_scale.astype(np.float32).ravel()[0])
    steps = np.rint(grown.astype(np.float64) * most / total)
    zero = 0 if y_zero is None else int(y_zero.ravel()[0])
    bounds = np.iinfo(x.dtype)
    made = np.clip(steps + np.float32(zero), bounds.min, bounds.max).astype(x.dtype)
    shares = np.moveaxis(made, -1, place) if opset >= 13 else made.reshape(x.shape)
    return np.ascontiguousarray(shares)


def _below_largest(rows: Array) -> Array:
    """int64, shaped as the rows: 255 for the largest of each row, less what others lack to it."""
    wide = rows.astype(np.int64)
    return np.asarray(255 - wide.max(-1, keepdims=True) + wide)


def _exponentials(scale: float, count: int) -> Array:
    """float32[256]: exp(scale i), times what lets `count` of the last be added up."""
    room = float(np.log(np.finfo(np.float32).max / np.float32(count))) - 5
    shift = max(0.0, room) / scale
    return np.asarray(np.exp((np.arange(256) - 255.0 + shift) * scale), np.float32)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "QLinearAveragePool": q_linear_average_pool,
    "QLinearSoftmax": q_linear_softmax,
    "QuantizeLinear": quantize_linear,
}
