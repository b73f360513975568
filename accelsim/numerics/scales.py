"""Scales: what the integers of a map stand for, and factors between scales as integers."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.checks import show, whole
from accelsim.errors import NetworkError

Float32 = npt.NDArray[np.float32]
DTYPES = ("int8", "uint8")
_TINY = np.finfo(np.float32).tiny  # the least normal float32


class Quantised(NamedTuple):
    """The type of a map: an integer q of `dtype` stands for scale (q - zero_point).

    scale is a normal float32 above 0, dtype int8 or uint8, and zero_point one of its values;
    `check_quantised` says so where they come from a file.
    """

    scale: float
    zero_point: int = 0
    dtype: str = "int8"

    @property
    def low(self) -> int:
        """The least value of the type."""
        return int(np.iinfo(self.dtype).min)

    @property
    def high(self) -> int:
        """The greatest value of the type."""
        return int(np.iinfo(self.dtype).max)

    @property
    def values(self) -> npt.NDArray[np.int32]:
        """int32[256]: every value of the type by its byte, as the index of a table has it."""
        return np.arange(256).astype(np.uint8).view(self.dtype).astype(np.int32)


def check_scales(name: str, scales: npt.ArrayLike) -> Float32:
    """float32, shaped as given; NetworkError, beginning with `name`, where one is not allowed.

    A scale is a normal float32 above 0.
    """
    given = np.asarray(scales, np.float32)
    wrong = ~((given >= _TINY) & np.isfinite(given))
    if wrong.any():
        first = float(given[wrong].flat[0])
        raise NetworkError(
            f"{name} must be above 0, finite and no denormal float32, not {show(first)}"
        )
    return given


def check_quantised(name: str, kind: Quantised) -> None:
    """NetworkError where scale, dtype or zero point of a map are none; `name` is the map's."""
    check_scales(f"the scale of {name}", kind.scale)
    if kind.dtype not in DTYPES:
        raise NetworkError(f"{name} must be of int8 or uint8, not of {kind.dtype}")
    if not whole(kind.low, kind.high).allows(kind.zero_point):
        raise NetworkError(
            f"the zero point of {name} must be a whole number from {kind.low} to {kind.high}, as "
            f"{kind.dtype} is, not {show(kind.zero_point)}"
        )


def mantissas(factors: npt.NDArray[Any], bits: int) -> tuple[npt.NDArray[np.int64], ...]:
    """int64 each, shaped as the factors: multiplier and shift, factor = multiplier 2**-shift.

    factors : normal floats above 0; a multiplier has exactly so many bits, which must hold all
    that the factor has.
    """
    fraction, exponent = np.frexp(factors)
    multiplier = np.ldexp(fraction, bits).astype(np.int64)
    return multiplier, bits - exponent.astype(np.int64)
