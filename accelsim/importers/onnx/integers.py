"""What operators on 8-bit integers need, and what types they make, where ONNX does not say."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from accelsim.errors import NetworkError
from accelsim.graph.functions.pools import windows
from accelsim.graph.types import TensorType
from accelsim.importers.onnx.model import Model, Step
from accelsim.importers.onnx.quantised import LINEAR, PREFIX

_TENSOR = (0, 1)  # a tensor and its scale
# The inputs that operators must have; for what is not of ONNX, attributes and their types too.
_REQUIRED: Mapping[str, tuple[int, ...]] = {
    "ConvInteger": (0, 1),
    "DequantizeLinear": _TENSOR,
    "MatMulInteger": (0, 1),
    "QLinearConv": (0, 1, 3, 4, 6),
    "QLinearMatMul": (0, 1, 3, 4, 6),
    "QuantizeLinear": _TENSOR,
    f"{PREFIX}DequantizeLinear": _TENSOR,
    f"{PREFIX}QGemm": (0, 1, 3, 4),
    f"{PREFIX}QuantizeLinear": _TENSOR,
    f"{LINEAR}Add": (0, 1, 3, 4, 6),
    f"{LINEAR}AveragePool": (0, 1, 3),
    f"{LINEAR}Concat": (0, 2, 3),
    f"{LINEAR}GlobalAveragePool": (0, 1, 3),
    f"{LINEAR}LeakyRelu": (0, 1, 3),
    f"{LINEAR}Mul": (0, 1, 3, 4, 6),
    f"{LINEAR}Sigmoid": (0, 1, 3),
    f"{LINEAR}Softmax": (0, 1, 3),
}
_ATTRIBUTES: Mapping[str, type] = {
    "alpha": float,
    "auto_pad": str,
    "axis": int,
    "ceil_mode": int,
    "channels_last": int,
    "count_include_pad": int,
    "dilations": tuple,
    "kernel_shape": tuple,
    "opset": int,
    "pads": tuple,
    "strides": tuple,
    "transA": int,
    "transB": int,
}
# Where operators of ONNX have zero points, and the tensors that these are of.
_ZERO_POINTS = {
    "ConvInteger": ((2, 0), (3, 1)),
    "DequantizeLinear": ((2, 0),),
    "MatMulInteger": ((2, 0), (3, 1)),
    "QLinearConv": ((2, 0), (5, 3)),
    "QLinearMatMul": ((2, 0), (5, 3)),
}


def check_inputs(model: Model, step: Step) -> None:
    """What shapes infer from: NetworkError for inputs that lack, and for types that do not fit."""
    places: Sequence[int] = _REQUIRED.get(step.kind, ())
    if step.kind == f"{LINEAR}Concat":
        places = (*places, *range(2, len(step.inputs), 3), *range(3, len(step.inputs), 3))
    for place in places:
        if not step.input(place):
            raise NetworkError(f"{step} lacks its input {place + 1}")
    if step.kind.startswith(PREFIX) and step.kind in _REQUIRED:
        for name, value in step.attributes.items():
            if not isinstance(value, _ATTRIBUTES.get(name, ())):
                raise NetworkError(f"{step} cannot have the attribute {name} that it has")
    for place, of in _ZERO_POINTS.get(step.kind, ()):
        name, tensor = step.input(place), step.input(of)
        if name and model.type(name).dtype != model.type(tensor).dtype:
            raise NetworkError(
                f"zero point {name!r} of {step} must be of {model.type(tensor).dtype}, as "
                f"{tensor!r} is, not of {model.type(name).dtype}"
            )


Types = list[TensorType | None]


def _as_first(step: Step, types: Types) -> Types:
    """The type of the first input."""
    return types[:1]


def _as_integers(step: Step, types: Types) -> Types:
    """Of the type of the zero point."""
    x, _, zero, *_ = (*types, None)
    assert x is not None
    return [x._replace(dtype="uint8" if zero is None else zero.dtype)]


def _as_reals(step: Step, types: Types) -> Types:
    """Of the type of the scale."""
    x, scale = types[:2]
    assert x is not None
    assert scale is not None
    return [x._replace(dtype=scale.dtype)]


def _broadcast(step: Step, types: Types) -> Types:
    """Two maps, of one shape or broadcast."""
    a, b = types[0], types[3]
    assert a is not None
    assert b is not None
    try:
        return [TensorType(np.broadcast_shapes(a.shape, b.shape), a.dtype)]
    except ValueError:
        raise NetworkError(
            f"shapes of {step} do not infer: {list(a.shape)} and {list(b.shape)} do not broadcast"
        ) from None


def _joined(step: Step, types: Types) -> Types:
    """Maps behind one another along an axis."""
    shapes = [each.shape for each in types[2::3] if each is not None]
    axis = step.attributes.get("axis")
    if not isinstance(axis, int):
        raise NetworkError(f"axis of {step} must be a whole number, not {axis!r}")
    first = list(shapes[0])
    others = {tuple(np.delete(shape, axis)) if len(shape) > axis else () for shape in shapes}
    if len(others) > 1 or not -len(first) <= axis < len(first):
        raise NetworkError(
            f"shapes of {step} do not infer: {', '.join(str(list(each)) for each in shapes)} "
            f"cannot be joined along axis {axis}"
        )
    first[axis] = sum(shape[axis] for shape in shapes)
    assert types[2] is not None
    return [TensorType(tuple(first), types[2].dtype)]


def _matrix(step: Step, types: Types) -> Types:
    """The product of two matrices."""
    a, b = types[0], types[3]
    assert a is not None
    assert b is not None
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise NetworkError(f"shapes of {step} do not infer: its operands must be matrices")
    rows = a.shape[1 if step.attributes.get("transA") else 0]
    columns = b.shape[0 if step.attributes.get("transB") else 1]
    of_reals = len(types) < 8 or types[7] is None
    return [TensorType((rows, columns), "float32" if of_reals else a.dtype)]


def _windows(step: Step, types: Types) -> Types:
    """One value for every window."""
    (x, *_) = types
    assert x is not None
    known = ("kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode")
    said = {name: step.attributes[name] for name in known if name in step.attributes}
    rank = len(said.get("kernel_shape", ()))
    last = bool(step.attributes.get("channels_last"))
    size = x.shape[1:-1] if last else x.shape[2:]
    if rank == 0 or rank != len(size):
        raise NetworkError(
            f"shapes of {step} do not infer: kernel_shape must have {len(size)} sizes"
        )
    out = tuple(axis.out for axis in windows(size, **said))
    return [x._replace(shape=(x.shape[0], *out, x.shape[-1]) if last else (*x.shape[:2], *out))]


def _whole(step: Step, types: Types) -> Types:
    """One value for every channel."""
    (x, *_) = types
    assert x is not None
    ones = (1,) * (len(x.shape) - 2)
    if step.attributes.get("channels_last"):
        return [x._replace(shape=(x.shape[0], *ones, x.shape[-1]))]
    return [x._replace(shape=(*x.shape[:2], *ones))]


SHAPES: Mapping[str, Callable[[Step, Types], Types]] = {
    "DequantizeLinear": _as_reals,
    "QGemm": _matrix,
    "QLinearAdd": _broadcast,
    "QLinearAveragePool": _windows,
    "QLinearConcat": _joined,
    "QLinearGlobalAveragePool": _whole,
    "QLinearLeakyRelu": _as_first,
    "QLinearMul": _broadcast,
    "QLinearSigmoid": _as_first,
    "QLinearSoftmax": _as_first,
    "QuantizeLinear": _as_integers,
}
