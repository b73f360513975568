"""Networks of ours as ONNX files of reals, for onnxruntime's quantiser."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from accelsim.graph.build import build
from accelsim.graph.calibrate import measure, reals
from accelsim.graph.types import Graph, Node, Products
from accelsim.ir import Network, Piece
from accelsim.ops import ConvTranspose2d

SEED = 0


class Export:
    """A model in the making: every sum of products is one Conv or several, side by side."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        for node in graph.nodes:
            if isinstance(node.work, Products):
                self._products(node)
            else:
                self._function(node)

    def save(self, path: Path) -> None:
        graph = self.graph
        given, made = (
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.type(name).shape)
                for name in names
            ]
            for names in (graph.inputs, graph.outputs)
        )
        constants = [numpy_helper.from_array(each, name) for name, each in self.constants.items()]
        body = helper.make_graph(self.nodes, graph.name, given, made, constants)
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(body, opset_imports=opsets, ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model, check_type=True), path)

    def _add(self, kind: str, inputs: list[str], made: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [made], name=made, **attributes))
        return made

    def _constant(self, name: str, values: Any) -> str:
        self.constants[name] = np.asarray(values)
        return name

    def _products(self, node: Node) -> None:
        assert isinstance(node.work, Products)
        work, (x, w, bias, *_), (made,) = node.work, node.inputs, node.outputs
        if work.second_map:
            self._with_kernel_of_the_network(node)
            return
        if isinstance(work.operator, ConvTranspose2d):
            self._patches(node, work.operator)
            return
        kernel = self.graph.constants[w].values
        biases = self.graph.constants[bias].values if bias else None
        pieces = work.operator.lower(work.x.shape[1:])
        if len(pieces) == 1 and pieces[0].channels is None:
            self._conv(pieces[0], kernel, biases, x, made)
            return
        parts, order = [], []
        for place, piece in enumerate(pieces):
            assert piece.writes is None
            name = f"{made}.{place}"
            outputs = list(range(piece.conv.k) if piece.outputs is None else piece.outputs)
            read = self._constant(f"{name}.channels", np.array(piece.channels, np.int64))
            picked = self._add("Gather", [x, read], f"{name}.in", axis=1)
            some = None if biases is None else biases[outputs]
            parts.append(self._conv(piece, kernel, some, picked, name))
            order += outputs
        joined = self._add("Concat", parts, f"{made}.parts", axis=1)
        places = self._constant(f"{made}.order", np.argsort(order))
        self._add("Gather", [joined, places], made, axis=1)

    def _patches(self, node: Node, op: ConvTranspose2d) -> None:
        """A transposed convolution whose patches do not meet: 1 x 1, its results elsewhere."""
        (x, w, *_), (made,) = node.inputs, node.outputs
        (_, _, h, width), (rows, columns) = self.graph.type(x).shape, op.kernel
        assert op == ConvTranspose2d(op.out_channels, op.kernel, op.kernel)
        kernel = self.graph.constants[w].values  # [c, k, rows, columns]
        pointwise = kernel.reshape(len(kernel), -1).T[..., None, None]
        weights = self._constant(f"{made}.weights", np.ascontiguousarray(pointwise))
        products = self._add("Conv", [x, weights], f"{made}.products", kernel_shape=[1, 1])
        apart = np.array([1, op.out_channels, rows, columns, h, width])
        shape = self._constant(f"{made}.apart", apart)
        parted = self._add("Reshape", [products, shape], f"{made}.parted")
        turned = self._add("Transpose", [parted], f"{made}.turned", perm=[0, 1, 4, 2, 5, 3])
        whole = np.array([1, op.out_channels, h * rows, width * columns])
        self._add("Reshape", [turned, self._constant(f"{made}.whole", whole)], made)

    def _with_kernel_of_the_network(self, node: Node) -> None:
        """A norm behind it is a product and a sum, as its kernel is no constant."""
        work, (x, w, bias, *_), (made,) = node.work, node.inputs, node.outputs
        assert isinstance(work, Products)
        (piece,) = work.operator.lower(work.x.shape[1:], work.w.shape[1:])
        shape = self._constant(f"{made}.shape", np.array(piece.conv.kernel_shape))
        kernel = self._add("Reshape", [w, shape], f"{made}.kernel")
        biases = self.graph.constants[bias].values if bias else None
        if not work.factors:
            self._conv(piece, kernel, biases, x, made)
            return
        sums = self._conv(piece, kernel, None, x, f"{made}.sums")
        factors = np.array(work.factors, np.float32).reshape(1, -1, 1, 1)
        scaled = [sums, self._constant(f"{made}.factors", factors)]
        product = self._add("Mul", scaled, f"{made}.product")
        offsets = self._constant(f"{made}.offsets", biases.reshape(factors.shape))
        self._add("Add", [product, offsets], made)

    def _conv(self, piece: Piece, kernel: Any, biases: Any, x: str, made: str) -> str:
        conv = piece.conv
        assert piece.reads is None
        if not isinstance(kernel, str):
            kernel = self._constant(f"{made}.weights", piece.take_weights(kernel))
        inputs = [x, kernel]
        if biases is not None:
            inputs.append(self._constant(f"{made}.biases", biases))
        rows = (conv.oh - 1) * conv.sh + conv.dh * (conv.fh - 1) + 1
        columns = (conv.ow - 1) * conv.sw + conv.dw * (conv.fw - 1) + 1
        bottom, right = rows - conv.pt - conv.h, columns - conv.pl - conv.w
        return self._add(
            "Conv",
            inputs,
            made,
            kernel_shape=[conv.fh, conv.fw],
            strides=[conv.sh, conv.sw],
            dilations=[conv.dh, conv.dw],
            group=conv.groups,
            pads=[conv.pt, conv.pl, max(bottom, 0), max(right, 0)],
        )

    def _function(self, node: Node) -> None:
        work = node.work
        inputs = list(node.inputs)
        for name in inputs:
            if name in self.graph.constants:
                self._constant(name, self.graph.constants[name].values)
        (made,) = node.outputs
        if work.name == "ReduceMean":  # its axes are an attribute before operator set 18
            axes = self.constants.pop(inputs[1]).tolist()
            self._add("ReduceMean", inputs[:1], made, axes=axes, **work.attributes)
        elif work.name == "Swish":  # which it has not yet
            gate = self._add("Sigmoid", inputs, f"{made}.gate")
            self._add("Mul", [*inputs, gate], made)
        else:
            self._add(work.name, inputs, made, **work.attributes)


def export(network: Network, path: Path) -> None:
    """A file of a network with seeded weights, their norms folded."""
    statistics = measure(network, SEED)
    graph = build(network, reals(network, SEED, statistics.norms))
    Export(graph).save(path)
