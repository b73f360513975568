"""float32 operations against exact fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from accelsim.numerics.softfloat import fma, nearest_even, to_float
from tests.naive import requantisation as naive

MANTISSAS = st.integers(-(2**24) + 1, 2**24 - 1)
EXPONENTS = st.integers(-30, 10)
NUMBERS = st.builds(lambda m, e: np.float32(m) * np.float32(2.0) ** e, MANTISSAS, EXPONENTS)
ONE, ULP = np.float32(1), np.float32(2.0**-23)


def exact(x):
    return Fraction(float(x))


@given(NUMBERS, NUMBERS, NUMBERS)
@example(ONE + ULP, ONE + ULP, -(ONE + 2 * ULP))  # what is left is the square of an ULP
@example(ONE + ULP, ONE - ULP, np.float32(2.0**24))  # a tie, but for a bit far below
@example(np.float32(0), ONE, np.float32(0))
def test_fma_rounds_once(a, b, c):
    assert exact(fma(a, b, c)) == naive.fma(exact(a), exact(b), exact(c))


@given(MANTISSAS, MANTISSAS, st.integers(-3, 3), st.booleans())
def test_fma_next_to_ties(a, b, away, below):
    """The addend puts the sum on a half of its last bit, or beside it."""
    product = Fraction(a) * b
    step = Fraction(2) ** (abs(a * b).bit_length() - 23)
    addend = naive.float32(round(product / step) * step + step / 2 - product)
    near = np.float32(float(addend + (away * Fraction(1, 2**20) if below else away)))
    assert exact(fma(np.float32(a), np.float32(b), near)) == naive.fma(
        Fraction(a), Fraction(b), exact(near)
    )


@given(st.integers(-(2**62), 2**62))
@example(2**54 - 1)
@example(-(2**24) - 1)
@example(2**25 + 2)
@example(0)
def test_integers_as_float32_has_them(value):
    assert to_float(np.array([value])).tolist() == [naive.float32(Fraction(value))]


@given(st.integers(-(2**61), 2**61), st.integers(0, 61))
@example(-3, 1)
@example(-1, 1)
@example(5, 1)
def test_halves_go_to_even_integers(value, shift):
    expected = [round(Fraction(value, 2**shift))]
    assert nearest_even(np.array([value]), shift).tolist() == expected
    assert nearest_even(np.array([value]), np.array([shift])).tolist() == expected
