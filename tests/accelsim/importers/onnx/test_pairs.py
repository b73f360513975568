"""Graphs between DequantizeLinear and QuantizeLinear, as exporters write them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from accelsim.graph.evaluate import evaluate
from accelsim.graph.types import Node
from accelsim.importers import load
from tests.accelsim.importers.onnx.runtime import session

OPTIONS = {
    "int8": {"session.qdqisint8allowed": "1"},
    "uint8": {"session.x64quantprecision": "1"},  # for weights of int8
}


class Graph:
    """A graph of 8-bit integers on both ends, node by node.

    dtype : int8 or uint8, of activations and weights.
    """

    def __init__(self, dtype: str, seed: int) -> None:
        self.dtype = dtype
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.scales: dict[str, Any] = {}  # of tensors of reals, and of constants their values

    def const(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.scales[name] = np.asarray(values)
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        made = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [made], name=made, **attributes))
        self.scales[made] = self.scales.get(inputs[kind == "DequantizeLinear"])
        return made

    def parameters(self, dtype: str = "", zero: int | None = None, size: float = 0.02) -> tuple:
        kind = np.dtype(dtype or self.dtype)
        scale = self.const(np.float32(size * 2 ** self.rng.uniform(-1, 1)))
        ends = np.iinfo(kind)
        middle = int(self.rng.integers(ends.min + 80, ends.max - 80)) if zero is None else zero
        return scale, self.const(np.array(middle, kind))

    def least(self) -> int:
        return int(np.iinfo(self.dtype).min)

    def middle(self) -> int:
        return 0 if self.dtype == "int8" else 128

    def integers(self, *shape: int) -> np.ndarray:
        ends = np.iinfo(self.dtype)
        return self.rng.integers(ends.min, ends.max, shape, self.dtype, endpoint=True)

    def weights(self, *shape: int, **attributes: Any) -> str:
        count = attributes.pop("count", 0)
        scale = self.const((0.01 * 2 ** self.rng.uniform(-1, 1, count or ())).astype(np.float32))
        zero = self.const(np.full(count or (), self.middle(), self.dtype))
        return self.op(
            "DequantizeLinear", self.const(self.integers(*shape)), scale, zero, **attributes
        )

    def bias(self, x: str, w: str, count: int = 5, off: float = 0, zero: int = 0) -> str:
        """On the scale of the sums, or off it by a share."""
        product = self.scales[x] * self.scales[w] * np.float32(1 + off)
        values = self.const(self.rng.integers(-3000, 3000, count, np.int32))
        zeros = self.const(np.full(product.shape, zero, np.int32))
        return self.op("DequantizeLinear", values, self.const(product), zeros, axis=0)

    def real(self, *values: float) -> str:
        return self.const(np.array(values if len(values) > 1 else values[0], np.float32))

    def image(self) -> str:
        """The input as reals, (1, 4, 8, 7)."""
        return self.op("DequantizeLinear", "x", *self.parameters())

    def rows(self, x: str) -> str:
        """As a matrix (8, 28)."""
        return self.op("Reshape", x, self.const(np.array([8, 28])))

    def end(self, x: str, **parameters: Any) -> str:
        return self.op("QuantizeLinear", x, *self.parameters(**parameters))

    def conv(self, x: str, off: float = 0, zero: int = 0, **attributes: Any) -> str:
        w = self.weights(5, 4, 3, 3)
        return self.op("Conv", x, w, self.bias(x, w, 5, off, zero), **attributes)

    def save(self, path: Path, output: str) -> Path:
        number = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        given = [helper.make_tensor_value_info("x", number, (1, 4, 8, 7))]
        made = [onnx.ValueInfoProto(name=output)]
        graph = helper.make_graph(self.nodes, "pairs", given, made, self.constants)
        opsets = [helper.make_opsetid("", 20)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path


def two_pairs(g: Graph) -> str:
    x = g.op("Relu", g.image())
    for _ in range(2):
        given = g.parameters()
        x = g.op("DequantizeLinear", g.op("QuantizeLinear", x, *given), *given)
    return g.end(g.op("Conv", x, g.weights(5, 4, 3, 3)))


def several_readers(g: Graph) -> str:
    x = g.conv(g.image())
    given = g.parameters()
    a, b = (g.op("DequantizeLinear", g.op("QuantizeLinear", x, *given), *given) for _ in range(2))
    return g.end(g.op("Add", a, b))


def other_scale(g: Graph) -> str:
    return g.end(g.op("Transpose", g.image(), perm=[0, 2, 3, 1]))


def other_type(g: Graph) -> str:
    return g.end(g.image(), dtype="uint8" if g.dtype == "int8" else "int8")


def implied_activation(g: Graph) -> str:
    return g.end(g.op("Relu", g.conv(g.image())), zero=g.least())


def implied_clip(g: Graph) -> str:
    x = g.op("Clip", g.conv(g.image(), pads=[1, 1, 1, 1]), g.real(0), g.real(60))
    return g.end(x, zero=g.least())


def narrow_activation(g: Graph) -> str:
    return g.end(g.op("Relu", g.conv(g.image())), zero=g.middle())


def narrow_clip(g: Graph) -> str:
    return g.end(g.op("Clip", g.conv(g.image()), g.real(-0.2), g.real(1.1)))


def narrow_sum(g: Graph) -> str:
    x = g.image()
    return g.end(g.op("Relu", g.op("Add", x, x)), zero=g.middle())


def real_bias(g: Graph) -> str:
    bias = g.const(g.rng.normal(size=5).astype(np.float32))
    return g.end(g.op("Conv", g.image(), g.weights(5, 4, 3, 3, count=5, axis=0), bias))


def weights_of_reals(g: Graph) -> str:
    """Weights go through QuantizeLinear too."""
    given = g.parameters(zero=g.middle())
    w = g.const(g.rng.normal(size=(5, 4, 3, 3)).astype(np.float32))
    w = g.op("DequantizeLinear", g.op("QuantizeLinear", w, *given), *given)
    x = g.image()
    return g.end(g.op("Conv", x, w, g.bias(x, w)))


def weights_left_out(g: Graph) -> str:
    """The runtime quantises them itself."""
    w = g.const(g.rng.normal(size=(5, 4, 3, 3)).astype(np.float32))
    return g.end(g.op("Conv", g.image(), w, g.const(g.rng.normal(size=5).astype(np.float32))))


def matrix_left_out(g: Graph) -> str:
    w = g.const(g.rng.normal(size=(28, 6)).astype(np.float32))
    return g.end(g.op("Gemm", g.rows(g.image()), w, g.const(np.float32(g.rng.normal(size=6)))))


def transposed(g: Graph) -> str:
    w = g.op("Transpose", g.weights(6, 28, count=6, axis=0), perm=[1, 0])
    return g.end(g.op("MatMul", g.rows(g.image()), w))


def matmul_and_bias(g: Graph) -> str:
    x, w = g.rows(g.image()), g.weights(28, 6)
    return g.end(g.op("Add", g.op("MatMul", x, w), g.bias(x, w, 6)))


def matmul_and_real_bias(g: Graph) -> str:
    bias = g.const(g.rng.normal(size=6).astype(np.float32))
    return g.end(g.op("Add", g.op("MatMul", g.rows(g.image()), g.weights(28, 6)), bias))


def gemm(g: Graph) -> str:
    x, w = g.rows(g.image()), g.weights(6, 28, count=6, axis=0)
    return g.end(g.op("Gemm", x, w, g.bias(x, w, 6), transB=1))


def gemm_of_reals(g: Graph) -> str:
    x, w = g.rows(g.image()), g.weights(28, 6)
    return g.op("Gemm", x, w, g.bias(x, w, 6))


def matmul_of_reals(g: Graph) -> str:
    return g.op("MatMul", g.rows(g.image()), g.weights(28, 6))


def moved_before(g: Graph) -> str:
    """Elements move between the convolution and its QuantizeLinear."""
    x = g.op("Transpose", g.conv(g.image()), perm=[0, 2, 3, 1])
    return g.end(g.op("Reshape", x, g.const(np.array([1, -1]))))


def padded(g: Graph) -> str:
    x = g.op("Pad", g.image(), g.const(np.array([0, 0, 1, 2, 0, 0, 1, 0])), g.real(0))
    return g.end(g.conv(x))


def widened(g: Graph) -> str:
    """A shortcut gets more channels."""
    x = g.image()
    y = g.op("Pad", x, g.const(np.array([0, 0, 0, 0, 0, 1, 0, 0])))
    given = g.parameters()
    z = g.op("QuantizeLinear", g.conv(x, pads=[1, 1, 1, 1]), *given)
    return g.end(g.op("Add", g.op("DequantizeLinear", z, *given), y))


def chain(g: Graph) -> str:
    x = g.op("Div", g.op("HardSwish", g.image()), g.real(1.3))
    return g.end(g.op("Tanh", g.op("Add", g.real(0.1), x)))


def transposed_convolution(g: Graph) -> str:
    x, w = g.image(), g.weights(4, 5, 3, 3)
    return g.end(g.op("ConvTranspose", x, w, g.bias(x, w), strides=[2, 2]))


def bias_nearly_on_scale(g: Graph) -> str:
    return g.end(g.conv(g.image(), off=0.009))


def bias_on_other_scale(g: Graph) -> str:
    return g.end(g.conv(g.image(), off=0.3))


def bias_with_zero_point(g: Graph) -> str:
    return g.end(g.conv(g.image(), zero=100))


def largest(g: Graph) -> str:
    return g.op("ArgMax", g.image(), axis=1)


def outputs_of_both(g: Graph) -> str:
    """Reals that are read too stay reals."""
    x = g.conv(g.image())
    given = g.parameters()
    y = g.op("DequantizeLinear", g.op("QuantizeLinear", x, *given), *given)
    return g.op("Sub", x, y)


# What is made, of what kinds the nodes are that compute, and whether it is exact.
EXACT: dict[Callable[[Graph], str], tuple[str, ...]] = {
    two_pairs: ("Relu", "QLinearConv"),
    several_readers: ("QLinearConv", "com.microsoft.QLinearAdd"),
    other_scale: ("Transpose", "QuantizeLinear"),
    other_type: ("QuantizeLinear",),
    implied_activation: ("QLinearConv",),
    implied_clip: ("QLinearConv",),
    real_bias: ("QLinearConv",),
    weights_of_reals: ("QLinearConv",),
    weights_left_out: ("QLinearConv",),
    matrix_left_out: ("com.microsoft.QGemm",),
    transposed: ("QLinearMatMul",),
    matmul_and_bias: ("QLinearMatMul",),
    matmul_and_real_bias: ("QLinearMatMul",),
    gemm: ("com.microsoft.QGemm",),
    gemm_of_reals: ("com.microsoft.QGemm",),
    matmul_of_reals: ("QLinearMatMul",),
    moved_before: ("QLinearConv", "Transpose"),
    padded: ("Pad", "QLinearConv"),
    widened: ("Pad", "QLinearConv", "com.microsoft.QLinearAdd"),
    largest: ("ArgMax",),
    bias_nearly_on_scale: ("QLinearConv",),
}
# onnxruntime leaves these on reals.
NEAR: dict[Callable[[Graph], str], tuple[str, ...]] = {
    chain: ("HardSwish Div Add Tanh",),
    narrow_activation: ("Conv",),
    narrow_clip: ("Conv",),
    narrow_sum: ("Add",),
    transposed_convolution: ("ConvTranspose",),
    bias_on_other_scale: ("Conv",),
    bias_with_zero_point: ("Conv",),
}
HELPERS = {"Reshape", "DequantizeLinear", "QuantizeLinear", "Add"}  # not counted unless named


def _both(
    make: Callable[[Graph], str], dtype: str, seed: int, folder: Path
) -> tuple[Any, Any, Sequence[Node]]:
    """What the runtime makes of a graph, what is made here, and the nodes here."""
    graph = Graph(dtype, seed)
    path = graph.save(folder / "pairs.onnx", make(graph))
    given = {"x": graph.integers(1, 4, 8, 7)}
    (expected,) = session(str(path), OPTIONS[dtype]).run(None, given)
    network = load(path)
    (made,) = evaluate(network.graph, given).values()
    assert made.dtype == expected.dtype
    assert made.shape == expected.shape
    return expected, made, network.graph.nodes


@pytest.mark.parametrize("dtype", OPTIONS)
@pytest.mark.parametrize("make", EXACT, ids=lambda make: make.__name__)
def test_exact(make: Callable[[Graph], str], dtype: str, tmp_path: Path) -> None:
    for seed in range(3):
        expected, made, nodes = _both(make, dtype, seed, tmp_path)
        assert np.array_equal(made, expected)
        kinds, wanted = {node.kind for node in nodes}, set(EXACT[make])
        assert not any(node.on_reals for node in nodes)
        assert wanted <= kinds <= wanted | HELPERS


@pytest.mark.parametrize("dtype", OPTIONS)
@pytest.mark.parametrize("make", NEAR, ids=lambda make: make.__name__)
def test_near(make: Callable[[Graph], str], dtype: str, tmp_path: Path) -> None:
    for seed in range(3):
        expected, made, nodes = _both(make, dtype, seed, tmp_path)
        away = np.abs(expected.astype(int) - made)
        assert away.max() <= 1
        assert (away > 0).mean() < 0.01
        assert {node.kind for node in nodes if node.on_reals} == set(NEAR[make])


def matmul_of_reals_and_bias(g: Graph) -> str:
    x = g.op("MatMul", g.rows(g.image()), g.weights(28, 6))
    return g.op("Add", x, g.const(g.rng.normal(size=6).astype(np.float32)))


def gemm_of_reals_and_bias(g: Graph) -> str:
    bias = g.const(g.rng.normal(size=6).astype(np.float32))
    return g.op("Gemm", g.rows(g.image()), g.weights(28, 6), bias)


@pytest.mark.parametrize("dtype", OPTIONS)
@pytest.mark.parametrize("make", [matmul_of_reals_and_bias, gemm_of_reals_and_bias])
def test_biases_of_reals_stay(make: Callable[[Graph], str], dtype: str, tmp_path: Path) -> None:
    expected, made, _ = _both(make, dtype, 0, tmp_path)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", OPTIONS)
def test_reals_that_are_read_stay(dtype: str, tmp_path: Path) -> None:
    expected, made, nodes = _both(outputs_of_both, dtype, 0, tmp_path)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert "Conv" in {node.kind for node in nodes}
