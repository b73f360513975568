"""Tables of functions of one value as TFLite's reference kernels compute them for int8 and uint8.

A table has the result of every value q of the input at the place of its byte, q modulo 256. Some
kernels look the float32 function up as well (kernels/internal/lut.h of TFLite), some compute in
fixed point (kernels/internal/reference/leaky_relu.h, hard_swish.h).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.numerics.programs import Clamp, clamp, requantise
from accelsim.numerics.scales import Quantised
from accelsim.numerics.tflite_rules import requantise as factor

Float32 = npt.NDArray[np.float32]
Table = npt.NDArray[Any]  # int8[256] or uint8[256]
_MOST = (1 << 15) - 1  # of int16


def round_away(x: npt.NDArray[np.floating[Any]] | np.floating[Any]) -> npt.NDArray[Any]:
    """Reals rounded to integers, ties away from 0, as std::round does."""
    return np.asarray(np.trunc(x) + np.trunc(2 * (x - np.trunc(x))))


def requantised(x: Quantised, y: Quantised, bounds: Clamp) -> Table:
    """QUANTIZE of integers, RELU and its kind: the value on another scale, clamped."""
    less = x.values - np.int32(x.zero_point)
    return _scaled(less, np.float32(x.scale) / np.float32(y.scale), bounds)


def _scaled(x: npt.NDArray[np.int32], real: np.float32, bounds: Clamp) -> Table:
    return clamp(bounds, requantise(factor(np.array([real], np.float64)), x))


def leaky_relu(x: Quantised, y: Quantised, alpha: float) -> Table:
    """LEAKY_RELU: values below 0 times alpha."""
    less = x.values - np.int32(x.zero_point)
    bounds = Clamp(y.zero_point, y.low, y.high, y.dtype)
    scale, result = np.float32(x.scale), np.float32(y.scale)
    below = _scaled(less, scale * np.float32(alpha) / result, bounds)
    return np.asarray(np.where(less < 0, below, _scaled(less, scale / result, bounds)))


def looked_up(x: Quantised, y: Quantised, function: Callable[[Float32], Float32]) -> Table:
    """A float32 function of the value that q stands for, rounded to the steps of y."""
    real = np.float32(x.scale) * (x.values - np.int32(x.zero_point)).astype(np.float32)
    with np.errstate(all="ignore"):
        steps = round_away(function(real) * (np.float32(1) / np.float32(y.scale)))
    return _typed(steps + np.float32(y.zero_point), y)


def joined(x: Quantised, y: Quantised) -> Table:
    """CONCATENATION of uint8: the value on the scale of the result, in float32.

    As ConcatenationWithScaling of kernels/internal/reference/concatenation.h.
    """
    factor32 = np.float32(x.scale) * (np.float32(1) / np.float32(y.scale))
    offset = np.float32(-x.zero_point) * factor32
    steps = round_away(x.values.astype(np.float32) * factor32 + offset) + y.zero_point
    return _typed(steps, y)


def _typed(q: npt.NDArray[Any], y: Quantised) -> Table:
    return np.asarray(np.clip(q, y.low, y.high), y.dtype)


def _precise(function: Callable[[npt.NDArray[np.float64]], Any]) -> Callable[[Float32], Float32]:
    """A function of float32 rounded once, which those of C libraries are all but always."""
    return lambda x: np.asarray(function(x.astype(np.float64))).astype(np.float32)


def logistic(x: Quantised, y: Quantised) -> Table:
    """LOGISTIC."""
    one = np.float32(1)
    return looked_up(x, y, lambda real: one / (one + _precise(np.exp)(-real)))


def tanh(x: Quantised, y: Quantised) -> Table:
    """TANH."""
    return looked_up(x, y, _precise(np.tanh))


def elu(x: Quantised, y: Quantised) -> Table:
    """ELU: exp(x) - 1 below 0."""
    return looked_up(x, y, lambda real: np.where(real < 0, _precise(np.expm1)(real), real))


def hard_swish(x: Quantised, y: Quantised) -> Table:
    """HARD_SWISH: in 16 bits, x on a scale of 2**-7 of its own times (x + 3) / 6 in [0, 1].

    NetworkError where the result's scale is too fine for 16 bits.
    """
    fine = np.float32(1) / np.float32(128) * np.float32(x.scale)
    scale, exponent = _multiplier16(fine / np.float32(y.scale))
    gate_scale, gate_exponent = _multiplier16(fine / (np.float32(3) / np.float32(1 << 15)))
    if exponent > 0:
        raise NetworkError(
            f"HARD_SWISH needs a scale of its result above 1/128 of its input's {x.scale!r}, "
            f"not {y.scale!r}"
        )
    value = (x.values.astype(np.int64) - x.zero_point) << 7
    gate = value
    if gate_exponent > 0:
        gate = _saturated16(gate << gate_exponent - 1)
    gate = _high_product(gate, gate_scale)
    if gate_exponent > 0:
        gate = _saturated16(gate << 1)
    elif gate_exponent < 0:
        gate = _divided(gate, -gate_exponent)
    gate = (gate + (1 << 15)) >> 1
    product = gate * _high_product(value, scale)
    cut = np.where(product < 0, -(-product >> 15), product >> 15)  # towards 0
    made = _divided(cut, -exponent) + y.zero_point
    return _typed(made, y)


def _multiplier16(real: np.float32) -> tuple[int, int]:
    """A factor as an int16 times 2**(exponent - 15)."""
    step = factor(np.array([real], np.float64))
    wide, exponent = int(step.multiplier[0]), 31 - int(step.shift[0])
    return min((wide + (1 << 15)) >> 16, _MOST), exponent


def _saturated16(x: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.clip(x, -_MOST - 1, _MOST)


def _high_product(x: npt.NDArray[np.int64], y: int) -> npt.NDArray[np.int64]:
    """The product x y / 2**15, rounded, ties away from 0 (gemmlowp's, of 16 bits)."""
    product = x * y
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.where(nudged < 0, -(-nudged >> 15), nudged >> 15)


def _divided(x: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """Of x / 2**bits, rounded, ties away from 0 (gemmlowp's RoundingDivideByPOT)."""
    half = (1 << bits) >> 1
    return np.where(x < 0, -((-x + half) >> bits), (x + half) >> bits)
