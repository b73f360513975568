"""onnxruntime's rules in float32, as NumPy computes them: what programs are compared with.

Each function takes what its namesake in `onnx_rules` takes and returns a function of sums, or of
the values of maps, that gives int8 or uint8. float32 of NumPy is that of IEEE 754; fused
multiply-adds are `softfloat.fma`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.numerics.integers import Integers
from accelsim.numerics.programs import Rule
from accelsim.numerics.scales import Float32, Quantised
from accelsim.numerics.softfloat import fma


def convolution(
    x: Quantised,
    weight_scales: npt.ArrayLike,
    y: Quantised,
    low: int | None = None,
    high: int | None = None,
) -> Rule:
    """Of sums int32[..., k, m], biases included; clamped before they are rounded, as MLAS does."""
    weights = np.atleast_1d(np.asarray(weight_scales, np.float32))
    factors = (np.float32(x.scale) * weights / np.float32(y.scale))[:, None]
    return by_factors(factors, y, low, high)


def by_factors(
    factors: Float32, y: Quantised, low: int | None = None, high: int | None = None
) -> Rule:
    """Of sums times float32 factors."""
    least = np.float32((y.low if low is None else max(low, y.low)) - y.zero_point)
    most = np.float32((y.high if high is None else min(high, y.high)) - y.zero_point)
    return partial(_scaled, factors, least, most, y)


def _scaled(
    factors: Float32, least: np.float32, most: np.float32, y: Quantised, sums: Integers
) -> Integers:
    bounded = np.clip(sums.astype(np.float32) * factors, least, most)
    return _typed(np.rint(bounded).astype(np.int32) + y.zero_point, y)


def add(a: Quantised, b: Quantised, y: Quantised) -> Rule:
    """Of two maps: rint(fma(a, ra, fma(b, rb, fixed))), as MLAS does on AVX2."""
    return partial(_sum, add_terms(a, b, y), y)


def _sum(terms: tuple[Any, Any, Any], y: Quantised, x: Integers, other: Integers) -> Integers:
    ratio_a, ratio_b, fixed = terms
    inner = fma(other.astype(np.float32), ratio_b, fixed)
    return _rounded(fma(x.astype(np.float32), ratio_a, inner), y)


def add_terms(a: Quantised, b: Quantised, y: Quantised) -> tuple[Any, Any, Any]:
    """float32: the factors of both maps, and what does not depend on them."""
    ratio_a, ratio_b = (np.float32(each.scale) / np.float32(y.scale) for each in (a, b))
    of_b = ratio_b * np.float32(b.zero_point)
    return ratio_a, ratio_b, np.float32(y.zero_point) - fma(ratio_a, a.zero_point, of_b)[()]


def multiply(a: Quantised, b: Quantised, y: Quantised) -> Rule:
    """Of two maps: rint(float(product) factor + zero point)."""
    return partial(_product, a, b, y)


def _product(a: Quantised, b: Quantised, y: Quantised, x: Integers, other: Integers) -> Integers:
    factor = np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale)
    product = (x.astype(np.int32) - a.zero_point) * (other.astype(np.int32) - b.zero_point)
    return _rounded(product.astype(np.float32) * factor + np.float32(y.zero_point), y)


def table(x: Quantised, y: Quantised, function: Callable[[Float32], Float32]) -> Rule:
    """Of single values: what they stand for, its function, and back."""
    return partial(_function, x, y, function)


def _function(
    x: Quantised, y: Quantised, function: Callable[[Float32], Float32], values: Integers
) -> Integers:
    return quantise(function(dequantise(values, x)), y)


def dequantise(values: Integers, x: Quantised) -> Float32:
    """float32: what integers stand for."""
    return (values.astype(np.int32) - x.zero_point).astype(np.float32) * np.float32(x.scale)


def quantise(values: Float32, y: Quantised) -> Integers:
    """int8 or uint8: QuantizeLinear; a value that is no number becomes the least."""
    least, most = np.float32(y.low - y.zero_point), np.float32(y.high - y.zero_point)
    with np.errstate(over="ignore"):
        scaled = values / np.float32(y.scale)
    bounded = np.fmin(np.fmax(scaled, least), most)
    return _typed(np.rint(bounded).astype(np.int32) + y.zero_point, y)


def _rounded(values: Float32, y: Quantised) -> Integers:
    """The zero point is in the values already."""
    return _typed(np.clip(np.rint(values), y.low, y.high), y)


def _typed(values: npt.NDArray[Any], y: Quantised) -> Integers:
    typed: Integers = values.astype(y.dtype)
    return typed


_LOGISTIC_ABOVE = (  # of MLAS: coefficients of v**9, v**7, ..., v
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
_LOGISTIC_BELOW = (  # of v**10, v**8, ..., 1
    6.10247389755681e-13,
    5.76102136993427e-09,
    6.29106785017040e-06,
    1.70198817374094e-03,
    1.16817656904453e-01,
    9.93151921023180e-01,
)


def logistic(x: Float32) -> Float32:
    """1 / (1 + exp -x) as MLAS approximates it: a quotient of polynomials, and a half."""
    v = np.clip(x, np.float32(-18), np.float32(18))
    share = v * _polynomial(v * v, _LOGISTIC_ABOVE) / _polynomial(v * v, _LOGISTIC_BELOW)
    shifted: Float32 = np.clip(share + np.float32(0.5), np.float32(0), np.float32(1))
    return shifted


def _polynomial(v: Float32, coefficients: tuple[float, ...]) -> Float32:
    """Horner's rule in fused multiply-adds, the coefficient of the highest power first."""
    total = np.full_like(v, coefficients[0])
    for each in coefficients[1:]:
        total = fma(total, v, np.float32(each))
    return total
