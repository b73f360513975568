"""Types of what nodes make, one node at a time: by ONNX's own rules, or those written here."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError, infer_node_outputs

from accelsim.errors import NetworkError
from accelsim.graph.types import TensorType
from accelsim.importers.onnx.integers import SHAPES, check_inputs
from accelsim.importers.onnx.model import (
    MICROSOFT,
    STANDARD,
    TYPES,
    CannotExecuteError,
    Model,
    Step,
)

MOST_KNOWN = 1 << 10  # values of an input that shapes may depend on
_POSITIVE = ("strides", "dilations", "kernel_shape", "group", "blocksize", "num_outputs")

# ONNX says of these what they compute, but not of what shape it is.
_AS_FIRST = ("GroupNormalization", "MeanVarianceNormalization")


def infer(model: Model, step: Step) -> dict[str, TensorType | None]:
    """The types of the outputs of a step as the file has it, None where they do not follow.

    CannotExecuteError where no rule is known; NetworkError where shapes do not fit.
    """
    _check_attributes(step)
    check_inputs(model, step)
    domain, _, operator = step.kind.rpartition(".")
    if domain == MICROSOFT and operator in OWN:
        return _own(model, step, operator)
    version = model.versions.get(domain)
    try:
        schema = onnx.defs.get_schema(operator, version or model.versions[STANDARD], domain)
    except onnx.defs.SchemaError:
        raise CannotExecuteError(
            f"operator set {version} of {domain or 'ai.onnx'} has none"
        ) from None
    _check_standard_inputs(step, schema)
    # In the message stand the names of the file, in the step those that they are other names of.
    names = {old: new for old, new in zip(step.proto.input, step.inputs, strict=True) if old}
    known = {
        old: onnx.numpy_helper.from_array(model.constants[new].values)
        for old, new in names.items()
        if new in model.constants and prod(model.type(new).shape) <= MOST_KNOWN
    }
    given = {old: _as_proto(model.type(new)) for old, new in names.items()}
    try:
        types = infer_node_outputs(schema, step.proto, given, known, opset_imports=_imports(model))
    except (InferenceError, ValidationError) as error:
        reason = str(error).strip().splitlines()[-1].rpartition("] ")[2]
        raise NetworkError(f"shapes of {step} do not infer: {reason}") from None
    made = {name: _from_proto(types.get(name)) for name in step.outputs if name}
    if step.kind in _AS_FIRST:
        made[step.outputs[0]] = model.type(step.inputs[0])
    if step.kind == "Reshape":
        _check_reshape(step, model.type(step.inputs[0]), made[step.outputs[0]])
    return made


def _own(model: Model, step: Step, operator: str) -> dict[str, TensorType | None]:
    """By a rule written here; NetworkError where the step lacks what the operator has."""
    types = [model.type(name) if name else None for name in step.inputs]
    try:
        made = OWN[operator](step, types)
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise NetworkError(
            f"inputs and attributes of {step} are not those of the operator: {error!r}"
        ) from None
    return dict(zip(step.outputs, made, strict=False))


def _check_standard_inputs(step: Step, schema: Any) -> None:
    """NetworkError where an input or the output is missing that the operator must have."""
    for place, formal in enumerate(schema.inputs):
        required = formal.option == onnx.defs.OpSchema.FormalParameterOption.Single
        if required and step.input(place) == "":
            raise NetworkError(f"{step} has no input {formal.name!r}, which it must have")
    if not step.outputs or step.outputs[0] == "":
        raise NetworkError(f"{step} has no output")


def _check_reshape(step: Step, before: TensorType, after: TensorType | None) -> None:
    """NetworkError where a tensor would get or lose values, which ONNX's rule does not see."""
    if after is not None and prod(before.shape) != prod(after.shape):
        raise NetworkError(
            f"{step} makes {list(after.shape)} of {step.inputs[0]!r}, which is {list(before.shape)}"
        )


def _check_attributes(step: Step) -> None:
    """NetworkError for numbers that no operator can have, which ONNX's rules do not all refuse."""
    for name in _POSITIVE:
        value = step.attributes.get(name, 1)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(each, int) and 0 < each < 1 << 31 for each in numbers):
            shown = repr(value) if isinstance(value, int | float | str | tuple) else "a tensor"
            raise NetworkError(f"{name} of {step} must be of at least 1, not {shown}")


def _as_proto(type_: TensorType) -> Any:
    number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(type_.dtype))
    return onnx.helper.make_tensor_type_proto(number, type_.shape)


def _from_proto(proto: Any) -> TensorType | None:
    """None where the type or a dimension is unknown."""
    if proto is None or not proto.HasField("tensor_type"):
        return None
    tensor = proto.tensor_type
    if not tensor.HasField("shape") or not tensor.elem_type:
        return None
    dims = [each.dim_value if each.HasField("dim_value") else -1 for each in tensor.shape.dim]
    if min(dims, default=0) < 0:
        return None
    if tensor.elem_type not in TYPES:
        name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise CannotExecuteError(f"it makes a tensor of type {name}")
    return TensorType(tuple(dims), TYPES[tensor.elem_type])


def _imports(model: Model) -> list[Any]:
    return [onnx.helper.make_opsetid(*each) for each in model.versions.items()]


Types = list[TensorType | None]


def _as_first(step: Step, types: Types) -> Types:
    """The type of the first input."""
    return types[:1]


OWN: Mapping[str, Callable[[Step, Types], Types]] = {
    "Gelu": _as_first,
    "QuickGelu": _as_first,
    **SHAPES,
}
