"""Values through a Graph, node by node: the golden level of what comes from files."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Array, Function, Graph, Node, Products
from accelsim.numerics import programs

OF_PRODUCTS = 5  # inputs: x, w, bias, zero points of x and w


class Operands(NamedTuple):
    """What the multipliers of an engine see of Products.

    maps : of every image, the inputs of the operator: [c, h, w] each, int16 less their zero
        points, or float32.
    weights : as the operator has them; empty where its kernel is an input.
    """

    maps: tuple[tuple[Array, ...], ...]
    weights: Array


Sums = Callable[[Node, Operands], Array]


def golden(node: Node, operands: Operands) -> Array:
    """Sums of products [n, k, oh, ow] by the operator's golden reference."""
    assert isinstance(node.work, Products)
    operator = node.work.operator
    return np.stack([operator.golden(operands.weights, *maps) for maps in operands.maps])


def evaluate(
    graph: Graph,
    inputs: Mapping[str, Array],
    sums: Sums = golden,
    watch: Callable[[Node, Mapping[str, Array]], None] | None = None,
) -> dict[str, Array]:
    """The outputs of the graph, by name.

    inputs : by name, of the types that the graph says.
    sums : gives the sums of products of a node; other levels pass theirs.
    watch : called after each node with all values that are still held, those of the node included.
    """
    values = dict(inputs)
    for node in graph.nodes:
        given = [None if name == "" else _value(graph, values, name) for name in node.inputs]
        made = compute(graph, node, given, sums)
        named = zip(node.outputs, made, strict=False)  # of further results, those that are wanted
        values |= {name: value for name, value in named if name}
        if watch is not None:
            watch(node, values)
        for name in graph.last_reads.get(node.name, ()):
            values.pop(name, None)
    return {name: _value(graph, values, name) for name in graph.outputs}


def _value(graph: Graph, values: Mapping[str, Array], name: str) -> Array:
    return graph.constants[name].values if name in graph.constants else values[name]


def compute(
    graph: Graph, node: Node, given: Sequence[Array | None], sums: Sums = golden
) -> tuple[Array, ...]:
    """The outputs of one node."""
    work = node.work
    if isinstance(work, Products):
        shape = graph.type(node.outputs[0]).shape
        total = sums(node, operands(node, given))
        if given[2] is not None:
            total = total + given[2].reshape(-1, 1, 1)
        others = given[OF_PRODUCTS:]
        result = _run(node.program, total, *others) if node.program else total
        return (work.y.put_back(result, shape),)
    if isinstance(work, Function):
        result = FUNCTIONS[work.name](*given, **work.attributes)
        return result if isinstance(result, tuple) else (result,)
    first, *others = given
    return (_run(node.program, first, *others),)


def operands(node: Node, given: Sequence[Array | None]) -> Operands:
    """What the multipliers see of the inputs of Products."""
    work = node.work
    assert isinstance(work, Products)
    x, w, _, x_zero, w_zero = given[:OF_PRODUCTS]
    assert x is not None
    assert w is not None
    maps, kernel = work.x.see(_less(x, x_zero)), work.w.see(_less(w, w_zero))
    if work.second_map:
        return Operands(tuple(zip(maps, kernel, strict=True)), np.empty(0, np.int8))
    return Operands(tuple((each,) for each in maps), kernel)


def _less(x: Array, zero: Array | None) -> Array:
    """Operands of a multiplier: integers less their zero point as int16, reals as they are."""
    if x.dtype.kind == "f":
        return x.astype(np.float32, copy=False)
    wide = x.astype(np.int16)
    return wide if zero is None else wide - zero.astype(np.int16)


def _run(program: programs.Program, *maps: Array | None) -> Array:
    first, *others = (each for each in maps if each is not None)
    return programs.run(program, first, *others)
