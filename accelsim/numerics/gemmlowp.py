"""TFLite's fixed point as its sources write it, in NumPy, and rules to compare programs with.

SaturatingRoundingDoublingHighMul and RoundingDivideByPOT are those of gemmlowp's fixedpoint.h,
MultiplyByQuantizedMultiplier that of tensorflow/lite/kernels/internal/common.cc.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from accelsim.numerics.integers import Integers
from accelsim.numerics.programs import AlignedAdd, Clamp, Multiply, Requantise, Rule

Int64 = npt.NDArray[np.int64]

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


def rounded_once(x: Int64, multiplier: Int64, exponent: Int64) -> Int64:
    """int64: like multiply_by_quantized_multiplier with TFLITE_SINGLE_ROUNDING."""
    shift = 31 - exponent
    rounded: Int64 = (x * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(rounded, _INT32.min, _INT32.max)


def convolution(step: Requantise, bounds: Clamp) -> Rule:
    """Of sums int32[k, m], as reference/integer_ops/conv.h writes it."""
    return partial(_scaled, step, bounds)


def _scaled(step: Requantise, bounds: Clamp, sums: Integers) -> Integers:
    exponent = 31 - step.shift[:, None]
    scaled = _rounding(step.rule)(sums.astype(np.int64), step.multiplier[:, None], exponent)
    return _clamped(scaled, bounds)


def fully_connected(factors: npt.NDArray[np.float64], bounds: Clamp) -> Rule:
    """Of sums int32[k, m], for real factors float64[k]: std::round of the product."""
    return partial(_real, factors[:, None], bounds)


def _real(factors: npt.NDArray[np.float64], bounds: Clamp, sums: Integers) -> Integers:
    real = sums.astype(np.float64) * factors
    whole = np.trunc(real)
    rounded = whole + np.copysign(np.abs(real - whole) >= 0.5, real)
    return _clamped(rounded.astype(np.int64), bounds)


def add(aligned: AlignedAdd, step: Requantise, bounds: Clamp) -> Rule:
    """Of two maps: both scaled, added, scaled again, as reference/integer_ops/add.h writes it."""
    return partial(_added, aligned, step, bounds)


def _added(
    aligned: AlignedAdd, step: Requantise, bounds: Clamp, x: Integers, other: Integers
) -> Integers:
    scaled = _rounding(aligned.rule)
    first, second = (
        scaled((values.astype(np.int64) - zero_point) << aligned.left_shift, multiplier, 31 - shift)
        for values, zero_point, multiplier, shift in (
            (x, aligned.zero_point, aligned.multiplier, aligned.shift),
            (other, aligned.other_zero_point, aligned.other_multiplier, aligned.other_shift),
        )
    )
    return _clamped(scaled(first + second, step.multiplier, 31 - step.shift), bounds)


def multiply(product: Multiply, step: Requantise, bounds: Clamp) -> Rule:
    """Of two maps: their product scaled, as reference/integer_ops/mul.h writes it."""
    return partial(_multiplied, product, step, bounds)


def _multiplied(
    product: Multiply, step: Requantise, bounds: Clamp, x: Integers, other: Integers
) -> Integers:
    a = x.astype(np.int64) - product.zero_point
    b = other.astype(np.int64) - product.other_zero_point
    return _clamped(_rounding(step.rule)(a * b, step.multiplier, 31 - step.shift), bounds)


def _rounding(rule: str) -> Callable[..., Int64]:
    return rounded_once if rule == "tfl_single" else multiply_by_quantized_multiplier


def _clamped(values: Int64, bounds: Clamp) -> Integers:
    return np.asarray(np.clip(values + bounds.zero_point, bounds.low, bounds.high))
