"""MixConv, XSepConv and context modules: published costs, naive loops, what a pixel sees."""

import numpy as np
import pytest

from accelsim.errors import ShapeError
from accelsim.ir import INPUT, Network
from accelsim.numerics import saturate
from accelsim.ops import (
    Concat,
    DdcContext,
    Depthwise,
    MixConv,
    SshContext,
    XSepConv,
)
from accelsim.ops.papers.xsep_conv import CORNERS
from tests.accelsim.ops.reals import golden
from tests.naive import operators as naive


def expand(op, shape):
    return Network("n", shape, op.expand("m", (INPUT,), shape))


def weights_of(network, layer, value):
    return np.full(layer.op.weight_shape(*network.in_shapes(layer)), value, np.int8)


def reach(network, x):
    """Where the outputs of all layers differ from 0, all weights being 1: 0 or 1 a pixel."""
    maps = {INPUT: x}
    for layer in network.layers:
        sources = [maps[name] for name in layer.inputs]
        sums = golden(layer.op, weights_of(network, layer, 1), *sources)
        maps[layer.name] = (sums > 0).astype(np.int8)
    return maps


# --- MixConv


def naive_split(channels, groups):
    """Channels dealt out one by one, those that do not go round to the first group."""
    counts = [0] * groups
    while sum(counts) + groups <= channels:
        counts = [count + 1 for count in counts]
    counts[0] += channels - sum(counts)
    return counts


@pytest.mark.parametrize("channels", [4, 5, 7, 10])
@pytest.mark.parametrize("kernels", [(3,), (3, 5), (5, 3, 7), (3, 5, 3, 1)], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 3)], ids=str)
def test_mix_conv_equals_naive_loops(channels, kernels, stride):
    shape = (channels, 9, 8)
    (layer,) = expand(MixConv(kernels, stride), shape).layers
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, shape, np.int8)
    counts = naive_split(channels, len(kernels))
    sizes = [k for k, count in zip(kernels, counts, strict=True) for _ in range(count)]
    taps = [rng.integers(-128, 128, (k, k), np.int8) for k in sizes]
    packed = np.concatenate([t.ravel() for t in taps])
    expected = naive.depthwise(x, taps, stride, [(k // 2,) * 4 for k in sizes])
    found = layer.op.golden(packed.reshape(layer.op.weight_shape(shape)), x)
    assert np.array_equal(found, expected)


# arXiv 1907.09595: sum of C_i k_i^2 weights. 64 channels at 56 x 56.
@pytest.mark.parametrize(
    ("kernels", "params", "macs"),
    [
        ((3, 5), 1_088, 3_411_968),
        ((3, 5, 7), 1_752, 5_494_272),
        ((3, 5, 7, 9), 2_624, 8_228_864),
    ],
)
def test_mix_conv_costs_as_published(kernels, params, macs):
    network = expand(MixConv(kernels), (64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)


def test_mix_conv_is_one_layer_with_its_epilogue():
    network = expand(MixConv((3, 5), norm=True, bias=True, activation="silu"), (5, 4, 4))
    (layer,) = network.layers
    assert (layer.name, layer.bias, layer.norm, layer.activation) == ("m", True, True, "silu")
    assert layer.op.kernels == ((3, 3),) * 3 + ((5, 5),) * 2
    assert network.total_params == 3 * 9 + 2 * 25 + 3 * 5


def test_mix_conv_of_one_kernel_is_plain_depthwise():
    (layer,) = expand(MixConv((5,), (2, 2), "same_tf"), (3, 8, 8)).layers
    assert layer.op == Depthwise((5, 5), (2, 2), "same_tf")


# --- XSepConv


@pytest.mark.parametrize("k", [3, 5, 7, 9, 11, 31])
@pytest.mark.parametrize("stride", [1, 2])
def test_xsep_conv_costs_as_published(k, stride):
    """Eq. 3 and 4: (4 + 2 k) / k^2 of the depthwise products, and (16 + 3 k) / k^2 at stride 2."""
    shape, outputs = (6, 32, 64), 6 * (32 // stride) * (64 // stride)
    network = expand(XSepConv(k, (stride, stride)), shape)
    assert network.total_macs == outputs * (4 + 2 * k if stride == 1 else 16 + 3 * k)
    assert network.total_params == 6 * (4 + 2 * k)


def test_xsep_conv_of_a_published_layer():
    """C = 240 at 14 x 14: 2 x 2, 1 x 5 and 5 x 1."""
    network = expand(XSepConv(5), (240, 14, 14))
    assert [network.macs(layer) for layer in network.layers] == [188_160, 235_200, 235_200]


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1), (1, 3)], ids=str)
@pytest.mark.parametrize("size", [(7, 8), (1, 1)], ids=str)
def test_xsep_conv_equals_naive_loops(corner, stride, size):
    """One row and one column of zeros for 2 x 2; the stride of each axis where its kernel lies."""
    shape = (3, *size)
    network = expand(XSepConv(5, stride, corner, norm=True, activation="relu"), shape)
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, shape, np.int8)
    corners = {
        "top_left": (1, 0, 1, 0),
        "top_right": (1, 0, 0, 1),
        "bottom_left": (0, 1, 1, 0),
        "bottom_right": (0, 1, 0, 1),
    }
    steps = (
        ("m_2x2", (2, 2), (1, 1), corners[corner]),
        ("m_h", (1, 5), (1, stride[1]), (0, 0, 2, 2)),
        ("m", (5, 1), (stride[0], 1), (2, 2, 0, 0)),
    )
    assert [layer.name for layer in network.layers] == [name for name, *_ in steps]
    for layer, (_, kernel, strides, padding) in zip(network.layers, steps, strict=True):
        assert (layer.norm, layer.bias, layer.activation) == (True, False, "relu")
        taps = rng.integers(-128, 128, (3, 1, *kernel), np.int8)
        expected = naive.depthwise(x, taps[:, 0], strides, [padding] * 3)
        sums = layer.op.golden(taps, x)
        assert np.array_equal(sums, expected)
        x = saturate(sums // 256)
    assert x.shape == (3, -(-size[0] // stride[0]), -(-size[1] // stride[1]))


def test_four_corners_cancel():
    """A point through four 2 x 2 kernels of ones is a binomial 5 x 5 around the point, in place."""
    x = np.zeros((1, 9, 9), np.int8)
    x[0, 4, 4] = 1
    ones = np.ones((1, 1, 2, 2), np.int8)
    for corner in CORNERS:
        first = expand(XSepConv(3, corner=corner), x.shape).layers[0]
        x = first.op.golden(ones, x).astype(np.int8)
    line = np.array([0, 0, 1, 4, 6, 4, 1, 0, 0])
    assert np.array_equal(x[0], np.outer(line, line))


def test_the_last_activation_of_xsep_conv_may_come_later():
    layers = expand(XSepConv(3, activation="hswish", final=False), (2, 4, 4)).layers
    assert [layer.activation for layer in layers] == ["hswish", "hswish", "none"]


# --- context modules


LEVELS = 1 / 64 + 1 / 256 + 1 / 1024  # positions of the three maps for one input pixel


@pytest.mark.parametrize(
    ("op", "weights", "macs"),
    [(SshContext(64), 34_560, 708.75), (DdcContext(64), 5_824, 119.44)],
    ids=lambda value: getattr(value, "name", value),
)
def test_context_modules_cost_as_published(op, weights, macs):
    network = expand(op, (64, 16, 8))
    assert network.total_params == weights
    assert network.total_macs == weights * 16 * 8
    assert weights * LEVELS == pytest.approx(macs, abs=0.005)


@pytest.mark.parametrize("op", [SshContext(8), DdcContext(8)], ids=lambda op: op.name)
def test_what_the_branches_of_a_context_module_see(op):
    """3 x 3, 5 x 5 and 7 x 7 pixels: a half and two quarters of the output."""
    x = np.zeros((8, 11, 11), np.int8)
    x[:, 5, 5] = 1
    planes = reach(expand(op, x.shape), x)["m"]
    spread = [np.argwhere(plane) for plane in planes]
    assert [tuple(s.max(0) - s.min(0) + 1) for s in spread] == (
        [(3, 3)] * 4 + [(5, 5)] * 2 + [(7, 7)] * 2
    )
    assert all((s.max(0) + s.min(0) == 10).all() for s in spread)  # around the pixel


def test_the_branches_of_ddc_are_dilated():
    x = np.zeros((4, 11, 11), np.int8)
    x[:, 5, 5] = 1
    planes = reach(expand(DdcContext(4), x.shape), x)["m"]
    for plane, d in zip(planes, (1, 1, 2, 3), strict=True):
        assert [tuple(p) for p in np.argwhere(plane)] == [
            (y, z) for y in (5 - d, 5, 5 + d) for z in (5 - d, 5, 5 + d)
        ]


@pytest.mark.parametrize("op", [SshContext(8, norm=True), DdcContext(8, norm=True)])
def test_context_modules_keep_the_map_and_end_in_relu(op):
    network = expand(op, (6, 5, 4))
    last = network.layers[-1]
    assert network.shape("m") == (8, 5, 4)
    assert isinstance(last.op, Concat)
    assert last.activation == "relu"
    for name in last.inputs:  # linear before the concatenation, an activation within a branch
        assert network.layer(name).activation == "none"
    inner = [x for x in network.layers[:-1] if x.name not in last.inputs]
    assert {(x.norm, x.activation) for x in inner} == {(True, "leaky_relu")}


# --- what does not fit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixConv(3), "kernels must be a list of whole numbers of at least 1, not 3"),
        (lambda: MixConv(()), r"kernels must be a list .*, not \[\]"),
        (lambda: MixConv((3, 0)), r"kernels must be a list .*, not \[3, 0\]"),
        (lambda: MixConv((3,), padding=1), "padding must be one of same, same_tf, not 1"),
        (lambda: MixConv((3,), activation="tanh"), "activation must be one of"),
        (lambda: XSepConv(0), "kernel must be a whole number of at least 1, not 0"),
        (lambda: XSepConv(4), "kernel must be odd, not 4"),
        (lambda: XSepConv(3, corner="left"), "corner must be one of bottom_right, .*, not 'left'"),
        (lambda: XSepConv(3, final=1), "final must be true or false, not 1"),
        (lambda: SshContext(6), "out_channels must be a multiple of 4, not 6"),
        (lambda: DdcContext(0), "out_channels must be a whole number of at least 4, not 0"),
        (lambda: DdcContext(4, activation="no"), "activation must be one of"),
        (
            lambda: MixConv((3, 5, 7)).expand("m", (INPUT,), (2, 4, 4)),
            "kernels must be at most one for each of the 2 channels, not 3",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()
