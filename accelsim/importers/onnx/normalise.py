"""Operators as the newest operator set has them, whatever set the file is of.

What later sets take as inputs stood in attributes of earlier ones; those become constants.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import NetworkError
from accelsim.graph.types import Constant, TensorType
from accelsim.importers.onnx.model import MICROSOFT, STANDARD, Model, Step
from accelsim.ops.geometry import resolve_padding

Rule = Callable[[Model, Step], Step | tuple[Step, ...]]


def normalise(model: Model, step: Step) -> Iterator[Step]:
    """One step, or the few that an old operator comes to."""
    version = model.versions[STANDARD]
    for below, rule in RULES.get(step.kind, ()):
        if version < below:
            made = rule(model, step)
            *before, step = (made,) if isinstance(made, Step) else made
            yield from before
    if step.kind in _SOFTMAXES and version < 13:
        yield from _old_softmax(model, step)
    else:
        yield step


def _to_input(attribute: str, place: int, dtype: str = "int64") -> Callable[[Model, Step], Step]:
    """An attribute becomes the input at a place."""

    def rule(model: Model, step: Step) -> Step:
        value = step.attributes.get(attribute)
        if value is None:
            return step
        name = model.add(f"{step.outputs[0]}.{attribute}", np.array(value, dtype))
        inputs = [step.input(each) for each in range(place)]
        return step.with_inputs(*inputs, name).with_attributes(**{attribute: None})

    return rule


def _bounds(model: Model, step: Step) -> Step:
    """Clip: its bounds become inputs of the type of what is clipped."""
    dtype = model.type(step.inputs[0]).dtype
    return _to_input("max", 2, dtype)(model, _to_input("min", 1, dtype)(model, step))


def _padding(model: Model, step: Step) -> Step:
    """Pad: amounts and value become inputs."""
    value = step.attributes.get("value", 0.0)
    dtype = model.type(step.inputs[0]).dtype
    step = _to_input("pads", 1)(model, step).with_attributes(value=value)
    return _to_input("value", 2, dtype)(model, step)


def _slice(model: Model, step: Step) -> Step:
    for place, attribute in enumerate(("starts", "ends", "axes"), start=1):
        step = _to_input(attribute, place)(model, step)
    return step


def _broadcast(model: Model, step: Step) -> Step | tuple[Step, ...]:
    """Operands of sets before 7: the second is aligned with an axis of the first."""
    attributes = {"broadcast": None, "axis": None, "consumed_inputs": None}
    axis = step.attributes.get("axis")
    first, second = (model.type(name).shape for name in step.inputs)
    step = step.with_attributes(**attributes)
    if axis is None or len(second) in (0, len(first)):
        return step
    axis %= len(first)
    shape = (*second, *(1,) * (len(first) - axis - len(second)))
    return _aligned(model, step, shape)


def _aligned(model: Model, step: Step, shape: tuple[int, ...]) -> tuple[Step, ...]:
    """The step with its second operand in another shape, which a step before it makes."""
    name, made = step.inputs[1], f"{step.name}.aligned"
    wanted = model.add(f"{made}.shape", np.array(shape, np.int64))
    model.types[made] = TensorType(shape, model.type(name).dtype)
    return (
        Step(made, "Reshape", (name, wanted), (made,)),
        step.with_inputs(step.inputs[0], made),
    )


def _resize(model: Model, step: Step) -> Step:
    """Resize of set 10, and Upsample: pixels are found as floor(i / scale)."""
    x, scales = step.inputs
    step = Step(step.name, "Resize", (x, "", scales), step.outputs, step.attributes, step.proto)
    return step.with_attributes(coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def _old_softmax(model: Model, step: Step) -> Iterator[Step]:
    """Sets before 13: all axes from one on are one."""
    shape = model.type(step.inputs[0]).shape
    axis = step.attributes.get("axis", 1)
    if len(shape) == 0 or not -len(shape) <= axis <= len(shape):
        raise NetworkError(f"axis of {step} must be one of its {len(shape)}, not {axis}")
    axis = axis + len(shape) if axis < 0 else axis
    if prod(shape[axis:]) == shape[-1] and axis < len(shape):
        yield step.with_attributes(axis=len(shape) - 1)
        return
    flat, done = f"{step.outputs[0]}.flat", f"{step.outputs[0]}.done"
    matrix = prod(shape[:axis]), prod(shape[axis:])
    model.types |= dict.fromkeys((flat, done), model.type(step.inputs[0])._replace(shape=matrix))
    back = model.add(f"{step.outputs[0]}.shape", np.array(shape, np.int64))
    there = model.add(f"{step.outputs[0]}.matrix", np.array(matrix, np.int64))
    yield Step(f"{step.name}.flat", "Reshape", (step.inputs[0], there), (flat,))
    yield Step(step.name, step.kind, (flat,), (done,), {"axis": 1})
    yield Step(f"{step.name}.back", "Reshape", (done, back), step.outputs)


def _batch_norm(model: Model, step: Step) -> Step:
    """Without what only training would make."""
    if step.attributes.get("training_mode"):
        raise NetworkError(f"{step} is one of training; export the model for inference")
    names = ("training_mode", "spatial", "is_test", "momentum", "consumed_inputs")
    step = replace(step, inputs=step.inputs[:5], outputs=step.outputs[:1])
    return step.with_attributes(**dict.fromkeys(names))


def _dropout(model: Model, step: Step) -> Step:
    """A Dropout outside of training, of which somebody reads the mask."""
    return replace(step, inputs=step.inputs[:1], attributes={})


def _slope(model: Model, step: Step) -> Step | tuple[Step, ...]:
    """PRelu of sets before 7: a slope for every channel."""
    rank, slope = len(model.type(step.inputs[0]).shape), model.type(step.inputs[1]).shape
    if len(slope) != 1 or slope == (1,) or rank < 2:
        return step
    return _aligned(model, step, (*slope, *(1,) * (rank - 2)))


def _parts(model: Model, step: Step) -> Step:
    """Split into equal parts: as many as there are outputs, where nothing else is said."""
    if step.input(1) or "num_outputs" in step.attributes:
        return step
    return step.with_attributes(num_outputs=len(step.outputs))


def _value(model: Model, step: Step) -> Step:
    """ConstantOfShape: its value as an array."""
    value = step.attributes.get("value")
    return step.with_attributes(value=value.values if isinstance(value, Constant) else None)


def _types(model: Model, step: Step) -> Step:
    """Types by the names that NumPy has for them."""
    named: dict[str, str | None] = {}
    for attribute in ("to", "output_dtype", "dtype"):
        number = step.attributes.get(attribute)
        if number:
            named[attribute] = model.type(step.outputs[0]).dtype
        elif number == 0:
            named[attribute] = None
    return step.with_attributes(**named)


_SOFTMAXES = ("Softmax", "LogSoftmax", "Hardmax")
_REDUCTIONS = tuple(
    f"Reduce{name}" for name in ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp")
)
_ALWAYS = 1 << 16  # above all versions
# By operator: below which version of the operator set something is done, and what.


def _as_standard(model: Model, step: Step) -> Step:
    """What onnxruntime had in its own domain before the operator set had it."""
    return replace(step, kind=step.kind.removeprefix(f"{MICROSOFT}."))


RULES: Mapping[str, tuple[tuple[int, Rule], ...]] = {
    f"{MICROSOFT}.DequantizeLinear": ((_ALWAYS, _as_standard),),
    f"{MICROSOFT}.QuantizeLinear": ((_ALWAYS, _as_standard),),
    "BatchNormalization": ((_ALWAYS, _batch_norm),),
    "Dropout": ((_ALWAYS, _dropout),),
    "Cast": ((_ALWAYS, _types),),
    "QuantizeLinear": ((_ALWAYS, _types),),
    "DequantizeLinear": ((_ALWAYS, _types),),
    "ConstantOfShape": ((_ALWAYS, _value),),
    "Clip": ((11, _bounds),),
    "PRelu": ((7, _slope),),
    "Pad": ((11, _padding),),
    "Slice": ((10, _slice),),
    "Split": ((13, _to_input("split", 1)), (_ALWAYS, _parts)),
    "Squeeze": ((13, _to_input("axes", 1)),),
    "Unsqueeze": ((13, _to_input("axes", 1)),),
    "ReduceSum": ((13, _to_input("axes", 1)),),
    "TopK": ((10, _to_input("k", 1)),),
    "Upsample": ((9, _to_input("scales", 1, "float32")), (_ALWAYS, _resize)),
    "Resize": ((11, _resize),),
    **dict.fromkeys((*_REDUCTIONS, "ReduceSumSquare"), ((18, _to_input("axes", 1)),)),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow"), ((7, _broadcast),)),
}


def resolve_auto_pad(step: Step, size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Padding of a convolution or a pool as [before of every axis, after of every axis]."""
    axes = len(kernel)
    ones = (1,) * axes
    mode: Any = step.attributes.get("auto_pad", "NOTSET")
    strides = step.attributes.get("strides", ones)
    dilations = step.attributes.get("dilations", ones)
    if mode in ("NOTSET", ""):
        pads = step.attributes.get("pads", (0,) * 2 * axes)
        if len(pads) != 2 * axes:
            raise NetworkError(f"pads of {step} must be {2 * axes} numbers, not {list(pads)}")
        return tuple(pads)
    if mode == "VALID":
        return (0,) * 2 * axes
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise NetworkError(
            f"auto_pad of {step} must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not {mode!r}"
        )
    before, after = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        low, high, *_ = resolve_padding("same_tf", (n, n), (k, k), (s, s), (d, d))
        before.append(low if mode == "SAME_UPPER" else high)
        after.append(high if mode == "SAME_UPPER" else low)
    return (*before, *after)
