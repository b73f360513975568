"""TFLite's fixed point as its sources write it, in NumPy, and rules to compare programs with.

SaturatingRoundingDoublingHighMul and RoundingDivideByPOT are those of gemmlowp's fixedpoint.h,
MultiplyByQuantizedMultiplier that of tensorflow/lite/kernels/internal/common.cc.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from accelsim.numerics.integers import Integers
from accelsim.numerics.scales import Quantised

Int64 = npt.NDArray[np.int64]
Rule = Callable[..., Integers]

_INT32 = np.iinfo(np.int32)


def doubling_high_mul(a: Int64, b: Int64 | int) -> Int64:
    """int64: the high half of the doubled product of int32, rounded; 2**31 - 1 of (-2**31)**2."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    towards_zero = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    return np.minimum(towards_zero, _INT32.max)


def divide_by_power_of_two(x: Int64, exponent: Int64 | int) -> Int64:
    """int64: x / 2**exponent rounded, ties away from 0."""
    mask = (np.int64(1) << np.asarray(exponent, np.int64)) - 1
    above = (x & mask) > (mask >> 1) + (x < 0)
    rounded: Int64 = (x >> exponent) + above
    return rounded


def multiply_by_quantized_multiplier(x: Int64, multiplier: Int64, exponent: Int64) -> Int64:
    """int64: x times multiplier 2**(exponent - 31), rounded twice."""
    moved = np.clip(x << np.maximum(exponent, 0), _INT32.min, _INT32.max)
    return divide_by_power_of_two(doubling_high_mul(moved, multiplier), np.maximum(-exponent, 0))


def convolution(multiplier: Int64, exponent: Int64, y: Quantised, low: int, high: int) -> Rule:
    """Of sums int32[k, m], for multipliers and exponents int64[k]."""

    def rule(sums: Integers) -> Integers:
        scaled = multiply_by_quantized_multiplier(
            sums.astype(np.int64), multiplier[:, None], exponent[:, None]
        )
        return np.asarray(np.clip(scaled + y.zero_point, low, high))

    return rule


def fully_connected(factors: npt.NDArray[np.float64], y: Quantised, low: int, high: int) -> Rule:
    """Of sums int32[k, m], for real factors float64[k]: std::round of the product."""

    def rule(sums: Integers) -> Integers:
        real = sums.astype(np.float64) * factors[:, None]
        whole = np.trunc(real)
        rounded = whole + np.copysign(np.abs(real - whole) >= 0.5, real)
        return np.asarray(np.clip(rounded + y.zero_point, low, high), np.int64)

    return rule
