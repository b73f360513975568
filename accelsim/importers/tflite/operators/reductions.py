"""Pools, reductions, softmax: operators that make fewer values, or weigh them by each other."""

from collections.abc import Mapping
from math import prod

from accelsim.errors import UnsupportedError
from accelsim.graph.types import Function, TensorType
from accelsim.importers.tflite.build import Operation, Rule
from accelsim.importers.tflite.operators.activations import activate, bounds
from accelsim.importers.tflite.operators.arithmetic import same_scales
from accelsim.importers.tflite.operators.products import four_axes, window
from accelsim.numerics import tflite_rules
from accelsim.numerics.onnx_rules import clamp


def _pool(name: str) -> Rule:
    """A rule for AVERAGE_POOL_2D and MAX_POOL_2D, which keep the scale."""

    def rule(operation: Operation) -> None:
        n, h, w, c = four_axes(operation)
        kernel = operation.options["FilterHeight"], operation.options["FilterWidth"]
        stride, _, sides, (oh, ow) = window(operation, (h, w), kernel)
        function = Function(name, {"kernel": kernel, "stride": stride, "sides": sides})
        shape = n, oh, ow, c
        if operation.of_reals():
            activate(operation, function, operation.inputs, shape)
            return
        same_scales(operation, 0)
        y = operation.quantised_result
        low, high = bounds(operation, y)
        if low is None and high is None:
            operation.make(function, operation.inputs, shape)
            return
        step = operation.step("pool", function, operation.inputs, operation.result(shape))
        ends = clamp(y, low, high)
        limits = [operation.literal(end, y.dtype) for end in (ends.low, ends.high)]
        operation.make(Function("Clip"), (step, *limits), shape)

    return rule


def axes(operation: Operation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes along which a reduction goes, and the shape that it leaves."""
    shape = operation.shape()
    chosen = []
    for axis in operation.integers(1):
        if not -len(shape) <= axis < len(shape):
            raise UnsupportedError(f"its axis {axis} is none of {len(shape)}")
        chosen.append(axis % len(shape))
    reduced = tuple(dict.fromkeys(chosen))
    if operation.options["KeepDims"]:
        return reduced, tuple(1 if a in reduced else size for a, size in enumerate(shape))
    return reduced, tuple(size for a, size in enumerate(shape) if a not in reduced)


def _reduce(name: str) -> Rule:
    """A rule for reductions of reals and plain integers; REDUCE_MAX and _MIN of all integers."""

    def rule(operation: Operation) -> None:
        along, shape = axes(operation)
        kind = operation.type().dtype
        if kind not in ("int32", "int64") and not operation.of_reals():
            if operation.operator.kind == "MEAN":
                mean(operation)
                return
            if name not in ("ReduceMax", "ReduceMin"):
                raise UnsupportedError("it is supported for float32 and int32 only")
            same_scales(operation, 0)
        function = Function(name, {"keepdims": int(operation.options["KeepDims"])})
        if not along:
            operation.make(Function("Identity"), operation.inputs[:1], shape)
            return
        inputs = operation.inputs[0], operation.literal(along)
        operation.make(function, inputs, shape)

    return rule


def mean(operation: Operation) -> None:
    """MEAN of integers: the sum on the scale of the result; the count divides the multiplier.

    As QuantizedMeanOrSum of kernels/internal/reference/reduce.h.
    """
    along, shape = axes(operation)
    x, y = operation.quantised(), operation.quantised_result
    count = prod(operation.shape()[axis] for axis in along)
    attributes = {
        "axes": along,
        "keepdims": bool(operation.options["KeepDims"]),
        "zero_point": x.zero_point,
    }
    total = Function("tflite.total", attributes)
    sums = operation.step("sum", total, operation.inputs[:1], TensorType(shape, "int32"))
    operation.make(None, (sums,), shape, program=tflite_rules.mean(x, y, count))


def softmax(operation: Operation) -> None:
    """SOFTMAX along the last axis."""
    beta, shape = float(operation.options["Beta"]), operation.shape()
    if operation.of_reals():
        operation.make(Function("tflite.scaled_softmax", {"beta": beta}), operation.inputs, shape)
        return
    attributes = {"scale": operation.quantised().scale, "beta": beta}
    operation.make(Function("tflite.softmax", attributes), operation.inputs, shape)


def l2_normalization(operation: Operation) -> None:
    """L2_NORMALIZATION along the last axis, of reals."""
    if not operation.of_reals():
        raise UnsupportedError("it is supported for float32 only")
    function = Function("tflite.l2_normalise")
    activate(operation, function, operation.inputs, operation.shape())


def log_softmax(operation: Operation) -> None:
    """LOG_SOFTMAX along the last axis, of reals."""
    if not operation.of_reals():
        raise UnsupportedError("it is supported for float32 only")
    operation.make(Function("LogSoftmax"), operation.inputs, operation.shape())


def _arg(name: str) -> Rule:
    """A rule for ARG_MAX and ARG_MIN."""

    def rule(operation: Operation) -> None:
        shape = operation.shape()
        axis = operation.integer(1)
        if not -len(shape) <= axis < len(shape):
            raise UnsupportedError(f"its axis {axis} is none of {len(shape)}")
        axis %= len(shape)
        left = shape[:axis] + shape[axis + 1 :]
        dtype = operation.result().dtype
        found = Function(name, {"axis": axis, "keepdims": 0})
        place = operation.step("place", found, operation.inputs[:1], TensorType(left, "int64"))
        operation.make(Function("Cast", {"to": dtype}), (place,), left)

    return rule


RULES: Mapping[str, Rule] = {
    "ARG_MAX": _arg("ArgMax"),
    "ARG_MIN": _arg("ArgMin"),
    "AVERAGE_POOL_2D": _pool("tflite.average_pool"),
    "L2_NORMALIZATION": l2_normalization,
    "LOG_SOFTMAX": log_softmax,
    "MAX_POOL_2D": _pool("tflite.max_pool"),
    "MEAN": _reduce("ReduceMean"),
    "REDUCE_MAX": _reduce("ReduceMax"),
    "REDUCE_MIN": _reduce("ReduceMin"),
    "REDUCE_PROD": _reduce("ReduceProd"),
    "SOFTMAX": softmax,
    "SUM": _reduce("ReduceSum"),
}
