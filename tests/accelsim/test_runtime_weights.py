"""Convolutions whose kernels other layers make: all levels, dataflows, batches, costs, norms."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.errors import FileError, ShapeError
from accelsim.graph.build import build
from accelsim.graph.calibrate import image, measure, normals, reals
from accelsim.graph.evaluate import evaluate
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.numerics.programs import Bias
from accelsim.ops import (
    Add,
    Conv2d,
    ConvTranspose2d,
    Depthwise,
    GlobalPool,
    Linear,
    Modulate,
    Multiply,
    Pointwise,
    Scale,
    Softmax,
)
from accelsim.quantised import with_values
from accelsim.reuse import moved
from accelsim.weights import seeded_weights
from tests.accelsim.values import on_layer
from tests.naive import operators as naive

ARRAY = ax.Hardware(ax.SystolicArray(5, 4, accumulator_depth=16))
BOTH = ax.Hardware(ax.SystolicArray(4, 4), depthwise=ax.DepthwiseEngine(3, 4))

CROSS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
KINDS = {
    "grouped": Conv2d(6, (3, 2), (2, 1), 1, groups=2),
    "point": Pointwise(5),
    "each": Depthwise((3, 3), multiplier=2),
    "mixed": Depthwise(kernels=((3, 1), (1, 3), (3, 1), (5, 5)), padding="same"),
    "fc": Linear(3, flatten=True),
    "cross": Conv2d(6, (3, 3), padding=1, groups=2, mask=CROSS),
    "up": ConvTranspose2d(6, (3, 2), (2, 2), 1, groups=2),
    "one": Conv2d(1, (3, 3), padding=1),
}


def mixed(op, shape=(4, 6, 5), experts=2, **epilogue):
    """A layer with a kernel mixed of experts, by an attention over them that the image has."""
    size = prod(op.weight_shape(shape))
    layers = (
        Layer("pool", GlobalPool(), (INPUT,)),
        Layer("scores", Linear(experts), ("pool",), bias=True),
        Layer("attention", Softmax(), ("scores",)),
        Layer("kernel", Linear(size), ("attention",)),
        Layer("it", op, (INPUT, "kernel"), **epilogue),
    )
    return Network("mixed", shape, layers)


def several():
    """One network with every kind, whose kernels come from one map."""
    layers = list(mixed(Pointwise(4)).layers[:3])
    for name, op in KINDS.items():
        size = prod(op.weight_shape((4, 6, 5)))
        layers.append(Layer(f"{name}_kernel", Linear(size), ("attention",)))
        layers.append(Layer(name, op, (INPUT, f"{name}_kernel"), bias=True, norm=True))
    return Network("several", (4, 6, 5), tuple(layers))


SEVERAL = several()


@pytest.mark.parametrize(
    ("design", "dataflow", "place", "batch"),
    [
        *((ARRAY, dataflow, "auto", 3) for dataflow in ("os", "ws", "is", "rows,os", "auto")),
        (ARRAY, "ws", "auto", 1),
        (BOTH, "auto", "engine", 1),
        (BOTH, "auto", "engine", 2),
    ],
)
def test_every_level_agrees(design, dataflow, place, batch):
    schedule, golden, cycle = (
        ax.simulate(SEVERAL, design, dataflow, f, depthwise_on=place, batch=batch, seed=4)
        for f in ("schedule", "golden", "cycle")
    )
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]
    assert np.array_equal(golden.output, cycle.output)
    for image_, output in zip(range(batch), golden.output.reshape(batch, 1, 6, 5), strict=True):
        whole = with_values(SEVERAL, 4)
        (alone,) = evaluate(whole.graph, whole.seeded(4, image_)).values()
        assert np.array_equal(output, alone[0])  # each image with the kernel of its own


@pytest.mark.parametrize("name", KINDS)
def test_operands_are_values_less_zero_points(name):
    """Golden sums are those of naive loops on what integers stand for, at their own zero points."""
    op = KINDS[name]
    done = on_layer(SEVERAL, name, 4)
    x, kernel = done.inputs
    whole = with_values(SEVERAL, 4)
    zero = int(whole.graph.type(f"{name}_kernel").quantisation.zero_point)
    assert zero != 0  # or the test would not see it
    assert max(abs(int(kernel.min())), int(kernel.max())) >= 128  # beyond 8 bits
    weights = kernel.reshape(op.weight_shape(x.shape))
    assert np.array_equal(done.sums, by_loops(op, weights, x))
    assert whole.layer(name).factors.w == (-128 - zero, 127 - zero)


def by_loops(op, weights, x):
    """Sums of a convolution by naive loops, with zeros around where the operator has them."""
    match op:
        case Conv2d(mask=None):
            return naive.conv2d(x, weights, op.stride, (op.padding,) * 4, groups=op.groups)
        case Conv2d():
            dense = np.zeros((op.out_channels, len(x) // op.groups, 3, 3), weights.dtype)
            dense[..., np.array(CROSS) == 1] = weights.reshape(*dense.shape[:2], -1)
            return naive.conv2d(x, dense, op.stride, (op.padding,) * 4, groups=op.groups)
        case ConvTranspose2d():
            sides = (op.padding,) * 4
            return naive.conv_transpose2d(x, weights, op.stride, sides, groups=op.groups)
        case Pointwise():
            return naive.conv2d(x, weights, op.stride, groups=op.groups)
        case Linear():
            return naive.matmul(weights, x.reshape(-1, 1))[:, :, None]
    shapes = op.kernels or (op.kernel,) * len(x)
    rest, kernels = weights.ravel(), []
    for fh, fw in (shape for shape in shapes for _ in range(op.multiplier)):
        kernels.append(rest[: fh * fw].reshape(fh, fw))
        rest = rest[fh * fw :]
    around = [(h // 2, h // 2, w // 2, w // 2) for h, w in (each.shape for each in kernels)]
    return naive.depthwise(np.repeat(x, op.multiplier, axis=0), kernels, op.stride, around)


@st.composite
def layers(draw):
    """A convolution of any kind, and a map that it fits."""
    size, groups = st.integers(1, 3), draw(st.integers(1, 3))
    c, k = groups * draw(size), groups * draw(size)
    kernel, stride = (draw(st.tuples(size, size)) for _ in range(2))
    shape = c, *draw(st.tuples(st.integers(3, 7), st.integers(3, 7)))
    return draw(
        st.sampled_from(
            [
                Conv2d(k, kernel, stride, draw(st.integers(0, 2)), groups=groups),
                Pointwise(k, stride, groups),
                Linear(k, flatten=True),
                Depthwise((3, 1), stride, multiplier=draw(size)),
                Depthwise(kernels=((3, 3), (1, 3), (1, 1))[:1] * (c - 1) + ((5, 3),)),
            ]
        )
    ), shape


@settings(max_examples=40, deadline=None)
@given(layers(), st.sampled_from(["os", "ws", "is", "auto"]), st.integers(1, 3))
def test_random_layers(layer, dataflow, batch):
    op, shape = layer
    net = mixed(op, shape)
    cycle = ax.simulate(net, ARRAY, dataflow, "cycle", layers="it", batch=batch)
    schedule = ax.simulate(net, ARRAY, dataflow, layers="it", batch=batch)
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]
    if isinstance(op, Conv2d | Pointwise | Linear):
        done = on_layer(net, "it")
        weights = done.inputs[1].reshape(op.weight_shape(shape))
        assert np.array_equal(done.sums, by_loops(op, weights, done.inputs[0]))


@pytest.mark.parametrize("name", KINDS)
def test_a_kernel_that_is_a_map_costs_what_weights_do_but_is_no_parameter(name):
    """For one image the passes are those of constant weights; the kernel is read as a map."""
    op = KINDS[name]
    net = mixed(op)
    still = Network("still", net.input, (Layer("it", op, (INPUT,)),))
    size = prod(op.weight_shape(net.input))
    assert net.params(net.layer("it")) == 0
    assert still.total_params == size
    assert net.macs(net.layer("it")) == still.total_macs
    (found,), (expected,) = (ax.simulate(n, ARRAY, layers="it").layers for n in (net, still))
    assert (found.cycles, found.utilization) == (expected.cycles, expected.utilization)
    assert found.accesses == expected.accesses
    # Where nothing stays on chip: the map and the kernel of every image, while weights come once.
    assert moved(net, 1, 1)[-1].read == prod(net.input) + size
    most = 1 << 20
    assert moved(still, 1, most, batch=3)[-1].read == 3 * prod(net.input) + size
    assert moved(net, 1, most, batch=3)[-1].read == 3 * (prod(net.input) + size)


def test_a_norm_behind_it_is_in_the_factors_of_its_sums():
    """On the images of calibration, results have the betas for means, the gammas for deviations."""
    net = mixed(Conv2d(6, (3, 3), padding=1), bias=True, norm=True)
    seed = 3
    norms = measure(net, seed).norms
    graph = build(net, reals(net, seed, norms))
    seen = [evaluate(graph, {INPUT: image(net.input, seed, n)})["it"] for n in (0, 1)]
    gamma, beta = normals(seed, "it.norm", (2, 6)) * 0.1
    together = np.concatenate(seen)
    np.testing.assert_allclose(together.mean(axis=(0, 2, 3)), beta, atol=2e-3)
    np.testing.assert_allclose(together.std(axis=(0, 2, 3)), 1 + gamma, rtol=2e-2)
    # The integers stand for these reals; an error is mostly that of 8 bits of map and kernel.
    whole = with_values(net, seed)
    kind = whole.graph.type("it").quantisation
    (made,) = evaluate(whole.graph, whole.seeded(seed, 0)).values()
    found = (made.astype(np.float64) - kind.zero_point) * kind.scale
    assert np.abs(found - seen[0]).max() < 0.1 < seen[0].std()
    assert net.params(net.layer("it")) == 3 * 6


@pytest.mark.parametrize("op", [Scale(), Add(), Modulate((4, 6, 5))], ids=lambda op: op.name)
def test_a_norm_behind_what_the_host_computes(op):
    layers_ = [
        Layer("conv", Pointwise(4), (INPUT,)),
        Layer("gates", GlobalPool(), ("conv",), activation="sigmoid"),
    ]
    sources = {"scale": ("conv", "gates"), "add": ("conv", INPUT), "modulate": ("conv",)}[op.name]
    net = Network("n", (4, 6, 5), (*layers_, Layer("it", op, sources, bias=True, norm=True)))
    graph = build(net, reals(net, 3, measure(net, 3).norms))
    seen = [evaluate(graph, {INPUT: image(net.input, 3, n)})["it"] for n in (0, 1)]
    gamma, beta = normals(3, "it.norm", (2, 4)) * 0.1
    together = np.concatenate(seen)
    np.testing.assert_allclose(together.mean(axis=(0, 2, 3)), beta, atol=2e-3)
    np.testing.assert_allclose(together.std(axis=(0, 2, 3)), 1 + gamma, rtol=2e-2)
    whole = with_values(net, 3)
    kind = whole.graph.type("it").quantisation
    (made,) = evaluate(whole.graph, whole.seeded(3, 0)).values()
    found = (made.astype(np.float64) - kind.zero_point) * kind.scale
    assert np.abs(found - seen[0]).max() < 0.15 < seen[0].std()


def test_what_cannot_be_folded_is_refused():
    for epilogue in ("prenorm", "layer_scale"):
        with pytest.raises(ShapeError, match=rf"{epilogue} folds into .* none .* \(layer it\)$"):
            mixed(Pointwise(3), **{epilogue: True})
    net = mixed(Pointwise(3))
    wrong = replace(net.layers[-2], op=Linear(13))
    with pytest.raises(ShapeError, match=r"second is the kernel of 12 values, .* \(layer it\)$"):
        Network("n", net.input, (*net.layers[:-2], wrong, net.layers[-1]))


TOML = """
name = "dynamic"
input = [3, 9, 8]
[[layer]]
name = "stem"
op = "conv2d"
out_channels = 8
kernel = [3, 3]
padding = 1
activation = "relu"
[[layer]]
name = "pool"
op = "global_pool"
[[layer]]
name = "scores"
op = "linear"
out_features = 3
[[layer]]
name = "attention"
op = "softmax"
[[layer]]
name = "experts"
op = "linear"
out_features = 288
[[layer]]
name = "conv"
op = "conv2d"
out_channels = 8
kernel = [3, 3]
groups = 2
padding = 1
norm = true
activation = "relu"
inputs = ["stem", "experts"]
"""


def test_a_file_with_such_a_layer(tmp_path):
    path = tmp_path / "dynamic.toml"
    path.write_text(TOML)
    net = load(path)
    assert net.total_params == 3 * 8 * 9 + 8 * 3 + 3 * 288 + 2 * 8
    golden, cycle = (ax.simulate(net, BOTH, fidelity=f, batch=2) for f in ("golden", "cycle"))
    assert cycle.values_equal
    assert np.array_equal(golden.output, cycle.output)
    assert golden.output.std() > 0
    path.write_text(TOML.replace("288", "287"))
    reason = r":\d+: inputs of conv2d: the second is the kernel of 288 values, .* \(layer conv\)$"
    with pytest.raises(FileError, match=reason):
        load(path)


def test_weights_of_a_file(tmp_path):
    """Norms of a file are folded in what makes the kernel, and in biases."""
    net = mixed(Conv2d(4, (3, 3), padding=1), norm=True)
    drawn = seeded_weights(net)
    biases = {f"{name}.bias": each for name, each in drawn.biases.items()}
    assert {*drawn.kernels} == {"scores", "kernel"}
    np.savez(tmp_path / "weights.npz", **drawn.kernels, **biases)
    from_file = replace(net, weights_file=str(tmp_path / "weights.npz"))
    cycle = ax.simulate(from_file, ARRAY, fidelity="cycle")
    assert cycle.values_equal
    (node,) = (each for each in with_values(from_file).graph.nodes if each.name == "it")
    kinds = [with_values(from_file).graph.type(name).quantisation for name in node.inputs[:2]]
    (bias,) = (step for step in node.program if isinstance(step, Bias))
    units = float(kinds[0].scale) * float(kinds[1].scale)
    assert np.abs(bias.values * units - drawn.biases["it"] * 2.0**-14).max() <= units


@pytest.mark.parametrize("shapes", [(1, 4, 5), (3, 1, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("first", [False, True])
def test_products_of_maps_of_unequal_shapes(shapes, first):
    """Reals and the program of integers broadcast alike; the smaller map may come first."""
    small = Conv2d(shapes[0], (6 - shapes[1], 7 - shapes[2]))
    layers_ = (
        Layer("large", Conv2d(3, (2, 2), (1, 1)), (INPUT,)),
        Layer("small", small, (INPUT,)),
        Layer("it", Multiply(), ("small", "large") if first else ("large", "small")),
    )
    net = Network("n", (2, 5, 6), layers_)
    assert net.shape("small") == shapes
    assert net.shape("it") == (3, 4, 5)
    whole = with_values(net, 1)
    (node,) = (node for node in whole.graph.nodes if node.name == "it")
    assert node.program  # of integers, not of reals between two conversions
    result = ax.simulate(net, ARRAY, fidelity="golden", seed=1, keep=True)
    kinds = {name: whole.graph.type(name).quantisation for name in ("large", "small", "it")}
    x, y, made = (
        (result.values.tensors[name].astype(float) - int(kind.zero_point)) * float(kind.scale)
        for name, kind in kinds.items()
    )
    assert np.abs(x * y - made).max() <= 0.5001 * float(kinds["it"].scale) + 1e-9
