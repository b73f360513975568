"""A Graph as a Network: what its nodes cost, layer by layer.

A node of Products is a layer of its operator, so that what is priced is what is computed. Every
other node is a layer on the host. Where a layer reads a tensor as a map of another shape than the
one that was made, a layer `reshape`, which moves nothing, stands between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from accelsim.graph.host import HostNode
from accelsim.graph.types import Graph, Node, Products
from accelsim.ir import Layer, Network, Shape
from accelsim.tensors import Tensor

CHANNELS_FIRST, CHANNELS_LAST = "channels first", "channels last"


@dataclass(frozen=True)
class GraphNetwork(Network):
    """A Network whose values are those of a Graph.

    graph : its nodes have the names of the layers.
    layout : where the channels of a tensor of images stand, CHANNELS_FIRST or CHANNELS_LAST.
    """

    graph: Graph = field(kw_only=True, repr=False, compare=False)
    layout: str = CHANNELS_FIRST

    def __post_init__(self) -> None:
        self._check_parts()
        self._find_tensors(
            {
                name: Tensor(as_map(self.graph.type(name).shape, self.layout), self.dtype)
                for name in self.graph.inputs
            }
        )

    @cached_property
    def entries(self) -> dict[str, int]:
        """The inputs of the graph, from the first layer on."""
        return dict.fromkeys(self.graph.inputs, 0)


def as_map(shape: Sequence[int], layout: str = CHANNELS_FIRST) -> Shape:
    """(c, h, w) of one image of a tensor: a vector is channels, a sequence one row of them."""
    match tuple(shape)[1:]:
        case ():
            return prod(shape), 1, 1
        case (c,):
            return c, 1, 1
        case (a, b):
            return (a, 1, b) if layout == CHANNELS_FIRST else (b, 1, a)
        case (a, b, c):
            return (a, b, c) if layout == CHANNELS_FIRST else (c, a, b)
        case (a, *rest):
            return a, prod(rest[:-1]), rest[-1]
        case _:
            raise AssertionError(shape)


def as_network(graph: Graph, layout: str = CHANNELS_FIRST) -> GraphNetwork:
    """The network of a graph."""
    first = as_map(graph.type(graph.inputs[0]).shape, layout)
    return GraphNetwork(graph.name, first, tuple(layers(graph, layout)), graph=graph, layout=layout)


def layers(graph: Graph, layout: str) -> Iterator[Layer]:
    """The layers of a graph, in order."""
    made = {name: (name, as_map(graph.type(name).shape, layout)) for name in graph.inputs}
    for node in graph.nodes:
        sources = [made[name] for name in dict.fromkeys(node.inputs) if name in made]
        work = node.work
        if not isinstance(work, Products):
            for place, tensor in enumerate(node.outputs):
                name = f"{node.name}.{place}" if place else node.name
                shape = as_map(graph.type(tensor).shape, layout)
                op = HostNode(node.kind, shape, _parameters(graph, node))
                yield Layer(name, op, tuple(source for source, _ in sources))
                made[tensor] = name, shape
            continue
        views = (work.x, work.w) if work.second_map else (work.x,)
        read = []
        for place, (tensor, view) in enumerate(zip(node.inputs, views, strict=False)):
            source, shape = made[tensor]
            seen: Shape = view.shape[-3:]  # type: ignore[assignment]
            if seen != shape:
                yield Layer(f"{node.name}.in{place or ''}", HostNode("reshape", seen), (source,))
                source = f"{node.name}.in{place or ''}"
            read.append((source, seen))
        bias = node.inputs[2] != "" or _has_bias(node)
        yield Layer(node.name, work.operator, tuple(source for source, _ in read), bias=bias)
        made[node.outputs[0]] = node.name, work.operator.out_shape(*(shape for _, shape in read))


def _has_bias(node: Node) -> bool:
    return any(type(step).__name__ == "Bias" for step in node.program)


def _parameters(graph: Graph, node: Node) -> int:
    """Values of the constants of reals that a node on the host reads."""
    types = [graph.constants[name].type for name in node.inputs if name in graph.constants]
    return sum(prod(each.shape) for each in types if each.dtype.startswith("float"))
