"""What an ONNX file says, without protobuf: operators on named tensors, constants read lazily."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from accelsim.graph.network import Elements
from accelsim.graph.types import Array, Constant, TensorType

STANDARD = ""  # the domain of ONNX's own operators
MICROSOFT = "com.microsoft"
# NumPy's names of the types that tensors can have, by ONNX's number.
TYPES: dict[int, str] = {
    onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)): name
    for name in (
        *("float16", "float32", "float64", "bool", "int8", "uint8", "int16", "uint16"),
        *("int32", "uint32", "int64", "uint64"),
    )
}
MOST_VALUES = 1 << 28  # of a tensor


@dataclass(frozen=True, eq=False)
class Step:
    """A node of the file, or what several of them come to.

    name : of the file, else that of the first output; no two are alike.
    kind : the operator, such as Conv; of other domains than ONNX's with the domain before it, such
        as com.microsoft.QGemm.
    inputs, outputs : names of tensors, "" for one that is left out.
    attributes : as the newest operator set has them, once `normalise` has seen the step.
    proto : the NodeProto that it was read from; None of what was made here.
    norm : whether a batch norm is folded into its weights and its bias.
    biased : whether its bias, where it has one, is more than that of a norm.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    proto: Any = None
    norm: bool = False
    biased: bool = True

    def __str__(self) -> str:
        return f"node {self.name} ({self.kind})"

    def input(self, place: int) -> str:
        """The name of an input, "" where there is none."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def with_attributes(self, **attributes: Any) -> "Step":
        """The step with attributes added; those that are None are taken away."""
        all_of_them = {**self.attributes, **attributes}
        kept = {name: value for name, value in all_of_them.items() if value is not None}
        return replace(self, attributes=kept)

    def with_inputs(self, *inputs: str) -> "Step":
        """The step with other inputs."""
        return replace(self, inputs=inputs)


class CannotExecuteError(Exception):
    """Why a step cannot be executed."""


class Refusal(NamedTuple):
    """Why a node cannot be executed."""

    step: Step
    reason: str

    def __str__(self) -> str:
        return f"{self.step.name} ({self.step.kind}: {self.reason})"


def derived(
    shape: tuple[int, ...], dtype: str, function: Callable[..., Array], *constants: Constant
) -> Constant:
    """A constant that is a function of others, which is computed when it is asked for."""

    def read() -> Array:
        with np.errstate(all="ignore"):
            return np.array(function(*(each.values for each in constants)), dtype)

    return Constant(TensorType(shape, dtype), read)


@dataclass(eq=False)
class Model:
    """A graph on its way from a file to a Graph.

    path : of the file.
    versions : of the operator sets, by domain.
    inputs : types of the inputs of the graph that are no constants.
    steps : in order of execution, those that lead to the outputs.
    types : of all tensors that are known so far and are no constants.
    elements : of the constants that nodes of the file read.
    computed : by name of a constant, the step that makes it of others.
    """

    path: Path
    versions: Mapping[str, int]
    inputs: dict[str, TensorType]
    outputs: tuple[str, ...]
    steps: list[Step]
    constants: dict[str, Constant]
    types: dict[str, TensorType] = field(default_factory=dict)
    elements: Elements | None = None
    computed: dict[str, Step] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many go through it at once: the first axis of the first input that has several."""
        shapes = [each.shape for each in self.inputs.values() if len(each.shape) > 1]
        return shapes[0][0] if shapes else 1

    def type(self, name: str) -> TensorType:
        """Of any tensor that is known."""
        return self.constants[name].type if name in self.constants else self.types[name]

    def knows(self, name: str) -> bool:
        """Whether the type of a tensor is known."""
        return name in self.constants or name in self.types

    def values(self, step: Step, place: int) -> Array | None:
        """Those of an input, or None where there is none or where they are computed."""
        name = step.input(place)
        return self.constants[name].values if name in self.constants else None

    def add(self, hint: str, constant: Constant | Array) -> str:
        """A name, made from the hint, for a new constant."""
        if isinstance(constant, np.ndarray):
            values = constant
            constant = Constant(TensorType(values.shape, values.dtype.name), values.copy)
        name = hint
        number = 1
        while self.knows(name):
            number += 1
            name = f"{hint}.{number}"
        self.constants[name] = constant
        return name
