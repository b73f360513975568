"""Programs of ONNX operators against onnxruntime's own kernels, on maps that hold every case."""

import numpy as np
import pytest

from accelsim.errors import NetworkError, UnsupportedError
from accelsim.numerics import float_rules, onnx_rules
from accelsim.numerics.programs import Add, run
from accelsim.numerics.scales import Quantised
from tests.accelsim import onnx_oracle

MICROSOFT = "com.microsoft"
TYPES = ("int8", "uint8")


def scalar(value, dtype):
    return np.array(value, dtype)


def parameters(kind):
    """Scale and zero point as an operator takes them."""
    return scalar(kind.scale, np.float32), scalar(kind.zero_point, kind.dtype)


def quantised(rng, dtype, scale):
    limits = np.iinfo(dtype)
    zero_point = int(rng.integers(limits.min, limits.max + 1))
    return Quantised(float(np.float32(scale)), zero_point, dtype)


def three_types(seed, dtype):
    """Of two maps and their sum, whose scales are odd, equal, or powers of two apart."""
    rng = np.random.default_rng(seed)
    a, b = np.exp(rng.normal(-3, 1.5, 2))
    y = (a + b) * rng.uniform(0.2, 1.5)
    if seed % 4 == 1:  # ties everywhere, or nearly
        b, y = a, 2 * a * (1 + 2.0**-23 * (seed % 3))
    elif seed % 4 == 2:
        b, y = a * 2.0 ** rng.integers(-8, 8), a * (1 + 2.0**-23)
    return tuple(quantised(rng, dtype, scale) for scale in (a, b, y))


def every_pair(dtype):
    values = np.arange(256).astype(np.uint8).view(dtype)
    return tuple(each.copy() for each in np.meshgrid(values, values, indexing="ij"))


def convolved(x, w, bias, x_type, w_type, w_scales, y_type):
    x_scale, x_zero = parameters(x_type)
    _, w_zero = parameters(w_type)
    zeros = np.full(len(w), w_zero)
    return onnx_oracle.run(
        "QLinearConv", x, x_scale, x_zero, w, w_scales, zeros, *parameters(y_type), bias,
        attributes={},
    )  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_convolution_over_all_of_int32(seed, dtype):
    """One pixel and many output channels, whose biases make any sum."""
    rng = np.random.default_rng(seed)
    channels = 30_000
    x_type, y_type = quantised(rng, dtype, 0.02), quantised(rng, dtype, rng.uniform(0.01, 0.2))
    w_type = Quantised(1.0, 0 if dtype == "int8" else 131, dtype)
    bias = (rng.integers(-(2**31), 2**31, channels) >> rng.integers(0, 24, channels)).astype(
        np.int32
    )
    bias[:4] = -(2**31), 2**31 - 1, 0, 2**24 + 1
    x = scalar(x_type.zero_point, dtype).reshape(1, 1, 1, 1)
    w = rng.integers(0, 256, (channels, 1, 1, 1)).astype(np.uint8).view(dtype)
    reach = rng.uniform(0.5, 300, channels) / np.maximum(np.abs(bias.astype(float)), 1)
    w_scales = (reach * y_type.scale / x_type.scale).astype(np.float32)
    expected = convolved(x, w, bias, x_type, w_type, w_scales, y_type)
    program = onnx_rules.convolution(x_type, w_scales, y_type, bias)
    got = run(program, np.zeros((1, channels, 1, 1), np.int32))
    assert np.array_equal(got, expected)
    assert got.dtype == dtype
    assert len(np.unique(got)) > 200


def test_convolution_of_a_map_with_sums_of_products():
    rng = np.random.default_rng(0)
    x_type, w_type, y_type = Quantised(0.02, 7), Quantised(0.01, 0), Quantised(0.05, -11)
    x = rng.integers(-128, 128, (2, 16, 9, 9)).astype(np.int8)
    w = rng.integers(-128, 128, (8, 16, 1, 1)).astype(np.int8)
    bias = rng.integers(-9000, 9000, 8).astype(np.int32)
    w_scales = rng.uniform(0.001, 0.02, 8).astype(np.float32)
    sums = np.einsum("nchw,kc->nkhw", x.astype(np.int32) - 7, w[:, :, 0, 0].astype(np.int32))
    program = onnx_rules.convolution(x_type, w_scales, y_type, bias)
    expected = convolved(x, w, bias, x_type, w_type, w_scales, y_type)
    assert np.array_equal(run(program, sums.astype(np.int32)), expected)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("operator", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("seed", range(8))
def test_two_maps_in_every_pair(operator, seed, dtype):
    a, b, y = three_types(seed, dtype)
    make = {"QLinearAdd": onnx_rules.add, "QLinearMul": onnx_rules.multiply}[operator]
    pairs = every_pair(dtype)
    expected = onnx_oracle.run(
        operator, pairs[0], *parameters(a), pairs[1], *parameters(b), *parameters(y),
        domain=MICROSOFT, attributes={},
    )  # fmt: skip
    assert np.array_equal(run(make(a, b, y), *pairs), expected)


@pytest.mark.parametrize("operator", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_value_of_every_channel_first_and_last(operator, first, seed):
    a, b, y = three_types(seed, "uint8")
    make = {"QLinearAdd": onnx_rules.add, "QLinearMul": onnx_rules.multiply}[operator]
    each = np.arange(256).astype(np.uint8)
    x, gate = np.tile(each.reshape(1, 1, 16, 16), (1, 256, 1, 1)), each.reshape(1, 256, 1, 1)
    inputs = [x, *parameters(a), gate, *parameters(b)]
    if first:
        inputs = inputs[3:] + inputs[:3]
    expected = onnx_oracle.run(operator, *inputs, *parameters(y), domain=MICROSOFT, attributes={})
    assert np.array_equal(run(make(a, b, y), x, gate), expected)


def test_both_kinds_of_adds_occur():
    steps = [onnx_rules.add(*three_types(seed, "uint8"))[0] for seed in range(8)]
    assert {step.rounded for step in steps if isinstance(step, Add)} == {False, True}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_global_average(seed, dtype):
    rng = np.random.default_rng(seed)
    x_type, y_type = quantised(rng, dtype, 0.03), quantised(rng, dtype, 0.003)
    low = rng.integers(0, 256, (1, 300, 1, 1))
    x = np.clip(low + rng.integers(-20, 20, (1, 300, 7, 5)), 0, 255).astype(np.uint8).view(dtype)
    expected = onnx_oracle.run(
        "QLinearGlobalAveragePool", x, *parameters(x_type), *parameters(y_type),
        domain=MICROSOFT, attributes={"channels_last": 0},
    )  # fmt: skip
    got = run(onnx_rules.global_average(x_type, y_type, 35), x)
    assert np.array_equal(got, expected)
    assert got.dtype == dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_a_map_on_another_scale(dtype):
    rng = np.random.default_rng(1)
    x = np.arange(256).astype(np.uint8).view(dtype)
    for _ in range(40):
        a, y = (quantised(rng, dtype, scale) for scale in np.exp(rng.normal(-3, 1, 2)))
        expected = onnx_oracle.run(
            "QLinearConcat", *parameters(y), x, *parameters(a),
            domain=MICROSOFT, attributes={"axis": 0},
        )  # fmt: skip
        assert np.array_equal(run(onnx_rules.table(a, y), x), expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_leaky_relu(dtype):
    rng = np.random.default_rng(2)
    x = np.arange(256).astype(np.uint8).view(dtype)
    slope = np.float32(0.1)
    for _ in range(40):
        a, y = (quantised(rng, dtype, scale) for scale in np.exp(rng.normal(-3, 1, 2)))
        expected = onnx_oracle.run(
            "QLinearLeakyRelu", x, *parameters(a), *parameters(y),
            domain=MICROSOFT, attributes={"alpha": float(slope)},
        )  # fmt: skip
        program = onnx_rules.table(a, y, lambda v: np.where(v >= 0, v, v * slope))
        assert np.array_equal(run(program, x), expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_quantise_and_dequantise(dtype):
    rng = np.random.default_rng(3)
    kind = quantised(rng, dtype, 0.037)
    values = (rng.standard_normal(10_000) * 3).astype(np.float32)
    values[:8] = np.inf, -np.inf, 3e38, -3e38, 0.0, -0.0, 1e-40, 0.037 * 2.5
    expected = onnx_oracle.run("QuantizeLinear", values, *parameters(kind), attributes={})
    got = float_rules.quantise(values, kind)
    assert np.array_equal(got, expected)
    real = onnx_oracle.run("DequantizeLinear", got, *parameters(kind), attributes={})
    assert np.array_equal(float_rules.dequantise(got, kind), real)


def test_bounds_of_an_activation():
    x, y = Quantised(0.5), Quantised(0.25, -100)
    sums = np.array([-(2**31), -1, 0, 1, 5, 2**31 - 1], np.int32)[None, :, None]
    relu6 = onnx_rules.convolution(x, [0.5], y, low=-100, high=-76)
    assert run(relu6, sums).ravel().tolist() == [-100, -100, -100, -99, -95, -76]


@pytest.mark.parametrize(
    ("scale", "sentence"),
    [
        (0.0, "the scale of x must be above 0, finite and no denormal float32, not 0.0"),
        (-1.0, "the scale of x must be above 0, finite and no denormal float32, not -1.0"),
        (np.inf, "the scale of x must be above 0, finite and no denormal float32, not inf"),
        (np.nan, "the scale of x must be above 0, finite and no denormal float32, not nan"),
        (1e-39, "the scale of x must be above 0, finite and no denormal float32, not 1"),
    ],
)
def test_scales_that_are_none(scale, sentence):
    good, bad = Quantised(0.1), Quantised(scale)
    for make in (onnx_rules.add, onnx_rules.multiply):
        with pytest.raises(NetworkError, match=sentence.replace(" x ", " a ")):
            make(bad, good, good)
    for call in (
        lambda: onnx_rules.convolution(bad, [0.1], good),
        lambda: onnx_rules.table(bad, good),
        lambda: onnx_rules.global_average(bad, good, 4),
    ):
        with pytest.raises(NetworkError, match=sentence):
            call()
    with pytest.raises(NetworkError, match="the scale of the weights must be above 0"):
        onnx_rules.convolution(good, [0.1, scale], good)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Quantised(0.1, 128), "the zero point of y must be a whole number from -128 to 127, as"),
        (Quantised(0.1, -1, "uint8"), "the zero point of y must be a whole number from 0 to 255"),
        (Quantised(0.1, 0, "int16"), "y must be of int8 or uint8, not of int16"),
    ],
)
def test_zero_points_and_types_that_are_none(kind, sentence):
    with pytest.raises(NetworkError, match=sentence):
        onnx_rules.convolution(Quantised(0.1), [0.1], kind)


def test_factors_that_no_float32_is():
    with pytest.raises(NetworkError, match="a factor that is a normal float32, not 9"):
        onnx_rules.convolution(Quantised(1e-20), [1e-20], Quantised(1.0))
    with pytest.raises(NetworkError, match="a factor that is a normal float32, not inf"):
        onnx_rules.convolution(Quantised(1e20), [1e20], Quantised(1.0))


def test_scales_too_far_apart_to_be_added():
    with pytest.raises(UnsupportedError, match="less than 65536 times that of the sum, not 1e"):
        onnx_rules.add(Quantised(1.0), Quantised(1e4), Quantised(1e-3))
    tiny = onnx_rules.add(Quantised(1e-12), Quantised(1.0), Quantised(1.0))
    values = np.arange(-128, 128, dtype=np.int8)
    assert np.array_equal(run(tiny, values[::-1], values), values)
