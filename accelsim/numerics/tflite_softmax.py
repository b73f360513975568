"""SOFTMAX of TFLite's reference kernels on 8-bit maps: fixed point of 32 bits throughout.

tensorflow/lite/kernels/internal/reference/softmax.h, on gemmlowp's fixedpoint.h: powers of e by a
polynomial and seven factors, the reciprocal of their sum by three steps of Newton's method.
Numbers are int64 here that hold an int32; QN.M has N bits before the point and M behind it.
"""

import numpy as np
import numpy.typing as npt

from accelsim.numerics.gemmlowp import divide_by_power_of_two, doubling_high_mul
from accelsim.numerics.integers import Integers
from accelsim.numerics.tflite_rules import quantised_multiplier

Int64 = npt.NDArray[np.int64]

_INT32 = np.iinfo(np.int32)
_DIFFERENCE_BITS = 5  # before the point, of differences to the largest
_SUM_BITS = 12  # before the point, of sums of powers
_FRACTION = 31 - _DIFFERENCE_BITS
_EXP_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
_THIRD = 715827883  # 1/3 in Q0.31
_FACTORS = (  # exp(-2**n) in Q0.31 for n from -2
    1672461947,
    1302514674,
    790015084,
    290630308,
    39332535,
    720401,
    242,
)
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540  # in Q2.29


def softmax(x: Integers, scale: float, beta: float) -> Integers:
    """int8 or uint8, as x: shares along the last axis, in steps of 1/256 from the least value on.

    scale : of x, a float32; beta : what it is multiplied by.

    TFLite stops where powers that are at most 1 add up to about 256 or more, and no share is left.
    """
    below = x.max(axis=-1, keepdims=True).astype(np.int64) - x
    powers = _powers(np.float64(np.float32(scale)) * np.float64(np.float32(beta)))[below]
    total = divide_by_power_of_two(powers, _SUM_BITS).sum(axis=-1, keepdims=True)
    length = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    reciprocal = _reciprocal((total << (32 - length)) - (1 << 31))
    shift = length - 32 + _SUM_BITS + 31 - 8
    shares = divide_by_power_of_two(doubling_high_mul(reciprocal, powers), shift)
    limits = np.iinfo(x.dtype)
    return np.asarray(np.minimum(shares + limits.min, limits.max), x.dtype)


def _powers(scale: np.float64) -> Int64:
    """int64[256] in Q0.31: exp(-scale d) at index d; 0 where scale d is about 31 or more."""
    most = float(_INT32.max)
    multiplier, exponent = quantised_multiplier(np.array([min(scale * 2.0**_FRACTION, most)]))
    radius = np.floor((2.0**_DIFFERENCE_BITS - 1) * 2.0**_FRACTION / 2.0 ** exponent[0])
    places = np.arange(256)
    near = np.minimum(places, int(radius))
    rescaled = doubling_high_mul(-near << exponent[0], multiplier[0])
    return np.where(places <= radius, _exp(rescaled), 0)


def _exp(x: Int64) -> Int64:
    """Q0.31: the power of e of numbers of at most 0 in Q5.26."""
    quarter = 1 << (_FRACTION - 2)
    within = (x & (quarter - 1)) - quarter
    left = within - x
    power = _exp_below_quarter(within << _DIFFERENCE_BITS)
    for place, factor in enumerate(_FACTORS, _FRACTION - 2):
        power = np.where(left & (1 << place), doubling_high_mul(power, factor), power)
    return np.where(x == 0, _INT32.max, power)


def _exp_below_quarter(x: Int64) -> Int64:
    """Q0.31: the power of e of numbers from -1/4 to 0 in Q0.31, from the series at -1/8."""
    x = x + (1 << 28)
    square = doubling_high_mul(x, x)
    cube, fourth = doubling_high_mul(square, x), doubling_high_mul(square, square)
    high = doubling_high_mul(divide_by_power_of_two(fourth, 2) + cube, _THIRD) + square
    return _EXP_EIGHTH + doubling_high_mul(x + divide_by_power_of_two(high, 1), _EXP_EIGHTH)


def _reciprocal(x: Int64) -> Int64:
    """Q0.31: 1 / (1 + x) of numbers from 0 to 1 in Q0.31."""
    half = (x + _INT32.max + 1) >> 1
    guess = _48_OVER_17 + doubling_high_mul(half, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half, guess)
        guess = guess + _saturated(doubling_high_mul(guess, error) << 2)
    return _saturated(guess << 1)


def _saturated(x: Int64) -> Int64:
    """The nearest int32."""
    nearest: Int64 = np.clip(x, _INT32.min, _INT32.max)
    return nearest
