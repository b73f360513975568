"""Integers: their types, saturation, remainders, rounded division."""

from typing import Any

import numpy as np
import numpy.typing as npt

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Integers = npt.NDArray[np.integer[Any]]


def saturate(x: npt.NDArray[Any]) -> Int8:
    """int8: the nearest value from -128 to 127."""
    nearest: Int8 = np.clip(x, -128, 127).astype(np.int8)
    return nearest


def wrap(sums: Integers, bits: int) -> Int32:
    """int32, shaped as `sums`: their lowest `bits`, from 1 to 32, in two's complement.

    Accumulators only add and multiply, which commutes with remainders: sums that are wrapped once
    at their end are those of hardware that wraps at every addition.
    """
    unused, low = 32 - bits, sums.astype(np.int32, copy=False)
    return low << unused >> unused if unused else low


def divide_half_even(
    dividend: npt.NDArray[np.int64], divisor: int | npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """int64: integers divided by positive integers, rounded to nearest, ties to even."""
    quotient, rest = np.divmod(dividend, divisor)
    up = (2 * rest > divisor) | ((2 * rest == divisor) & (quotient % 2 == 1))
    rounded: npt.NDArray[np.int64] = quotient + up
    return rounded
