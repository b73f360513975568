"""float32 where NumPy has no such operation: fused multiply-adds, and rounding of integers.

A float32 is an integer of at most 24 bits times a power of two. Exponents are not limited here:
callers keep to numbers that are normal.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
SIGNIFICANT = 24  # bits of a float32


def fma(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """float32, broadcast: a b + c of float32, rounded once.

    The product of two float32 is exact as float64. What the sum loses, which Knuth's two-sum
    gives, goes into its last bit (rounding to odd), after which rounding to float32 is as if it
    had been done once (Boldo and Melquiond, doi 10.1109/TC.2007.70819).
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = np.asarray(product + addend)
    back = total - product
    lost = (product - (total - back)) + (addend - back)
    bits = total.view(np.int64)
    inexact_even = (lost != 0) & (bits & 1 == 0)
    away = np.where((lost > 0) == (total > 0), 1, -1)
    odd = (bits + np.where(inexact_even, away, 0)).view(np.float64)
    return odd.astype(np.float32)


def nearest_even(value: Int64, shift: npt.NDArray[Any] | int) -> Int64:
    """int64: integers over 2**shift, rounded half to even."""
    half = np.left_shift(1, shift) >> 1
    rounded: Int64 = (value + half - (half != 0) * (1 - ((value >> shift) & 1))) >> shift
    return rounded


def to_float(value: Int64) -> Int64:
    """int64: integers rounded to the 24 bits of a float32, half to even.

    float64 may say one bit too many of the length of those next below a power of two, to which
    these are rounded anyway.
    """
    length = np.frexp(np.abs(value).astype(np.float64))[1].astype(np.int64)
    excess = np.maximum(length - SIGNIFICANT, 0)
    return nearest_even(value, excess) << excess
