"""Tensors that two computed of the same data: how many elements differ, and what may.

What follows from integers alone must be equal in every bit. Where a node computes in reals, sums of
another order round otherwise: behind it integers may be STEPS apart in the outputs, and reals a
small part of the largest real of all outputs. What stands between is told, and not judged.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.graph.functions import shapes
from accelsim.graph.types import Function, Graph, Node, Products
from accelsim.result import Values
from accelsim.runtimes.oracle import Oracle

Array = npt.NDArray[Any]

STEPS = 2  # of an output of integers behind a node that computes in reals
PART = 1e-4  # of the largest real of all outputs: what another order of sums may change
# Functions that round nothing, or that IEEE 754 rounds in one way.
EXACT = {
    *shapes.FUNCTIONS,
    *("Abs", "Add", "ArgMax", "ArgMin", "Cast", "Clip", "DequantizeLinear", "Dropout", "Equal"),
    *("GlobalMaxPool", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max"),
    *("MaxPool", "Min", "Mul", "Neg", "Not", "QuantizeLinear", "ReduceMax", "ReduceMin", "Relu"),
    *("Sign", "Sub", "Where"),
    *(f"tflite.{each}" for each in ("depth_to_space", "dequantise", "max_pool", "quantise")),
    *(f"tflite.{each}" for each in ("resize_nearest", "space_to_depth", "unpack")),
}


class Difference(NamedTuple):
    """One tensor.

    elements, different : how many there are, and how many of them differ.
    first : index of the first that differs, what the runtime has there and what we have; or None.
    max_difference : the largest; None where one of two is no number, or where shapes or types
        differ, which are then all elements.
    allowed : the largest that is; None for a tensor that is not judged.
    """

    name: str
    elements: int
    different: int
    first: dict[str, Any] | None
    max_difference: float | int | None
    allowed: float | None

    @property
    def wrong(self) -> bool:
        """Whether it is beyond what is allowed."""
        if self.allowed is None or not self.different:
            return False
        return self.max_difference is None or self.max_difference > self.allowed


@dataclass(frozen=True)
class Comparison:
    """All tensors that both have, in the order in which nodes make them.

    reals : nodes that compute in reals, by what the file calls them.
    """

    oracle: Oracle
    differences: tuple[Difference, ...]
    reals: Counter[str]

    @property
    def wrong(self) -> list[str]:
        """Names of the tensors that are beyond what is allowed."""
        return [each.name for each in self.differences if each.wrong]

    def to_dict(self) -> dict[str, Any]:
        """What JSON has of it, with the keys `compare` and `compared_with`."""
        oracle = self.oracle
        about = {
            "runtime": oracle.runtime,
            "options": dict(oracle.options),
            "form": oracle.form,
            "float_operators": dict(self.reals),
            "equal": not self.wrong,
        }
        return {
            "compare": [each._asdict() for each in self.differences],
            "compared_with": about,
        }


def compare_tensors(graph: Graph, values: Values, oracle: Oracle) -> Comparison:
    """What nodes made beside what a runtime made, tensor by tensor."""
    assert values.outputs is not None
    ours = {**(values.tensors or {}), **values.outputs}
    behind = _behind_reals(graph)
    order = [name for node in graph.nodes for name in node.outputs]
    names = dict.fromkeys(name for name in (*order, *graph.outputs) if name in oracle.tensors)
    ends = [oracle.tensors[name] for name in graph.outputs if name in oracle.tensors]
    apart = PART * max(map(_largest, ends), default=0.0)
    differences = []
    for name in names:
        theirs = oracle.tensors[name]
        allowed: float | None = 0 if name not in behind else None
        if allowed is None and name in graph.outputs:
            allowed = apart if theirs.dtype.kind == "f" else STEPS
        differences.append(difference(name, theirs, ours[name], allowed))
    reals = Counter(node.kind for node in graph.nodes if is_real(graph, node))
    return Comparison(oracle, tuple(differences), reals)


def is_real(graph: Graph, node: Node) -> bool:
    """Whether a node computes in reals what another order of sums would round otherwise."""
    if node.on_reals:
        return True
    if isinstance(node.work, Products):
        return _is_float(graph, node.inputs[0])
    if not isinstance(node.work, Function) or node.work.name in EXACT:
        return False
    read = [name for name in node.inputs if name]
    return bool(read) and _is_float(graph, read[0])


def _is_float(graph: Graph, name: str) -> bool:
    return graph.type(name).dtype.startswith("float")


def _behind_reals(graph: Graph) -> set[str]:
    """The tensors that follow from a node that computes in reals."""
    behind: set[str] = set()
    for node in graph.nodes:
        if is_real(graph, node) or not behind.isdisjoint(node.inputs):
            behind |= {name for name in node.outputs if name}
    return behind


def _largest(tensor: Array) -> float:
    """The largest real of a tensor; 0 of integers."""
    if tensor.dtype.kind != "f":
        return 0.0
    return float(np.abs(tensor[np.isfinite(tensor)]).max(initial=0.0))


def difference(name: str, theirs: Array, ours: Array, allowed: float | None) -> Difference:
    """Two tensors of a name, element by element; no number is equal to none."""
    if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
        types = {
            "expected": f"{theirs.dtype.name} {list(theirs.shape)}",
            "found": f"{ours.dtype.name} {list(ours.shape)}",
        }
        return Difference(name, theirs.size, theirs.size, {"index": None, **types}, None, allowed)
    reals = theirs.dtype.kind == "f"
    equal = (theirs == ours) | (np.isnan(theirs) & np.isnan(ours)) if reals else theirs == ours
    different = int(equal.size - np.count_nonzero(equal))
    if not different:
        return Difference(name, theirs.size, 0, None, 0, allowed)
    index = np.unravel_index(int(np.argmin(equal)), equal.shape)
    first = {
        "index": [int(each) for each in index],
        "expected": _plain(theirs[index]),
        "found": _plain(ours[index]),
    }
    wide = np.float64 if reals else np.int64
    apart = np.abs(theirs[~equal].astype(wide) - ours[~equal].astype(wide))
    largest = _plain(apart.max())
    return Difference(name, theirs.size, different, first, largest, allowed)


def _plain(value: Any) -> float | int | None:
    """A number as JSON has it; None for what is none."""
    number = value.item()
    return number if np.isfinite(number) else None
