"""A Graph in the making: operators of a file become its nodes, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, FileError, NetworkError, ShapeError, UnsupportedError
from accelsim.graph.evaluate import compute
from accelsim.graph.types import (
    Array,
    Constant,
    Function,
    Graph,
    Node,
    Quantisation,
    TensorType,
    Work,
)
from accelsim.importers.tflite.read import DTYPES, MOST_VALUES, File, Operator, Tensor
from accelsim.numerics.programs import Program
from accelsim.numerics.scales import Quantised, check_quantised, check_scales
from accelsim.phrases import are, counted

Rule = Callable[["Operation"], None]  # adds the nodes of one operator


@dataclass
class Build:
    """What is known so far of a file's graph.

    names : of tensors by their places in the file, made unique.
    """

    file: File
    names: tuple[str, ...]
    types: dict[str, TensorType] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def graph(self) -> Graph:
        """The graph, without the constants that no node reads."""
        inputs = tuple(self.names[place] for place in self.file.inputs)
        outputs = tuple(self.names[place] for place in self.file.outputs)
        read = {name for node in self.nodes for name in node.inputs} | set(outputs)
        constants = {name: each for name, each in self.constants.items() if name in read}
        name = self.file.path.stem
        return Graph(name, inputs, outputs, tuple(self.nodes), self.types, constants)

    def take(self, name: str, tensor: Tensor) -> None:
        """A constant of the file; FileError where its type cannot be."""
        assert tensor.read is not None
        self.constants[name] = Constant(file_type(self.file, tensor), tensor.read)


def unique_names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """The names of the tensors, those that are empty or used before with their places."""
    names: dict[str, None] = {}
    for place, tensor in enumerate(tensors):
        name = tensor.name or f"tensor{place}"
        while name in names:
            name += f"#{place}"
        names[name] = None
    return tuple(names)


def file_type(file: File, tensor: Tensor, shape: tuple[int, ...] | None = None) -> TensorType:
    """Type of a tensor of the file, of another shape than there if that is said."""
    if tensor.kind not in DTYPES:
        raise UnsupportedError(f"{file.path}: tensor {tensor.name} is of type {tensor.kind}")
    size = tensor.shape if shape is None else shape
    if prod(size) > MOST_VALUES:
        raise ShapeError(
            f"{file.path}: tensor {tensor.name} must have at most {MOST_VALUES} values, "
            f"not the {prod(size)} of {list(size)}"
        )
    return TensorType(size, tensor.dtype, tensor.quantisation)


@dataclass(frozen=True, eq=False)
class Operation:
    """An operator of the file where its nodes are made.

    name : of its first output, and so of its node.
    place : among the operators.
    """

    build: Build
    operator: Operator
    place: int

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that it reads, "" for one that is left out."""
        return tuple("" if place < 0 else self.build.names[place] for place in self.operator.inputs)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors that it makes."""
        return tuple(self.build.names[place] for place in self.operator.outputs)

    @property
    def name(self) -> str:
        """Of the first tensor that it makes, or its place where it makes none."""
        return self.outputs[0] if self.outputs else f"operator {self.place}"

    @property
    def options(self) -> Mapping[str, Any]:
        """As the file has them; see read.OPTIONS."""
        return self.operator.options

    def has(self, place: int) -> bool:
        """Whether there is an input at that place."""
        return place < len(self.inputs) and self.inputs[place] != ""

    def type(self, place: int = 0) -> TensorType:
        """Type of an input; UnsupportedError where there is none."""
        if not self.has(place):
            raise UnsupportedError(f"it has no input {place}")
        name = self.inputs[place]
        if name in self.build.constants:
            return self.build.constants[name].type
        if name not in self.build.types:
            raise UnsupportedError(f"it reads {name}, which no operator before it makes")
        return self.build.types[name]

    def shape(self, place: int = 0) -> tuple[int, ...]:
        """Shape of an input."""
        return self.type(place).shape

    def values(self, place: int) -> Array:
        """A constant input; UnsupportedError where it is computed."""
        self.type(place)
        if (constant := self.build.constants.get(self.inputs[place])) is None:
            raise UnsupportedError(f"its input {self.inputs[place]} is computed, not constant")
        return constant.values

    def integers(self, place: int) -> list[int]:
        """A constant input of integers."""
        values = self.values(place)
        if values.dtype.kind not in "iu":
            raise UnsupportedError(f"its input {self.inputs[place]} must be integers")
        made: list[int] = values.reshape(-1).tolist()
        return made

    def integer(self, place: int) -> int:
        """A constant input of a single integer."""
        found = self.integers(place)
        if len(found) != 1:
            raise UnsupportedError(f"its input {self.inputs[place]} must be one number")
        return found[0]

    def result(self, shape: Sequence[int] = (), place: int = 0) -> TensorType:
        """Type of an output as the file has it, of that shape."""
        if place >= len(self.outputs):
            raise UnsupportedError(f"it has no output {place}")
        tensor = self.build.file.tensors[self.operator.outputs[place]]
        return file_type(self.build.file, tensor, tuple(shape))

    @cached_property
    def images(self) -> int:
        """How many the graph's first input holds: its first size."""
        build = self.build
        return build.types[build.names[build.file.inputs[0]]].shape[0]

    def of_reals(self, *places: int) -> bool:
        """Whether it computes with float32, not with int8 or uint8.

        places : of the inputs that it computes with, of which an integer bias may be one; the
            first if none is said. UnsupportedError where types are mixed or others.
        """
        x, *others = (self.type(place).dtype for place in places or (0,))
        y = self.result().dtype
        allowed = {x} if x == "float32" else {x, "int32"}
        if x != y or x not in ("float32", "int8", "uint8") or not allowed.issuperset(others):
            raise UnsupportedError(
                f"it makes {y} of {', '.join(dict.fromkeys((x, *others)))}; all float32, all int8 "
                "or all uint8 is supported"
            )
        return x == "float32"

    def quantised(self, place: int = 0) -> Quantised:
        """Scale and zero point of an input, one for all of it."""
        return one_scale(self.type(place), self.inputs[place])

    @property
    def quantised_result(self) -> Quantised:
        """Scale and zero point of the first output."""
        return one_scale(self.result(), self.name)

    def literal(self, values: Any, dtype: str = "int64") -> str:
        """The name of a constant that is not in the file."""
        array = np.asarray(values, dtype)
        name = f"{self.name}/{len(self.build.constants)}"
        self.build.constants[name] = Constant(TensorType(array.shape, dtype), array.copy)
        return name

    def make(
        self,
        work: Work,
        inputs: Sequence[str],
        *shapes: Sequence[int],
        program: Program = (),
    ) -> None:
        """Add the node of the operator, whose outputs have these shapes.

        What is computed of constants alone becomes a constant.
        """
        types = [self.result(shape, place) for place, shape in enumerate(shapes)]
        if len(types) != len(self.outputs):
            raise UnsupportedError(f"it has {len(self.outputs)} outputs, not {len(types)}")
        self._add(self.name, work, inputs, self.outputs, types, program)

    def step(
        self, label: str, work: Work, inputs: Sequence[str], kind: TensorType, program: Program = ()
    ) -> str:
        """Add a node before that of the operator; the name of the tensor that it makes."""
        name = f"{self.name}/{label}"
        self._add(name, work, inputs, (name,), [kind], program)
        return name

    def _add(
        self,
        name: str,
        work: Work,
        inputs: Sequence[str],
        outputs: Sequence[str],
        types: Sequence[TensorType],
        program: Program,
    ) -> None:
        node = Node(name, self.operator.kind, work, tuple(inputs), tuple(outputs), program)
        known = self.build.constants
        if isinstance(work, Function) and all(each in known for each in inputs if each):
            given = [known[each] if each else None for each in inputs]
            made = dict(zip(outputs, types, strict=True))
            for place, (output, kind) in enumerate(made.items()):
                known[output] = Constant(kind, _folded(node, made, given, place))
            return
        self.build.types |= zip(outputs, types, strict=True)
        self.build.nodes.append(node)


def _folded(
    node: Node, types: Mapping[str, TensorType], given: Sequence[Constant | None], place: int
) -> Callable[[], Array]:
    """What computes an output, one of those types, of a node of constants."""
    graph = Graph("", (), (), (), types)

    def read() -> Array:
        values = [None if each is None else each.values for each in given]
        return np.array(compute(graph, node, [values])[0][place])

    return read


def one_scale(kind: TensorType, name: str) -> Quantised:
    """What the integers of a tensor stand for; UnsupportedError unless they have one scale."""
    said = kind.quantisation
    if said is None or said.scale.ndim:
        count = "none" if said is None else said.scale.size
        raise UnsupportedError(f"tensor {name} must have one scale, not {count}")
    made = Quantised(float(said.scale), int(said.zero_point), kind.dtype)
    check_quantised(f"tensor {name}", made)
    return made


def channel_scales(kind: TensorType, name: str, axis: int | None) -> Quantisation:
    """Scales of weights: one, or one of every index of an axis, else UnsupportedError."""
    said = kind.quantisation
    if said is None:
        raise UnsupportedError(f"tensor {name} must have a scale, not none")
    check_scales(f"the scale of tensor {name}", said.scale)
    if not said.scale.ndim:
        return said
    wanted = 1 if axis is None else kind.shape[axis]
    if said.axis != axis or said.scale.size != wanted:
        raise UnsupportedError(
            f"tensor {name} must have one scale, or {wanted} along axis {axis}, not "
            f"{said.scale.size} along axis {said.axis}"
        )
    return said


def build(
    file: File,
    rules: Mapping[str, Rule],
    counts: Mapping[str, tuple[int, int]],
    sizes: tuple[int, int] | Mapping[str, tuple[int, ...]] | None = None,
) -> Graph:
    """The graph of a file.

    rules : by the kinds of operators.
    counts : of the inputs of an operator, least and most, where these are not 1.
    sizes : height and width of the image, or shapes of inputs by their names, where they are
        others than in the file.

    UnsupportedError lists all operators that are not supported, each with name, kind and reason.
    """
    made = Build(file, unique_names(file.tensors))
    computed = {place for each in file.operators for place in each.outputs}
    _take_inputs(made, sizes)
    for place, (name, tensor) in enumerate(zip(made.names, file.tensors, strict=True)):
        if tensor.read is not None and place not in computed and name not in made.types:
            made.take(name, tensor)
    refused: list[str] = []
    for place, operator in enumerate(file.operators):
        operation = Operation(made, operator, place)
        try:
            if (rule := rules.get(operator.kind)) is None:
                raise UnsupportedError("no operator that is known")
            _check_outputs(made, operator, place)
            least, most = counts.get(operator.kind, (1, 1))
            if not least <= len(operator.inputs) <= most:
                raise UnsupportedError(f"it has {len(operator.inputs)} inputs")
            rule(operation)
        except (UnsupportedError, ShapeError, NetworkError) as error:
            refused.append(f"{operation.name} ({operator.kind}): {error}")
            _assume(made, operation)
    if refused:
        raise UnsupportedError(
            f"{file.path} has {counted(len(refused), 'operator')} that {are(len(refused))} not "
            f"supported: {'; '.join(refused)}"
        )
    for place in file.outputs:
        if (name := made.names[place]) not in made.types and name not in made.constants:
            raise FileError(f"{file.path}: output {name} is made by no operator")
    return made.graph()


def _take_inputs(
    made: Build, sizes: tuple[int, int] | Mapping[str, tuple[int, ...]] | None
) -> None:
    """Types of the graph's inputs; an AccelsimError where they cannot be."""
    path, tensors = made.file.path, made.file.tensors
    given = {} if sizes is None or isinstance(sizes, tuple) else dict(sizes)
    for place in made.file.inputs:
        name, tensor = made.names[place], tensors[place]
        shape = given.pop(name, tensor.shape)
        if isinstance(sizes, tuple) and len(shape) == 4:
            shape = (shape[0], *sizes, shape[3])
        if not shape or min(shape) < 1:
            raise UnsupportedError(
                f"{path}: input {name} must have sizes of at least 1, not {list(shape)}; say others"
            )
        if len(shape) != len(tensor.shape):
            raise ShapeError(
                f"{path}: input {name} must have {len(tensor.shape)} sizes, not {list(shape)}"
            )
        made.types[name] = file_type(made.file, tensor, shape)
    if given:
        names = ", ".join(made.names[place] for place in made.file.inputs)
        raise NetworkError(f"{path} has no input {next(iter(given))!r}; its inputs are {names}")


def _check_outputs(made: Build, operator: Operator, place: int) -> None:
    """FileError where an operator makes nothing, or what is made already."""
    where = f"{made.file.path}: operator {place}, {operator.kind},"
    if not operator.outputs or min(operator.outputs) < 0:
        raise FileError(f"{where} has no output")
    for output in operator.outputs:
        if (name := made.names[output]) in made.types or name in made.constants:
            raise FileError(f"{where} makes tensor {name}, which is made before it")


def _assume(made: Build, operation: Operation) -> None:
    """Types of the outputs of an operator that is refused, so that others can be looked at."""
    for place, name in enumerate(operation.outputs):
        tensor = made.file.tensors[operation.operator.outputs[place]]
        with suppress(AccelsimError):
            made.types[name] = file_type(made.file, tensor)
