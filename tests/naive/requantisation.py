"""Requantisation, one number at a time: float32 by exact fractions, TFLite as it is written.

SaturatingRoundingDoublingHighMul and RoundingDivideByPOT are transcribed from what gemmlowp's
fixedpoint.h says they do, in Python's integers.
"""

from fractions import Fraction

INT32 = (-(2**31), 2**31 - 1)


def saturated(value: int, low: int = INT32[0], high: int = INT32[1]) -> int:
    return min(max(value, low), high)


def float32(value: Fraction) -> Fraction:
    """The nearest number of 24 significant bits, ties to even; exponents are not limited."""
    if value == 0:
        return value
    exponent = 0
    while abs(value) / Fraction(2) ** exponent >= 2**24:
        exponent += 1
    while abs(value) / Fraction(2) ** exponent < 2**23:
        exponent -= 1
    return round(value / Fraction(2) ** exponent) * Fraction(2) ** exponent


def fma(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    return float32(a * b + c)


def ort(total: int, factor: Fraction, zero_point: int = 0) -> int:
    """rint(float(total) * factor + zero_point), every operation rounded to float32."""
    product = float32(float32(Fraction(total)) * factor)
    return round(float32(product + zero_point))


def doubling_high_mul(a: int, b: int) -> int:
    if a == b == INT32[0]:
        return INT32[1]
    nudge = 2**30 if a * b >= 0 else 1 - 2**30
    towards_zero = abs(a * b + nudge) >> 31
    return towards_zero if a * b + nudge >= 0 else -towards_zero


def divide_by_power_of_two(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if x & mask > threshold else 0)


def tfl_double(total: int, multiplier: int, exponent: int) -> int:
    """MultiplyByQuantizedMultiplier; the sum shifted left saturates, where TFLite overflows."""
    moved = saturated(total << max(exponent, 0))
    return divide_by_power_of_two(doubling_high_mul(moved, multiplier), max(-exponent, 0))


def tfl_single(total: int, multiplier: int, exponent: int) -> int:
    """MultiplyByQuantizedMultiplier with TFLITE_SINGLE_ROUNDING, saturated."""
    shift = 31 - exponent
    return saturated((total * multiplier + (1 << (shift - 1))) >> shift)


def quantised_multiplier(factor: float) -> tuple[int, int]:
    """QuantizeMultiplier: 31 bits and an exponent, rounded half away from 0."""
    exponent = 0
    exact = Fraction(factor)
    while exact >= 1:
        exact, exponent = exact / 2, exponent + 1
    while exact < Fraction(1, 2):
        exact, exponent = exact * 2, exponent - 1
    multiplier = int(exact * 2**31 + Fraction(1, 2))
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    return (0, 0) if exponent < -31 else (multiplier, exponent)
