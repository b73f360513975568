"""Programs that compute what onnxruntime does, from the scales of an ONNX file.

Rules are those of onnxruntime's CPU kernels (MLAS) on x86 with AVX2 or later; all arithmetic is
float32, in the order written here, rounded half to even:

    sums     rint(clamp(float(sum) m)) + zero point,  m = (scale_x scale_w[k]) / scale_y
    product  rint(float(product) m + zero point),     m = (scale_a scale_b) / scale_y
    sum of maps   rint(fma(a, ra, fma(b, rb, c))),    ra = scale_a / scale_y, rb likewise,
                  c = zero point - fma(ra, zero point of a, rb zero point of b)
    function      rint(f((x - zero point) scale_x) / scale_y) + zero point, by a table

MLAS has other code for the sum of maps on processors without AVX2 and on ARM, which gives other
results in rare cases.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError, UnsupportedError
from accelsim.numerics import float_rules
from accelsim.numerics.integers import Int32
from accelsim.numerics.programs import (
    Add,
    Bias,
    Certifiable,
    ChannelSum,
    Clamp,
    Multiply,
    Program,
    Requantise,
    Table,
    run,
)
from accelsim.numerics.scales import Float32, Quantised, check_quantised, check_scales, mantissas
from accelsim.numerics.softfloat import SIGNIFICANT

_SHIFTS = range(12, 32)  # bits behind the point that are tried for a sum of maps
_HARD = 2048  # pairs that are tried first, of 65,536
_MOST_GRID = 44  # so many as a sum of maps can have, for its terms to fit int64
_MOST_RATIO = 2**16  # of scales of maps that are added, for float32 results that int32 can hold
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
    factors = _factors(x.scale, weights, y.scale)
    biases = () if bias is None else (Bias(np.asarray(bias, np.int32)),)
    steps = *biases, requantise(factors), clamp(y, low, high)
    return Certifiable(steps, float_rules.by_factors(factors[:, None], y, low, high))


def requantise(factors: Float32, offset: int = 0) -> Requantise:
    """The step that multiplies by float32 factors; NetworkError where one is no normal number."""
    _check_factors(factors)
    multiplier, shift = mantissas(factors, SIGNIFICANT)
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
    factors = _factors(a.scale, np.array([b.scale], np.float32), y.scale)
    steps = (
        Multiply(a.zero_point, b.zero_point),
        requantise(factors, y.zero_point),
        clamp(y, inside=True),
    )
    return Certifiable(steps, float_rules.multiply(a, b, y), (a.dtype, b.dtype))


def add(a: Quantised, b: Quantised, y: Quantised) -> Program:
    """Of QLinearAdd: the sum of two maps, or of a map and values that are broadcast.

    b : the one that is broadcast, where one is: MLAS exchanges them otherwise.

    With the least shift for which integers that are rounded once give what float32 gives for all
    65,536 pairs; where there is none, float32 is followed addition by addition.
    """
    for name, kind in (("a", a), ("b", b), ("y", y)):
        check_quantised(name, kind)
    terms = float_rules.add_terms(a, b, y)
    if max(terms[:2]) >= _MOST_RATIO:
        raise UnsupportedError(
            f"its scales must be less than {_MOST_RATIO} times that of the sum, not "
            f"{float(max(terms[:2])):g} times"
        )
    pairs = np.meshgrid(a.values, b.values, indexing="ij", sparse=True)
    rule = float_rules.add(a, b, y)
    expected = rule(*pairs)
    bounds = clamp(y, inside=True)
    hard = _next_to_ties(*terms, *pairs)
    few = [np.broadcast_to(each, expected.shape).ravel()[hard] for each in (*pairs, expected)]
    for step in (*_adds_rounded_once(*terms), _add_as_float(*terms)):
        program = step, bounds
        if not np.array_equal(run(program, *few[:2]), few[2]):
            continue
        if np.array_equal(run(program, *pairs), expected):
            return Certifiable((step, bounds), rule, (a.dtype, b.dtype))
    raise UnsupportedError(
        f"its scales {a.scale!r}, {b.scale!r} and {y.scale!r} are too far apart to be added exactly"
    )


def _next_to_ties(
    ratio_a: np.float32, ratio_b: np.float32, fixed: np.float32, a: Int32, b: Int32
) -> npt.NDArray[np.intp]:
    """Places of the pairs whose sums are next to halves, where most steps that fail do so."""
    real = a * np.float64(ratio_a) + b * np.float64(ratio_b) + np.float64(fixed)
    away = np.abs(real - np.floor(real) - 0.5).ravel()
    return np.argpartition(away, _HARD)[:_HARD]


def _adds_rounded_once(*terms: np.float32) -> Iterator[Add]:
    """Steps with more and more bits behind the point."""
    for shift in _SHIFTS:
        ratio_a, ratio_b, fixed = (round(float(term) * 2**shift) for term in terms)
        yield Add(ratio_a, ratio_b, fixed, shift, rounded=False)


def _add_as_float(*terms: np.float32) -> Add:
    """The step whose integers are the mantissas of float32 on one grid."""
    exact = [Fraction(float(term)) for term in terms]
    shift = max(term.denominator for term in exact).bit_length() - 1
    shift = min(shift, _MOST_GRID)  # what is beyond cannot be exact, which the caller notices
    ratio_a, ratio_b, fixed = (round(term * 2**shift) for term in exact)
    return Add(ratio_a, ratio_b, fixed, shift, rounded=True)


def table(
    x: Quantised, y: Quantised, function: Callable[[Float32], Float32] = lambda values: values
) -> Program:
    """Of any function of single values, float32[256] to float32[256]: a table of its results.

    Without a function it brings a map to another scale, as QLinearConcat does, and
    DequantizeLinear with QuantizeLinear behind it.
    """
    for name, kind in (("x", x), ("y", y)):
        check_quantised(name, kind)
    rule = float_rules.table(x, y, function)
    return Certifiable((Table(rule(x.values)),), rule, (x.dtype,))


def global_average(x: Quantised, y: Quantised, count: int) -> Program:
    """Of QLinearGlobalAveragePool: the mean of all `count` values of a channel."""
    for name, kind in (("x", x), ("y", y)):
        check_quantised(name, kind)
    factor = np.float32(x.scale) / (np.float32(y.scale) * np.float32(count))
    factors = np.atleast_1d(factor)
    steps = ChannelSum(x.zero_point), requantise(factors), clamp(y)
    rule = float_rules.by_factors(factors[:, None], y)
    return Certifiable(steps, rule, reach=min(count * 255, 1 << 31))


def _factors(first: float, second: Float32, result: float) -> Float32:
    """A factor that no float32 can hold becomes infinite, which `requantise` refuses."""
    with np.errstate(over="ignore"):
        return np.float32(first) * second / np.float32(result)


def _check_factors(factors: Float32) -> None:
    limits = np.finfo(np.float32)
    wrong = ~((factors >= limits.tiny) & (factors <= limits.max))
    if wrong.any():
        raise NetworkError(
            f"its scales must give a factor that is a normal float32, not "
            f"{float(factors[wrong].flat[0])!r}"
        )
