"""ODConv: beside the equation of its paper, on reals, on integers and in int8; published costs."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError, ShapeError
from accelsim.graph.host import HostNode
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Add, Conv2d, Depthwise, Linear, Pointwise
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.odconv import OdConv
from tests.accelsim.ops.papers import dynamic
from tests.naive import operators as naive

CASES = {
    "dense": OdConv(6, (3, 3), padding=1, n=4),
    "single": OdConv(6, (3, 3), (2, 2), 1, n=1),
    "grouped": OdConv(6, (3, 1), padding=(1, 1, 0, 0), groups=2, n=2),
    "depthwise": OdConv(4, (3, 3), (2, 1), 1, groups=4, n=3),
    "pointwise": OdConv(5, (1, 1), n=2),
    "plain": OdConv(5, (1, 1)),
}
SHAPE = 4, 7, 6


def kernels(op, whole):
    """[n, k, c / groups, fh, fw] of what the layers have."""
    return whole.reshape(op.n, op.out_channels, SHAPE[0] // op.groups, *op.kernel)


def by_the_equation(op, heads, experts, x):
    """Sums of W(x) = sum of a_w (a_f a_c a_s) W_i, every factor in its place."""
    kernel = np.zeros(experts.shape[1:], experts.dtype)
    each, members = op.out_channels // op.groups, SHAPE[0] // op.groups
    for place in np.ndindex(*kernel.shape):
        o, c, i, j = place
        source = o // each * members + c
        factor = heads["f"][o] * heads["c"][source] * heads["s"][i, j]
        for m in range(op.n):
            kernel[place] += heads["w"][m] * factor * experts[m][place]
    return kernel


def attentions(op, weights, x):
    """The four attentions of an image, from the words of the paper."""
    u = np.maximum(dynamic.dense(weights["odconv_squeeze"], x.mean(axis=(1, 2))), 0)
    assert len(u) == max(int(SHAPE[0] / 16), 16)

    def head(part, size):
        layer = weights.get(f"odconv_{part}")
        return np.ones(size) if layer is None else dynamic.sigmoid(dynamic.dense(layer, u))

    expert = weights.get("odconv_expert")
    return {
        "c": head("channel", SHAPE[0]),
        "f": head("filter", op.out_channels),
        "s": head("spatial", prod(op.kernel)).reshape(op.kernel),
        "w": np.ones(1) if expert is None else dynamic.softmax(dynamic.dense(expert, u)),
    }


def experts_of(op, weights):
    """float64[n, k, c / groups, fh, fw], from the layer that has them."""
    if op.n > 1:
        mixed = weights["odconv_mixed"].kernel.astype(np.float64)
        return kernels(op, mixed.T if prod(op.kernel) == 1 else mixed)
    layer = "odconv_kernel" if prod(op.kernel) > 1 else "odconv_conv"
    return kernels(op, weights[layer].kernel.astype(np.float64))


def sides(op):
    return op.padding if isinstance(op.padding, tuple) else (op.padding,) * 4


@pytest.mark.parametrize("name", CASES)
def test_the_layers_are_the_equation(name):
    """On reals but for float32; in int8 within 6 hundredths of the range.

    Of that much is the attention's: its norm divides by how much the means of two images differ,
    and with it the steps of 8 bits that the means have.
    """
    op = replace(CASES[name], norm=True, activation="relu")
    network = op.network(SHAPE)
    weights, x, made = dynamic.on_reals(network)
    heads = attentions(op, weights, x)
    kernel = by_the_equation(op, heads, experts_of(op, weights), x)
    sums = dynamic.convolve(x, kernel, op.stride, sides(op), op.groups)
    expected = np.maximum(dynamic.affine(weights["odconv"], sums), 0)
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-4)
    assert expected.max() > 0.5
    found = dynamic.on_integers(network)
    assert np.abs(found - expected).max() < 0.06 * expected.max()


@pytest.mark.parametrize("name", CASES)
def test_on_integers_both_orders_are_equal(name):
    """The code scales input and result where the equation scales the kernel: exactly the same."""
    op, rng = CASES[name], np.random.default_rng(3)
    network = op.network(SHAPE)
    heads = {
        "c": dynamic.integers(rng, SHAPE[0]),
        "f": dynamic.integers(rng, op.out_channels),
        "s": dynamic.integers(rng, *op.kernel),
        "w": dynamic.integers(rng, op.n),
    }
    if name == "depthwise":
        heads["f"][:] = 1
    if prod(op.kernel) == 1:
        heads["s"][:] = 1
    if op.n == 1:
        heads["w"][:] = 1
    experts = kernels(op, dynamic.integers(rng, op.n * prod(op.whole(SHAPE).weight_shape(SHAPE))))
    given = {
        "odconv_channel": heads["c"].reshape(-1, 1, 1),
        "odconv_filter": heads["f"].reshape(-1, 1, 1),
        "odconv_spatial": heads["s"].reshape(-1, 1, 1),
        "odconv_attention": heads["w"].reshape(-1, 1, 1),
    }
    trained = {
        "odconv_mixed": Trained(experts.reshape(op.n, -1, *op.kernel)),
        "odconv_kernel": Trained(experts.reshape(-1, *op.kernel)),
        "odconv_conv": Trained(experts[0]),
    }
    if op.n > 1 or prod(op.kernel) > 1:
        del trained["odconv_conv"]
    if op.n > 1:
        del trained["odconv_kernel"]
    if prod(op.kernel) == 1:  # a fully connected layer
        trained["odconv_mixed"] = Trained(experts.reshape(op.n, -1).T)
    x = rng.integers(-128, 128, SHAPE)
    kernel = by_the_equation(op, heads, experts, x)
    expected = naive.conv2d(x, kernel, op.stride, sides(op), groups=op.groups)
    assert np.array_equal(golden(network, trained, x, given), expected)


def test_which_attentions_there_are():
    """Of depthwise layers no a_f, of 1 x 1 no a_s, of one kernel no a_w, and no kernel is made."""
    parts = {
        name: {layer.name.removeprefix("odconv_") for layer in op.network(SHAPE).layers}
        for name, op in CASES.items()
    }
    assert {"channel", "filter", "spatial", "expert"} < parts["dense"]
    assert "filter" not in parts["depthwise"]
    assert "filter" in parts["grouped"]
    assert not {"spatial", "taps", "kernel"} & parts["pointwise"]
    assert not {"expert", "attention", "mixed"} & parts["single"]
    assert parts["plain"] == {
        *("pool", "squeeze", "channel", "filter", "input", "conv", "odconv"),
    }
    # Four attentions at most, whatever the number of kernels: they are shared.
    assert OdConv(6, (3, 3), n=7).network(SHAPE).shape("odconv_filter") == (6, 1, 1)


@pytest.mark.parametrize(
    ("channels", "keys", "width"),
    [(64, {}, 16), (272, {}, 17), (287, {}, 17), (288, {}, 18), (64, {"r": 0.5}, 32)],
)
def test_the_width_of_attentions_is_rounded_down_and_at_least_16(channels, keys, width):
    network = OdConv(4, (1, 1), **keys).network((channels, 2, 2))
    assert network.shape("odconv_squeeze") == (width, 1, 1)
    assert OdConv(4, (1, 1), least=8).network((64, 2, 2)).shape("odconv_squeeze")[0] == 8


# 64 channels of 56 x 56, 3 x 3, with the batch norm of the attention; products behind it are those
# of fully connected layers, and the sum of n kernels.
@pytest.mark.parametrize(
    ("n", "params", "fc", "mixing"), [(1, 40_249, 3_216, 0), (4, 150_909, 3_280, 147_456)]
)
def test_costs(n, params, fc, mixing):
    network = OdConv(64, (3, 3), padding=1, n=n).network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, 115_605_504 + fc + mixing)


# Published parameters (the authors' README), in millions, and the exact ones by the formula of
# the paper's operator, from the baseline's convolutions.
@pytest.mark.parametrize(
    ("name", "n", "published", "exact"),
    [
        ("mobilenet_v2", 1, 4.94, 4_940_185),
        ("mobilenet_v2", 4, 11.51, 11_512_149),
        ("resnet18", 1, 11.94, 11_943_944),
        ("resnet18", 4, 44.90, 44_901_640),
        ("resnet50", 1, 28.64, 28_635_112),
        ("resnet50", 4, 90.67, 90_670_888),
        ("resnet101", 1, 50.82, 50_818_769),
        ("resnet101", 2, 90.44, 90_441_623),
    ],
)
def test_published_parameters(name, n, published, exact):
    plain, network = networks.get(name), networks.get(name, f"odconv:n={n}")
    added = 0
    for layer in plain.layers:
        shape = plain.in_shapes(layer)[0]
        skipped = layer.name == "stem" or layer.name.endswith(".down")
        if skipped or isinstance(layer.op, Linear) or not layer.op.lower(shape):
            continue
        (conv,) = (piece.conv for piece in layer.op.lower(shape))
        weights = conv.k * conv.c // conv.groups * conv.fh * conv.fw
        a, taps = max(conv.c // 16, 16), conv.fh * conv.fw
        added += (n - 1) * weights + 2 * a * conv.c + 2 * a + conv.c
        added += (a + 1) * conv.k * (conv.groups == 1)
        added += (a + 1) * taps * (taps > 1) + (a + 1) * n * (n > 1)
    assert network.total_params == plain.total_params + added == exact
    assert round(exact / 1e6, 2) == published


def test_what_is_replaced():
    """All but the first convolution and, of residual networks, the projections of shortcuts."""
    plain, network = networks.get("resnet18"), networks.get("resnet18", "odconv:n=2")
    kept = {
        x.name
        for x in plain.layers
        if network.layer(x.name) == x and x.op.lower(*plain.in_shapes(x))
    }
    downsampled = {x.name for x in plain.layers if x.name.endswith(".down")}
    assert kept == {"stem", "fc", *downsampled}
    assert len(downsampled) == 3
    plain, network = networks.get("mobilenet_v2"), networks.get("mobilenet_v2", "odconv")
    kept = {
        x.name
        for x in plain.layers
        if network.layer(x.name) == x and x.op.lower(*plain.in_shapes(x))
    }
    assert kept == {"stem", "fc"}
    assert all(network.shape(x.name) == plain.shape(x.name) for x in plain.layers)


@pytest.mark.parametrize("name", ["add", "Add", "com.microsoft.QLinearAdd", "ADD"])
def test_shortcuts_of_networks_from_files(name):
    """Where sums have the names that their files give them; a block's last layer is no shortcut."""
    add = Add() if name == "add" else HostNode(name, (8, 4, 4), 0, ((8, 4, 4), (8, 4, 4)))
    layers = (
        Layer("stem", Conv2d(8, (3, 3), padding=1), (INPUT,)),
        Layer("first", Conv2d(8, (3, 3), (2, 2), 1), ("stem",), activation="relu"),
        Layer("last", Pointwise(8), ("first",)),
        Layer("shortcut", Pointwise(8, (2, 2)), ("stem",)),
        Layer("sum", add, ("last", "shortcut")),
    )
    network = apply(Network("n", (3, 8, 8), layers), "odconv")
    kept = [layer.name for layer in layers if network.layer(layer.name) == layer]
    assert kept == ["stem", "shortcut", "sum"]


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_every_level_and_a_batch(dataflow):
    """Every image has attentions, and a kernel, of its own."""
    stem = Layer("stem", Conv2d(8, (3, 3), padding=1), (INPUT,), norm=True, activation="relu")
    layers = (
        stem,
        Layer("conv", Conv2d(8, (3, 3), (2, 2), 1), ("stem",), norm=True, activation="relu"),
        Layer("dw", Depthwise((3, 3)), ("conv",), norm=True),
        Layer("pw", Pointwise(6), ("dw",), bias=True),
    )
    network = apply(Network("n", (3, 9, 8), layers), "odconv:n=3")
    design = ax.Hardware(ax.SystolicArray(5, 4), depthwise=ax.DepthwiseEngine(2, 4))
    for batch in (1, 3):
        schedule, golden_, cycle = (
            ax.simulate(network, design, dataflow, f, batch=batch)
            for f in ("schedule", "golden", "cycle")
        )
        assert cycle.values_equal
        assert cycle.total_cycles == schedule.total_cycles
        assert np.array_equal(cycle.output, golden_.output)


TOML = """
name = "n"
input = [8, 9, 9]
[[layer]]
name = "it"
op = "odconv"
out_channels = 6
kernel = [3, 3]
padding = 1
norm = true
n = 2
r = 0.25
"""


def test_in_a_file(tmp_path):
    path = tmp_path / "n.toml"
    path.write_text(TOML)
    assert load(path).layers == OdConv(6, (3, 3), padding=1, norm=True, n=2, r=0.25).expand(
        "it", (INPUT,), (8, 9, 9)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OdConv(4, (3, 3), form="x"), "form must be one of inference, train, not 'x'"),
        (lambda: OdConv(4, (3, 3), n=0), "n must be a whole number from 1 to 4096, not 0"),
        (lambda: OdConv(4, (3, 3), r=0), "r must be a number above 0 and at most 1, not 0"),
        (lambda: OdConv(4, (3, 3), r=2.0), "r must be a number above 0 and at most 1, not 2.0"),
        (lambda: OdConv(4, (3, 3), least=1.5), "least must be a whole number .*, not 1.5"),
        (lambda: OdConv(4, (3, 3), groups=3).network((4, 9, 9)), "groups must divide the 4 input"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("odconv:n=0", "key n of variant odconv must be a whole number from 1 to 4096, not 0"),
        ("odconv:r=3/2", "key r of variant odconv must be a number above 0 and at most 1, not 3/2"),
        ("odconv:r=1/0", "key r of variant odconv must be a number above 0 and at most 1, not 1/0"),
        # which takes minutes as a fraction, and is too large for a float
        ("odconv:r=1e99999999", "key r of variant odconv must be a number above 0 .* not 1e999.*"),
        ("odconv:m=2", "variant odconv takes only the keys n, r, least, not 'm'"),
    ],
)
def test_mistakes_in_a_variant(variant, message):
    with pytest.raises(NetworkError, match=message):
        networks.get("resnet18", variant)
