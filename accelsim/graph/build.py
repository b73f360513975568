"""A network in reals, as a Graph of float32: its layers with seeded weights, or with a file's.

Nodes and tensors have the names of their layers; what a layer needs beside has its name, a slash,
and more. Tensors are those of one image, (1, c, h, w).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import (
    Array,
    Constant,
    Function,
    Graph,
    Node,
    Products,
    TensorType,
    View,
)
from accelsim.ir import ACTIVATIONS, INPUT, Call, Layer, Network, Operator, Shape
from accelsim.ops import ConvTranspose2d

Float32 = npt.NDArray[np.float32]
WHOLE = 0, 1, 2, 3  # the order of axes that stays


class Real(NamedTuple):
    """What a layer multiplies with and adds, folded.

    kernel : float32, shaped as Operator.weight_shape.
    bias : float32[k], or None.
    factors : what a batch norm multiplies with that has no weights to fold into; () for nothing.
    """

    kernel: Float32
    bias: Float32 | None = None
    factors: tuple[float, ...] = ()


@dataclass
class Parts:
    """A Graph in the making."""

    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)

    def constant(self, name: str, values: Array) -> str:
        """The name, under which nodes read the values."""
        self.constants[name] = Constant(TensorType(values.shape, values.dtype.name), values.view)
        return name

    def graph(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
        """What was made."""
        return Graph(name, inputs, outputs, tuple(self.nodes), self.types, self.constants)


def build(network: Network, reals: Mapping[str, Real]) -> Graph:
    """The network in float32 with what its layers multiply with, by their names."""
    parts = Parts()
    parts.types[INPUT] = TensorType((1, *network.input), "float32")
    for layer in network.layers:
        add_layer(parts, network, layer, reals.get(layer.name, NO_WEIGHTS))
    return parts.graph(network.name, (INPUT,), (network.layers[-1].name,))


NO_WEIGHTS = Real(np.empty(0, np.float32))


def add_layer(parts: Parts, network: Network, layer: Layer, real: Real) -> None:
    """Add the nodes of a layer, the last of which makes the tensor of its name."""
    activation = ACTIVATIONS[layer.activation]
    shapes = network.in_shapes(layer)
    last = f"{layer.name}/sums" if activation else layer.name
    if layer.op.lower(*shapes):
        _add_products(parts, layer, shapes, real, last)
    else:
        _add_calls(parts, layer, shapes, real, last)
    if activation:
        _add_calls_of(parts, f"{layer.name}/{layer.activation}", (activation,), (last,), layer.name)
        parts.types[layer.name] = parts.types[last]


def _add_products(
    parts: Parts, layer: Layer, shapes: tuple[Shape, ...], real: Real, made: str
) -> None:
    op, out = layer.op, (1, *layer.op.out_shape(*shapes))
    first = 2 if getattr(op, "guided", False) else 1  # place of a kernel that is an input
    second = len(shapes) > first
    if second:
        kernel, w = layer.inputs[first], View(WHOLE, (1, *shapes[first]))
    else:
        kernel = parts.constant(f"{layer.name}/kernel", real.kernel)
        w = View(tuple(range(real.kernel.ndim)), real.kernel.shape)
    bias = "" if real.bias is None else parts.constant(f"{layer.name}/bias", real.bias)
    x, y = View(WHOLE, (1, *shapes[0])), View(WHOLE, out)
    work = Products(op, x, w, y, second, factors=real.factors)
    inputs = layer.inputs[0], kernel, bias, "", "", *layer.inputs[1:first]
    parts.nodes.append(Node(layer.name, op.name, work, inputs, (made,)))
    parts.types[made] = TensorType(out, "float32")


def _add_calls(
    parts: Parts, layer: Layer, shapes: tuple[Shape, ...], real: Real, made: str
) -> None:
    calls = layer.op.calls(real.kernel, *shapes)
    for function, each in (("Mul", real.factors), ("Add", real.bias)):
        if each is not None and len(each):  # a batch norm, or a bias, that folds into nothing
            last = len(shapes) + len(calls) - 1
            constant = np.array(each, np.float32).reshape(1, -1, 1, 1)
            calls = (*calls, Call(function, (last, constant)))
    _add_calls_of(parts, layer.name, calls, layer.inputs, made)
    parts.types[made] = TensorType((1, *layer.op.out_shape(*shapes)), "float32")


def _add_calls_of(
    parts: Parts, name: str, calls: tuple[Call, ...], inputs: tuple[str, ...], made: str
) -> None:
    """A node for every call; the last has the name, and makes the tensor `made`."""
    known = list(inputs)
    for place, call in enumerate(calls):
        last = place == len(calls) - 1
        node = name if last else f"{name}/{place}"
        read = []
        for number, each in enumerate(call.inputs):
            if each is None:
                read.append("")
            elif isinstance(each, int):
                read.append(known[each])
            else:
                read.append(parts.constant(f"{node}.{number}", np.asarray(each)))
        known.append(made if last else node)
        work = Function(call.function, call.attributes)
        parts.nodes.append(Node(node, call.function, work, tuple(read), (known[-1],)))
        if not last:
            parts.types[node] = TensorType(_shape(parts, parts.nodes[-1]), "float32")


def _shape(parts: Parts, node: Node) -> tuple[int, ...]:
    """Of what a function makes: it is tried on zeros."""
    assert isinstance(node.work, Function)
    given = [
        None
        if name == ""
        else parts.constants[name].values
        if name in parts.constants
        else np.zeros(parts.types[name].shape, np.float32)
        for name in node.inputs
    ]
    made = FUNCTIONS[node.work.name](*given, **node.work.attributes)
    shape: tuple[int, ...] = (made[0] if isinstance(made, tuple) else made).shape
    return shape


def outputs_of(op: Operator, shapes: tuple[Shape, ...]) -> npt.NDArray[np.intp]:
    """The output channel of every value of a kernel, shaped as Operator.weight_shape."""
    shape = op.weight_shape(*shapes)
    pieces = op.lower(*shapes)
    if len(shape) == 1:
        channels = np.empty(shape, np.intp)
        for piece in pieces:
            assert piece.weights is not None
            assert piece.outputs is not None
            each = len(piece.outputs) // len(piece.weights)
            for place, (start, stop) in enumerate(piece.weights):
                which = piece.outputs[place * each : (place + 1) * each]
                channels[start:stop] = np.repeat(which, (stop - start) // each)
        return channels
    k = op.out_shape(*shapes)[0]
    if not isinstance(op, ConvTranspose2d):  # kernels of regions stand one behind another
        channels = np.arange(shape[0]) % k
        return np.broadcast_to(channels.reshape(-1, *(1,) * (len(shape) - 1)), shape)
    groups = op.groups  # its input channels stand first
    by_group = np.arange(k).reshape(groups, 1, -1, 1, 1)
    return np.broadcast_to(by_group, (groups, shape[0] // groups, *shape[1:])).reshape(shape)


def products_of(op: Operator, shapes: tuple[Shape, ...]) -> npt.NDArray[np.float64]:
    """Products in a sum, for every output channel."""
    counts = np.ones(op.out_shape(*shapes)[0])
    for piece in op.lower(*shapes):
        conv = piece.conv
        where = slice(None) if piece.outputs is None else list(piece.outputs)
        counts[where] = np.maximum(counts[where], conv.depth)
    return counts


def gain(activation: str) -> float:
    """Of He's initialisation: the root of 2 where half of the values become 0."""
    return 1.0 if activation in ("none", "sigmoid", "hsigmoid") else math.sqrt(2)
