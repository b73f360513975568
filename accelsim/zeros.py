"""Networks whose weights are known, without the taps that are zero: engines need not run them.

Masks come from the kernels themselves, channel by channel; what an engine then leaves out, lowering
decides. Values stay as they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.graph.network import GraphNetwork
from accelsim.graph.types import Array, Constant, Graph, Node, Products, TensorType, View
from accelsim.ir import BaseNetwork, Layer, Operator, Shape
from accelsim.networks.variants import BASELINE
from accelsim.ops import Conv2d, Depthwise, Linear, Pointwise
from accelsim.ops.masks import Bools, Mask
from accelsim.weights import read_weights

NAME = "skip_zeros"

# A tap is zero for a tile of adjacent output channels, of so many at least, where that is to save
# clocks; and so large a share of taps has to be, for a layer to be taken apart for it.
TILE = 4
WORTH = 0.01


def skipping_zeros(network: BaseNetwork) -> BaseNetwork:
    """The network with masks that leave out what is zero in its kernels.

    Layers stay as they are whose zeros stand alone: where less than one tap in a hundred is zero
    for four adjacent output channels.

    NetworkError where its weights are drawn from a seed, and nothing of them is known.
    """
    if isinstance(network, GraphNetwork):
        graph = _without_zeros(network.graph)
        operators = {
            node.name: node.work.operator for node in graph.nodes if isinstance(node.work, Products)
        }
        layers = tuple(
            replace(layer, op=operators.get(layer.name, layer.op)) for layer in network.layers
        )
        return replace(network, layers=layers, graph=graph, variant=_named(network))
    if network.weights_file is None:
        raise NetworkError(
            f"skip-zeros needs known weights, and those of {network.name} are drawn; a .toml with "
            "weights, an .onnx or a .tflite file has them"
        )
    kernels = dict(read_weights(network, Path(network.weights_file)).kernels)
    for layer in network.layers:
        if layer.tied:  # the kernels of both are one
            kernels.pop(layer.name)
            kernels.pop(layer.tied, None)
    layers = tuple(_of_layer(network, layer, kernels) for layer in network.layers)
    named = {"variant": _named(network)} if network.input else {}
    made: BaseNetwork = replace(network, layers=layers, **named)  # type: ignore[type-var]
    return made


def _named(network: BaseNetwork) -> str:
    """Its variant, with what was done to it."""
    return NAME if network.variant == BASELINE else f"{network.variant}, {NAME}"


def _of_layer(network: BaseNetwork, layer: Layer, kernels: Mapping[str, npt.NDArray[Any]]) -> Layer:
    if layer.name not in kernels:
        return layer
    op, _ = _masked(layer.op, network.in_shapes(layer), kernels[layer.name])
    return replace(layer, op=op)


def _masked(
    op: Operator, shapes: tuple[Shape, ...], kernel: Array
) -> tuple[Operator, Bools | None]:
    """The operator with a mask, and the live taps; itself and None where that is not worth it.

    kernel : shaped as its weights, less zero points.
    """
    if not isinstance(op, Conv2d | Depthwise | Pointwise | Linear) or op.mask or len(shapes) > 1:
        return op, None
    first, *others = op.unmasked(*shapes)
    if others or first.weights is not None:  # kernels of several shapes
        return op, None
    live = (kernel != 0).reshape(first.conv.kernel_shape)
    if not live.any():
        live.flat[0] = True  # a layer multiplies something
    if not _is_worth(live):
        return op, None
    return replace(op, mask=Mask.of(live)), live


def _is_worth(live: Bools) -> bool:
    """Whether enough taps are zero for tiles of output channels, the last of which may be less."""
    rows = live.reshape(len(live), -1)
    tiles = np.logical_or.reduceat(rows, np.arange(0, len(rows), TILE), axis=0)
    return bool(1 - tiles.mean() >= WORTH)


def _without_zeros(graph: Graph) -> Graph:
    """The graph with operators and kernels without zeros."""
    constants = dict(graph.constants)
    nodes = tuple(_of_node(graph, node, constants) for node in graph.nodes)
    return replace(graph, nodes=nodes, constants=constants)


def _of_node(graph: Graph, node: Node, constants: dict[str, Constant]) -> Node:
    """The node; its kernel, and its zero points where there are several, are added."""
    work = node.work
    if not isinstance(work, Products) or work.second_map:
        return node
    x, w, bias, x_zero, w_zero, *others = node.inputs
    if w not in graph.constants or (w_zero and w_zero not in graph.constants):
        return node
    values = graph.constants[w].values
    points = graph.constants[w_zero].values if w_zero else np.zeros((), values.dtype)
    shape: Shape = work.x.shape[-3:]  # type: ignore[assignment]
    op, live = _masked(work.operator, (shape,), work.w.see(values != points))
    if live is None:
        return node

    def keep(name: str, tensor: Array) -> str:
        kept = work.w.see(tensor).reshape(live.shape)[live]
        constants[name] = Constant(TensorType(kept.shape, kept.dtype.name), kept.view)
        return name

    w = keep(f"{node.name}/live", values)
    if points.size > 1:
        w_zero = keep(f"{node.name}/live zeros", np.broadcast_to(points, values.shape))
    view = View((0,), constants[w].type.shape)
    inputs = x, w, bias, x_zero, w_zero, *others
    return replace(node, work=work._replace(operator=op, w=view), inputs=inputs)
