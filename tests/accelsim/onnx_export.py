"""Networks of ours as ONNX files of reals, node by node as PyTorch's exporter would write them."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from accelsim.graph.build import build
from accelsim.graph.calibrate import measure, reals
from accelsim.graph.types import Products
from accelsim.ops import ConvTranspose2d, Linear

OPSET = 17


class Writer:
    """Nodes and initialisers of a model in the making."""

    def __init__(self):
        self.nodes, self.initialisers = [], []

    def add(self, kind, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))

    def constant(self, name, values):
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, graph):
        def value(name):
            return helper.make_tensor_value_info(name, 1, graph.types[name].shape)

        whole = helper.make_graph(
            self.nodes,
            graph.name,
            [value(name) for name in graph.inputs],
            [value(name) for name in graph.outputs],
            self.initialisers,
        )
        return helper.make_model(
            whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )


def export(network, path, seed=0):
    """Write the network in float32 with the weights that it has for the seed."""
    graph = build(network, reals(network, seed, measure(network, seed).norms))
    writer = Writer()
    for node in graph.nodes:
        if isinstance(node.work, Products):
            _products(writer, graph, node)
            continue
        for name in filter(None, node.inputs):
            if name in graph.constants and name not in {i.name for i in writer.initialisers}:
                writer.constant(name, graph.constants[name].values)
        if node.work.name == "Swish":
            (x,), (made,) = node.inputs, node.outputs
            writer.add("Sigmoid", [x], [f"{made}/sigmoid"])
            writer.add("Mul", [x, f"{made}/sigmoid"], [made])
            continue
        writer.add(node.work.name, node.inputs, node.outputs, **node.work.attributes)
    model = writer.model(graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _products(writer, graph, node):
    op, (x, w, b, *_), (made,) = node.work.operator, node.inputs, node.outputs
    kernel = graph.constants[w].values
    bias = graph.constants[b].values if b else None
    shape = node.work.x.shape[1:]
    if isinstance(op, Linear):
        writer.add("Flatten", [x], [f"{made}/flat"])
        inputs = [f"{made}/flat", writer.constant(w, kernel)]
        inputs += [] if bias is None else [writer.constant(b, bias)]
        writer.add("Gemm", inputs, [f"{made}/gemm"], transB=1)
        whole = writer.constant(f"{made}/shape", np.array((1, len(kernel), 1, 1)))
        writer.add("Reshape", [f"{made}/gemm", whole], [made])
        return
    assert not isinstance(op, ConvTranspose2d)
    pieces = op.lower(shape)
    parts = []
    for place, piece in enumerate(pieces):
        conv = piece.conv
        name = made if len(pieces) == 1 else f"{made}/{place}"
        source = x
        if piece.channels is not None and piece.channels != tuple(range(shape[0])):
            first, stop = piece.channels[0], piece.channels[-1] + 1
            assert piece.channels == tuple(range(first, stop))
            ends = [writer.constant(f"{name}/{n}", np.array([n])) for n in (first, stop, 1)]
            source = f"{name}/part"
            writer.add("Slice", [x, *ends], [source])
        bottom = max((conv.oh - 1) * conv.sh + conv.dh * (conv.fh - 1) + 1 - conv.pt - conv.h, 0)
        right = max((conv.ow - 1) * conv.sw + conv.dw * (conv.fw - 1) + 1 - conv.pl - conv.w, 0)
        inputs = [source, writer.constant(f"{name}/w", piece.take_weights(kernel))]
        if bias is not None:
            mine = bias if piece.outputs is None else bias[list(piece.outputs)]
            inputs.append(writer.constant(f"{name}/b", mine))
        writer.add(
            "Conv",
            inputs,
            [name],
            kernel_shape=(conv.fh, conv.fw),
            strides=(conv.sh, conv.sw),
            dilations=(conv.dh, conv.dw),
            pads=(conv.pt, conv.pl, bottom, right),
            group=conv.groups,
        )
        parts.append(name)
    if len(parts) > 1:
        order = [channel for piece in pieces for channel in piece.outputs]
        assert order == sorted(order)
        writer.add("Concat", parts, [made], axis=1)
