"""Programs that compute what onnxruntime does, from the scales of an ONNX file.

Rules are those of onnxruntime's CPU kernels (MLAS) on x86 with AVX2 or later; all arithmetic is
float32, in the order written here, rounded half to even:

    sums     rint(clamp(float(sum) m)) + zero point,  m = (scale_x scale_w[k]) / scale_y
    product  rint(float(product) m + zero point),     m = (scale_a scale_b) / scale_y
"""

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.numerics.integers import Int32
from accelsim.numerics.programs import Bias, Clamp, Multiply, Program, Requantise
from accelsim.numerics.scales import Float32, Quantised, check_quantised, check_scales, mantissas

_SIGNIFICANT = 24  # bits of a float32
_MOST_SHIFT = 63  # by more than 56, every int32 sum becomes 0
_MOST_SHIFT_WITH_OFFSET = 54  # by so much, products of operands become less than a half


def convolution(
    x: Quantised,
    weight_scales: npt.ArrayLike,
    y: Quantised,
    bias: Int32 | None = None,
    low: int | None = None,
    high: int | None = None,
) -> Program:
    """Of QLinearConv, QLinearMatMul and QGemm: what follows sums of (x - zx)(w - zw).

    weight_scales : float32[k], or one for all output channels.
    bias : int32[k] on the scale of the sums, which is scale_x scale_w[k].
    low, high : least and greatest result, where an activation is fused; else those of y's type.
    """
    weights = np.atleast_1d(check_scales("the scale of the weights", weight_scales))
    for name, kind in (("x", x), ("y", y)):
        check_quantised(name, kind)
    factors = np.float32(x.scale) * weights / np.float32(y.scale)
    steps = requantise(factors), clamp(y, low, high)
    return steps if bias is None else (Bias(np.asarray(bias, np.int32)), *steps)


def requantise(factors: Float32, offset: int = 0) -> Requantise:
    """The step that multiplies by float32 factors; NetworkError where one is no normal number."""
    _check_factors(factors)
    multiplier, shift = mantissas(factors, _SIGNIFICANT)
    most = _MOST_SHIFT_WITH_OFFSET if offset else _MOST_SHIFT
    return Requantise("ort", multiplier, np.clip(shift, 0, most), offset)


def clamp(
    y: Quantised, low: int | None = None, high: int | None = None, inside: bool = False
) -> Clamp:
    """The step that makes values of a type; `inside` where its zero point is added already."""
    least = y.low if low is None else max(low, y.low)
    most = y.high if high is None else min(high, y.high)
    return Clamp(0 if inside else y.zero_point, least, most, y.dtype)


def multiply(a: Quantised, b: Quantised, y: Quantised) -> Program:
    """Of QLinearMul, also with gates: a map times another."""
    for name, kind in (("a", a), ("b", b), ("y", y)):
        check_quantised(name, kind)
    factor = np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale)
    return (
        Multiply(a.zero_point, b.zero_point),
        requantise(np.atleast_1d(factor), y.zero_point),
        clamp(y, inside=True),
    )


def _check_factors(factors: Float32) -> None:
    limits = np.finfo(np.float32)
    wrong = ~((factors >= limits.tiny) & (factors <= limits.max))
    if wrong.any():
        raise NetworkError(
            f"its scales must give a factor that is a normal float32, not "
            f"{float(factors[wrong].flat[0])!r}"
        )
