"""The stand-in for requantisation against exact fractions and onnxruntime."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accelsim.numerics import (
    ACTIVATIONS,
    activate,
    activation_table,
    align,
    choose_shift,
    epilogue,
    gate,
    requantise,
    saturate,
    saturating_add,
)
from accelsim.tensors import Map
from tests.accelsim import onnx_oracle

ALL = np.arange(-128, 128).astype(np.int8)
INT32 = st.integers(-(2**31), 2**31 - 1)


def clamp(value):
    return min(max(value, -128), 127)


@given(st.lists(INT32, min_size=1, max_size=20), st.integers(0, 31))
@example([-(2**31), 2**31 - 1], 24)
@example([-(2**31), 2**31 - 1, 2**30, 3 * 2**30], 31)
def test_requantise_rounds_half_to_even_and_saturates(sums, shift):
    expected = [clamp(round(Fraction(value, 2**shift))) for value in sums]
    assert requantise(np.array(sums, np.int64), shift).tolist() == expected


def test_requantise_of_every_tie():
    odd_halves = np.arange(-255, 256, 2)
    assert set(requantise(odd_halves, 1).tolist()) == set(range(-128, 129, 2)) - {128} | {127}


@given(st.lists(INT32, min_size=1, max_size=20))
@example([127, -128])
@example([128])
@example([-129])
@example([255])  # 127.5 goes to 128: one shift is not enough
@example([-257])  # -128.5 goes to -128: one is
@example([2**31 - 1, -(2**31)])
def test_the_shift_is_the_smallest_that_saturates_nothing(sums):
    def fits(shift):
        return all(-128 <= round(Fraction(value, 2**shift)) <= 127 for value in sums)

    shift = choose_shift(np.array(sums, np.int64))
    assert fits(shift)
    assert shift == 0 or not fits(shift - 1)


def test_saturating_add_of_every_pair():
    sums = saturating_add(ALL[:, None], ALL[None, :])
    expected = [[clamp(a + b) for b in range(-128, 128)] for a in range(-128, 128)]
    assert sums.dtype == np.int8
    assert sums.tolist() == expected


def test_gate_of_every_pair():
    values = np.broadcast_to(ALL[None, None, :], (256, 1, 256)).astype(np.int8)
    products = gate(values, ALL[:, None, None])
    expected = [
        [[clamp(round(Fraction(v * g, 128))) for v in range(-128, 128)]] for g in range(-128, 128)
    ]
    assert products.tolist() == expected


REAL = {  # ONNX operators on the real value of q / 16
    "hswish": ("HardSwish", {}),
    "hsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", {}),
    "gelu": ("Gelu", {}),
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.1}),
}


@pytest.mark.parametrize("activation", REAL)
def test_tables_equal_onnxruntime_rounded(activation):
    operator, attributes = REAL[activation]
    x = ALL.astype(np.float32) / 16
    real = onnx_oracle.run(operator, x, attributes=attributes).astype(np.float64)
    steps = 128 if activation in ("sigmoid", "hsigmoid") else 16
    # float32 is wrong by about 1e-6 of a step, which decides a tie: those values may go either way
    low, high = np.rint(real * steps - 1e-4), np.rint(real * steps + 1e-4)
    table = activate(ALL, activation)
    assert np.all((table == saturate(low)) | (table == saturate(high)))
    assert np.mean(low == high) > 0.9


def test_silu_is_x_times_sigmoid():
    expected = [clamp(round(q / (1 + math.exp(-q / 16)))) for q in range(-128, 128)]
    assert activate(ALL, "silu").tolist() == expected
    assert np.array_equal(activate(ALL, "swish"), activate(ALL, "silu"))


def test_relu6_takes_127_as_6():
    assert activate(ALL, "relu6").tolist() == [max(q, 0) for q in range(-128, 128)]


def test_none_changes_nothing():
    assert np.array_equal(activate(ALL, "none"), ALL)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_table_is_what_activate_looks_up(activation):
    table = activation_table(activation)
    assert table.shape == (256,)
    assert table.dtype == np.int8
    assert [table[q % 256] for q in range(-128, 128)] == activate(ALL, activation).tolist()
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_epilogue_adds_bias_requantises_and_activates():
    sums = np.array([[[1000, -1000]], [[40, 24]]], np.int32)
    bias = np.array([24, -24], np.int32)
    # 1024, -976, 16, 0: the smallest shift for 1024 is 4, as 1024 / 8 = 128
    assert epilogue(sums, 0, bias).values.tolist() == [[[64, -61]], [[1, 0]]]
    assert epilogue(sums, 0, bias, "relu").values.tolist() == [[[64, 0]], [[1, 0]]]
    assert epilogue(sums, 0).values.tolist() == [[[125, -125]], [[5, 3]]]
    ties = np.array([[[1032, -1000]], [[40, 24]]], np.int32)  # 64.5, -62.5, 2.5 and 1.5
    assert epilogue(ties, 0).values.tolist() == [[[64, -62]], [[2, 2]]]


def test_epilogue_keeps_what_fits():
    x = ALL.reshape(4, 8, 8)
    out = epilogue(x.astype(np.int32), -9)
    assert np.array_equal(out.values, x)
    assert out.exponent == -9


def test_epilogue_never_wraps():
    sums = np.full((1, 1, 2), 2**31 - 1, np.int32)
    bias = np.array([2**31 - 1], np.int32)
    assert epilogue(sums, 0, bias).values.tolist() == [[[64, 64]]]
    assert epilogue(-sums, 0, -bias).values.tolist() == [[[-128, -128]]]


def test_epilogue_keeps_the_scale():
    sums = np.array([[[1000, -1000]], [[40, 24]]], np.int32)  # divided by 8
    assert epilogue(sums, -14).exponent == -11
    for activation in ACTIVATIONS:
        gates = activation in ("sigmoid", "hsigmoid")
        own = -11 if activation == "none" else -7 if gates else -4
        assert epilogue(sums, -14, None, activation).exponent == own


@given(
    st.lists(
        st.tuples(st.lists(st.integers(-128, 127), min_size=4, max_size=4), st.integers(-300, 300)),
        min_size=1,
        max_size=4,
    )
)
@example([([-128, 127, 1, 3], -1), ([-128, 127, 1, 3], 0)])  # 63.5, 0.5 and 1.5: ties
def test_align_rounds_to_the_coarsest_scale(drawn):
    values, exponent = align(*(Map(np.array(q, np.int8), e) for q, e in drawn))
    step = Fraction(2) ** max(e for _, e in drawn)
    assert exponent == max(e for _, e in drawn)
    expected = [[round(q * Fraction(2) ** e / step) for q in qs] for qs, e in drawn]
    assert [x.tolist() for x in values] == expected
    assert all(x.dtype == np.int8 for x in values)
