"""GMConv: its mask, its fold, sigmas of every image, and what can be left out."""

from dataclasses import replace
from itertools import product
from math import exp, prod

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError, ShapeError
from accelsim.graph.build import Real, build
from accelsim.graph.evaluate import evaluate
from accelsim.graph.types import Function
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Conv2d, Depthwise, Pointwise
from accelsim.ops.papers.base import Trained, golden
from accelsim.ops.papers.gmconv import (
    GRANULARITIES,
    SOURCES,
    GaussianMask,
    GmConv,
    gaussian,
)
from tests.accelsim.ops.papers import dynamic

SHAPE = 4, 7, 6
CASES = {
    "dense": GmConv(6, (3, 3), padding=1),
    "grouped": GmConv(6, (5, 3), (2, 1), (2, 2, 1, 1), groups=2, sigma=2.0),
    "depthwise": GmConv(4, (3, 3), padding=1, groups=4, sigma=0.7),
    "even": GmConv(3, (2, 4), sigma=1.5),
}


# Checked by hand: the corner, the middle of an edge but one, and the middle of an edge, of 5 x 5.
@pytest.mark.parametrize(
    ("sigma", "values"),
    [(1, (0.018, 0.082, 0.135)), (3, (0.641, 0.757, 0.801)), (5, (0.852, 0.905, 0.923))],
)
def test_values_of_the_mask(sigma, values):
    mask = gaussian((5, 5), np.array(sigma)).reshape(5, 5)
    assert tuple(np.round(mask[0, :3], 3)) == values
    assert mask[2, 2] == 1
    assert np.array_equal(mask, mask.T)
    assert np.array_equal(mask, mask[::-1, ::-1])


def masks(op, sigmas):
    """[a, b, fh, fw] of sigmas [a, b], by loops over the definition."""
    rows, columns = op.kernel
    out = np.zeros((*sigmas.shape, rows, columns))
    for o, c, i, j in np.ndindex(*out.shape):
        away = (i - (rows - 1) / 2) ** 2 + (j - (columns - 1) / 2) ** 2
        out[o, c, i, j] = exp(-away / (2 * sigmas[o, c] ** 2))
    return out


def count(op):
    """Sigmas of output channels and of input channels."""
    each = SHAPE[0] // op.groups
    return {"layer": (1, 1), "output": (op.out_channels, 1), "kernel": (op.out_channels, each)}[
        op.granularity
    ]


def sides(op):
    return op.padding if isinstance(op.padding, tuple) else (op.padding,) * 4


EVERY = [
    pytest.param(name, source, granularity, id=f"{name}-{source}-{granularity}")
    for name, source, granularity in product(CASES, SOURCES, GRANULARITIES)
]


@pytest.mark.parametrize(("name", "source", "granularity"), EVERY)
def test_the_layers_are_the_definition(name, source, granularity):
    """On reals but for float32; in int8 within 8 hundredths of the range.

    Rounded are map, mask and kernel, all kernels with one scale, and run-time sigmas.
    """
    op = replace(CASES[name], source=source, granularity=granularity, norm=True, form="train")
    network = op.network(SHAPE)
    weights, x, made = dynamic.on_reals(network)
    learned = np.ones(count(op))
    if source == "learned":
        learned = weights["gmconv_mask"].kernel.reshape(count(op)).astype(np.float64)
    elif source == "runtime":
        means = dynamic.dense(weights["gmconv_sigma"], x.mean(axis=(1, 2)))
        learned = dynamic.sigmoid(means).reshape(count(op))
    kernel = weights["gmconv_kernel"].kernel.reshape(op.out_channels, -1, *op.kernel)
    masked = kernel * masks(op, op.sigma * learned)
    sums = dynamic.convolve(x, masked, op.stride, sides(op), op.groups)
    expected = dynamic.affine(weights["gmconv"], sums)
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-4)
    found = dynamic.on_integers(network)
    assert np.abs(found - expected).max() < 0.08 * np.abs(expected).max()


@pytest.mark.parametrize("cut", [0.0, 0.2])
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", CASES)
def test_the_fold(name, granularity, cut):
    """Of constant and learned sigmas: the kernel times the mask, and nothing else is left."""
    for source in ("constant",) if cut else ("constant", "learned"):
        op = replace(CASES[name], source=source, granularity=granularity, cut=cut, norm=True)
        rng, train = np.random.default_rng(2), replace(op, form="train")
        sigmas = rng.uniform(0.5, 2, count(op))
        kernel = rng.normal(size=(op.out_channels, SHAPE[0] // op.groups, prod(op.kernel)))
        trained = {
            "gmconv_kernel": Trained(kernel),
            "gmconv": Trained(np.empty(0), *rng.normal(size=(2, op.out_channels))),
        }
        if source == "learned":
            trained["gmconv_mask"] = Trained(sigmas[..., None])
        else:
            sigmas = np.ones_like(sigmas)
        mask = masks(op, op.sigma * sigmas)
        mask[mask < cut] = 0
        given = {"gmconv_mask": mask.reshape(*mask.shape[:2], -1)}
        x = rng.normal(size=SHAPE).astype(np.float32)
        expanded = golden(train.network(SHAPE), trained, x, given)
        folded = golden(op.network(SHAPE), train.fold("gmconv", trained), x)
        assert np.allclose(folded, expanded, rtol=1e-4, atol=1e-4)
        weights = kernel.reshape(*kernel.shape[:2], *op.kernel) * mask
        sums = dynamic.convolve(x, weights, op.stride, sides(op), op.groups)
        assert np.allclose(folded, trained["gmconv"].apply(sums), rtol=1e-4, atol=1e-4)


def test_taps_that_are_cut_off_cost_nothing():
    """A circle of a 5 x 5: the corners, and with a smaller sigma the edges."""
    shape = (8, 9, 9)
    whole = GmConv(8, (5, 5), padding=2, source="constant").network(shape)
    for sigma, cut, taps in ((1.0, 0.05, 21), (1.0, 0.1, 13), (0.5, 0.1, 5), (9.0, 0.1, 25)):
        op = GmConv(8, (5, 5), padding=2, source="constant", sigma=sigma, cut=cut)
        network = op.network(shape)
        assert network.total_params == 8 * 8 * taps
        assert network.total_macs == 8 * 8 * taps * 81
        assert op.words(shape)["T"] == taps
        design = ax.Hardware(ax.SystolicArray(4, 4))
        found, dense = (ax.simulate(each, design, "ws") for each in (network, whole))
        assert (found.total_cycles < dense.total_cycles) == (taps < 25)
        assert ax.simulate(network, design, "ws", "cycle").values_equal


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("source", SOURCES)
def test_costs(source, granularity):
    """Parameters are those of the convolution and the sigmas; folded, of the convolution alone."""
    op = GmConv(64, (3, 3), padding=1, source=source, granularity=granularity)
    train, run = (replace(op, form=form).network((64, 56, 56)) for form in ("train", "inference"))
    sigmas = {"layer": 1, "output": 64, "kernel": 64 * 64}[granularity]
    head = (64 + 1) * sigmas if source == "runtime" else 0
    assert run.total_params == 36_864 + head
    assert train.total_params == 36_864 + head + sigmas * (source == "learned")
    assert run.total_macs == train.total_macs == 115_605_504 + head - head // 65
    assert (len(run.layers) == 1) == (source != "runtime")


def test_a_sigma_that_is_rounded_to_nothing_leaves_the_centre():
    op = GaussianMask((3, 3), (2, 1), 1.0)
    weights = np.array([[[0.0]], [[1.0]]], np.float32)
    network = Network("n", (1, 1, 1), (Layer("it", op, ()),))
    graph = build(network, {"it": Real(weights)})
    assert {node.work.name for node in graph.nodes if isinstance(node.work, Function)} >= {"Exp"}
    (made,) = evaluate(graph, {INPUT: np.zeros((1, 1, 1, 1), np.float32)}).values()
    assert made[0, 0, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert np.allclose(made[0, 1, 0], gaussian((3, 3), np.array(1.0)))


def test_a_network():
    plain = networks.get("resnet18")
    with_several = [x for x in plain.layers if isinstance(x.op, Conv2d) and x.op.kernel != (1, 1)]
    run, train = (networks.get("resnet18", "gmconv", form=form) for form in ("inference", "train"))
    assert (run.total_params, run.total_macs) == (plain.total_params, plain.total_macs)
    assert train.total_params == plain.total_params + len(with_several)
    of_images = networks.get("resnet18", "gmconv:source=runtime")
    assert of_images.total_params == plain.total_params + sum(
        plain.in_shapes(x)[0][0] + 1 for x in with_several
    )


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("variant", ["form=train", "source=runtime,granularity=output"])
def test_every_level_and_a_batch(variant, dataflow):
    layers = (
        Layer("stem", Conv2d(6, (3, 3), padding=1), (INPUT,), norm=True, activation="relu"),
        Layer("dw", Depthwise((3, 3), (2, 2)), ("stem",), norm=True),
        Layer("pw", Pointwise(4), ("dw",)),
    )
    network = apply(Network("n", (3, 7, 6), layers), f"gmconv:{variant}")
    design = ax.Hardware(ax.SystolicArray(5, 4), depthwise=ax.DepthwiseEngine(2, 4))
    for batch in (1, 2):
        schedule, reference, cycle = (
            ax.simulate(network, design, dataflow, f, batch=batch)
            for f in ("schedule", "golden", "cycle")
        )
        assert cycle.values_equal
        assert cycle.total_cycles == schedule.total_cycles
        assert np.array_equal(cycle.output, reference.output)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GmConv(4, (1, 1)), r"kernel must have several taps, not \[1, 1\]"),
        (lambda: GmConv(4, (3, 3), sigma=0), "sigma must be a finite number above 0, not 0"),
        (lambda: GmConv(4, (3, 3), source="file"), "source must be one of constant, learned, run"),
        (lambda: GmConv(4, (3, 3), granularity="tap"), "granularity must be one of layer, output"),
        (lambda: GmConv(4, (3, 3), cut=1.0), "cut must be a number from 0 to less than 1, not 1"),
        (lambda: GmConv(4, (3, 3), cut=0.1), "cut must be 0 where sigma is not constant, not 0.1"),
        (
            lambda: GmConv(4, (2, 2), source="constant", sigma=0.1, cut=0.5),
            "cut must leave a tap of the mask, not be 0.5",
        ),
        (
            lambda: GaussianMask((3, 3), (2, 1), 1.0).out_shape((3, 1, 1)),
            "inputs of gaussian_mask: it takes 2 sigmas, not 3",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


def test_mistakes_in_a_variant():
    with pytest.raises(NetworkError, match=r"source of variant gmconv must be one of .* not x"):
        networks.get("resnet18", "gmconv:source=x")
    with pytest.raises(NetworkError, match=r"cut must be 0 where sigma is not constant.* \(layer"):
        networks.get("resnet18", "gmconv:cut=0.1")
