"""Programs that compute what TFLite's reference kernels do, from the scales of a TFLite file.

A real factor becomes a multiplier of 31 bits and an exponent (QuantizeMultiplier). Sums are
multiplied by it with two roundings, as TFLite is built by default, or with one, as it is built
with TFLITE_SINGLE_ROUNDING: the `rule` of each function. FULLY_CONNECTED alone multiplies by the
real factor, in float64, and rounds half away from 0 (TensorFlow since 2.14, not TFLite Micro).
Kernels compute some factors in float64 of float32 scales, others in float32 first; each function
does as its kernel does.

What depends on a single value becomes a table, whatever the kernel computes it by.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.numerics import gemmlowp, programs
from accelsim.numerics.integers import Int32, Integers
from accelsim.numerics.onnx_rules import clamp
from accelsim.numerics.programs import (
    AlignedAdd,
    Bias,
    Certifiable,
    Multiply,
    Program,
    Requantise,
    Table,
    run,
)
from accelsim.numerics.scales import Float32, Quantised, check_quantised, check_scales

Float64 = npt.NDArray[np.float64]

_BITS = 31  # of a multiplier
_EXPONENTS = (-31, 30)  # of factors; below the least the factor is 0
_MOST_RESULT = 255  # of sums, before the zero point is added; clamps leave no more
_LEFT_SHIFT = 20  # of maps before they are added


def convolution(
    x: Quantised,
    weight_scales: npt.ArrayLike,
    y: Quantised,
    bias: Int32 | None = None,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_double",
) -> Program:
    """Of CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV: what follows sums of (x - zx)(w - zw).

    weight_scales : float32[k], or one for all output channels.
    bias : int32[k] on the scale of the sums.
    low, high : of an activation (`activation_bounds`); else those of y's type.
    rule : tfl_double or tfl_single.
    """
    factors = _sum_factors(x, weight_scales, y, in_float32=x.dtype == "uint8")
    return _after_sums(factors, y, bias, low, high, rule)


def fully_connected(
    x: Quantised,
    weight_scales: npt.ArrayLike,
    y: Quantised,
    bias: Int32 | None = None,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_away",
    reach: int = 2**31 - 1,
) -> Program:
    """Of FULLY_CONNECTED, like `convolution`; tfl_double is the rule of TFLite Micro.

    reach : the greatest size that a sum can have. For tfl_away, multipliers are chosen, where
        there are any, with which every sum up to it gives what float64 gives.
    """
    if rule != "tfl_away":
        factors = _sum_factors(x, weight_scales, y, in_float32=np.size(weight_scales) == 1)
        return _after_sums(factors, y, bias, low, high, rule)
    factors = _sum_factors(x, weight_scales, y, in_float32=False)
    step, bounds = _as_in_float64(requantise(factors, rule), factors, reach), clamp(y, low, high)
    real = gemmlowp.fully_connected(factors, bounds)
    return Certifiable((*_biases(bias), step, bounds), real, reach=reach)


def _as_in_float64(step: Requantise, factors: Float64, reach: int) -> Requantise:
    """The step with multipliers that round every sum up to `reach` as float64 does, or as it is."""
    results = np.arange(1, _MOST_RESULT + 1)
    first = first_sums(factors, results)  # [k, results]
    reached = first <= reach
    multipliers, shifts = step.multiplier[:, None], step.shift[:, None]

    def begun(totals: programs.Int64) -> npt.NDArray[np.bool]:
        return (totals * multipliers + (np.int64(1) << (shifts - 1))) >> shifts >= results

    right = (begun(first) & ~begun(first - 1)) | ~reached
    chosen = step.multiplier.copy()
    for k in np.flatnonzero(~right.all(axis=1)).tolist():
        wanted = results[reached[k]].tolist(), first[k][reached[k]].tolist()
        chosen[k] = _feasible(int(chosen[k]), int(step.shift[k]), *wanted)
    return step._replace(multiplier=chosen)


def first_sums(factors: Float64, results: npt.NDArray[np.int64]) -> programs.Int64:
    """int64[k, results]: the least sum that float64 rounds to at least the result; 2**31 at most.

    factors : float64[k]; results : int64, each at least 1.
    """
    guess = np.ceil((results - 0.5) / factors[:, None])
    guess = np.minimum(guess, 2.0**31)
    for _ in range(2):  # float64 is wrong by much less than one sum
        lower = guess - 1
        guess = np.where(_half_up(lower * factors[:, None]) >= results, lower, guess)
    low = _half_up(guess * factors[:, None]) < results
    return (guess + low).astype(np.int64)


def _half_up(values: Float64) -> Float64:
    """Values of at least 0 rounded to whole numbers, ties up."""
    whole = np.floor(values)
    up: Float64 = whole + (values - whole >= 0.5)
    return up


def _feasible(multiplier: int, shift: int, results: list[int], first: list[int]) -> int:
    """The multiplier nearest to this one by which each result begins at its first sum."""
    least, most = 0, (1 << _BITS) - 1
    for result, total in zip(results, first, strict=True):
        bound = (2 * result - 1) << (shift - 1)
        least = max(least, -(-bound // total))
        if total > 1:
            most = min(most, -(-bound // (total - 1)) - 1)
    return min(max(multiplier, least), most) if least <= most else multiplier


def _sum_factors(
    x: Quantised, weight_scales: npt.ArrayLike, y: Quantised, in_float32: bool
) -> Float64:
    weights = np.atleast_1d(check_scales("the scale of the weights", weight_scales))
    _check(x=x, y=y)
    scale = np.float32(x.scale)
    product = scale * weights if in_float32 else np.float64(scale) * weights.astype(np.float64)
    return product.astype(np.float64) / np.float32(y.scale)


def _after_sums(
    factors: Float64,
    y: Quantised,
    bias: Int32 | None,
    low: int | None,
    high: int | None,
    rule: str,
) -> Program:
    step, bounds = requantise(factors, rule), clamp(y, low, high)
    return Certifiable((*_biases(bias), step, bounds), gemmlowp.convolution(step, bounds))


def _biases(bias: Int32 | None) -> Program:
    return () if bias is None else (Bias(np.asarray(bias, np.int32)),)


def activation_bounds(
    y: Quantised, low: float | None, high: float | None
) -> tuple[int | None, int | None]:
    """The integers at which an activation clamps, which are those of real numbers, or None.

    RELU is (0, None), RELU6 (0, 6), RELU_N1_TO_1 (-1, 1), RELU_0_TO_1 (0, 1).
    """
    bounds = (None if real is None else int(quantise_one(real, y)) for real in (low, high))
    return next(bounds), next(bounds)


def quantise_one(real: float, y: Quantised) -> int:
    """A real number on a scale, rounded half away from 0; not clamped to the type."""
    return int(half_away(np.float32(real) / np.float32(y.scale))) + y.zero_point


def requantise(factors: Float64, rule: str = "tfl_double") -> Requantise:
    """The step that multiplies by real factors, each rounded to 31 bits, ties away from 0.

    Factors below 2**-32 are 0; NetworkError where one is 2**30 or more, or no number.
    """
    multiplier, exponent = quantised_multiplier(np.atleast_1d(factors))
    return Requantise(rule, multiplier, _BITS - exponent)


def quantised_multiplier(factors: Float64) -> tuple[programs.Int64, programs.Int64]:
    """int64 each, shaped as the factors: multiplier and exponent, as QuantizeMultiplier makes them.

    A factor is multiplier 2**(exponent - 31).
    """
    least, most = _EXPONENTS
    if not (factors < 2.0**most).all():
        worst = float(factors[~(factors < 2.0**most)].flat[0])
        raise NetworkError(f"its scales must give a factor below 2**{most}, not {worst!r}")
    fraction, exponent = np.frexp(factors)
    multiplier = np.floor(np.ldexp(fraction, _BITS) + 0.5).astype(np.int64)
    carried = multiplier == 1 << _BITS
    multiplier = np.where(carried, multiplier >> 1, multiplier)
    exponent = exponent.astype(np.int64) + carried
    small = exponent < least
    return np.where(small, 0, multiplier), np.where(small, 0, exponent)


def add(
    a: Quantised,
    b: Quantised,
    y: Quantised,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_double",
    subtract: bool = False,
) -> Program:
    """Of ADD, and with `subtract` of SUB: both maps on twice the larger scale, times 2**20."""
    _check(a=a, b=b, y=y)
    scales = [np.float64(np.float32(each.scale)) for each in (a, b)]
    twice = 2 * max(scales)
    inputs = [quantised_multiplier(np.array([scale / twice])) for scale in scales]
    (multiplier, exponent), (other_multiplier, other_exponent) = (
        (int(each[0][0]), int(each[1][0])) for each in inputs
    )
    output = twice / (2.0**_LEFT_SHIFT * np.float64(np.float32(y.scale)))
    if output >= 1:
        raise NetworkError(
            f"the scale of y must be above {float(twice / 2**_LEFT_SHIFT)!r} where maps of scales "
            f"{a.scale!r} and {b.scale!r} are added, not {y.scale!r}"
        )
    aligned = AlignedAdd(
        rule,
        _LEFT_SHIFT,
        a.zero_point,
        multiplier,
        _BITS - exponent,
        b.zero_point,
        -other_multiplier if subtract else other_multiplier,
        _BITS - other_exponent,
    )
    steps = aligned, requantise(np.array([output]), rule), clamp(y, low, high)
    return Certifiable(steps, gemmlowp.add(*steps), (a.dtype, b.dtype))


def multiply(
    a: Quantised,
    b: Quantised,
    y: Quantised,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_double",
) -> Program:
    """Of MUL, also with gates: a map times another."""
    _check(a=a, b=b, y=y)
    factor = np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale)
    steps = (
        Multiply(a.zero_point, b.zero_point),
        requantise(np.array([factor], np.float64), rule),
        clamp(y, low, high),
    )
    return Certifiable(steps, gemmlowp.multiply(*steps), (a.dtype, b.dtype))


def table(x: Quantised, y: Quantised, function: Callable[[Float32], Float32]) -> Program:
    """Of LOGISTIC, TANH, ELU, GELU and EXP: a function of real numbers, float32[256] to float32.

    Results times 1 / scale, in float32, are rounded half away from 0.
    """
    _check(x=x, y=y)
    real = np.float32(x.scale) * (x.values - x.zero_point).astype(np.float32)
    scaled = function(real).astype(np.float32) * (np.float32(1) / np.float32(y.scale))
    return (_table(half_away(scaled) + np.float32(y.zero_point), y),)


def rescaled(
    x: Quantised,
    y: Quantised,
    low: int | None = None,
    high: int | None = None,
    rule: str = "tfl_double",
) -> Program:
    """Of QUANTIZE from 8 bits to 8 bits, and with bounds of RELU, RELU6 and RELU_N1_TO_1."""
    _check(x=x, y=y)
    in_float32 = low is not None or high is not None
    factor = np.float32(x.scale) / np.float32(y.scale)
    exact = np.float64(np.float32(x.scale)) / np.float64(np.float32(y.scale))
    step = requantise(np.array([factor if in_float32 else exact], np.float64), rule)
    return (Table(run((step, clamp(y, low, high)), x.values - x.zero_point)),)


def mean(x: Quantised, y: Quantised, count: int, rule: str = "tfl_double") -> Program:
    """Of MEAN: what follows sums of so many values less their zero point.

    The count divides the multiplier, which is cut, and so has 30 bits or 31 (QuantizedMeanOrSum).
    """
    _check(x=x, y=y)
    step = requantise(np.array([np.float64(np.float32(x.scale)) / np.float32(y.scale)]), rule)
    exponent = _BITS - int(step.shift[0])
    moved = min(count.bit_length() - 1, _BITS + exponent)
    multiplier = (step.multiplier << moved) // count
    return step._replace(multiplier=multiplier, shift=step.shift + moved), clamp(y)


def joined(x: Quantised, y: Quantised) -> Program:
    """Of an input of CONCATENATION of uint8 whose scale is not that of the result.

    In float32, as ConcatenationWithScaling of reference/concatenation.h.
    """
    _check(x=x, y=y)
    factor = np.float32(x.scale) * (np.float32(1) / np.float32(y.scale))
    offset = np.float32(-x.zero_point) * factor
    steps = half_away(x.values.astype(np.float32) * factor + offset)
    return (_table(steps + np.float32(y.zero_point), y),)


def leaky_relu(x: Quantised, y: Quantised, slope: float, rule: str = "tfl_double") -> Program:
    """Of LEAKY_RELU: values of at least 0 times one factor, others times another."""
    _check(x=x, y=y)
    scale, result = np.float32(x.scale), np.float32(y.scale)
    values = x.values - x.zero_point
    above, below = (
        run((_signed(factor, rule), clamp(y)), values)
        for factor in (scale / result, scale * np.float32(slope) / result)
    )
    return (Table(np.where(values >= 0, above, below)),)


def _signed(factor: np.float32, rule: str) -> Requantise:
    """Of a factor that may be below 0, or 0."""
    step = requantise(np.array([abs(factor)], np.float64), rule)
    return step if factor >= 0 else step._replace(multiplier=-step.multiplier)


def hard_swish(x: Quantised, y: Quantised) -> Program:
    """Of HARD_SWISH: in integers of 16 bits, as reference/hard_swish.h computes it."""
    _check(x=x, y=y)
    fine = np.float32(1 / 128) * np.float32(x.scale)
    multiplier, exponent = _short_multiplier(fine / np.float32(y.scale))
    if exponent > 0:
        raise NetworkError(
            f"the scale of y must be above {float(fine)!r} in a hard-swish of a map of scale "
            f"{x.scale!r}, not {y.scale!r}"
        )
    gate_multiplier, gate_exponent = _short_multiplier(fine / np.float32(3 / 32768))
    value = (x.values - x.zero_point).astype(np.int64) << 7
    scaled = _short_product(value, multiplier)
    gate = value
    if gate_exponent > 0:
        gate = _short(gate << (gate_exponent - 1))
    gate = _short_product(gate, gate_multiplier)
    if gate_exponent > 0:
        gate = _short(gate << 1)
    gate = _divide_half_away(gate, max(-gate_exponent, 0))
    gate = (gate + (1 << 15)) >> 1
    product = np.sign(gate * scaled) * (np.abs(gate * scaled) >> 15)  # towards 0
    return (_table(_divide_half_away(product, -exponent) + y.zero_point, y),)


def _short_multiplier(factor: np.float32) -> tuple[int, int]:
    """Of 16 bits, from one of 32, rounded half up, and its exponent."""
    (multiplier,), (exponent,) = quantised_multiplier(np.array([factor], np.float64))
    half = 1 << 15
    return min((int(multiplier) + half) >> 16, half - 1), int(exponent)


def _short(value: programs.Int64) -> programs.Int64:
    """The nearest int16."""
    shortened: programs.Int64 = np.clip(value, -(1 << 15), (1 << 15) - 1)
    return shortened


def _short_product(value: programs.Int64, multiplier: int) -> programs.Int64:
    """The high half of the doubled product of int16, rounded, ties towards infinity."""
    return (value * multiplier + (1 << 14)) >> 15


def _divide_half_away(value: programs.Int64, shift: int) -> programs.Int64:
    """Integers over 2**shift, ties away from 0."""
    size = (np.abs(value) + ((1 << shift) >> 1)) >> shift
    divided: programs.Int64 = np.sign(value) * size
    return divided


def half_away(values: Float32 | np.float32) -> Float32:
    """Rounded to whole numbers, ties away from 0, as std::round does."""
    whole = np.trunc(values)
    away: Float32 = whole + np.copysign(np.abs(values - whole) >= 0.5, values)
    return away.astype(np.float32)


def _table(values: npt.NDArray[np.floating | np.integer], y: Quantised) -> Table:
    clamped: Integers = np.clip(values, y.low, y.high).astype(y.dtype)
    return Table(clamped)


def _check(**kinds: Quantised) -> None:
    for name, kind in kinds.items():
        check_quantised(name, kind)
