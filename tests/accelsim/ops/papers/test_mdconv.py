"""MDConv: both of its forms beside each other, beside its equation, and what they cost."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError, ShapeError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.mdconv import MdConv
from tests.accelsim.ops.papers import dynamic
from tests.naive import operators as naive

CASES = {
    "plain": MdConv(6, (3, 3), padding=1),
    "strided": MdConv(5, (3, 2), (2, 1), (1, 0, 1, 0), hidden=7),
    "softmax": MdConv(4, (3, 3), padding=2, hidden=3, gate="softmax"),
    "one": MdConv(4, (1, 1), (2, 2), hidden=1),
}
SHAPE = 4, 7, 6


def sides(op):
    return op.padding if isinstance(op.padding, tuple) else (op.padding,) * 4


def compact(outer, gates, inner):
    """K[o, c, i, j] = sum over h of W_2[o, h, i, j] a[h] W_1[h, c]."""
    k, hidden, rows, columns = outer.shape
    kernel = np.zeros((k, inner.shape[1], rows, columns), np.result_type(outer, gates))
    for o, c, i, j in np.ndindex(*kernel.shape):
        kernel[o, c, i, j] = sum(outer[o, h, i, j] * gates[h] * inner[h, c] for h in range(hidden))
    return kernel


@pytest.mark.parametrize("name", CASES)
def test_both_forms_are_equal_on_integers(name):
    """At borders too: nothing is added between the layers, so that zeros around stay zeros."""
    op, rng = CASES[name], np.random.default_rng(4)
    op = replace(op, norm=True)
    hidden = op.hidden or SHAPE[0]
    inner, outer = (
        dynamic.integers(rng, *shape)
        for shape in ((hidden, SHAPE[0], 1, 1), (op.out_channels, hidden, *op.kernel))
    )
    scale, offset = (dynamic.integers(rng, op.out_channels) for _ in range(2))
    trained = {"mdconv_inner": Trained(inner), "mdconv": Trained(outer, scale, offset)}
    gates = {"mdconv_gates": dynamic.integers(rng, hidden, 1, 1)}
    x = rng.integers(-128, 128, SHAPE)
    train = replace(op, form="train")
    expanded = golden(train.network(SHAPE), trained, x, gates)
    folded = golden(op.network(SHAPE), train.fold("mdconv", trained), x, gates)
    kernel = compact(outer, gates["mdconv_gates"].ravel(), inner[:, :, 0, 0])
    sums = naive.conv2d(x, kernel, op.stride, sides(op))
    expected = sums * scale[:, None, None] + offset[:, None, None]
    assert np.array_equal(expanded, expected)
    assert np.array_equal(folded, expected)


@pytest.mark.parametrize("form", ["train", "inference"])
@pytest.mark.parametrize("name", CASES)
def test_the_layers_are_the_equation(name, form):
    """On reals but for float32; in int8 within a tenth of the range.

    Rounded are the features or the kernel in the middle, with one scale, and the gates.
    """
    op = replace(CASES[name], form=form, norm=True)
    network, hidden = op.network(SHAPE), op.hidden or SHAPE[0]
    weights, x, made = dynamic.on_reals(network)
    squeezed = np.maximum(dynamic.dense(weights["mdconv_squeeze"], x.mean(axis=(1, 2))), 0)
    assert squeezed.shape == (16,)
    scores = weights.get("mdconv_scores", weights["mdconv_gates"])
    gate = dynamic.softmax if op.gate == "softmax" else dynamic.sigmoid
    gates = gate(dynamic.dense(scores, squeezed))
    if form == "train":
        inner, outer = weights["mdconv_inner"].kernel, weights["mdconv"].kernel
        behind = weights["mdconv"]
    else:
        inner = weights["mdconv_rows"].kernel
        outer = weights["mdconv_kernel"].kernel.reshape(hidden, op.out_channels, *op.kernel)
        outer, behind = outer.swapaxes(0, 1), weights["mdconv"]
    inner = inner.reshape(hidden, SHAPE[0]).astype(np.float64)
    kernel = compact(outer.astype(np.float64), gates, inner)
    sums = dynamic.convolve(x, kernel, op.stride, sides(op))
    expected = dynamic.affine(behind, sums)
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-4)
    found = dynamic.on_integers(network)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_costs_and_where_compact_wins():
    """Parameters are those of both layers and the attention; the kernel is made for every image."""
    op = MdConv(64, (3, 3), padding=1)
    for side in (4, 8, 9, 56):
        shape, pixels = (64, side, side), side * side
        expanded, run = (replace(op, form=form).network(shape) for form in ("train", "inference"))
        params = 64 * 64 + 64 * 64 * 9 + 16 * (64 + 64)
        assert expanded.total_params == run.total_params == params
        attention = 16 * (64 + 64)
        assert expanded.total_macs == (64 * 64 + 64 * 64 * 9) * pixels + attention
        assert run.total_macs == 64 * 64 * 9 * pixels + 64 * 64 * 9 * 64 + attention
        # From Ci Co k^2 h / (h Ci + Co h k^2 - Co Ci k^2) pixels on: here 576.
        assert (run.total_macs < expanded.total_macs) == (pixels > 576)


def test_fewer_parameters_than_kernels_beside_each_other():
    """What the abstract says of it: n kernels of a dynamic convolution have n Co Ci k^2."""
    assert MdConv(64, (3, 3)).network((64, 9, 9)).total_params < 2 * 64 * 64 * 9


def test_what_is_replaced():
    plain, network = networks.get("resnet18"), networks.get("resnet18", "mdconv")
    kept = {
        layer.name
        for layer in plain.layers
        if network.layer(layer.name) == layer and layer.op.lower(*plain.in_shapes(layer))
    }
    downs = {layer.name for layer in plain.layers if layer.name.endswith(".down")}
    assert kept == {"stem", "fc", *downs}
    assert all(network.shape(x.name) == plain.shape(x.name) for x in plain.layers)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("form", ["train", "inference"])
def test_every_level_and_a_batch(form, dataflow):
    layers = (
        Layer("stem", Conv2d(6, (3, 3), padding=1), (INPUT,), norm=True, activation="relu"),
        Layer("conv", Conv2d(5, (3, 3), (2, 2), 1), ("stem",), norm=True, activation="relu"),
    )
    network = apply(Network("n", (3, 7, 6), layers), f"mdconv:hidden=4,form={form}")
    design = ax.Hardware(ax.SystolicArray(5, 4))
    for batch in (1, 2):
        schedule, reference, cycle = (
            ax.simulate(network, design, dataflow, f, batch=batch)
            for f in ("schedule", "golden", "cycle")
        )
        assert cycle.values_equal
        assert cycle.total_cycles == schedule.total_cycles
        assert np.array_equal(cycle.output, reference.output)
    assert prod(network.shape("conv")) == 5 * 4 * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MdConv(4, (3, 3), groups=2), "groups must be 1, not 2"),
        (lambda: MdConv(4, (3, 3), hidden=0), "hidden must be a whole number from 1 to .*, not 0"),
        (lambda: MdConv(4, (3, 3), gate="tanh"), "gate must be one of sigmoid, softmax, not 'tanh"),
        (lambda: MdConv(4, (9, 9)).network((4, 3, 3)), "kernel reach 9 is larger than the padded"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


def test_mistakes_in_a_variant():
    with pytest.raises(
        NetworkError, match=r"key hidden of variant mdconv must be a whole .* not x"
    ):
        networks.get("resnet18", "mdconv:hidden=x")
    with pytest.raises(NetworkError, match=r"mdconv replaces dense convolutions .* has none"):
        networks.get("mobilenet_v2", "mdconv")
