"""A Graph as a Network: what its nodes cost, layer by layer.

A node of Products is a layer of its operator, so that what is priced is what is computed. Every
other node is a layer on the host. Where a layer reads a tensor as a map of another shape than the
one that was made, a layer `reshape`, which moves nothing, stands between them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np

from accelsim.errors import NetworkError
from accelsim.graph.build import outputs_of
from accelsim.graph.host import HostNode
from accelsim.graph.types import OF_PRODUCTS, Array, Graph, Node, Products
from accelsim.ir import ANY_INT8, INPUT, Factors, Layer, Network, Shape
from accelsim.numerics.certificates import Certificate, certify
from accelsim.numerics.programs import Certifiable
from accelsim.tensors import Tensor

CHANNELS_FIRST, CHANNELS_LAST = "channels first", "channels last"
MOST_COLOURS = 4  # of an image


class Elements(NamedTuple):
    """How many numbers the constants have that the nodes of a file read.

    values : weights, biases, shapes and all others, of which some are no parameters.
    scales : scales and zero points.
    """

    values: int
    scales: int


@dataclass(frozen=True)
class GraphNetwork(Network):
    """A Network whose values are those of a Graph.

    graph : its nodes have the names of the layers.
    layout : where the channels of a tensor of images stand, CHANNELS_FIRST or CHANNELS_LAST.
    batch : images that the tensors of the graph hold; each layer of products takes them all.
    elements : of the constants of the file; None where it is no file's.
    caveats : sentences about its values, which reports print.
    """

    graph: Graph = field(kw_only=True, repr=False, compare=False)
    layout: str = CHANNELS_FIRST
    elements: Elements | None = None
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_parts()
        self._find_tensors(
            {name: Tensor(self._entry_shape(name), self.dtype) for name in self.graph.inputs}
        )

    def _entry_shape(self, name: str) -> Shape:
        """(c, h, w) of an input."""
        return _as_entry(self.graph, name, self.layout, self.batch)

    @cached_property
    def entries(self) -> dict[str, int]:
        """The inputs of the graph, from the first layer on."""
        return dict.fromkeys(self.graph.inputs, 0)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """By the name of a layer the node that computes it, or whose input it is."""
        return {name: node for name, node, _ in _parts(self.graph)}

    @cached_property
    def made(self) -> dict[str, str]:
        """By the name of a layer the tensor that it makes."""
        return {name: tensor for name, _, tensor in _parts(self.graph)}

    def without_values(self) -> Network:
        """The layers as a network of its own, which variants can change.

        NetworkError where it has several inputs.
        """
        if len(self.graph.inputs) > 1:
            raise NetworkError(
                f"variants are of networks with one input, and {self.name} has "
                f"{', '.join(self.graph.inputs)}"
            )
        (entry,) = self.graph.inputs
        layers = tuple(
            replace(layer, inputs=tuple(INPUT if each == entry else each for each in layer.inputs))
            for layer in self.layers
        )
        return Network(self.name, self.input, layers, dtype=self.dtype, batch=self.batch)

    @cached_property
    def certificates(self) -> dict[str, Certificate]:
        """By the name of a node, its program compared with the rule of its runtime."""
        return {
            node.name: certify(node.program)
            for node in self.graph.nodes
            if isinstance(node.program, Certifiable)
        }

    def as_output(self, tensor: Array) -> Array:
        """What a result shows of the tensor that a layer makes."""
        return tensor

    def is_real(self, layer: Layer) -> bool:
        """Whether a layer multiplies reals, which an engine would as the integers of int8."""
        node = self.nodes[layer.name]
        of_reals = self.graph.type(node.inputs[0]).dtype.startswith("float")
        return of_reals and isinstance(node.work, Products)


def _parts(graph: Graph) -> Iterator[tuple[str, Node, str]]:
    """Every name that a layer may have, its node, and the tensor that it makes or reshapes."""
    for node in graph.nodes:
        if isinstance(node.work, Products):
            for place, tensor in enumerate(node.inputs[:2]):
                yield _as_read(node, place), node, tensor
        for place, tensor in enumerate(filter(None, node.outputs)):
            yield _as_made(node, place), node, tensor


def _as_made(node: Node, place: int) -> str:
    """The name of the layer that makes an output of a node."""
    return f"{node.name}.{place}" if place else node.name


def _as_read(node: Node, place: int) -> str:
    """The name of the layer that sees an input of products as the engine does."""
    return f"{node.name}.in{place or ''}"


def as_map(shape: Sequence[int], layout: str = CHANNELS_FIRST, images: int = 1) -> Shape:
    """(c, h, w) of one image of a tensor: a vector is channels, a sequence one row of them.

    Of a tensor whose first axis is not that of the images, all of it.
    """
    if len(shape) > 1 and shape[0] != images:
        shape = (images, *shape)
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


def _as_entry(graph: Graph, name: str, layout: str, images: int) -> Shape:
    """(c, h, w) of an input, also of an image whose colours stand last, as converters leave it."""
    shape = graph.type(name).shape
    if len(shape) == 4 and shape[3] <= MOST_COLOURS < min(shape[1:3]):
        layout = CHANNELS_LAST
    return as_map(shape, layout, images)


def as_network(
    graph: Graph, layout: str = CHANNELS_FIRST, elements: Elements | None = None
) -> GraphNetwork:
    """The network of a graph; NetworkError where its products are not of one number of images."""
    graph = _with_short_names(graph)
    images = _images(graph)
    first = _as_entry(graph, graph.inputs[0], layout, images)
    made = tuple(layers(graph, layout, images))
    return GraphNetwork(
        graph.name,
        first,
        made,
        batch=images,
        graph=graph,
        layout=layout,
        elements=elements,
    )


def _with_short_names(graph: Graph) -> Graph:
    """Without all but the last name of what TensorFlow's converter has fused, where that is enough.

    It joins them with semicolons.
    """
    short = Counter(node.name.rpartition(";")[2] for node in graph.nodes)
    nodes = []
    for node in graph.nodes:
        name = node.name.rpartition(";")[2]
        nodes.append(replace(node, name=name) if short[name] == 1 else node)
    return replace(graph, nodes=tuple(nodes))


def _images(graph: Graph) -> int:
    """The images that every layer takes at once."""
    numbers = {
        node.work.x.shape[0]: node.name for node in graph.nodes if isinstance(node.work, Products)
    }
    if len(numbers) > 1:
        (n, one), (m, other), *_ = numbers.items()
        raise NetworkError(
            f"node {one} of {graph.name} works on a batch of {n} and node {other} on one of {m}; "
            "all must work on one"
        )
    first = graph.type(graph.inputs[0]).shape
    return next(iter(numbers), first[0] if len(first) > 1 else 1)


def layers(graph: Graph, layout: str, images: int) -> Iterator[Layer]:
    """The layers of a graph, in order."""
    made = {name: (name, _as_entry(graph, name, layout, images)) for name in graph.inputs}
    for node in graph.nodes:
        work = node.work
        if not isinstance(work, Products):
            reads = [made[name] for name in dict.fromkeys(node.inputs) if name in made]
            sources, shapes = zip(*reads, strict=True) if reads else ((), ())
            parameters = _parameters(graph, node)
            for place, tensor in enumerate(filter(None, node.outputs)):
                name = _as_made(node, place)
                shape = as_map(graph.type(tensor).shape, layout, images)
                yield Layer(name, HostNode(node.kind, shape, parameters, shapes), sources)
                made[tensor] = name, shape
            continue
        views = (work.x, work.w) if work.second_map else (work.x,)
        read = []
        for place, (tensor, view) in enumerate(zip(node.inputs, views, strict=False)):
            source, shape = made[tensor]
            seen: Shape = view.shape[-3:]  # type: ignore[assignment]
            if seen != shape:
                name = _as_read(node, place)
                yield Layer(name, HostNode("reshape", seen, 0, (shape,)), (source,))
                source = name
            read.append((source, seen))
        sources, shapes = zip(*read, strict=True)
        yield Layer(
            node.name,
            work.operator,
            sources,
            bias=work.biased and (node.inputs[2] != "" or _has_bias(node)),
            norm=work.norm,
            factors=factors(graph, node, shapes),
        )
        made[node.outputs[0]] = node.name, work.operator.out_shape(*shapes)


def factors(graph: Graph, node: Node, shapes: Sequence[Shape]) -> Factors:
    """What the multipliers see of products; of reals int8, as which they are priced."""
    work = node.work
    assert isinstance(work, Products)
    x, w, _, x_zero, w_zero = node.inputs[:OF_PRODUCTS]
    if graph.type(x).dtype.startswith("float"):
        return ANY_INT8
    made = Factors(_range(graph, x, x_zero), _range(graph, w, w_zero))
    products = max(
        piece.conv.macs // prod(piece.conv.out_shape) for piece in work.operator.lower(*shapes)
    )
    if w not in graph.constants or made.bound(products) < 1 << 31:
        return made
    # Only now are weights worth reading: those of the largest layers.
    weights = graph.constants[w].values.astype(np.int64)
    if w_zero:
        weights = weights - graph.constants[w_zero].values
    _, kernel = work.operator.operands((np.empty(0, np.int8),), np.abs(work.w.see(weights)))
    if kernel.ndim == 1:  # kernels of several shapes, one behind another
        sums = np.bincount(outputs_of(work.operator, tuple(shapes)), kernel)
    else:
        sums = kernel.reshape(len(kernel), -1).sum(axis=1)
    return made._replace(most_sum=int(sums.max()) * max(map(abs, made.x)))


def _range(graph: Graph, name: str, zero: str) -> tuple[int, int]:
    """The least and the greatest that a tensor can hold less its zero point."""
    limits = np.iinfo(graph.type(name).dtype)
    if zero == "":
        return int(limits.min), int(limits.max)
    if zero not in graph.constants:  # known only when it is computed
        width = int(limits.max) - int(limits.min)
        return -width, width
    points = graph.constants[zero].values
    return int(limits.min) - int(points.max()), int(limits.max) - int(points.min())


def _has_bias(node: Node) -> bool:
    return any(type(step).__name__ == "Bias" for step in node.program)


# Operators with trainable constants, and how many of their inputs, from the second on, are such:
# a mean and a variance are not trained.
_TRAINED = {
    **dict.fromkeys(("Add", "Mul", "Sub", "Div", "PRelu", "Gather", "Concat", "PRELU"), 2),
    **dict.fromkeys(("ADD", "MUL", "SUB", "DIV"), 2),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization"), 3),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), 3),
}


def _parameters(graph: Graph, node: Node) -> int:
    """Values of the constants of reals that a node on the host reads and that are trained.

    A single number, such as the 2 of a square, is none.
    """
    names = node.inputs[: _TRAINED.get(node.kind, 0)]
    types = [graph.constants[name].type for name in names if name in graph.constants]
    sizes = [prod(each.shape) for each in types if each.dtype.startswith("float")]
    return sum(size for size in sizes if size > 1)
