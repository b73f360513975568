"""Arithmetic, comparisons and logic, element by element; operands broadcast as NumPy's do."""

import math
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.graph.types import Array
from accelsim.kernels import kernel


def div(a: Array, b: Array) -> Array:
    """The quotient a / b; of integers rounded toward zero, as C does, and 0 where b is 0."""
    if a.dtype.kind == "f":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(a / b)
    if a.dtype.kind == "u":
        return np.floor_divide(a, b, where=b != 0, out=np.zeros(np.broadcast(a, b).shape, a.dtype))
    remainder = np.fmod(a, b, where=b != 0, out=np.zeros(np.broadcast(a, b).shape, a.dtype))
    whole = np.zeros(remainder.shape, a.dtype)
    return np.asarray(np.floor_divide(a - remainder, b, where=b != 0, out=whole))


def mod(a: Array, b: Array, fmod: int = 0) -> Array:
    """The remainder: with the sign of b or, if `fmod`, that of a."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.fmod(a, b) if fmod else np.mod(a, b))


def power(a: Array, b: Array) -> Array:
    """`a` to the power of b, of the type of a."""
    if a.dtype.kind == "f":
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.asarray(np.power(a, b.astype(a.dtype)))
    if b.dtype.kind == "f" or (b < 0).any():
        with np.errstate(divide="ignore"):
            return np.asarray(np.power(a.astype(np.float64), b)).astype(a.dtype)
    return np.asarray(np.power(a, b)).astype(a.dtype)


def erf(x: Array) -> Array:
    """The error function, of the type of x."""
    return _compiled_erf()(x.astype(np.float64).ravel()).reshape(x.shape).astype(x.dtype)


def _erf_of_each(x: Array) -> Array:
    made = np.empty_like(x)
    for place in range(x.size):
        made[place] = math.erf(x[place])
    return made


@cache
def _compiled_erf() -> Callable[[Array], Array]:
    """Compiled when it is first wanted, for Numba takes its time to load."""
    return kernel(_erf_of_each)


def reciprocal(x: Array) -> Array:
    """1 / x."""
    return div(np.ones((), x.dtype), x)


def clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    """`x` between scalars, either of which may be left out; `high` where they cross."""
    if low is not None:
        x = np.maximum(x, low)
    if high is not None:
        x = np.minimum(x, high)
    return x


def total(*x: Array) -> Array:
    """The sum of all inputs."""
    return reduce(np.add, x)


def mean(*x: Array) -> Array:
    """The mean of all inputs."""
    return np.asarray(total(*x) / np.array(len(x), x[0].dtype))


def maximum(*x: Array) -> Array:
    """The largest of all inputs; not a number where one is none."""
    return reduce(np.maximum, x)


def minimum(*x: Array) -> Array:
    """The least of all inputs; not a number where one is none."""
    return reduce(np.minimum, x)


def cast(x: Array, to: str, saturate: int = 1, round_mode: str = "up") -> Array:
    """`x` in the type that NumPy calls `to`: reals cut toward zero. The rest is for other types."""
    with np.errstate(invalid="ignore", over="ignore"):
        return x.astype(to)


def cast_like(x: Array, like: Array, saturate: int = 1, round_mode: str = "up") -> Array:
    """`x` in the type of `like`."""
    return cast(x, like.dtype.name)


def identity(x: Array) -> Array:
    """`x` itself."""
    return x


def dropout(
    x: Array,
    ratio: Array | None = None,
    training_mode: Array | None = None,
    seed: int | None = None,
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """`x` itself and a mask that drops nothing, as outside of training."""
    return x, np.ones(x.shape, np.bool_)


def shift(x: Array, by: Array, direction: str) -> Array:
    """Bits shifted to the LEFT or the RIGHT."""
    return np.asarray(np.left_shift(x, by) if direction == "LEFT" else np.right_shift(x, by))


def is_inf(x: Array, detect_negative: int = 1, detect_positive: int = 1) -> Array:
    """Where x is infinite, of the signs that are asked for."""
    wanted = (np.isneginf(x) & bool(detect_negative)) | (np.isposinf(x) & bool(detect_positive))
    return np.asarray(wanted)


def _quiet(function: Callable[..., Any]) -> Callable[..., Array]:
    """The function, which gives infinities and what is not a number without a warning."""

    def made(*x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*x))

    return made


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "BitShift": shift,
    "Cast": cast,
    "CastLike": cast_like,
    "Ceil": np.ceil,
    "Clip": clip,
    "Div": div,
    "Dropout": dropout,
    "Equal": np.equal,
    "Erf": erf,
    "Exp": _quiet(np.exp),
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Identity": identity,
    "IsInf": is_inf,
    "IsNaN": np.isnan,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Log": _quiet(np.log),
    "Max": maximum,
    "Mean": mean,
    "Min": minimum,
    "Mod": mod,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "Pow": power,
    "Reciprocal": reciprocal,
    "Round": np.rint,
    "Sign": np.sign,
    "Sqrt": _quiet(np.sqrt),
    "Sub": np.subtract,
    "Sum": total,
    "Where": np.where,
    "Xor": np.logical_xor,
    **{
        name.capitalize(): _quiet(getattr(np, "arc" + name[1:] if name[0] == "a" else name))
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh")
    },
}
