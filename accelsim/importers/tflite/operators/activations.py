"""Activations, by themselves and fused into other operators, and other functions of each element.

Integer ones are tables of all 256 values, made by the rules of TFLite's reference kernels.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from accelsim.errors import UnsupportedError
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Array, Function, Work
from accelsim.importers.tflite.build import Operation, Rule
from accelsim.numerics import tflite_rules
from accelsim.numerics.onnx_rules import clamp
from accelsim.numerics.programs import Program
from accelsim.numerics.scales import Float32, Quantised

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)  # fused activations, in the numbers of the schema
_RANGES = {
    NONE: (None, None),
    RELU: (0.0, None),
    RELU_N1_TO_1: (-1.0, 1.0),
    RELU6: (0.0, 6.0),
}
_LIMITS = {
    "RELU": _RANGES[RELU],
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": _RANGES[RELU_N1_TO_1],
    "RELU6": _RANGES[RELU6],
}


def fused(operation: Operation) -> tuple[float | None, float | None]:
    """Least and greatest value of the activation that the operator ends with."""
    number = operation.options.get("FusedActivationFunction", NONE)
    if number not in _RANGES:
        raise UnsupportedError(f"its activation {number} is not one of RELU, RELU_N1_TO_1, RELU6")
    return _RANGES[number]


def activate(operation: Operation, work: Work, inputs: Sequence[str], shape: Sequence[int]) -> None:
    """Add a node on reals and, behind it, that of the activation that is fused into it."""
    low, high = fused(operation)
    if low is None and high is None:
        operation.make(work, inputs, shape)
        return
    sums = operation.step("sum", work, inputs, operation.result(shape))
    _limit(operation, sums, low, high, shape)


def _limit(
    operation: Operation, x: str, low: float | None, high: float | None, shape: Sequence[int]
) -> None:
    if (low, high) == (0.0, None):
        operation.make(Function("Relu"), (x,), shape)
        return
    ends = [operation.literal(end, "float32") for end in (low, high)]
    operation.make(Function("Clip"), (x, *ends), shape)


def bounds(operation: Operation, y: Quantised) -> tuple[int | None, int | None]:
    """Least and greatest integer of y that the fused activation leaves, or None."""
    return tflite_rules.activation_bounds(y, *fused(operation))


def each(operation: Operation, program: Program) -> None:
    """Add the node of a program of the first input alone."""
    operation.make(None, operation.inputs[:1], operation.shape(), program=program)


def limits(operation: Operation) -> None:
    """RELU, RELU6, RELU_0_TO_1, RELU_N1_TO_1."""
    low, high = _LIMITS[operation.operator.kind]
    if operation.of_reals():
        _limit(operation, operation.inputs[0], low, high, operation.shape())
        return
    x, y = operation.quantised(), operation.quantised_result
    ends = tflite_rules.activation_bounds(y, low, high)
    each(operation, tflite_rules.rescaled(x, y, *ends))


def _function(name: str, integers: Callable[[Quantised, Quantised], Program] | None) -> Rule:
    """A rule for a function of each element: of reals by its name, of integers by a program."""

    def rule(operation: Operation) -> None:
        if operation.of_reals():
            operation.make(Function(name), operation.inputs[:1], operation.shape())
        elif integers is None:
            raise UnsupportedError("it is supported for float32 only")
        else:
            each(operation, integers(operation.quantised(), operation.quantised_result))

    return rule


def _looked_up(function: Callable[[Float32], Float32]) -> Callable[[Quantised, Quantised], Program]:
    return lambda x, y: tflite_rules.table(x, y, function)


def _precise(function: Callable[[Array], Array]) -> Callable[[Float32], Float32]:
    """A function of float32 rounded once, as those of C libraries all but always are."""

    def rounded(x: Float32) -> Float32:
        with np.errstate(over="ignore"):
            return function(x.astype(np.float64)).astype(np.float32)

    return rounded


def _logistic(x: Float32) -> Float32:
    return np.float32(1) / (np.float32(1) + _precise(np.exp)(-x))


def _elu(x: Float32) -> Float32:
    return np.where(x < 0, _precise(np.expm1)(np.minimum(x, 0)), x)


def leaky_relu(operation: Operation) -> None:
    """LEAKY_RELU: its attribute is the factor of negative values."""
    alpha = float(operation.options["Alpha"])
    if operation.of_reals():
        function = Function("LeakyRelu", {"alpha": alpha})
        operation.make(function, operation.inputs[:1], operation.shape())
        return
    x, y = operation.quantised(), operation.quantised_result
    each(operation, tflite_rules.leaky_relu(x, y, alpha))


def gelu(operation: Operation) -> None:
    """GELU, exact or approximated by tanh."""
    approximate = "tanh" if operation.options["Approximate"] else "none"
    function = Function("Gelu", {"approximate": approximate})
    if operation.of_reals():
        operation.make(function, operation.inputs, operation.shape())
        return
    computed = partial(FUNCTIONS["Gelu"], approximate=approximate)
    x, y = operation.quantised(), operation.quantised_result
    each(operation, tflite_rules.table(x, y, _precise(computed)))


def prelu(operation: Operation) -> None:
    """PRELU: the second input has factors of negative values."""
    shape = broadcast(operation, 2)
    if operation.of_reals(0, 1):
        operation.make(Function("PRelu"), operation.inputs, shape)
        return
    x, alpha, y = operation.quantised(), operation.quantised(1), operation.quantised_result
    scale, result = np.float32(x.scale), np.float32(y.scale)
    factors = np.array([scale / result, scale * np.float32(alpha.scale) / result], np.float64)
    above, below = (tflite_rules.requantise(each) for each in factors.reshape(2, 1))
    attributes = {
        "zero_points": (x.zero_point, alpha.zero_point),
        "above": above,
        "below": below,
        "bounds": clamp(y),
    }
    operation.make(Function("tflite.prelu", attributes), operation.inputs, shape)


def broadcast(operation: Operation, count: int) -> tuple[int, ...]:
    """The shape that so many inputs broadcast to."""
    shapes = [operation.shape(place) for place in range(count)]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise UnsupportedError(
            f"its inputs {' and '.join(str(list(shape)) for shape in shapes)} do not fit together"
        ) from None


RULES: Mapping[str, Rule] = {
    "ABS": _function("Abs", None),
    "COS": _function("Cos", None),
    "ELU": _function("Elu", _looked_up(_elu)),
    "EXP": _function("Exp", None),
    "FLOOR": _function("Floor", None),
    "GELU": gelu,
    "HARD_SWISH": _function("HardSwish", tflite_rules.hard_swish),
    "LEAKY_RELU": leaky_relu,
    "LOG": _function("Log", None),
    "LOGISTIC": _function("Sigmoid", _looked_up(_logistic)),
    "NEG": _function("Neg", None),
    "PRELU": prelu,
    "RELU": limits,
    "RELU6": limits,
    "RELU_0_TO_1": limits,
    "RELU_N1_TO_1": limits,
    "ROUND": _function("Round", None),
    "SIN": _function("Sin", None),
    "SQRT": _function("Sqrt", None),
    "TANH": _function("Tanh", _looked_up(_precise(np.tanh))),
}
