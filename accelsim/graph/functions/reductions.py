"""Reductions along axes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from accelsim.graph.types import Array

Reduction = Callable[..., Any]


def _reduction(function: Reduction) -> Reduction:
    """The operator that reduces by the function, which takes x, axis and keepdims."""

    def made(
        x: Array, axes: Array | None = None, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Array:
        chosen = None if axes is None or axes.size == 0 else tuple(int(axis) for axis in axes)
        if chosen is None and noop_with_empty_axes:
            chosen = ()
        with np.errstate(all="ignore"):
            return np.asarray(function(x, axis=chosen, keepdims=bool(keepdims))).astype(x.dtype)

    return made


def _mean(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    """Of integers cut toward zero."""
    return np.asarray(x.mean(axis=axis, keepdims=keepdims))


def _maximum(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    """Of nothing the least value of the type."""
    return np.asarray(np.max(x, axis=axis, keepdims=keepdims, initial=_ends(x.dtype)[0]))


def _minimum(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    """Of nothing the largest value of the type."""
    return np.asarray(np.min(x, axis=axis, keepdims=keepdims, initial=_ends(x.dtype)[1]))


def _ends(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    if dtype.kind == "b":
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _l2(x: Array, **how: Any) -> Array:
    return np.asarray(np.sqrt(np.sum(np.square(x), **how)))


def _log_sum_exp(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    most = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    most = np.where(np.isfinite(most), most, 0)
    grown = np.log(np.sum(np.exp(x - most), axis=axis, keepdims=True)) + most
    return np.asarray(grown if keepdims else np.squeeze(grown, axis))


def arg_max(x: Array, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Array:
    """int64: where the largest along the axis lies, the first of them or the last."""
    if select_last_index:
        flipped = np.flip(x, axis).argmax(axis, keepdims=bool(keepdims))
        return np.asarray(x.shape[axis] - 1 - flipped)
    return np.asarray(x.argmax(axis, keepdims=bool(keepdims)))


def arg_min(x: Array, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Array:
    """int64: where the least along the axis lies, the first of them or the last."""
    if select_last_index:
        flipped = np.flip(x, axis).argmin(axis, keepdims=bool(keepdims))
        return np.asarray(x.shape[axis] - 1 - flipped)
    return np.asarray(x.argmin(axis, keepdims=bool(keepdims)))


def cumulative_sum(x: Array, axis: Array, exclusive: int = 0, reverse: int = 0) -> Array:
    """Sums of all elements up to each, or up to the one before it; from behind if `reverse`."""
    along = int(axis.ravel()[0])
    turned = np.flip(x, along) if reverse else x
    made = np.cumsum(turned, along, dtype=x.dtype)
    made = made - turned if exclusive else made
    return np.flip(made, along) if reverse else made


def top_k(
    x: Array, k: Array, axis: int = -1, largest: int = 1, sorted: int = 1
) -> tuple[Array, Array]:
    """The k largest or least along the axis, in order, and int64 where they lie."""
    count = int(k.ravel()[0])
    if largest:  # stable, and of equals the first one first
        order = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        order = x.shape[axis] - 1 - order
    else:
        order = np.argsort(x, axis, kind="stable")
    places = np.take(order, np.arange(count), axis)
    return np.take_along_axis(x, places, axis), places


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ArgMax": arg_max,
    "ArgMin": arg_min,
    "CumSum": cumulative_sum,
    "ReduceL1": _reduction(lambda x, **how: np.sum(np.abs(x), **how)),
    "ReduceL2": _reduction(_l2),
    "ReduceLogSum": _reduction(lambda x, **how: np.log(np.sum(x, **how))),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ReduceMax": _reduction(_maximum),
    "ReduceMean": _reduction(_mean),
    "ReduceMin": _reduction(_minimum),
    "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum),
    "ReduceSumSquare": _reduction(lambda x, **how: np.sum(np.square(x), **how)),
    "TopK": top_k,
}
