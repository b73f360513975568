"""Operators of two maps, and those between reals and integers of a scale."""

from collections.abc import Mapping

from accelsim.errors import UnsupportedError
from accelsim.graph.types import Function
from accelsim.importers.tflite.build import Operation, Rule, channel_scales
from accelsim.importers.tflite.operators.activations import (
    activate,
    bounds,
    broadcast,
    each,
)
from accelsim.numerics import tflite_rules

_INTEGERS = ("int32", "int64")


def _is_plain(operation: Operation) -> bool:
    """Whether it computes with integers that stand for themselves, such as sizes."""
    dtypes = {operation.type(0).dtype, operation.type(1).dtype, operation.result().dtype}
    return len(dtypes) == 1 and dtypes.issubset(_INTEGERS)


def _binary(name: str, kind: str) -> Rule:
    """A rule for ADD, SUB, MUL, DIV: `name` of reals."""

    def rule(operation: Operation) -> None:
        shape = broadcast(operation, 2)
        function = Function(name)
        if _is_plain(operation) or operation.of_reals(0, 1):
            activate(operation, function, operation.inputs, shape)
            return
        a, b, y = operation.quantised(0), operation.quantised(1), operation.quantised_result
        if kind == "DIV":
            raise UnsupportedError("it is supported for float32 only")
        low, high = bounds(operation, y)
        if kind == "MUL":
            program = tflite_rules.multiply(a, b, y, low, high)
        else:
            program = tflite_rules.add(a, b, y, low, high, subtract=kind == "SUB")
        operation.make(None, operation.inputs, shape, program=program)

    return rule


def _extreme(name: str) -> Rule:
    """A rule for MAXIMUM and MINIMUM, which take integers as they are."""

    def rule(operation: Operation) -> None:
        shape = broadcast(operation, 2)
        if not _is_plain(operation) and not operation.of_reals(0, 1):
            same_scales(operation, 0, 1)
        operation.make(Function(name), operation.inputs, shape)

    return rule


def same_scales(operation: Operation, *places: int) -> None:
    """UnsupportedError where integers of inputs and result stand for different reals."""
    y = operation.quantised_result
    for place in places:
        if (x := operation.quantised(place)) != y:
            raise UnsupportedError(
                f"its input {operation.inputs[place]} has scale {x.scale!r} and zero point "
                f"{x.zero_point}, and its result {y.scale!r} and {y.zero_point}"
            )


def _of_reals(name: str, count: int) -> Rule:
    """A rule for a function of so many maps of reals or of plain integers."""

    def rule(operation: Operation) -> None:
        shape = broadcast(operation, count)
        plain = count > 1 and _is_plain(operation)
        if not plain and not operation.of_reals(*range(count)):
            raise UnsupportedError("it is supported for float32 only")
        operation.make(Function(name), operation.inputs, shape)

    return rule


def _comparison(name: str) -> Rule:
    """A rule for comparisons of reals or of plain integers."""

    def rule(operation: Operation) -> None:
        shape = broadcast(operation, 2)
        dtypes = {operation.type(0).dtype, operation.type(1).dtype}
        if len(dtypes) > 1 or not dtypes.issubset(("float32", *_INTEGERS)):
            raise UnsupportedError(f"it compares {', '.join(sorted(dtypes))}")
        _check_bool(operation)
        operation.make(Function(name), operation.inputs, shape)

    return rule


def _check_bool(operation: Operation) -> None:
    """UnsupportedError unless the result is bool."""
    if (dtype := operation.result().dtype) != "bool":
        raise UnsupportedError(f"it makes {dtype}, not bool")


def _logical(name: str, count: int) -> Rule:
    """A rule for LOGICAL_AND, LOGICAL_OR and LOGICAL_NOT."""

    def rule(operation: Operation) -> None:
        if any(operation.type(place).dtype != "bool" for place in range(count)):
            raise UnsupportedError("it takes what is not bool")
        _check_bool(operation)
        operation.make(Function(name), operation.inputs, broadcast(operation, count))

    return rule


def select(operation: Operation) -> None:
    """SELECT, SELECT_V2: of the second input where the first holds, else of the third."""
    shape = broadcast(operation, 3)
    kinds = {operation.result().dtype, *(operation.type(place).dtype for place in (1, 2))}
    plain = len(kinds) == 1 and kinds.issubset(_INTEGERS)
    if not plain and not operation.of_reals(1, 2):
        same_scales(operation, 1, 2)
    if operation.type(0).dtype != "bool":
        raise UnsupportedError("its first input is not bool")
    operation.make(Function("Where"), operation.inputs, shape)


def square(operation: Operation) -> None:
    """SQUARE, of reals: x times x."""
    if not operation.of_reals():
        raise UnsupportedError("it is supported for float32 only")
    operation.make(Function("Mul"), operation.inputs * 2, operation.shape())


def rsqrt(operation: Operation) -> None:
    """RSQRT, of reals: 1 / sqrt(x)."""
    if not operation.of_reals():
        raise UnsupportedError("it is supported for float32 only")
    root = operation.step(
        "sqrt", Function("Sqrt"), operation.inputs, operation.result(operation.shape())
    )
    operation.make(Function("Reciprocal"), (root,), operation.shape())


def squared_difference(operation: Operation) -> None:
    """SQUARED_DIFFERENCE, of reals."""
    shape = broadcast(operation, 2)
    if not operation.of_reals(0, 1):
        raise UnsupportedError("it is supported for float32 only")
    less = operation.step("sub", Function("Sub"), operation.inputs, operation.result(shape))
    operation.make(Function("Mul"), (less, less), shape)


def quantize(operation: Operation) -> None:
    """QUANTIZE: reals to integers, or integers to those of another scale."""
    y, shape = operation.quantised_result, operation.shape()
    if operation.type().dtype == "float32":
        attributes = {"scale": y.scale, "zero_point": y.zero_point, "dtype": y.dtype}
        operation.make(Function("tflite.quantise", attributes), operation.inputs, shape)
        return
    each(operation, tflite_rules.rescaled(operation.quantised(), y))


def dequantize(operation: Operation) -> None:
    """DEQUANTIZE: integers of one scale, or constants of several, or float16, to float32."""
    kind, shape = operation.type(), operation.shape()
    if operation.result().dtype != "float32":
        raise UnsupportedError(f"it makes {operation.result().dtype}")
    if kind.dtype in ("float16", "float32"):
        operation.make(Function("Cast", {"to": "float32"}), operation.inputs, shape)
        return
    said = kind.quantisation
    if said is None or kind.dtype not in ("int8", "uint8", "int16", "int32"):
        raise UnsupportedError(f"it reads {kind.dtype} of no scale")
    scale, zero = said.scale, said.zero_point
    if said.scale.ndim:
        axis = said.axis or 0
        channel_scales(kind, operation.inputs[0], axis)
        sizes = [-1 if place == axis else 1 for place in range(len(shape))]
        scale, zero = scale.reshape(sizes), zero.reshape(sizes)
    inputs = (
        operation.inputs[0],
        operation.literal(scale, "float32"),
        operation.literal(zero, "int32"),
    )
    operation.make(Function("tflite.dequantise"), inputs, shape)


def densify(operation: Operation) -> None:
    """DENSIFY: its constant is read from the file as what it stands for."""
    operation.values(0)
    operation.make(Function("Identity"), operation.inputs, operation.shape())


def cast(operation: Operation) -> None:
    """CAST: to the type of the result."""
    function = Function("Cast", {"to": operation.result().dtype})
    operation.make(function, operation.inputs, operation.shape())


RULES: Mapping[str, Rule] = {
    "ADD": _binary("Add", "ADD"),
    "CAST": cast,
    "DENSIFY": densify,
    "DEQUANTIZE": dequantize,
    "DIV": _binary("Div", "DIV"),
    "EQUAL": _comparison("Equal"),
    "FLOOR_DIV": _of_reals("tflite.floor_div", 2),
    "FLOOR_MOD": _of_reals("Mod", 2),
    "GREATER": _comparison("Greater"),
    "GREATER_EQUAL": _comparison("GreaterOrEqual"),
    "LESS": _comparison("Less"),
    "LESS_EQUAL": _comparison("LessOrEqual"),
    "LOGICAL_AND": _logical("And", 2),
    "LOGICAL_NOT": _logical("Not", 1),
    "LOGICAL_OR": _logical("Or", 2),
    "MAXIMUM": _extreme("Max"),
    "MINIMUM": _extreme("Min"),
    "MUL": _binary("Mul", "MUL"),
    "POW": _of_reals("Pow", 2),
    "QUANTIZE": quantize,
    "RSQRT": rsqrt,
    "SELECT": select,
    "SELECT_V2": select,
    "SQUARE": square,
    "SQUARED_DIFFERENCE": squared_difference,
    "SUB": _binary("Sub", "SUB"),
}
