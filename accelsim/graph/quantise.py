"""A Graph of float32 in integers: int8 maps, int8 kernels by channel, programs behind the sums.

Scales and zero points are those of onnxruntime's quantiser: the range of a tensor, 0 included, in
255 steps; kernels without zero points, a scale for every output channel; biases on the scale of
the sums. Programs follow onnxruntime's rules, so that the same model in an ONNX file has the same
values. What has no integer form is computed in float32 between dequantised and quantised maps.
"""

from collections.abc import Collection, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError, UnsupportedError
from accelsim.graph.build import Float32, Parts, outputs_of
from accelsim.graph.calibrate import Range
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import (
    OF_PRODUCTS,
    Array,
    Function,
    Graph,
    Node,
    Products,
    Quantisation,
    TensorType,
)
from accelsim.ir import Shape
from accelsim.numerics import onnx_rules
from accelsim.numerics.programs import Program
from accelsim.numerics.scales import Quantised

# Functions that move values and change none: what they read and make has one scale.
COPIES = ("Concat", "DepthToSpace", "Gather", "MaxPool", "Reshape", "Slice", "Transpose")
CLAMPS = ("Clip", "Relu")
UNARY = (
    "Clip",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
    "Relu",
    "Sigmoid",
    "Swish",
    "Tanh",
)


class Choice(NamedTuple):
    """How a graph is quantised.

    ranges : of its tensors, the least and the greatest value.
    maps : tensors that have to be integers.
    scales : of constants that are whole multiples of one.
    symmetric : whether zero points are 0, so that operands have 8 bits.
    """

    ranges: Mapping[str, Range]
    maps: Collection[str]
    scales: Mapping[str, float]
    symmetric: bool = False


def quantise(graph: Graph, choice: Choice) -> tuple[Graph, Mapping[str, Quantised]]:
    """The graph in integers, and what they stand for; tensors and nodes keep their names."""
    quantiser = _Quantiser(graph, choice)
    return quantiser.run(), quantiser.kinds


def as_integers(x: Float32, kind: Quantised) -> npt.NDArray[np.int8]:
    """int8, shaped as the reals: the nearest integers, ties to even, saturated."""
    nearest = np.rint(x / np.float32(kind.scale)) + kind.zero_point
    made: npt.NDArray[np.int8] = np.clip(nearest, -128, 127).astype(np.int8)
    return made


class _Quantiser:
    """Walks the nodes once; `integers` are the tensors that are maps of int8 so far."""

    def __init__(self, graph: Graph, choice: Choice) -> None:
        self.graph = graph
        self.choice = choice
        self.parts = Parts()
        self.readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self.readers.setdefault(name, []).append(node)
        self.integers = set(graph.inputs)
        self.real = dict[str, str]()  # of a tensor, the one that holds its reals
        self.kinds = self._kinds()

    def run(self) -> Graph:
        graph, done = self.graph, set[str]()
        for name in graph.inputs:
            self._type(name, graph.types[name].shape)
        for node in graph.nodes:
            if node.name not in done:
                try:
                    done |= self._convert(node)
                except (NetworkError, UnsupportedError) as error:
                    raise type(error)(f"{error} (layer {node.name})") from None
        made = self.parts.graph(graph.name, graph.inputs, graph.outputs)
        read = {name for node in made.nodes for name in node.inputs}
        kept = {name: each for name, each in made.constants.items() if name in read}
        return Graph(made.name, made.inputs, made.outputs, made.nodes, made.types, kept)

    # How integers stand for reals.

    def _kinds(self) -> dict[str, Quantised]:
        """The kind of every tensor, one for all that copies of each other share."""
        root: dict[str, str] = {}

        def find(name: str) -> str:
            while (above := root.get(name, name)) != name:
                name = above
            return name

        for node in self.graph.nodes:
            if _function(node) in COPIES or _is_nearest(node):
                for name in self._data(node):
                    root[find(name)] = find(node.outputs[0])
        ends: dict[str, Range] = {}
        every = {**self.graph.types, **self.graph.constants}
        for name in every:
            if (seen := self._range(name)) is not None:
                low, high = ends.get(find(name), (0.0, 0.0))
                ends[find(name)] = min(low, seen[0]), max(high, seen[1])
        return {name: self._kind(*ends[find(name)]) for name in every if find(name) in ends}

    def _data(self, node: Node) -> tuple[str, ...]:
        """The inputs of a copy whose values it copies."""
        return node.inputs if _function(node) == "Concat" else node.inputs[:1]

    def _range(self, name: str) -> Range | None:
        if name in self.choice.ranges:
            return self.choice.ranges[name]
        if name not in self.graph.constants:
            return None
        values = self.graph.constants[name].values
        return (float(values.min()), float(values.max())) if values.size else None

    def _kind(self, low: float, high: float) -> Quantised:
        if self.choice.symmetric:
            most = max(-low, high)
            return Quantised(float(np.float32(most / 127 if most else 1.0)))
        scale = np.float32((high - low) / 255 if high > low else 1.0)
        zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
        return Quantised(float(scale), zero_point)

    # Tensors and nodes that are made.

    def _type(self, name: str, shape: tuple[int, ...], dtype: str = "int8") -> None:
        quantisation = self._quantisation(name) if dtype == "int8" else None
        self.parts.types[name] = TensorType(shape, dtype, quantisation)

    def _quantisation(self, name: str) -> Quantisation:
        kind = self.kinds[name]
        return Quantisation(np.array(kind.scale, np.float32), np.array(kind.zero_point, np.int32))

    def _add(
        self, node: Node, work: Any, inputs: tuple[str, ...], made: str, program: Program = ()
    ) -> None:
        self.parts.nodes.append(Node(node.name, node.kind, work, inputs, (made,), program))

    def _integer(self, name: str) -> str:
        """A constant as integers of its kind."""
        if name in self.integers:
            return name
        values = self.graph.constants[name].values
        return self.parts.constant(f"{name}/integers", as_integers(values, self.kinds[name]))

    def _zero(self, name: str) -> str:
        zero_point = self.kinds[name].zero_point
        if zero_point == 0:
            return ""
        return self.parts.constant(f"{name}/zero", np.array(zero_point, np.int8))

    def _scale(self, name: str) -> tuple[str, str]:
        """Constants of the scale and the zero point of a tensor."""
        kind = self.kinds[name]
        scale = self.parts.constant(f"{name}/scale", np.array(kind.scale, np.float32))
        zero = self.parts.constant(f"{name}/zero point", np.array(kind.zero_point, np.int8))
        return scale, zero

    def _reals(self, name: str) -> str:
        """The tensor in float32: a constant as it is, a map dequantised once."""
        if name == "":
            return name
        if name in self.graph.constants:
            return self.parts.constant(name, self.graph.constants[name].values)
        if name not in self.real:
            self.real[name] = made = f"{name}/reals"
            self.parts.nodes.append(
                Node(
                    made,
                    "DequantizeLinear",
                    Function("DequantizeLinear"),
                    (name, *self._scale(name)),
                    (made,),
                )
            )
            self._type(made, self.graph.types[name].shape, "float32")
        return self.real[name]

    # What becomes of a node.

    def _convert(self, node: Node) -> set[str]:
        """Add what stands for a node; the names of the nodes that it stands for."""
        if isinstance(node.work, Products):
            return self._products(node)
        function, made = _function(node), node.outputs[0]
        maps = [name for name in node.inputs if name and name not in self.graph.constants]
        if not all(name in self.integers for name in maps):
            self._float(node)
        elif function in COPIES or _is_nearest(node):
            data = self._data(node)
            ready = tuple(self._integer(name) for name in data)
            rest = node.inputs[len(data) :]
            for name in filter(None, rest):
                self.parts.constant(name, self.graph.constants[name].values)
            self._add(node, node.work, (*ready, *rest), made)
            self._integer_tensor(made)
        elif function in UNARY:
            self._add(node, None, tuple(maps[:1]), made, self._table(node, self.kinds[maps[0]]))
            self._integer_tensor(made)
        elif (program := self._program(node, maps)) is not None:
            self._add(node, None, tuple(maps), made, program)
            self._integer_tensor(made)
        else:
            self._float(node)
        return {node.name}

    def _integer_tensor(self, name: str) -> None:
        self.integers.add(name)
        self._type(name, self.graph.types[name].shape)

    def _program(self, node: Node, maps: list[str]) -> Program | None:
        """Of sums, products and averages of maps; None where there is none."""
        kinds = [self.kinds[name] for name in (*maps, node.outputs[0])]
        match _function(node):
            case "Add" if len(maps) == 2:
                return onnx_rules.add(kinds[0], kinds[1], kinds[2])
            case "Mul" if len(maps) == 2:
                return onnx_rules.multiply(kinds[0], kinds[1], kinds[2])
            case "GlobalAveragePool":
                shape = self.graph.types[maps[0]].shape
                return onnx_rules.global_average(kinds[0], kinds[1], prod(shape[2:]))
        return None

    def _float(self, node: Node) -> None:
        """The node in float32; quantised where its result has to be a map."""
        made = node.outputs[0]
        inputs = tuple(self._reals(name) for name in node.inputs)
        if made not in self.choice.maps:
            self._add(node, node.work, inputs, made)
            self.real[made] = made
            self._type(made, self.graph.types[made].shape, "float32")
            return
        real = f"{made}/reals"
        self.parts.nodes.append(Node(real, node.kind, node.work, inputs, (real,)))
        shape = self.graph.types[made].shape
        self._type(real, shape, "float32")
        self.real[made] = real
        self.parts.nodes.append(
            Node(
                node.name,
                "QuantizeLinear",
                Function("QuantizeLinear"),
                (real, *self._scale(made)),
                (made,),
            )
        )
        self._integer_tensor(made)

    def _products(self, node: Node) -> set[str]:
        """Sums, and the activation that alone reads them."""
        work = node.work
        assert isinstance(work, Products)
        x, w, bias = node.inputs[:3]
        guides = node.inputs[OF_PRODUCTS:]
        sums = node.outputs[0]
        readers = self.readers.get(sums, [])
        after = None
        if sums not in self.choice.maps and len(readers) == 1 and _function(readers[0]) in UNARY:
            after = readers[0]
        x_kind = self.kinds[x]
        if work.second_map:
            weights, zero = w, self._zero(w)
            scales = np.array(work.factors or (1.0,), np.float32) * np.float32(self.kinds[w].scale)
        else:
            shapes = [work.x.shape, *(self.graph.types[guide].shape for guide in guides)]
            channels = outputs_of(work.operator, tuple(map(_map, shapes)))
            weights, scales = self._kernel(w, channels, _map(work.y.shape)[0])
            zero = ""
        addend = None
        if bias:
            unit = np.float64(np.float32(x_kind.scale)) * scales
            limits = np.iinfo(np.int32)
            reals = np.rint(self.graph.constants[bias].values / unit)
            addend = np.clip(reals, limits.min, limits.max).astype(np.int32)
        made = after.outputs[0] if after else sums
        y_kind = self.kinds[made]
        low, high = None, None
        if after and _function(after) in CLAMPS:
            low, high = self._bounds(after, y_kind)
        elif after:
            y_kind = self.kinds[sums]
        program = onnx_rules.convolution(x_kind, scales, y_kind, addend, low, high)
        if after and _function(after) not in CLAMPS:
            program += self._table(after, y_kind)
        inputs = x, weights, "", self._zero(x), zero, *guides
        self._add(node, work._replace(factors=()), inputs, made, program)
        self._integer_tensor(made)
        return {node.name, after.name} if after else {node.name}

    def _kernel(self, name: str, channels: npt.NDArray[np.intp], count: int) -> tuple[str, Float32]:
        """The constant of integers, and float32 scales, one or one by output channel.

        channels : those of the values, of `count`, of which some may have no value.
        """
        values = self.graph.constants[name].values
        if name in self.choice.scales:
            scales = np.array([self.choice.scales[name]], np.float32)
            units: Array = scales[0]
        else:
            greatest = np.zeros(count, np.float32)
            np.maximum.at(greatest, channels.ravel(), np.abs(values).ravel())
            scales = np.where(greatest > 0, greatest / np.float32(127), np.float32(1))
            units = scales[channels]
        made = np.clip(np.rint(values / units), -128, 127).astype(np.int8)
        return self.parts.constant(name, made), scales

    def _bounds(self, node: Node, kind: Quantised) -> tuple[int, int | None]:
        """Least and greatest integer behind Relu or Clip."""
        if _function(node) == "Relu":
            return kind.zero_point, None
        low, high = (float(self.graph.constants[name].values) for name in node.inputs[1:3])
        ends = [round(value / kind.scale) + kind.zero_point for value in (low, high)]
        return max(ends[0], -128), min(ends[1], 127)

    def _table(self, node: Node, kind: Quantised) -> Program:
        """The function of a node by its 256 values."""
        work = node.work
        assert isinstance(work, Function)
        more = [self.graph.constants[name].values for name in node.inputs[1:]]

        def function(x: Float32) -> Float32:
            made: Float32 = FUNCTIONS[work.name](x, *more, **work.attributes)
            return made

        return onnx_rules.table(kind, self.kinds[node.outputs[0]], function)


def _function(node: Node) -> str:
    return node.work.name if isinstance(node.work, Function) else ""


def _is_nearest(node: Node) -> bool:
    """Whether it is a Resize that moves values and computes none."""
    work = node.work
    return (
        isinstance(work, Function)
        and work.name == "Resize"
        and (work.attributes["mode"] == "nearest")
    )


def _map(shape: tuple[int, ...]) -> Shape:
    """That of one image."""
    _, c, h, w = shape
    return c, h, w
