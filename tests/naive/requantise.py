"""Requantisation by its definitions, with fractions and one integer at a time."""

from fractions import Fraction

INT32 = -(2**31), 2**31 - 1


def as_float(value: Fraction, bits: int) -> Fraction:
    """The nearest number of so many significant bits, half to even; without an end of exponents."""
    step = Fraction(1)
    while abs(value) >= step * 2**bits:
        step *= 2
    while value and abs(value) < step * 2 ** (bits - 1):
        step /= 2
    return round(value / step) * step


def ort(total: int, multiplier: int, shift: int, bits: int = 24) -> int:
    """onnxruntime: the sum as a float, times the scale as a float, and rint."""
    return round(as_float(as_float(Fraction(total), bits) * multiplier / 2**shift, bits))


def tfl_double(total: int, multiplier: int, shift: int, bits: int = 31) -> int:
    """TFLite's MultiplyByQuantizedMultiplier, with gemmlowp's two roundings.

    bits : of the multiplier; shift is those less TFLite's, which is to the left. A sum that is
        shifted beyond its type saturates.
    """
    left = bits - shift
    low, high = -(2**bits), 2**bits - 1
    total = min(max(total << max(left, 0), low), high)
    return _rounding_divide_by_power_of_two(
        _saturating_rounding_doubling_high_mul(total, multiplier, bits), max(-left, 0)
    )


def _saturating_rounding_doubling_high_mul(a: int, b: int, bits: int) -> int:
    nudge = 2 ** (bits - 1) if a * b >= 0 else 1 - 2 ** (bits - 1)
    quotient = (abs(a * b + nudge)) >> bits  # C's division is towards 0
    return quotient if a * b + nudge >= 0 else -quotient


def _rounding_divide_by_power_of_two(x: int, exponent: int) -> int:
    mask = 2**exponent - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def tfl_single(total: int, multiplier: int, shift: int, bits: int = 31) -> int:
    """The same, built with TFLITE_SINGLE_ROUNDING."""
    return (total * multiplier + 2 ** (shift - 1)) >> shift
