"""Small networks of random weights, and what onnxruntime's quantiser makes of them.

They have what exporters write: convolutions of all kinds, gates, channel shuffles, attention, and
operators that quantisers leave on reals.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from tests.accelsim.importers.onnx.runtime import session

IMAGES = 4  # of calibration
U8, S8 = QuantType.QUInt8, QuantType.QInt8
OPERATORS, PAIRS = QuantFormat.QOperator, QuantFormat.QDQ
EXACT_U8S8 = {"session.x64quantprecision": "1"}  # else products saturate without VNNI
EXACT_S8S8 = {"session.qdqisint8allowed": "1"}  # else activations become u8


class Form(NamedTuple):
    """How a network is quantised, and the options with which the runtime computes integers."""

    format: QuantFormat
    activations: QuantType
    weights: QuantType
    per_channel: bool = False
    options: Mapping[str, str] = MappingProxyType({})
    symmetric: bool = False
    reduce_range: bool = False


FORMS = {
    "operators_u8u8": Form(OPERATORS, U8, U8),
    "operators_s8s8": Form(OPERATORS, S8, S8, True),
    "operators_u8s8": Form(OPERATORS, U8, S8, True, EXACT_U8S8),
    "operators_u8s8_7bit": Form(OPERATORS, U8, S8, reduce_range=True),
    "pairs_u8u8": Form(PAIRS, U8, U8),
    "pairs_s8s8": Form(PAIRS, S8, S8, True, EXACT_S8S8),
    "pairs_s8s8_symmetric": Form(PAIRS, S8, S8, True, EXACT_S8S8, symmetric=True),
    "pairs_u8s8": Form(PAIRS, U8, S8, False, EXACT_U8S8),
}


class Net:
    """A network of reals, layer by layer."""

    def __init__(self, rng: np.random.Generator, *shape: int, opset: int = 17) -> None:
        self.rng, self.shape, self.opset = rng, shape, opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def const(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def real(self, *values: float) -> str:
        return self.const(np.array(values if len(values) > 1 else values[0], np.float32))

    def ints(self, *values: int) -> str:
        return self.const(np.array(values, np.int64))

    def weights(self, *shape: int) -> str:
        deviation = np.sqrt(2 / max(int(np.prod(shape[1:])), 1))
        return self.const((self.rng.normal(size=shape) * deviation).astype(np.float32))

    def biases(self, count: int) -> str:
        return self.const((self.rng.normal(size=count) * 0.3).astype(np.float32))

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        made = [f"{kind.lower()}{len(self.nodes)}_{place}" for place in range(outputs)]
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def conv(self, x: str, *shape: int, bias: bool = True, **attributes: Any) -> str:
        inputs = [x, self.weights(*shape), *([self.biases(shape[0])] if bias else [])]
        return self.op("Conv", *inputs, kernel_shape=shape[2:], **attributes)

    def relu6(self, x: str) -> str:
        return self.op("Clip", x, self.real(0), self.real(6))

    def save(self, path: Path, *outputs: str) -> None:
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", [given], made, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def images(net: Net) -> tuple[str, ...]:
    """A network for images, with gates and branches; all of it runs on integers."""
    x = net.op("Relu", net.conv("x", 8, 3, 3, 3, strides=[2, 2], pads=[0, 0, 1, 1]))
    y = net.relu6(net.conv(x, 16, 8, 1, 1))
    y = net.relu6(net.conv(y, 16, 1, 5, 3, group=16, pads=[2, 1, 2, 1]))
    x = net.op("Add", x, net.conv(y, 8, 16, 1, 1, bias=False))
    gate = net.op("Relu", net.conv(net.op("GlobalAveragePool", x), 4, 8, 1, 1))
    gate = net.op("HardSigmoid", net.conv(gate, 8, 4, 1, 1), alpha=1 / 6)
    x = net.op("Mul", x, gate)
    a = net.conv(x, 8, 4, 3, 3, dilations=[2, 2], pads=[2, 2, 2, 2], group=2)
    window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}
    b = net.op("MaxPool", x, **window)
    c = net.op("AveragePool", x, count_include_pad=1, **window)
    x = net.op("Concat", net.op("HardSwish", a), b, c, axis=1)
    x = net.conv(x, 12, 24, 3, 3, strides=[2, 1], pads=[1, 1, 1, 1])
    x = net.op("LeakyRelu", x, alpha=0.1)
    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    u = net.op("Resize", x, "", net.real(1, 1, 2, 2), mode="nearest", **nearest)
    u = net.op("Sigmoid", net.conv(u, 6, 12, 3, 3))
    n = net.shape[0]
    v = net.op("Reshape", x, net.ints(n, 2, 6, -1))
    v = net.op("Transpose", v, perm=[0, 2, 1, 3])
    v = net.conv(net.op("Reshape", v, net.ints(n, 12, 5, 9)), 10, 12, 1, 1)
    v = net.op("Flatten", net.op("GlobalAveragePool", v))
    v = net.op("Gemm", v, net.weights(7, 10), net.biases(7), transB=1)
    return net.op("Softmax", v, axis=-1), u


def leftovers(net: Net) -> tuple[str, ...]:
    """A network with much that stays on reals, and with attention."""
    x = net.op("Relu", net.conv("x", 6, 4, 3, 3, pads=[1, 1, 1, 1]))
    positive = [net.const(net.rng.random(6, np.float32) + 0.5) for _ in range(2)]
    biases = [net.biases(6) for _ in range(2)]
    x = net.op("BatchNormalization", x, positive[0], *biases, positive[1])
    t = net.op("PRelu", x, net.const(net.rng.random((6, 1, 1), np.float32)))
    wide = net.op("Resize", x, "", net.real(1, 1, 2, 2), mode="linear")
    wide = net.op("Sub", wide, net.op("ReduceMean", wide, axes=[2, 3], keepdims=1))
    wide = net.conv(wide, 4, 6, 3, 3)
    p = net.op("Pad", t, net.ints(0, 0, 2, 0, 0, 0, 1, 3), net.real(0))
    p = net.conv(p, 6, 6, 3, 3, strides=[2, 2])
    first, second = net.op("Split", p, net.ints(2, 4), outputs=2, axis=1)
    q = net.op("Concat", second, first, axis=1)
    q = net.op("Slice", q, net.ints(1), net.ints(6), net.ints(2))
    q = net.op("Erf", net.op("Div", q, net.real(1.7)))
    q = net.op("Add", net.op("Mul", q, net.real(0.5)), net.real(0.3))
    rows = net.op("Reshape", q, net.ints(1, 6, -1))
    scores = net.op("MatMul", rows, net.op("Transpose", rows, perm=[0, 2, 1]))
    mixed = net.op("MatMul", net.op("Softmax", scores, axis=-1), rows)
    mixed = net.op("MatMul", net.op("Transpose", mixed, perm=[0, 2, 1]), net.weights(6, 9))
    return net.op("Add", mixed, net.biases(9)), wide


def rows(net: Net) -> tuple[str, ...]:
    """A network for sequences."""
    x = net.op("Relu", net.conv("x", 8, 5, 5, pads=[2, 2]))
    x = net.op("Add", x, net.conv(x, 8, 1, 3, group=8, dilations=[3], pads=[3, 3]))
    x = net.op("AveragePool", x, kernel_shape=[2], strides=[2])
    x = net.op("MaxPool", x, kernel_shape=[3], strides=[2])
    gate = net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", x), 8, 8, 1))
    x = net.op("Transpose", net.op("Mul", gate, x), perm=[0, 2, 1])
    x = net.op("Add", net.op("MatMul", x, net.weights(8, 11)), net.biases(11))
    return (net.op("Softmax", x, axis=1),)


def vectors(net: Net) -> tuple[str, ...]:
    """Matrix products of two images at once."""
    x = net.op("MatMul", "x", net.weights(30, 24))
    x = net.op("Relu", net.op("Add", x, net.biases(24)))
    y = net.op("Relu", net.op("Gemm", x, net.weights(24, 24), net.biases(24)))
    x = net.op("Sigmoid", net.op("MatMul", net.op("Add", x, y), net.weights(24, 10)))
    return (net.op("Gemm", x, net.weights(10, 6)),)


def patches(net: Net) -> tuple[str, ...]:
    """A transformer of two blocks; layer norms stay on reals."""
    n, width, count, heads = net.shape[0], 12, 16, 3

    def norm(x: str) -> str:
        gain = net.const(net.rng.random(width, np.float32) + 0.5)
        return net.op("LayerNormalization", x, gain, net.biases(width), epsilon=1e-6)

    def linear(x: str, *shape: int) -> str:
        return net.op("Add", net.biases(shape[1]), net.op("MatMul", x, net.weights(*shape)))

    x = net.conv("x", width, 3, 4, 4, strides=[4, 4])
    x = net.op("Transpose", net.op("Reshape", x, net.ints(n, width, -1)), perm=[0, 2, 1])
    for _ in range(2):
        three = net.ints(n, count, 3, heads, width // heads)
        parts = net.op("Reshape", linear(norm(x), width, 3 * width), three)
        parts = net.op("Transpose", parts, perm=[2, 0, 3, 1, 4])
        q, k, v = (net.op("Gather", parts, net.const(np.int64(i)), axis=0) for i in range(3))
        k = net.op("Transpose", k, perm=[0, 1, 3, 2])
        scores = net.op("MatMul", net.op("Mul", q, net.real(0.5)), k)
        y = net.op("MatMul", net.op("Softmax", scores, axis=-1), v)
        y = net.op("Transpose", y, perm=[0, 2, 1, 3])
        y = linear(net.op("Reshape", y, net.ints(n, count, width)), width, width)
        x = net.op("Add", x, y)
        y = linear(norm(x), width, 24)
        erf = net.op("Erf", net.op("Div", y, net.real(1.41421356)))
        y = net.op("Mul", net.op("Mul", y, net.op("Add", erf, net.real(1))), net.real(0.5))
        x = net.op("Add", x, linear(y, 24, width))
    x = net.op("ReduceMean", norm(x), axes=[1], keepdims=0)
    return (net.op("Gemm", x, net.weights(10, width), net.biases(10), transB=1),)


def mixtures(net: Net) -> tuple[str, ...]:
    """Convolutions whose kernels the network mixes for its image, dense and depthwise."""
    x = net.op("Relu", net.conv("x", 8, 3, 3, 3, pads=[1, 1, 1, 1]))
    for shape, attributes in (
        ((10, 4, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((10, 1, 3, 3), {"group": 10, "pads": [1, 1, 1, 1]}),
        ((6, 10, 1, 1), {}),
    ):
        channels = shape[1] * attributes.get("group", 1)
        means = net.op("Reshape", net.op("GlobalAveragePool", x), net.ints(1, channels))
        attention = net.op("Softmax", net.op("MatMul", means, net.weights(channels, 3)), axis=-1)
        kernel = net.op("MatMul", attention, net.weights(3, int(np.prod(shape))))
        kernel = net.op("Reshape", kernel, net.ints(*shape))
        x = net.op("Relu", net.op("Conv", x, kernel, net.biases(shape[0]), **attributes))
    return (x,)


NETS: dict[str, tuple[Callable[[Net], tuple[str, ...]], tuple[int, ...]]] = {
    "images": (images, (1, 3, 21, 18)),
    "two_images": (images, (2, 3, 21, 18)),
    "leftovers": (leftovers, (1, 4, 12, 10)),
    "patches": (patches, (2, 3, 16, 16)),
    "mixtures": (mixtures, (1, 3, 14, 11)),
    "rows": (rows, (1, 5, 40)),
    "vectors": (vectors, (2, 30)),
}


class _Images(CalibrationDataReader):
    def __init__(self, rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> None:
        self.images = iter([_image(rng, name, shape) for _ in range(IMAGES)])

    def get_next(self) -> Any:
        return next(self.images, None)


def _image(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: rng.normal(size=shape).astype(np.float32)}


class Quantised(NamedTuple):
    """A file that the quantiser has made, and an input for it."""

    path: Path
    given: dict[str, np.ndarray]
    options: Mapping[str, str]

    def expected(self) -> dict[str, np.ndarray]:
        """By name, the outputs, and all integers on the way as outputs of the same operators."""
        model = onnx.shape_inference.infer_shapes(onnx.load(self.path))
        outputs = {each.name for each in model.graph.output}
        for name in _integers(model.graph):
            if name not in outputs:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
        names = [each.name for each in model.graph.output]
        made = session(model.SerializeToString(), self.options).run(names, self.given)
        whole = session(str(self.path), self.options).run(list(outputs), self.given)
        return dict(zip(names, made, strict=True)) | dict(zip(outputs, whole, strict=True))


def _integers(graph: Any) -> Iterator[str]:
    """Tensors that operators on integers make."""
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "QGemm") or "QLinear" in node.op_type:
            yield from node.output


def quantised(folder: Path, kind: str, form: str, seed: int) -> Quantised:
    """A network of a kind, quantised."""
    make, shape = NETS[kind]
    rng = np.random.default_rng(seed)
    net = Net(rng, *shape)
    plain, path = folder / "plain.onnx", folder / f"{kind}.onnx"
    net.save(plain, *make(net))
    return quantise(plain, path, shape, form, rng)


def quantise(
    plain: Path,
    path: Path,
    shape: tuple[int, ...],
    form: str,
    rng: np.random.Generator,
    name: str = "x",
) -> Quantised:
    """A file of reals, quantised; its one input has the name and the shape."""
    how = FORMS[form]
    logging.disable(logging.WARNING)  # it advises to prepare models first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            plain,
            path,
            _Images(rng, name, shape),
            quant_format=how.format,
            activation_type=how.activations,
            weight_type=how.weights,
            per_channel=how.per_channel,
            reduce_range=how.reduce_range,
            extra_options={"ActivationSymmetric": how.symmetric},
        )
    logging.disable(logging.NOTSET)
    return Quantised(path, _image(rng, name, shape), how.options)
