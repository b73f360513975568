"""Steps of programs against the plain machines of tests/naive and float32 as NumPy computes it."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accelsim.numerics import gemmlowp, onnx_rules, programs, tflite_rules
from accelsim.numerics.programs import Bias, Clamp, Multiply, Requantise, Table, run
from tests.naive import requantisation as naive

ENDS = (-(2**31), -(2**31) + 1, -(2**24) - 1, -1, 0, 1, 2**24, 2**24 + 1, 2**31 - 1)
SUMS = st.integers(-(2**31), 2**31 - 1) | st.integers(-70_000, 70_000) | st.sampled_from(ENDS)


def step_of(step: Requantise, total: int) -> int:
    return int(run((step,), np.full((1, 1, 1), total, np.int32))[0, 0, 0])


@given(SUMS, st.integers(2**23, 2**24 - 1), st.integers(0, 63))
@example(2**31 - 1, 2**24 - 1, 0)
@example(-(2**31), 2**24 - 1, 0)
@example(-(2**31), 2**24 - 1, 63)
@example(3, 2**23, 24)  # 1.5
@example(5, 2**23, 24)  # 2.5
def test_ort_rounds_as_float32(total, multiplier, shift):
    step = Requantise("ort", np.array([multiplier]), np.array([shift]))
    factor = naive.Fraction(multiplier, 2**shift)
    assert step_of(step, total) == naive.saturated(naive.ort(total, factor))


@given(st.integers(-255 * 255, 255 * 255), st.integers(2**23, 2**24 - 1), st.integers(0, 54),
       st.integers(-128, 255))  # fmt: skip
@example(3, 2**23, 24, 1)  # 1.5 + 1
def test_ort_with_the_zero_point_inside(total, multiplier, shift, zero_point):
    step = Requantise("ort", np.array([multiplier]), np.array([shift]), zero_point)
    expected = naive.ort(total, naive.Fraction(multiplier, 2**shift), zero_point)
    assert step_of(step, total) == naive.saturated(expected)


@pytest.mark.parametrize("rule", ["tfl_double", "tfl_single"])
@given(SUMS, st.integers(2**30, 2**31 - 1) | st.just(0), st.integers(-31, 30))
@example(2**31 - 1, 2**31 - 1, 30)
@example(-(2**31), 2**31 - 1, 30)
@example(-(2**31), 2**31 - 1, -31)
@example(-(2**31), 2**30, 0)
@example(-3, 2**30, 0)  # -1.5
@example(-6, 2**30, -1)  # -1.5 again, by the second rounding
def test_tflite_rounds_as_it_is_written(rule, total, multiplier, exponent):
    step = Requantise(rule, np.array([multiplier]), np.array([31 - exponent]))
    assert step_of(step, total) == getattr(naive, rule)(total, multiplier, exponent)


@given(st.floats(1e-12, 1e8))
@example(1.0)
@example(1 - 2.0**-40)  # rounds up to 2**31
@example(2.0**-32)
@example(float(np.nextafter(2.0**-32, 0)))
def test_multipliers_of_tflite(factor):
    step = tflite_rules.requantise(np.array([factor]))
    multiplier, exponent = naive.quantised_multiplier(factor)
    assert (step.multiplier[0], 31 - step.shift[0]) == (multiplier, exponent)


@given(st.floats(2.0**-126, 2.0**127, width=32))
def test_factors_of_onnxruntime(factor):
    step = onnx_rules.requantise(np.array([factor], np.float32))
    assert 2**23 <= step.multiplier[0] < 2**24
    if 0 < step.shift[0] < 63:
        assert naive.Fraction(int(step.multiplier[0]), 2 ** int(step.shift[0])) == factor


def random_sums(rng, shape):
    wide = rng.integers(-(2**31), 2**31, shape)
    return (wide >> rng.integers(0, 28, shape)).astype(np.int32)


def test_every_channel_has_its_own_factor_and_bias():
    rng = np.random.default_rng(0)
    sums = random_sums(rng, (2, 5, 3, 4))
    factors = np.float32(2.0) ** rng.uniform(-24, 2, 5).astype(np.float32)
    bias = rng.integers(-(2**20), 2**20, 5).astype(np.int32)
    got = run((Bias(bias), onnx_rules.requantise(factors)), sums)
    for k in range(5):
        wrapped = sums[:, k] + bias[k]
        expected = np.rint(wrapped.astype(np.float32) * factors[k]).astype(np.float64)
        assert np.array_equal(got[:, k], np.clip(expected, -(2**31), 2**31 - 1))
    assert got.dtype == np.int32


def test_bias_wraps_as_accumulators_do():
    sums = np.full((1, 1, 1), 2**31 - 1, np.int32)
    assert run((Bias(np.array([1], np.int32)),), sums).tolist() == [[[-(2**31)]]]


def test_clamp_adds_the_zero_point_and_saturates_at_both_ends():
    sums = np.array([-(2**31), -129, -128, -1, 0, 1, 127, 128, 2**31 - 1], np.int32)[:, None, None]
    signed = run((Clamp(3, -128, 127, "int8"),), sums).ravel()
    assert signed.tolist() == [-128, -126, -125, 2, 3, 4, 127, 127, 127]
    unsigned = run((Clamp(3, 3, 250, "uint8"),), sums).ravel()  # ReLU
    assert unsigned.tolist() == [3, 3, 3, 3, 3, 4, 130, 131, 250]
    assert (signed.dtype, unsigned.dtype) == (np.int8, np.uint8)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_tables_are_read_by_the_byte_of_a_value(dtype):
    values = np.random.default_rng(0).integers(0, 256, 256).astype(np.uint8)
    x = np.arange(256).astype(np.uint8).view(dtype).reshape(4, 8, 8)
    got = run((Table(values),), x)
    assert [got.flat[i] for i in range(256)] == [values[int(q) % 256] for q in x.flat]
    assert got.dtype == np.uint8


def test_multiply_by_a_gate_of_every_channel():
    rng = np.random.default_rng(0)
    x, gate = rng.integers(0, 256, (3, 2, 2)).astype(np.uint8), np.array([0, 7, 255], np.uint8)
    got = run((Multiply(128, 5),), x, gate[:, None, None])
    for k in range(3):
        assert np.array_equal(got[k], (x[k].astype(int) - 128) * (int(gate[k]) - 5))


def test_a_program_does_not_change_what_it_reads():
    sums = random_sums(np.random.default_rng(1), (3, 4, 4))
    before = sums.copy()
    run((Bias(np.ones(3, np.int32)), Clamp(0, -128, 127, "int8")), sums)
    assert np.array_equal(sums, before)
    sums.flags.writeable = False
    step = onnx_rules.requantise(np.ones(3, np.float32))
    assert np.array_equal(programs.requantise(step, sums[:, ::2, 1:]), before[:, ::2, 1:].astype(
        np.float32).astype(np.int64).clip(-(2**31), 2**31 - 1))  # fmt: skip


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3), (1, 2, 3, 1, 1)])
def test_a_program_for_all_channels_takes_maps_of_any_shape(shape):
    x = np.arange(np.prod(shape, dtype=int)).astype(np.int8).reshape(shape)
    step = onnx_rules.requantise(np.ones(1, np.float32))
    got = run((Bias(np.ones(1, np.int32)), step, Clamp(0, -128, 127, "int8")), x)
    assert got.shape == shape
    assert got.ravel().tolist() == [q + 1 for q in x.ravel().tolist()]


@given(SUMS, SUMS, st.integers(0, 31))
@example(-(2**31), -(2**31), 31)
def test_gemmlowp_is_written_as_it_is(a, b, exponent):
    first = np.array([a], np.int64)
    product = gemmlowp.doubling_high_mul(first, np.array([b], np.int64))
    assert product.tolist() == [naive.doubling_high_mul(a, b)]
    divided = gemmlowp.divide_by_power_of_two(first, exponent)
    assert divided.tolist() == [naive.divide_by_power_of_two(a, exponent)]
