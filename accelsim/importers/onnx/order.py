"""Which nodes of a file matter, and in which order they run."""

from collections.abc import Collection, Iterable, Iterator
from heapq import heappop, heappush

import onnx

from accelsim.errors import NetworkError
from accelsim.importers.onnx.model import Step


def in_order(steps: list[Step], known: Collection[str], outputs: Iterable[str]) -> list[Step]:
    """The steps that lead to the outputs, each after those that it reads, else as in the file.

    known : tensors that no step makes.
    NetworkError for a tensor that two steps make, or none, and for a cycle.
    """
    makers = _makers(steps, known)
    wanted = _leading_to(makers, known, outputs)
    chosen = [step for step in steps if step.name in wanted]
    waits = {
        place: {makers[name].name for name in reads(step) if name in makers}
        for place, step in enumerate(chosen)
    }
    readers: dict[str, list[int]] = {}
    for place, names in waits.items():
        for name in names:
            readers.setdefault(name, []).append(place)
    ready = [place for place, names in waits.items() if not names]  # as a heap: by place
    ordered: list[Step] = []
    while ready:
        step = chosen[heappop(ready)]
        ordered.append(step)
        for place in readers.get(step.name, ()):
            waits[place].discard(step.name)
            if not waits[place]:
                heappush(ready, place)
    for place, step in enumerate(chosen):
        for name in reads(step) if waits[place] else ():
            if name in makers and makers[name].name in waits[place]:
                raise NetworkError(f"{step} reads {name!r}, which depends on what the node makes")
    return ordered


def reads(step: Step) -> Iterator[str]:
    """The tensors that a step reads, those that graphs in its attributes take from around them."""
    yield from filter(None, step.inputs)
    for value in step.attributes.values():
        if isinstance(value, onnx.GraphProto):
            yield from _captured(value)


def _captured(graph: onnx.GraphProto) -> Iterator[str]:
    inside = {each.name for each in (*graph.input, *graph.initializer)}
    inside |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        yield from (name for name in node.input if name and name not in inside)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from (name for name in _captured(inner) if name not in inside)
    yield from (each.name for each in graph.output if each.name not in inside)


def _makers(steps: list[Step], known: Collection[str]) -> dict[str, Step]:
    """By tensor the step that makes it."""
    makers: dict[str, Step] = {}
    for step in steps:
        for name in filter(None, step.outputs):
            if name in makers:
                raise NetworkError(f"{step} makes {name!r}, which {makers[name]} makes too")
            if name in known:
                raise NetworkError(f"{step} makes {name!r}, which is an input or an initializer")
            makers[name] = step
    return makers


def _leading_to(
    makers: dict[str, Step], known: Collection[str], outputs: Iterable[str]
) -> set[str]:
    """Names of the steps on which the outputs depend."""
    wanted: set[str] = set()
    queue: list[tuple[str, Step | None]] = [(name, None) for name in outputs]
    while queue:
        name, reader = queue.pop()
        if name in known:
            continue
        if name not in makers:
            who = f"{reader} reads" if reader else "the graph has the output"
            raise NetworkError(f"{who} {name!r}, which no node makes")
        maker = makers[name]
        if maker.name not in wanted:
            wanted.add(maker.name)
            queue += [(each, maker) for each in reads(maker)]
    return wanted
