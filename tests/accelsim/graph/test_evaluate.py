"""A graph of a convolution and an activation, against loops; its network against its nodes."""

import numpy as np

from accelsim.graph.evaluate import evaluate
from accelsim.graph.network import as_network
from accelsim.graph.types import Constant, Function, Graph, Node, Products, TensorType, View
from accelsim.ops import Conv2d, Pointwise


def float_graph(rng: np.random.Generator) -> tuple[Graph, np.ndarray, np.ndarray]:
    w = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    b = rng.normal(size=4).astype(np.float32)
    whole = (0, 1, 2, 3)
    conv = Products(
        Conv2d(4, (3, 3), (2, 1), 1),
        View(whole, (2, 3, 5, 6)),
        View(whole, w.shape),
        View(whole, (2, 4, 3, 6)),
    )
    nodes = (
        Node("conv", "Conv", conv, ("x", "w", "b", "", ""), ("c",)),
        Node("relu", "Relu", Function("Relu"), ("c",), ("y",)),
    )
    types = {
        "x": TensorType((2, 3, 5, 6), "float32"),
        "c": TensorType((2, 4, 3, 6), "float32"),
        "y": TensorType((2, 4, 3, 6), "float32"),
    }
    constants = {
        name: Constant(TensorType(each.shape, "float32"), each.copy)
        for name, each in (("w", w), ("b", b))
    }
    return Graph("probe", ("x",), ("y",), nodes, types, constants), w, b


def test_values_of_reals_are_those_of_loops() -> None:
    rng = np.random.default_rng(1)
    graph, w, b = float_graph(rng)
    x = rng.normal(size=(2, 3, 5, 6)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    expected = np.empty((2, 4, 3, 6))
    for n, k, i, j in np.ndindex(expected.shape):
        window = padded[n, :, 2 * i : 2 * i + 3, j : j + 3]
        expected[n, k, i, j] = max((window * w[k]).sum() + b[k], 0)
    made = evaluate(graph, {"x": x})["y"]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_layers_are_the_operators_of_the_nodes() -> None:
    network = as_network(float_graph(np.random.default_rng(1))[0])
    assert [layer.name for layer in network.layers] == ["conv", "relu"]
    assert network.total_params == 4 * 3 * 9 + 4
    assert network.total_macs == 4 * 3 * 9 * 3 * 6
    assert network.shape("relu") == (4, 3, 6)


def test_zero_points_are_taken_off_the_operands() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 256, (1, 2, 2, 5), np.uint8)
    w = rng.integers(0, 256, (3, 5, 1, 1), np.uint8)
    w_zero = np.array([7, 255, 0], np.uint8).reshape(3, 1, 1, 1)
    last = (0, 3, 1, 2)
    work = Products(
        Pointwise(3),
        View(last, (1, 5, 2, 2)),
        View((0, 1, 2, 3), w.shape),
        View(last, (1, 3, 2, 2)),
    )
    constants = {
        name: Constant(TensorType(each.shape, "uint8"), each.copy)
        for name, each in (("w", w), ("wz", w_zero), ("xz", np.array(200, np.uint8)))
    }
    types = {"x": TensorType(x.shape, "uint8"), "y": TensorType((1, 2, 2, 3), "int32")}
    node = Node("mul", "MatMulInteger", work, ("x", "w", "", "xz", "wz"), ("y",))
    made = evaluate(Graph("probe", ("x",), ("y",), (node,), types, constants), {"x": x})["y"]
    taken = w.astype(int)[:, :, 0, 0] - w_zero.astype(int)[:, :, 0, 0]
    assert np.array_equal(made, (x.astype(int) - 200) @ taken.T)
