"""Pools over windows of any rank: an axis after the other, on strided views of padded tensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from accelsim.graph.types import Array


class Axis(NamedTuple):
    """Windows along one axis: `out` of `kernel` elements, `dilation` apart, every `stride`.

    begin, end : elements of padding before and behind the `size` elements.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    out: int

    @property
    def span(self) -> int:
        """Elements from the first that a window covers to the last of the last window."""
        return (self.out - 1) * self.stride + self.reach

    @property
    def reach(self) -> int:
        """Elements from the first of a window to its last."""
        return (self.kernel - 1) * self.dilation + 1


def windows(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> tuple[Axis, ...]:
    """The windows along each axis of an image of `shape`, which has neither n nor c."""
    rank = len(kernel_shape)
    ones, sides = (1,) * rank, tuple(pads or (0,) * (2 * rank))
    made = []
    for size, k, s, d, begin, end in zip(
        shape,
        kernel_shape,
        strides or ones,
        dilations or ones,
        sides[:rank],
        sides[rank:],
        strict=True,
    ):
        reach = (k - 1) * d + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            out = -(-size // s)
            total = max((out - 1) * s + reach - size, 0)
            before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            made.append(Axis(size, k, s, d, before, total - before, out))
            continue
        begin, end = (0, 0) if auto_pad == "VALID" else (begin, end)
        room = size + begin + end - reach
        out = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (out - 1) * s >= size + begin:  # it would start in the padding
            out -= 1
        made.append(Axis(size, k, s, d, begin, end, out))
    return tuple(made)


def max_pool(x: Array, storage_order: int = 0, **of_windows: Any) -> Array:
    """The largest of each window, of the type of x."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return _over(np.maximum, x, windows(x.shape[2:], **of_windows), x.dtype.type(least))


def average_pool(x: Array, count_include_pad: int = 0, **of_windows: Any) -> Array:
    """The mean of each window, without its padding or, if `count_include_pad`, with it."""
    axes = windows(x.shape[2:], **of_windows)
    return _over(np.add, x, axes, x.dtype.type(0)) / counts(axes, count_include_pad, x.dtype)


def lp_pool(x: Array, p: int = 2, **of_windows: Any) -> Array:
    """The p-norm of each window."""
    axes = windows(x.shape[2:], **of_windows)
    summed = _over(np.add, np.abs(x) ** p, axes, x.dtype.type(0))
    return np.asarray(summed ** x.dtype.type(1 / p))


def counts(axes: Sequence[Axis], count_include_pad: int, dtype: Any) -> Array:
    """How many elements every window counts, shaped as an image of windows."""
    made = np.ones((), dtype)
    for axis in axes:
        counted = np.ones(axis.size, dtype)
        if count_include_pad:
            counted = np.ones(axis.begin + axis.size + axis.end, dtype)
            axis = axis._replace(size=counted.size, begin=0)
        made = made[..., None] * _along(np.add, counted, 0, axis, counted.dtype.type(0))
    return made


def _over(reduce: np.ufunc, x: Array, axes: Sequence[Axis], filler: Any) -> Array:
    for place, axis in enumerate(axes, 2):
        x = _along(reduce, x, place, axis, filler)
    return x


def _along(reduce: np.ufunc, x: Array, place: int, axis: Axis, filler: Any) -> Array:
    """Reduced along one axis, padded by the filler as far as windows reach."""
    more = [(0, 0)] * x.ndim
    more[place] = axis.begin, max(axis.span - axis.begin - axis.size, 0)
    padded = np.moveaxis(np.pad(x, more, constant_values=filler), place, 0)
    last = (axis.out - 1) * axis.stride + 1
    total = padded[: last : axis.stride].copy()
    for tap in range(axis.dilation, axis.reach, axis.dilation):
        reduce(total, padded[tap : tap + last : axis.stride], out=total)
    return np.ascontiguousarray(np.moveaxis(total, 0, place))


def _image(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def global_average_pool(x: Array) -> Array:
    """The mean of each channel."""
    return np.asarray(x.mean(_image(x), keepdims=True))


def adaptive_average_pool(x: Array, output_size: Sequence[int]) -> Array:
    """The means of as many windows along each axis, which may overlap, as PyTorch has it."""
    for axis, count in zip(_image(x), output_size, strict=True):
        size = x.shape[axis]
        parts = [
            np.take(x, range(i * size // count, -(-(i + 1) * size // count)), axis)
            for i in range(count)
        ]
        x = np.concatenate([part.mean(axis, keepdims=True) for part in parts], axis)
    return x


def global_max_pool(x: Array) -> Array:
    """The largest of each channel."""
    return np.asarray(x.max(_image(x), keepdims=True))


def global_lp_pool(x: Array, p: int = 2) -> Array:
    """The p-norm of each channel."""
    summed = (np.abs(x) ** p).sum(_image(x), keepdims=True)
    return np.asarray(summed ** x.dtype.type(1 / p))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "AdaptiveAveragePool": adaptive_average_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalLpPool": global_lp_pool,
    "GlobalMaxPool": global_max_pool,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
}
