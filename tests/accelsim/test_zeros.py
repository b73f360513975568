"""Zeros of known weights are left out: the same values, in fewer clocks."""

from dataclasses import replace
from math import prod

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import accelsim as ax
from accelsim.arrays import read_npz
from accelsim.errors import FileError, NetworkError
from accelsim.find import find_network
from accelsim.graph.evaluate import evaluate
from accelsim.ops.masks import Mask
from accelsim.quantised import with_values
from accelsim.zeros import skipping_zeros
from rtl.flow.cosim import level
from tests.accelsim.importers.onnx.graphs import by_onnxruntime, imported, model, node
from tests.accelsim.ops.test_ops import ints
from tests.models.tflite_reference import FOLDER, ours, samples

DESIGN = ax.Hardware(ax.SystolicArray(8, 4), depthwise=ax.DepthwiseEngine(4, 4))
TOML = """
name = "pruned"
input = [4, 9, 9]
weights = "pruned.npz"
[[layer]]
name = "conv"
op = "conv2d"
out_channels = 16
kernel = [3, 3]
padding = 1
bias = true
activation = "relu"
[[layer]]
name = "dw"
op = "depthwise"
kernel = [3, 3]
[[layer]]
name = "point"
op = "pointwise"
out_channels = 8
groups = 2
[[layer]]
name = "full"
op = "pointwise"
out_channels = 4
[[layer]]
name = "fc"
op = "linear"
out_features = 6
flatten = true
"""
SHAPES = {
    "conv": (16, 4, 3, 3),
    "dw": (16, 1, 3, 3),
    "point": (8, 8, 1, 1),
    "full": (4, 8, 1, 1),
    "fc": (6, 4 * 81),
}


def pruned(seed, shape, density=0.3):
    """No value is 0 but those of blocks of four output channels."""
    values = ints(seed, *shape)
    values[values == 0] = 1
    rng = np.random.default_rng(seed)
    live = rng.random((-(-shape[0] // 4), *shape[1:])) < density
    live.flat[0] = True
    return values * live.repeat(4, axis=0)[: shape[0]]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pruned.toml"
    path.write_text(TOML)
    arrays = {name: pruned(seed, shape) for seed, (name, shape) in enumerate(SHAPES.items())}
    arrays["full"] = ints(9, *SHAPES["full"])
    arrays["full"][1, 2] = 0  # a zero that stands alone
    np.savez(tmp_path / "pruned.npz", **arrays, **{"conv.bias": np.arange(16, dtype=np.int32)})
    return path


def tensors(network):
    valued = with_values(network)
    return evaluate(valued.graph, valued.seeded(0, 0))


def test_values_stay_and_clocks_go(file):
    dense = ax.load(file)
    network = skipping_zeros(dense)
    assert network.variant == "skip_zeros"
    for name, values in tensors(dense).items():
        assert np.array_equal(tensors(network)[name], values)
    with np.load(file.with_suffix(".npz")) as arrays:
        for layer in network.layers:
            count = np.count_nonzero(arrays[layer.name])
            whole = layer.name == "full"
            assert (layer.op.mask is None) == whole
            expected = 32 if whole else count
            assert network.params(layer) == expected + 16 * (layer.name == "conv")
    before, after = (ax.simulate(each, DESIGN, fidelity="cycle") for each in (dense, network))
    assert after.values_equal
    assert after.total_cycles < 0.6 * before.total_cycles
    assert after.total_cycles == ax.simulate(network, DESIGN).total_cycles


@pytest.mark.parametrize("name", ["conv", "dw", "point", "fc"])
def test_the_rtl_agrees(file, name):
    found = ax.cosim(skipping_zeros(ax.load(file)), name, DESIGN, level(DESIGN))
    assert found.values_equal
    assert found.cycles_equal


def test_a_kernel_without_any_weight_keeps_one_tap(tmp_path):
    path = tmp_path / "pruned.toml"
    path.write_text(TOML.partition('[[layer]]\nname = "dw"')[0])
    np.savez(
        tmp_path / "pruned.npz",
        conv=np.zeros(SHAPES["conv"], np.int8),
        **{"conv.bias": np.arange(16, dtype=np.int32)},
    )
    network = skipping_zeros(ax.load(path))
    assert network.macs(network.layers[0]) == 81
    for name, values in tensors(ax.load(path)).items():
        assert np.array_equal(tensors(network)[name], values)


def test_a_file_may_have_the_zeros_of_a_mask_or_not(file, tmp_path):
    network = skipping_zeros(ax.load(file))
    with np.load(file.with_suffix(".npz")) as arrays:
        kept = {name: arrays[name] for name in arrays}
    for layer in network.layers:
        if layer.op.mask:
            kept[layer.name] = kept[layer.name][kept[layer.name] != 0]
    np.savez(tmp_path / "packed.npz", **kept)
    packed = replace(network, weights_file=str(tmp_path / "packed.npz"))
    for name, values in tensors(network).items():
        assert np.array_equal(tensors(packed)[name], values)


def test_a_weight_where_a_mask_has_no_tap_is_refused(file):
    network = skipping_zeros(ax.load(file))
    with np.load(file.with_suffix(".npz")) as arrays:
        changed = {name: arrays[name] for name in arrays}
    dead = np.argwhere(changed["conv"] == 0)[0]
    changed["conv"][*dead] = 5
    np.savez(file.with_suffix(".npz"), **changed)
    with pytest.raises(FileError, match="array conv must be 0 where its layer's mask has no tap"):
        with_values(network)


def test_independent_layers(file, tmp_path):
    text = 'name = "apart"\nindependent = true\nweights = "apart.npz"\n[[layer]]\nname = "it"\n'
    text += 'op = "conv2d"\ninput = [4, 9, 9]\nout_channels = 8\nkernel = [3, 3]\n'
    path = tmp_path / "apart.toml"
    path.write_text(text)
    kernel = pruned(3, (8, 4, 3, 3))
    np.savez(tmp_path / "apart.npz", it=kernel)
    network = skipping_zeros(ax.load(path))
    result = ax.simulate(network, DESIGN, fidelity="cycle")
    assert result.values_equal
    assert result.total_macs == np.count_nonzero(kernel) * 49


def test_drawn_weights_are_not_known():
    with pytest.raises(NetworkError, match="skip-zeros needs known weights, and those of resnet18"):
        find_network("resnet18", skip_zeros=True)


def test_reals_of_an_onnx_file_beside_onnxruntime(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"a": (8, 4, 3, 3), "b": (8, 8, 1, 1), "c": (8, 1, 3, 3)}
    kernels = {
        name: pruned(seed, shape).astype(np.float32) / 64
        for seed, (name, shape) in enumerate(shapes.items())
    }
    kernels |= {"bias": rng.normal(size=8).astype(np.float32)}
    nodes = [
        node("Conv", "x a bias", "p", pads=[1, 1, 1, 1]),
        node("Conv", "p b", "q"),
        node("Conv", "q c", "y", group=8),
    ]
    made = model(nodes, {"x": (1, 4, 7, 6)}, ["y"], kernels)
    network = skipping_zeros(imported(tmp_path, made))
    assert network.total_params == sum(map(np.count_nonzero, kernels.values()))
    x = rng.normal(size=(1, 4, 7, 6)).astype(np.float32)
    found = evaluate(network.graph, {"x": x})["y"]
    np.testing.assert_allclose(found, by_onnxruntime(made, {"x": x})["y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("points", ["one", "none", "each"])
@pytest.mark.parametrize("groups", [1, 2])
def test_zeros_of_integers_are_their_zero_points(points, groups, tmp_path):
    """QLinearConv beside onnxruntime; weights that are 0 and not their zero point stay."""
    shape = 8, 4 // groups, 3, 3
    rng = np.random.default_rng(1)
    zero = {
        "one": np.uint8(7),
        "none": np.uint8(0),
        "each": rng.integers(0, 9, 8).astype(np.uint8),
    }[points]
    live = rng.random((2, *shape[1:])).repeat(4, axis=0) < 0.3
    weights = rng.integers(0, 200, shape).astype(np.uint8)
    w = np.where(live, weights, np.reshape(zero, (-1, 1, 1, 1) if zero.shape else ()))
    w = w.astype(np.uint8)
    scale = np.full(zero.shape, 0.02, np.float32)
    constants = {
        "xs": np.float32(0.03),
        "xz": np.uint8(11),
        "w": w,
        "ws": scale,
        "wz": zero,
        "ys": np.float32(0.6),
        "yz": np.uint8(120),
    }
    made = model(
        [node("QLinearConv", "x xs xz w ws wz ys yz", "y", group=groups, pads=[1, 1, 1, 1])],
        {"x": (1, 4, 7, 6)},
        ["y"],
        constants,
        dtype=onnx.TensorProto.UINT8,
    )
    made.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, (1, 8, 7, 6))
    )
    assert numpy_helper.to_array(made.graph.initializer[2]).shape == shape
    dense = imported(tmp_path, made)
    network = skipping_zeros(dense)
    x = rng.integers(0, 256, (1, 4, 7, 6)).astype(np.uint8)
    found = evaluate(network.graph, {"x": x})["y"]
    assert np.array_equal(found, by_onnxruntime(made, {"x": x})["y"])
    points_of = np.broadcast_to(np.reshape(zero, (-1, 1, 1, 1) if zero.shape else ()), shape)
    assert network.total_macs == np.count_nonzero(w != points_of) * prod((7, 6))
    result = ax.simulate(network, DESIGN, fidelity="cycle")
    assert result.values_equal
    assert result.total_cycles < ax.simulate(dense, DESIGN).total_cycles


def test_masks_come_from_kernels_channel_by_channel(file):
    network = skipping_zeros(ax.load(file))
    with np.load(file.with_suffix(".npz")) as arrays:
        assert network.layers[0].op.mask == Mask.of(arrays["conv"] != 0)


def test_a_model_of_mlperf_tiny():
    """Visual wake words, many of whose filters have died in training, beside TFLite's outputs."""
    path = FOLDER / "mlperf_vww96_int8.tflite"
    dense = ax.load(path)
    network = skipping_zeros(dense)
    feeds = samples(FOLDER.parent, dense)[0]
    made, expected = ours(network, feeds), read_npz(path.with_suffix(".npz"), "tensor")
    for place, name in enumerate(network.graph.outputs):
        assert np.array_equal(made[name], expected[f"ref_0_{place}"])
    assert network.caveats == dense.caveats
    hardware = ax.Hardware(ax.SystolicArray(16, 16))
    before, after = (ax.simulate(each, hardware) for each in (dense, network))
    assert after.total_macs < 0.53 * before.total_macs
    assert after.total_cycles < 0.7 * before.total_cycles
    for one, other in zip(before.layers, after.layers, strict=True):
        assert other.cycles <= one.cycles
