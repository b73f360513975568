"""Values through a Graph, node by node: the golden level of what comes from files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from accelsim.errors import NetworkError
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import OF_PRODUCTS, Array, Function, Graph, Node, Products
from accelsim.numerics import programs


class Operands(NamedTuple):
    """What the multipliers of an engine see of Products.

    maps : of every image, the inputs of the operator: [c, h, w] each, int16 less their zero
        points, or float32.
    weights : as the operator has them; empty where its kernel is an input.
    """

    maps: tuple[tuple[Array, ...], ...]
    weights: Array


Values = Mapping[str, Array]  # by the names of tensors
# What functions raise on inputs that they cannot have, which a file can say all the same.
_NOT_COMPUTED = (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, MemoryError)

Sums = Callable[[Node, Sequence[Operands]], Sequence[Array]]


def golden(node: Node, every: Sequence[Operands]) -> list[Array]:
    """Sums of products [n, k, oh, ow] by the operator's golden reference, of every run."""
    assert isinstance(node.work, Products)
    operator = node.work.operator
    return [
        np.stack([operator.golden(operands.weights, *maps) for maps in operands.maps])
        for operands in every
    ]


def evaluate(graph: Graph, inputs: Values, sums: Sums = golden) -> dict[str, Array]:
    """The outputs of the graph, by name, of inputs of the types that the graph says."""
    *_, (_, (values,)) = walk(graph, (inputs,), sums)
    return outputs(graph, values)


def outputs(graph: Graph, values: Values) -> dict[str, Array]:
    """Those of the values that a walk to the end has left."""
    return {name: _value(graph, values, name) for name in graph.outputs}


def walk(
    graph: Graph, inputs: Sequence[Values], sums: Sums = golden
) -> Iterator[tuple[Node, Sequence[Values]]]:
    """Node by node through the graph; whoever has seen enough stops.

    Several runs, which share nothing but the constants, go side by side.

    Parameters
    ----------
    inputs : of every run, by name, of the types that the graph says.
    sums : gives the sums of products of a node in every run; other levels pass theirs.

    Yields
    ------
    A node, and of every run all values that are still held, those of the node included.
    """
    runs = [dict(each) for each in inputs]
    for node in graph.nodes:
        given = [given_to(graph, node, values) for values in runs]
        made = compute(graph, node, given, sums)
        for values, results in zip(runs, made, strict=True):
            named = zip(node.outputs, results, strict=False)  # further results may be unwanted
            values.update((name, value) for name, value in named if name)
        yield node, runs
        for name in graph.last_reads.get(node.name, ()):
            for values in runs:
                values.pop(name, None)


def given_to(graph: Graph, node: Node, values: Values) -> list[Array | None]:
    """The inputs of a node; None for one that is left out."""
    return [None if name == "" else _value(graph, values, name) for name in node.inputs]


def _value(graph: Graph, values: Mapping[str, Array], name: str) -> Array:
    return graph.constants[name].values if name in graph.constants else values[name]


def compute(
    graph: Graph, node: Node, every: Sequence[Sequence[Array | None]], sums: Sums = golden
) -> list[tuple[Array, ...]]:
    """The outputs of one node in every run, of its inputs there."""
    with np.errstate(all="ignore"):  # infinities and what is no number are values of reals
        try:
            made = _compute(graph, node, every, sums)
        except _NOT_COMPUTED as error:
            raise NetworkError(
                f"node {node.name} ({node.kind}) cannot be computed: {error}"
            ) from None
    for results in made:
        _check(graph, node, results)
    return made


def _compute(
    graph: Graph, node: Node, every: Sequence[Sequence[Array | None]], sums: Sums
) -> list[tuple[Array, ...]]:
    if not isinstance(node.work, Products):
        return [_on_host(node, given) for given in every]
    totals = sums(node, [operands(node, given) for given in every])
    return [
        (after_sums(graph, node, given, total),) for given, total in zip(every, totals, strict=True)
    ]


def _check(graph: Graph, node: Node, results: Sequence[Array]) -> None:
    """NetworkError where results are not of the types that costs were counted with."""
    for name, value in zip(node.outputs, results, strict=False):  # some may be unwanted
        if name == "":
            continue
        shape, dtype, _ = graph.type(name)
        if value.shape != shape or value.dtype != dtype:
            raise NetworkError(
                f"node {node.name} ({node.kind}) makes {name!r} of {list(value.shape)} "
                f"{value.dtype}, and its attributes say {list(shape)} {dtype}"
            )


def _on_host(node: Node, given: Sequence[Array | None]) -> tuple[Array, ...]:
    """The outputs of a node without products."""
    if isinstance(node.work, Function):
        result = FUNCTIONS[node.work.name](*given, **node.work.attributes)
        return result if isinstance(result, tuple) else (result,)
    return (_run(node.program, *given),)


def after_sums(graph: Graph, node: Node, given: Sequence[Array | None], total: Array) -> Array:
    """What a node makes of its sums of products."""
    assert isinstance(node.work, Products)
    bias, others = given[2], given[OF_PRODUCTS + node.work.guides :]
    if node.work.factors:
        total = total * np.array(node.work.factors, np.float32).reshape(-1, 1, 1)
    if bias is not None:
        total = total + bias.reshape(-1, 1, 1)
    shape, dtype, _ = graph.type(node.outputs[0])
    result = _run(node.program, total, *others) if node.program else total
    # Engines multiply reals as float32; some files have them in other types.
    return node.work.y.put_back(result, shape).astype(dtype, copy=False)


def operands(node: Node, given: Sequence[Array | None]) -> Operands:
    """What the multipliers see of the inputs of Products."""
    work = node.work
    assert isinstance(work, Products)
    x, w, _, x_zero, w_zero = given[:OF_PRODUCTS]
    assert x is not None
    assert w is not None
    kernel = work.w.see(_less(w, w_zero))
    maps = [work.x.see(_less(x, x_zero))]
    maps += [guide for guide in given[OF_PRODUCTS:][: work.guides] if guide is not None]
    if work.second_map:
        maps.append(kernel)
        kernel = np.empty(0, np.int8)
    return Operands(tuple(zip(*maps, strict=True)), kernel)


def _less(x: Array, zero: Array | None) -> Array:
    """Operands of a multiplier: integers less their zero point as int16, reals as they are."""
    if x.dtype.kind == "f":
        return x.astype(np.float32, copy=False)
    wide = x.astype(np.int16)
    return wide if zero is None else wide - zero.astype(np.int16)


def _run(program: programs.Program, *maps: Array | None) -> Array:
    first, *others = (each for each in maps if each is not None)
    return programs.run(program, first, *others)
