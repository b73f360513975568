"""Normalisations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from accelsim.graph.types import Array


def batch_normalization(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Array:
    """Every channel by its stored mean and variance, as outside of training."""
    one = variance.dtype.type(1)
    gain = one / np.sqrt(variance + variance.dtype.type(epsilon)) * scale
    offset = bias - mean * gain
    return (x * _channels(gain, x) + _channels(offset, x)).astype(x.dtype)


def _channels(values: Array, x: Array) -> Array:
    """One for each channel, to broadcast against x."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _normalised(x: Array, axes: Sequence[int], epsilon: float) -> tuple[Array, Array, Array]:
    """`x` less its mean over its deviation; the mean and the reciprocal of the deviation."""
    mean = x.mean(tuple(axes), keepdims=True)
    less = x - mean
    variance = np.square(less).mean(tuple(axes), keepdims=True)
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    return less * inverse, mean, inverse


def layer_normalization(
    x: Array,
    scale: Array,
    bias: Array | None = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Array, Array, Array]:
    """The axes from `axis` on; also the means and the reciprocals of the deviations."""
    wide = x.astype(np.float32) if stash_type == 1 else x
    normal, mean, inverse = _normalised(wide, _from(axis, x), epsilon)
    made = normal.astype(x.dtype) * scale
    return made if bias is None else made + bias, mean, inverse


def rms_normalization(
    x: Array, scale: Array, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Array:
    """The axes from `axis` on over the root of the mean of their squares."""
    wide = x.astype(np.float32) if stash_type == 1 else x
    square = np.square(wide).mean(tuple(_from(axis, x)), keepdims=True)
    return np.asarray((wide / np.sqrt(square + wide.dtype.type(epsilon))).astype(x.dtype) * scale)


def _from(axis: int, x: Array) -> range:
    return range(axis % x.ndim, x.ndim)


def instance_normalization(x: Array, scale: Array, bias: Array, epsilon: float = 1e-5) -> Array:
    """Every channel of every image by itself."""
    normal, *_ = _normalised(x, range(2, x.ndim), epsilon)
    return normal * _channels(scale, x) + _channels(bias, x)


def group_normalization(
    x: Array,
    scale: Array,
    bias: Array,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Array:
    """Groups of channels of every image."""
    parts = x.reshape(x.shape[0], num_groups, -1).astype(np.float32 if stash_type == 1 else x.dtype)
    normal = _normalised(parts, (2,), epsilon)[0].astype(x.dtype).reshape(x.shape)
    return normal * _channels(scale, x) + _channels(bias, x)


def local_response_normalization(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Array:
    """`x` over a power of the sum of squares of `size` channels around each."""
    before = (size - 1) // 2
    more = [(0, 0)] * x.ndim
    more[1] = before, size - 1 - before
    squares = np.pad(np.square(x), more)
    count = x.shape[1]
    total = squares[:, :count].copy()
    for place in range(1, size):
        total += squares[:, place : place + count]
    kind = x.dtype.type
    return np.asarray(x / (kind(bias) + kind(alpha / size) * total) ** kind(beta))


def lp_normalization(x: Array, axis: int = -1, p: int = 2) -> Array:
    """`x` over its p-norm along the axis, 0 where that is 0."""
    norm = (np.abs(x) ** p).sum(axis, keepdims=True) ** x.dtype.type(1 / p)
    return np.asarray(np.divide(x, norm, out=np.zeros_like(x), where=norm != 0))


def mean_variance_normalization(x: Array, axes: Sequence[int] = (0, 2, 3)) -> Array:
    """`x` less its mean over its deviation, along the axes."""
    deviation = np.sqrt(np.square(x).mean(tuple(axes), keepdims=True) - _square_of_mean(x, axes))
    return np.asarray((x - x.mean(tuple(axes), keepdims=True)) / (deviation + x.dtype.type(1e-9)))


def _square_of_mean(x: Array, axes: Sequence[int]) -> Array:
    return np.asarray(np.square(x.mean(tuple(axes), keepdims=True)))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "BatchNormalization": batch_normalization,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LRN": local_response_normalization,
    "LayerNormalization": layer_normalization,
    "LpNormalization": lp_normalization,
    "MeanVarianceNormalization": mean_variance_normalization,
    "RMSNormalization": rms_normalization,
}
