"""Integers against Python's own and exact fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accelsim.numerics import divide_half_even, saturate, wrap

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(INT32, min_size=1, max_size=20), st.integers(1, 10**6))
def test_divide_rounds_half_to_even(values, divisor):
    expected = [round(Fraction(value, divisor)) for value in values]
    assert divide_half_even(np.array(values, np.int64), divisor).tolist() == expected


@given(st.lists(st.tuples(st.integers(-(2**15), 2**15 - 1), st.integers(-(2**15), 2**15 - 1))),
       st.integers(16, 32))  # fmt: skip
def test_sums_wrapped_once_are_sums_wrapped_at_every_addition(products, bits):
    half, total = 1 << (bits - 1), 0
    for a, b in products:
        total = (total + a * b + half) % (2 * half) - half
    exact = np.array([sum(a * b for a, b in products)])
    wrapped = wrap(exact, bits)
    assert wrapped.dtype == np.int32
    assert wrapped.tolist() == wrap(exact.astype(np.int32), bits).tolist() == [total]


def test_saturate():
    assert saturate(np.array([-(2**31), -129, -128, 0, 127, 128])).tolist() == [
        *(-128, -128, -128, 0, 127, 127)
    ]
