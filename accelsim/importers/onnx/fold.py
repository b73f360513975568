"""What is known before anything runs: shapes of all tensors, and everything computed of constants.

Shapes are those of one size of the input, so that the arithmetic on shapes that exporters leave in
files comes to constants too, and vanishes. Small constants are computed at once, since shapes
follow from them; large ones, such as transposed weights, when somebody asks for their values.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import NetworkError, UnsupportedError
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Array, Constant, TensorType
from accelsim.importers.onnx.attributes import why_not
from accelsim.importers.onnx.elements import count_elements
from accelsim.importers.onnx.model import MOST_VALUES, CannotExecuteError, Model, Refusal, Step
from accelsim.importers.onnx.normalise import normalise
from accelsim.importers.onnx.order import in_order, reads
from accelsim.importers.onnx.read import initializers, steps
from accelsim.importers.onnx.shapes import MOST_KNOWN, infer

MOST_SMALL = 1 << 16  # values of an input of what is computed at once
_NAMES_ONLY = ("Identity", "Dropout")  # of what they read


def fold(model: Model, executable: Collection[str]) -> list[Refusal]:
    """Leave in a model what depends on its inputs, in order, with the types of all tensors.

    executable : operators that can be executed besides those of FUNCTIONS.
    Returned are the nodes that cannot be executed; NetworkError where shapes do not fit.
    """
    return Folding(model, executable).run()


class Folding:
    """A model while it is folded.

    aliases : by tensor the one that it is another name of.
    taken : names of steps.
    read : tensors that steps read, or that are outputs.
    made : tensors that steps make, those that were refused included.
    """

    def __init__(self, model: Model, executable: Collection[str]) -> None:
        self.model = model
        self.executable = executable
        self.aliases: dict[str, str] = {}
        self.taken = {step.name for step in model.steps}
        self.kept: list[Step] = []
        self.refused: list[Refusal] = []
        self.read = set(model.outputs)
        self.made: set[str] = set()

    def run(self) -> list[Refusal]:
        """Take one step after the other; those that cannot be executed are returned."""
        model = self.model
        model.elements = count_elements(model, model.steps)
        self.read |= {name for step in model.steps for name in reads(step)}
        queue = deque(model.steps)
        while queue:
            step = queue.popleft()
            step = step.with_inputs(*(self.aliases.get(name, name) for name in step.inputs))
            if step.kind == "If" and step.input(0) in model.constants:
                queue.extendleft(reversed(self._branch(step)))
            else:
                self._take(step)
                self.made |= set(step.outputs)
        model.steps = self.kept
        if not self.refused:
            self._name_outputs()
        return self.refused

    def _branch(self, step: Step) -> list[Step]:
        """The steps of the branch that a constant condition takes."""
        model = self.model
        taken = bool(model.constants[step.input(0)].values.all())
        graph = step.attributes["then_branch" if taken else "else_branch"]
        for name, each in initializers(model.path, graph).items():
            self._put(name, each)
        inner = steps(model.path, graph.node, self.taken)
        self.read |= {name for each in inner for name in reads(each)}
        names = [each.name for each in graph.output]
        known = {*model.constants, *model.inputs, *self.made}
        return [
            *in_order(inner, known, names),
            *(
                Step(f"{step.name}.{made}", "Identity", (name,), (made,))
                for name, made in zip(names, step.outputs, strict=True)
            ),
        ]

    def _take(self, step: Step) -> None:
        """One step: a constant, another name, or something to execute."""
        step = self._without_unread(step)
        if step.kind == "Constant":
            self._put(step.outputs[0], _constant(self.model, step))
            return
        if reason := why_not(step, self.executable):
            self.refused.append(Refusal(step, reason))
        elif not all(self.model.knows(name) for name in step.inputs if name):
            pass  # it is behind one that is refused
        elif step.kind == "Dropout" and self._is_trained(step):
            self.refused.append(Refusal(step, "it is one of training; export for inference"))
        elif step.kind in _NAMES_ONLY and len(step.outputs) == len(step.inputs[:1]) == 1:
            self.aliases[step.outputs[0]] = step.inputs[0]
        else:
            self._infer(step)

    def _is_trained(self, dropout: Step) -> bool:
        """Whether a Dropout drops anything, or may do so."""
        name = dropout.input(2)
        constant = self.model.constants.get(name)
        return name != "" and (constant is None or bool(constant.values.any()))

    def _without_unread(self, step: Step) -> Step:
        """The step less the outputs behind the last that somebody reads."""
        outputs = list(step.outputs)
        while len(outputs) > 1 and outputs[-1] not in self.read:
            outputs.pop()
        return replace(step, outputs=tuple(outputs))

    def _infer(self, step: Step) -> None:
        """One step that can be executed."""
        model = self.model
        try:
            types = infer(model, step)
        except CannotExecuteError as error:
            self.refused.append(Refusal(step, str(error)))
            return
        of_constants = all(name in model.constants for name in step.inputs if name)
        for name, type_ in types.items():
            if type_ is not None:
                model.types[name] = checked(type_, name, step)
            elif not of_constants:
                self.refused.append(Refusal(step, "the shape of its result depends on values"))
                return
        for each in normalise(model, step):
            if each.kind in ("Shape", "Size"):
                shape = np.broadcast_to(np.float32(0), model.type(each.inputs[0]).shape)
                self._put(each.outputs[0], _of_array(_call(each, [shape])[0]))
            elif all(name in model.constants for name in each.inputs if name):
                self._compute(each)
            else:
                self.kept.append(each)

    def _compute(self, step: Step) -> None:
        """The outputs of a step of constants: at once if they are few, else when asked for."""
        model = self.model
        if step.kind not in FUNCTIONS:
            self.refused.append(Refusal(step, "it has constants only"))
            return
        given = [model.constants[name] if name else None for name in step.inputs]
        types = [model.types.get(name) for name in step.outputs]
        few = all(prod(each.type.shape) <= MOST_SMALL for each in given if each)
        if None in types or (few and all(prod(each.shape) <= MOST_KNOWN for each in types if each)):
            if not few:
                self.refused.append(Refusal(step, "the shape of its result depends on values"))
                return
            made = _call(step, [each.values if each else None for each in given])
            constants = [_of_array(each) for each in made[: len(types)]]
        else:
            constants = [
                _later(step, place, given, each) for place, each in enumerate(types) if each
            ]
        for name, each in zip(step.outputs, constants, strict=True):
            if name:
                checked(each.type, name, step)
                self._put(name, each)
                model.computed[name] = step

    def _put(self, name: str, constant: Constant) -> None:
        self.model.types.pop(name, None)
        self.model.constants[name] = constant

    def _name_outputs(self) -> None:
        """Give the outputs of the graph the names that they have, where they were other names."""
        model = self.model
        for name in model.outputs:
            made = self.aliases.get(name, name)
            if made in model.constants:
                self._output_constant(made, name)
            elif made != name:
                model.types[name] = model.types[made]
                if made in model.inputs or made in model.outputs:
                    model.steps.append(Step(f"{name}.copy", "Identity", (made,), (name,)))
                else:
                    self._rename(made, name)

    def _output_constant(self, made: str, name: str) -> None:
        """A layer that gives an output which depends on no input."""
        model = self.model
        constant = model.constants[made]
        model.constants.pop(name, None)
        model.types[name] = constant.type
        held = model.add(f"{name}.constant", constant)
        for place, step in enumerate(model.steps):
            model.steps[place] = step.with_inputs(
                *(held if each in (made, name) else each for each in step.inputs)
            )
        model.steps.append(Step(f"{name}.copy", "Identity", (held,), (name,)))

    def _rename(self, made: str, name: str) -> None:
        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name if each == made else each for each in names)

        self.model.steps = [
            replace(step, inputs=renamed(step.inputs), outputs=renamed(step.outputs))
            for step in self.model.steps
        ]
        self.aliases = {
            alias: name if each == made else each for alias, each in self.aliases.items()
        }


def checked(type_: TensorType, name: str, step: Step) -> TensorType:
    """The type; NetworkError where the tensor would have too many values."""
    if prod(type_.shape) > MOST_VALUES:
        raise NetworkError(
            f"{step} makes {name!r} of the shape {list(type_.shape)}; tensors have at most "
            f"{MOST_VALUES:,} values"
        )
    return type_


def _constant(model: Model, step: Step) -> Constant:
    """What a Constant node says."""
    for name, value in step.attributes.items():
        match name:
            case "value" if isinstance(value, Constant):
                return value
            case "value_int" | "value_ints":
                return _of_array(np.array(value, np.int64))
            case "value_float" | "value_floats":
                return _of_array(np.array(value, np.float32))
    raise UnsupportedError(
        f"{model.path}: {step} must have value, value_int(s) or value_float(s), not "
        f"{', '.join(step.attributes) or 'none of them'}"
    )


def _of_array(values: Array) -> Constant:
    return Constant(TensorType(values.shape, values.dtype.name), lambda: values)


def _later(step: Step, place: int, given: list[Constant | None], type_: TensorType) -> Constant:
    """An output that is computed when it is asked for."""

    def read() -> Array:
        made = _call(step, [each.values if each else None for each in given])[place]
        if made.shape != type_.shape:
            raise NetworkError(
                f"{step} makes {list(made.shape)} of its constants, and its attributes say "
                f"{list(type_.shape)}"
            )
        return made.astype(type_.dtype)

    return Constant(type_, read)


def _call(step: Step, given: list[Array | None]) -> tuple[Array, ...]:
    """The results of the function of a step; NetworkError where it refuses its inputs."""
    try:
        with np.errstate(all="ignore"):
            made: Any = FUNCTIONS[step.kind](*given, **step.attributes)
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise NetworkError(f"{step} cannot be computed of its constants: {error}") from None
    results = made if isinstance(made, tuple) else (made,)
    return tuple(np.asarray(each) for each in results)
