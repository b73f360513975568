"""Sums of products in every form, against onnxruntime; their costs against their shapes."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.errors import NetworkError, UnsupportedError
from accelsim.importers import load
from tests.accelsim.importers.onnx.graphs import check, imported, model, node, reals

CONVOLUTIONS = {
    "1-d": ((1, 4, 9), (6, 4, 3), "conv2d", {"strides": [2], "pads": [1, 0]}),
    "1-d dilated": ((1, 4, 20), (6, 4, 3), "conv2d", {"dilations": [8]}),
    "1-d depthwise": ((1, 4, 9), (8, 1, 3), "depthwise", {"group": 4}),
    "pointwise": ((1, 4, 5, 6), (6, 4, 1, 1), "pointwise", {"strides": [2, 1]}),
    "pointwise, padded": ((1, 4, 5, 6), (6, 4, 1, 1), "conv2d", {"pads": [1, 0, 0, 1]}),
    "grouped": ((1, 4, 5, 6), (6, 2, 3, 3), "conv2d", {"group": 2}),
    "depthwise": ((1, 4, 5, 6), (4, 1, 3, 3), "depthwise", {"group": 4, "strides": [1, 2]}),
    "depthwise, multiplied": ((1, 4, 5, 6), (8, 1, 3, 3), "depthwise", {"group": 4}),
    "one channel": ((1, 1, 5, 6), (3, 1, 3, 3), "conv2d", {}),
    "dilated": ((1, 4, 9, 8), (6, 4, 3, 2), "conv2d", {"dilations": [2, 3]}),
    "lopsided": ((1, 4, 9, 8), (6, 4, 3, 2), "conv2d", {"pads": [0, 1, 2, 0]}),
    "same, upper": (
        *((1, 4, 7, 8), (6, 4, 3, 2), "conv2d"),
        {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
    ),
    "same, lower": (
        *((1, 4, 7, 8), (6, 4, 3, 2), "conv2d"),
        {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
    ),
    "valid": ((1, 4, 7, 8), (6, 4, 3, 2), "conv2d", {"auto_pad": "VALID"}),
    "several images": ((3, 4, 7, 8), (6, 4, 3, 2), "conv2d", {}),
}


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case: str, with_bias: bool, tmp_path: Path) -> None:
    x, w, kind, attributes = CONVOLUTIONS[case]
    constants = {"w": reals(*w), "b": reals(w[0])}
    nodes = [node("Conv", "x w b" if with_bias else "x w", "y", **attributes)]
    network = check(tmp_path, model(nodes, {"x": x}, ["y"], constants), {"x": reals(*x)})
    (layer,) = network.layers
    assert layer.op.name == kind
    assert network.total_params == prod(w) + with_bias * w[0]
    assert network.total_macs == prod(network.shape(layer.name)[1:]) * prod(w)
    assert network.batch == x[0]


@pytest.mark.parametrize(
    "case", ["1-d", "pointwise", "grouped", "depthwise", "depthwise, multiplied", "lopsided"]
)
def test_weights_that_other_nodes_compute(case: str, tmp_path: Path) -> None:
    """Mixed of two kernels, as dynamic convolutions do."""
    x, w, kind, attributes = CONVOLUTIONS[case]
    constants = {"experts": reals(2, *w), "b": reals(w[0])}
    nodes = [
        node("Slice", "x zero one last", "two"),
        node("ReduceMean", "two", "means", axes=list(range(2, len(x))), keepdims=0),
        node("Softmax", "means", "attention"),
        node("Reshape", "experts flat", "rows"),
        node("MatMul", "attention rows", "mixed"),
        node("Reshape", "mixed shape", "w"),
        node("Conv", "x w b", "y", **attributes),
    ]
    constants |= {"zero": np.array([0]), "one": np.array([2]), "last": np.array([1])}
    constants |= {"flat": np.array([2, -1]), "shape": np.array(w)}
    network = check(tmp_path, model(nodes, {"x": x}, ["y"], constants), {"x": reals(*x)})
    layer = network.layers[-1]
    assert layer.op.name == kind
    assert len(layer.inputs) == 2
    assert network.params(layer) == w[0]
    assert network.macs(layer) == prod(network.shape(layer.name)[1:]) * prod(w)


def test_computed_weights_of_several_images_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", "v", "w"), node("Conv", "x w", "y")]
    made = model(nodes, {"x": (2, 3, 5, 5), "v": (4, 3, 3, 3)}, ["y"])
    with pytest.raises(UnsupportedError, match="its weights are computed, for a batch of 2"):
        imported(tmp_path, made)


TRANSPOSED = {
    "plain": ((1, 4, 3, 4), (4, 6, 3, 3), {}),
    "1-d": ((1, 4, 5), (4, 6, 3), {"strides": [2]}),
    "strided": ((1, 4, 3, 4), (4, 6, 3, 2), {"strides": [2, 3], "pads": [1, 0, 0, 1]}),
    "grouped": ((1, 4, 3, 4), (4, 3, 3, 3), {"group": 2, "strides": [2, 2]}),
    "dilated": ((1, 4, 3, 4), (4, 6, 3, 2), {"dilations": [2, 3]}),
    "with more outputs": (
        *((1, 4, 3, 4), (4, 6, 3, 3)),
        {"strides": [3, 2], "output_padding": [2, 1]},
    ),
    "of a size": ((1, 4, 3, 4), (4, 6, 3, 3), {"strides": [3, 2], "output_shape": [8, 9]}),
    "of a larger size": ((1, 4, 3, 4), (4, 6, 3, 3), {"strides": [3, 2], "output_shape": [10, 9]}),
    "same, upper": ((1, 4, 3, 4), (4, 6, 4, 3), {"strides": [3, 2], "auto_pad": "SAME_UPPER"}),
    "same, lower": ((1, 4, 3, 4), (4, 6, 4, 3), {"strides": [3, 2], "auto_pad": "SAME_LOWER"}),
}


@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_convolutions(case: str, tmp_path: Path) -> None:
    x, w, attributes = TRANSPOSED[case]
    made = model(
        [node("ConvTranspose", "x w b", "y", **attributes)],
        {"x": x},
        ["y"],
        {"w": reals(*w), "b": reals(6)},
    )
    network = check(tmp_path, made, {"x": reals(*x)})
    assert [layer.op.name for layer in network.layers] == ["conv_transpose2d"]
    assert network.total_macs == prod(x[2:]) * prod(w)


CONSTANT_RIGHT = [
    ((1, 4), (4, 6), "linear"),
    ((1, 5, 4), (4, 6), "pointwise"),
    ((1, 2, 3, 4), (4, 6), "pointwise"),
    ((5, 4), (4, 6), "linear"),  # five images
    ((2, 5, 4), (4, 6), "pointwise"),
    ((1, 4), (4,), "linear"),
    ((1, 5, 4), (1, 4, 6), "pointwise"),
    ((1, 2, 5, 4), (2, 4, 6), "pointwise"),
    ((1, 2, 5, 4), (1, 2, 4, 6), "pointwise"),
    ((1, 3, 2, 5, 4), (2, 4, 6), "pointwise"),  # repeated over the three
    ((1, 1, 5, 4), (2, 4, 6), "pointwise"),
    ((2, 3, 5, 4), (3, 4, 6), "pointwise"),
]


@pytest.mark.parametrize(("x", "w", "kind"), CONSTANT_RIGHT)
def test_products_with_constants(
    x: tuple[int, ...], w: tuple[int, ...], kind: str, tmp_path: Path
) -> None:
    made = model([node("MatMul", "x w", "y")], {"x": x}, ["y"], {"w": reals(*w)})
    network = check(tmp_path, made, {"x": reals(*x)})
    (layer,) = [each for each in network.layers if network.macs(each)]
    assert layer.op.name == kind
    rows = prod((reals(*x) @ reals(*w)).shape) // (w[-1] if len(w) > 1 else 1)
    columns = w[-1] if len(w) > 1 else 1
    assert network.total_macs * network.batch == rows * columns * x[-1]


@pytest.mark.parametrize(
    ("w", "x"),
    [
        ((6, 4), (1, 4, 5)),
        ((6, 4), (1, 3, 4, 5)),
        ((4,), (1, 4, 5)),
        ((2, 6, 4), (1, 2, 4, 5)),
        ((3, 6, 4), (1, 1, 4, 5)),
        ((6, 4), (2, 4, 5)),
    ],
)
def test_products_with_constants_on_the_left(
    w: tuple[int, ...], x: tuple[int, ...], tmp_path: Path
) -> None:
    made = model([node("MatMul", "w x", "y")], {"x": x}, ["y"], {"w": reals(*w)})
    network = check(tmp_path, made, {"x": reals(*x)})
    outputs = prod((reals(*w) @ reals(*x)).shape)
    assert network.total_macs * network.batch == outputs * x[-2]


@pytest.mark.parametrize(
    ("a", "b", "heads"),
    [
        ((1, 5, 4), (1, 4, 6), 1),
        ((1, 2, 5, 4), (1, 2, 4, 6), 2),
        ((1, 2, 3, 5, 4), (1, 2, 3, 4, 6), 6),
        ((5, 4), (4, 6), 1),
        ((1, 2, 5, 4), (4, 6), 1),
        ((1, 2, 5, 4), (1, 1, 4, 6), 1),
        ((1, 1, 5, 4), (1, 3, 4, 6), 3),
        ((2, 3, 5, 4), (2, 3, 4, 6), 3),  # two images
        ((4,), (4, 6), 1),
        ((1, 5, 4), (4,), 1),
        ((4,), (4,), 1),
    ],
)
def test_products_of_two_maps(
    a: tuple[int, ...], b: tuple[int, ...], heads: int, tmp_path: Path
) -> None:
    made = model([node("MatMul", "a b", "y")], {"a": a, "b": b}, ["y"])
    network = check(tmp_path, made, {"a": reals(*a), "b": reals(*b, seed=1)})
    (layer,) = [each for each in network.layers if network.macs(each)]
    assert layer.op.name == "matmul"
    assert layer.op.heads == heads
    assert network.total_params == 0
    outputs = prod((reals(*a) @ reals(*b)).shape)
    assert network.total_macs * network.batch == outputs * a[-1]


@pytest.mark.parametrize("c", ["", (6,), (1, 6), (1,), (), (5, 6), (5, 1)])
@pytest.mark.parametrize("turned", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("constant", ["b", "a", ""])
def test_gemm(constant: str, turned: tuple[int, int], c: Any, tmp_path: Path) -> None:
    a, b = (4, 5) if turned[0] else (5, 4), (6, 4) if turned[1] else (4, 6)
    values = {"a": reals(*a), "b": reals(*b, seed=1)}
    constants = {constant: values.pop(constant)} if constant else {}
    if c != "":
        constants["c"] = reals(*c, seed=2)
    attributes = {"alpha": 0.5, "beta": 2.0, "transA": turned[0], "transB": turned[1]}
    nodes = [node("Gemm", "a b" if c == "" else "a b c", "y", **attributes)]
    shapes = {name: value.shape for name, value in values.items()}
    network = check(tmp_path, model(nodes, shapes, ["y"], constants), values)
    assert network.total_macs * network.batch == 5 * 6 * 4


def test_a_computed_summand_of_gemm(tmp_path: Path) -> None:
    nodes = [node("Gemm", "a b c", "y", beta=0.5)]
    made = model(nodes, {"a": [1, 4], "c": [1, 6]}, ["y"], {"b": reals(4, 6)})
    check(tmp_path, made, {"a": reals(1, 4), "c": reals(1, 6)})


def test_layers_must_work_on_one_number_of_images(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Reshape", "a s", "b"), node("MatMul", "b v", "y")]
    constants = {"w": reals(6, 3, 3, 3), "s": np.array([1, 12, 9]), "v": reals(9, 4)}
    with pytest.raises(NetworkError, match=r"a batch of 2 and node y on one of 1; all must"):
        imported(tmp_path, model(nodes, {"x": [2, 3, 5, 5]}, ["y"], constants))


@pytest.mark.parametrize("opset", [7, 12, 13])
@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_softmax_of_old_operator_sets(axis: int, opset: int, tmp_path: Path) -> None:
    made = model([node("Softmax", "x", "y", axis=axis)], {"x": [1, 3, 4, 5]}, ["y"], opset=opset)
    check(tmp_path, made, {"x": reals(1, 3, 4, 5)})


OLD = {
    "Clip": (10, "x", {"min": -0.5, "max": 0.5}),
    "Clip from below": (10, "x", {"min": -0.5}),
    "Pad": (10, "x", {"pads": [0, 0, 1, 2, 0, 1, 0, 3], "value": 2.5}),
    "Slice": (9, "x", {"starts": [1, 0], "ends": [3, -1], "axes": [2, 3]}),
    "Unsqueeze": (12, "x", {"axes": [0, 3]}),
    "Squeeze": (12, "x", {"axes": [0]}),
    "ReduceMean": (17, "x", {"axes": [1, 3], "keepdims": 0}),
    "ReduceSum": (12, "x", {"axes": [-1]}),
    "Upsample": (7, "x", {"scales": [1.0, 1.0, 2.0, 3.0]}),
    "Upsample, linear": (7, "x", {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "linear"}),
    "BatchNormalization": (8, "x p q r s", {"epsilon": 1e-3}),
    "Dropout": (11, "x", {"ratio": 0.3}),
}


@pytest.mark.parametrize("case", OLD)
def test_old_operators(case: str, tmp_path: Path) -> None:
    opset, inputs, attributes = OLD[case]
    constants = {name: np.square(reals(3, seed=seed)) for seed, name in enumerate("pqrs")}
    made = model(
        [node(case.partition(",")[0].partition(" ")[0], inputs, "y", **attributes)],
        {"x": [1, 3, 4, 5]},
        ["y"],
        constants,
        opset=opset,
    )
    check(tmp_path, made, {"x": reals(1, 3, 4, 5)})


def test_resize_of_operator_set_10(tmp_path: Path) -> None:
    constants = {"s": np.array([1, 1, 2, 1.5], np.float32)}
    made = model([node("Resize", "x s", "y")], {"x": [1, 3, 4, 6]}, ["y"], constants, opset=10)
    check(tmp_path, made, {"x": reals(1, 3, 4, 6)})


def test_arithmetic_on_shapes_vanishes(tmp_path: Path) -> None:
    """As older exporters halve channels and flatten."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Constant", "", "one", value_int=1),
        node("Constant", "", "two", value_int=2),
        node("Constant", "", "zero", value_int=0),
        node("Gather", "shape one", "channels", axis=0),
        node("Add", "channels one", "more"),
        node("Div", "more two", "half"),
        node("Unsqueeze", "zero axes", "start"),
        node("Unsqueeze", "half axes", "end"),
        node("Slice", "x start end axis", "part"),
        node("Shape", "part", "parts"),
        node("Slice", "parts axes last", "batch"),
        node("Concat", "batch rest", "wanted", axis=0),
        node("Reshape", "part wanted", "y"),
    ]
    constants = {
        "axes": np.array([0]),
        "axis": np.array([1]),
        "last": np.array([1]),
        "rest": np.array([-1]),
    }
    network = check(
        tmp_path, model(nodes, {"x": [1, 6, 4, 5]}, ["y"], constants), {"x": reals(1, 6, 4, 5)}
    )
    assert [layer.op.name for layer in network.layers] == ["Slice", "Reshape"]
    assert network.shape("y") == (60, 1, 1)


def test_names_do_not_collide(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", "x w c", "x.Add"),
        node("Relu", "x.Add", "y"),
    ]
    nodes[0].name = "y.Add"
    nodes[1].name = "x"
    constants = {"w": reals(4, 6), "c": reals(5, 6)}
    made = model(nodes, {"x": [5, 4]}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(5, 4)})
    assert len({layer.name for layer in network.layers}) == 3


def test_an_import_is_what_python_has(tmp_path: Path) -> None:
    path = tmp_path / "UPPER.ONNX"
    path.write_bytes(model([node("Relu", "x", "y")], {"x": [1, 4]}, ["y"]).SerializeToString())
    assert load(path).name == "UPPER"


def test_maps_hold_all_of_a_tensor(tmp_path: Path) -> None:
    """Heads may stand in front of everything else."""
    constants = {"s": np.array([12, 5, 4]), "w": reals(48, 48)}
    nodes = [
        node("MatMul", "x w", "a"),
        node("Reshape", "a s", "b"),
        node("Transpose", "b", "y", perm=[0, 2, 1]),
    ]
    made = model(nodes, {"x": [1, 5, 48]}, ["y"], constants)
    network = check(tmp_path, made, {"x": reals(1, 5, 48)})
    assert all(prod(network.shape(layer.name)) == 240 for layer in network.layers)


def test_images_with_colours_last_are_images(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "a", perm=[0, 3, 1, 2]), node("Conv", "a w", "y")]
    made = model(nodes, {"x": [1, 6, 5, 3]}, ["y"], {"w": reals(4, 3, 3, 3)})
    network = check(tmp_path, made, {"x": reals(1, 6, 5, 3)})
    assert network.input == network.shape("x") == network.shape("a") == (3, 6, 5)
    assert network.size == "6x5"
