"""Between reals and integers of a scale and a zero point."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

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

    output_dtype : the type where there is no zero point.
    """
    steps = np.rint(x / spread(scale, x, axis, block_size))
    dtype = np.dtype(output_dtype) if zero_point is None else zero_point.dtype
    if zero_point is not None:
        steps = steps + spread(zero_point, x, axis, block_size)
    bounds = np.iinfo(dtype)
    return np.clip(steps, bounds.min, bounds.max).astype(dtype)


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


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "QuantizeLinear": quantize_linear,
}
