"""Programs that compute what TFLite's reference kernels do, from the scales of a TFLite file.

A real factor is made a multiplier of 31 bits and an exponent (QuantizeMultiplier); programs
multiply by it with two roundings, as TFLite is built by default, or with one, as it is built with
TFLITE_SINGLE_ROUNDING.
"""

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.numerics.integers import Int32
from accelsim.numerics.onnx_rules import clamp
from accelsim.numerics.programs import Bias, Program, Requantise
from accelsim.numerics.scales import Quantised, check_quantised, check_scales

_BITS = 31  # of a multiplier
_EXPONENTS = (-31, 30)  # of factors; below the least the factor is 0


def convolution(
    x: Quantised,
    weight_scales: npt.ArrayLike,
    y: Quantised,
    bias: Int32 | None = None,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_double",
) -> Program:
    """Of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: what follows sums of (x - zx)(w - zw).

    weight_scales : float32[k], or one for all output channels.
    bias : int32[k] on the scale of the sums.
    low, high : of an activation; else those of y's type.
    rule : tfl_double or tfl_single.

    Factors are scale_x scale_w[k] / scale_y in float64.
    """
    weights = np.atleast_1d(check_scales("the scale of the weights", weight_scales))
    for name, kind in (("x", x), ("y", y)):
        check_quantised(name, kind)
    factors = np.float64(np.float32(x.scale)) * weights.astype(np.float64) / np.float32(y.scale)
    steps = requantise(factors, rule), clamp(y, low, high)
    return steps if bias is None else (Bias(np.asarray(bias, np.int32)), *steps)


def requantise(factors: npt.NDArray[np.float64], rule: str = "tfl_double") -> Requantise:
    """The step that multiplies by real factors, each rounded to 31 bits, ties away from 0.

    Factors below 2**-32 are 0; NetworkError where one is 2**30 or more.
    """
    fraction, exponent = np.frexp(factors)
    multiplier = np.floor(np.ldexp(fraction, _BITS) + 0.5).astype(np.int64)
    carried = multiplier == 1 << _BITS
    multiplier, exponent = np.where(carried, multiplier >> 1, multiplier), exponent + carried
    least, most = _EXPONENTS
    if (exponent > most).any():
        raise NetworkError(
            f"its scales must give a factor below 2**{most}, not {float(factors.max())!r}"
        )
    small = exponent < least
    multiplier, exponent = np.where(small, 0, multiplier), np.where(small, 0, exponent)
    return Requantise(rule, multiplier, _BITS - exponent.astype(np.int64))
