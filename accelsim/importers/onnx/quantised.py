"""Operators on 8-bit integers: sums of products with programs behind them, and programs alone.

QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger are ONNX's; the others are of the domain
com.microsoft. `qdq` makes more of them of what stands between DequantizeLinear and QuantizeLinear.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError, NetworkError
from accelsim.graph.functions import FUNCTIONS
from accelsim.graph.types import Function, Node, Products, TensorType
from accelsim.importers.onnx.convolutions import check_pads, convolution, transposed_convolution
from accelsim.importers.onnx.matrices import gemm, matmul
from accelsim.importers.onnx.model import CannotExecuteError, Model, Step, derived
from accelsim.importers.onnx.scales import Tensor, note, per_tensor, scales, zero_points
from accelsim.numerics import onnx_rules
from accelsim.numerics.float_rules import logistic
from accelsim.numerics.integers import Integers
from accelsim.numerics.programs import Certifiable, Clamp, Program
from accelsim.numerics.scales import Quantised

Rule = Callable[[Model, Step], Iterator[Node]]
PREFIX = "com.microsoft."
LINEAR = f"{PREFIX}QLinear"
TABLE = "a table"  # the kind of a step that is a table of functions of single values
# Attributes of steps: the kind of the file, and whether the runtime computes reals there.
CALLED, ON_REALS = "called", "on_reals"


def _tensor(step: Step, place: int) -> Tensor:
    """The integers at a place among the inputs, their scale and zero point behind them."""
    return Tensor(*(step.input(place + more) for more in range(3)))


def _made(step: Step, place: int) -> Tensor:
    """The result, whose scale and zero point stand at a place among the inputs."""
    return Tensor(step.outputs[0], step.input(place), step.input(place + 1))


def _sums(
    model: Model, step: Step, rule: Rule, x: Tensor, w: Tensor, channel: int
) -> Iterator[Node]:
    """The nodes of sums of products of integers, their zero points among the inputs.

    rule : makes the nodes of the operator on reals.
    channel : the axis of output channels of the weights.
    """
    plain = Step(step.name, step.kind, (x.name, w.name), step.outputs[:1], step.attributes)
    for node in rule(model, plain):
        if not isinstance(node.work, Products):
            yield node
            continue
        zeros = [_offset(model, step, x, 0), _offset(model, step, w, channel)]
        if x.name in model.constants and w.name not in model.constants:
            zeros.reverse()  # constants are weights, on whatever side they stand
        yield replace(node, inputs=(*node.inputs[:2], "", *zeros))


def _offset(model: Model, step: Step, tensor: Tensor, axis: int) -> str:
    """The name of a zero point that broadcasts against its tensor; "" where it is 0."""
    name = tensor.zero_point
    if not name:
        return ""
    kind, shape = model.type(name), model.type(tensor.name).shape
    if name in model.constants and not model.constants[name].values.any():
        return ""
    if prod(kind.shape) == 1:
        return name
    if kind.shape != (shape[axis],):
        raise NetworkError(
            f"zero point {name!r} of {step} must have 1 or {shape[axis]} values, not the shape "
            f"{list(kind.shape)}"
        )
    if name not in model.constants:
        raise CannotExecuteError(f"zero point {name!r} has several values and is computed")
    spread = tuple(-1 if place == axis % len(shape) else 1 for place in range(len(shape)))
    wide = tuple(shape[axis] if each == -1 else 1 for each in spread)
    constant = model.constants[name]
    return model.add(
        f"{name}.spread", derived(wide, kind.dtype, lambda x: x.reshape(wide), constant)
    )


def _weight_scales(
    model: Model, step: Step, x: Tensor, w: Tensor, channel: int, factor: float = 1.0
) -> tuple[Quantised, Any]:
    """The type of the map, its scale times a factor, and the scales of the weights."""
    kind = per_tensor(model, step, x)
    weights = scales(model, step, w)
    count = model.type(w.name).shape[channel]
    if weights.size not in (1, count):
        raise NetworkError(
            f"scale {w.scale!r} of {step} must have 1 or {count} values, not {weights.size}"
        )
    return kind._replace(scale=float(np.float32(factor) * np.float32(kind.scale))), weights


def _requantised(
    model: Model,
    step: Step,
    rule: Rule,
    places: tuple[int, int, int],
    bias: str,
    channel: int,
    factor: float = 1.0,
) -> Iterator[Node]:
    """Sums of products, a bias on their scale, and what brings them to 8 bits.

    places : among the inputs, of the map, the weights, and the scale of the result.
    """
    x, w = (_tensor(step, place) for place in places[:2])
    y = _made(step, places[2])
    kind, weights = _weight_scales(model, step, x, w, channel, factor)
    values = _bias(model, step, bias, model.type(w.name).shape[channel])
    with _naming(step):
        program = onnx_rules.convolution(kind, weights, per_tensor(model, step, y), values)
    note(model, y)
    for node in _sums(model, step, rule, x, w, channel):
        if isinstance(node.work, Products):
            yield _labelled(step, replace(node, program=_bounded(step, program)))
        else:
            yield node


def _labelled(step: Step, node: Node) -> Node:
    """The node with its kind of the file, and whether the runtime computes reals there."""
    called = step.attributes.get(CALLED, step.kind)
    return replace(node, kind=called, on_reals=step.attributes.get(ON_REALS, False))


def _bounded(step: Step, program: Program) -> Program:
    """The program, with the bounds of an activation that the step has."""
    *first, last = program
    low, high = (step.attributes.get(name) for name in ("low", "high"))
    if low is None and high is None:
        return program
    assert isinstance(last, Clamp)
    assert isinstance(program, Certifiable)
    low = last.low if low is None else max(low, last.low)
    high = last.high if high is None else min(high, last.high)
    steps = (*first, last._replace(low=low, high=high))
    rule = partial(_clipped, program.rule, low, high)
    return Certifiable(steps, rule, program.dtypes, program.reach)


def _clipped(rule: Callable[..., Integers], low: int, high: int, *maps: Integers) -> Integers:
    clipped: Integers = np.clip(rule(*maps), low, high)
    return clipped


def _bias(model: Model, step: Step, name: str, count: int) -> Any:
    """int32[count], or None where there is no bias."""
    if not name:
        return None
    if name not in model.constants:
        raise CannotExecuteError(f"bias {name!r} is computed")
    values = model.constants[name].values
    if values.dtype != np.int32:
        raise NetworkError(f"bias {name!r} of {step} must be of int32, not of {values.dtype}")
    if values.size != count:
        raise CannotExecuteError(f"bias {name!r} has {values.size} values for {count} channels")
    return values.ravel()


@contextmanager
def _naming(step: Step) -> Iterator[None]:
    """Errors inside name the step; scales that overflow are refused there, without a warning."""
    try:
        with np.errstate(all="ignore"):
            yield
    except AccelsimError as error:
        raise type(error)(f"{step}: {error}") from None


def q_linear_conv(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, w, its two, those of the result, bias."""
    yield from _requantised(model, step, convolution, (0, 3, 6), step.input(8), 0)


def q_linear_conv_transpose(model: Model, step: Step) -> Iterator[Node]:
    """As q_linear_conv, of a transposed convolution; onnxruntime has no such operator."""
    yield from _requantised(model, step, transposed_convolution, (0, 3, 6), step.input(8), 1)


def q_linear_matmul(model: Model, step: Step) -> Iterator[Node]:
    """a, its scale and zero point, b, its two, those of the result; then here perhaps a bias.

    Without a scale of the result it is real.
    """
    a, b = step.input(0), step.input(3)
    turned = a in model.constants and b not in model.constants
    if turned and (step.input(8) or prod(model.type(step.input(4)).shape) != 1):
        raise CannotExecuteError("its constant operand is the first, with values for every column")
    if step.input(6):
        yield from _requantised(model, step, matmul, (0, 3, 6), step.input(8), -1)
    else:
        yield from _real(model, step, matmul, step.input(8), -1)


def q_gemm(model: Model, step: Step) -> Iterator[Node]:
    """A, its scale and zero point, B, its two, C, those of the result, which is real without."""
    alpha = step.attributes.get("alpha", 1.0)
    channel = 0 if step.attributes.get("transB") else 1
    bias = step.input(6)
    flags = {name: step.attributes.get(name) for name in ("transA", "transB")}

    def rule(model: Model, plain: Step) -> Iterator[Node]:
        yield from gemm(model, replace(plain, attributes={k: v for k, v in flags.items() if v}))

    if step.input(7):
        yield from _requantised(model, step, rule, (0, 3, 7), bias, channel, alpha)
    else:
        yield from _real(model, step, rule, bias, channel, alpha)


def _real(
    model: Model, step: Step, rule: Rule, bias: str, channel: int, factor: float = 1.0
) -> Iterator[Node]:
    """Sums of products, a bias on their scale, as reals."""
    x, w = _tensor(step, 0), _tensor(step, 3)
    kind, weights = _weight_scales(model, step, x, w, channel, factor)
    (out,) = step.outputs
    shape = model.type(out).shape
    names = [f"{step.name}.sums"] + ([f"{step.name}.biased"] if bias else [])
    for name in names:
        model.types[name] = TensorType(shape, "int32")
    yield from _sums(model, replace(step, outputs=(names[0],)), rule, x, w, channel)
    if bias:
        _bias(model, step, bias, model.type(w.name).shape[channel])
        yield Node(names[1], "Add", Function("Add"), (names[0], bias), (names[1],))
    factors = np.float32(kind.scale) * weights
    scale = model.add(f"{out}.scale", factors if factors.size > 1 else factors.reshape(()))
    work = Function("DequantizeLinear", {"axis": -1})
    yield Node(f"{step.name}.real", "DequantizeLinear", work, (names[-1], scale, ""), (out,))


def conv_integer(model: Model, step: Step) -> Iterator[Node]:
    """x, w and their zero points; the result is int32."""
    yield from _of_integers(model, step, convolution, 0)


def matmul_integer(model: Model, step: Step) -> Iterator[Node]:
    """a, b and their zero points; the result is int32."""
    rows = step.input(2)
    if rows and prod(model.type(rows).shape) > 1:
        raise CannotExecuteError(f"zero point {rows!r} has a value for every row")
    yield from _of_integers(model, step, matmul, -1)


def _of_integers(model: Model, step: Step, rule: Rule, channel: int) -> Iterator[Node]:
    x, w = (Tensor(step.input(place), "", step.input(place + 2)) for place in (0, 1))
    yield from _sums(model, step, rule, x, w, channel)


def q_linear_add(model: Model, step: Step) -> Iterator[Node]:
    """a, its scale and zero point, b, its two, those of the result."""
    yield from _of_two(model, step, onnx_rules.add)


def q_linear_mul(model: Model, step: Step) -> Iterator[Node]:
    """a, its scale and zero point, b, its two, those of the result."""
    yield from _of_two(model, step, onnx_rules.multiply)


def _of_two(model: Model, step: Step, rule: Callable[..., Program]) -> Iterator[Node]:
    """A program of two maps, of which the second is the one that is broadcast."""
    a, b, y = _tensor(step, 0), _tensor(step, 3), _made(step, 6)
    if _is_repeated(model.type(a.name).shape, model.type(b.name).shape):
        a, b = b, a
    with _naming(step):
        program = _bounded(step, rule(*(per_tensor(model, step, each) for each in (a, b, y))))
    note(model, y)
    node = Node(step.name, step.kind, None, (a.name, b.name), step.outputs, program)
    yield _labelled(step, node)


def _is_repeated(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the first has one element, along the last axis where either has several, for many."""
    rank = max(len(shape), len(other))
    padded = ((1,) * (rank - len(each)) + each for each in (shape, other))
    pairs = [pair for pair in zip(*padded, strict=True) if pair != (1, 1)]
    return bool(pairs) and pairs[-1][0] == 1


def q_linear_concat(model: Model, step: Step) -> Iterator[Node]:
    """Scale and zero point of the result; then each tensor with its two."""
    y = _made(step, 0)
    kind = per_tensor(model, step, y)
    note(model, y)
    names = []
    for place in range(2, len(step.inputs), 3):
        x = _tensor(step, place)
        name = x.name
        if (given := per_tensor(model, step, x)) != kind:
            name = f"{step.name}.{place // 3}"
            model.types[name] = model.type(x.name)._replace(dtype=kind.dtype)
            note(model, Tensor(name, y.scale, y.zero_point))
            with _naming(step):
                program = onnx_rules.table(given, kind)
            yield Node(name, step.kind, None, (x.name,), (name,), program)
        names.append(name)
    work = Function("Concat", {"axis": step.attributes["axis"]})
    yield Node(step.name, step.kind, work, tuple(names), step.outputs)


def q_linear_leaky_relu(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result."""
    yield from _by_table(model, step, partial(FUNCTIONS["LeakyRelu"], **step.attributes))


def q_linear_sigmoid(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result."""
    yield from _by_table(model, step, logistic)


def table(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result; its functions are among the attributes."""

    def all_of_them(x: Any) -> Any:
        for function in step.attributes["functions"]:
            x = function(x)
        return x

    yield from _by_table(model, step, all_of_them)


def _by_table(model: Model, step: Step, function: Callable[..., Any]) -> Iterator[Node]:
    x, y = _tensor(step, 0), _made(step, 3)
    given, kind = (per_tensor(model, step, each) for each in (x, y))
    with _naming(step):
        program = onnx_rules.table(given, kind, function)
    note(model, y)
    node = Node(step.name, step.kind, None, (x.name,), step.outputs, program)
    yield _labelled(step, node)


def q_linear_global_average_pool(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result; the mean of every channel."""
    x, y = _tensor(step, 0), _made(step, 3)
    given, kind = (per_tensor(model, step, each) for each in (x, y))
    note(model, y)
    shape = model.type(x.name).shape
    name, result = x.name, step.outputs[0]
    if step.attributes.get("channels_last"):
        order = (0, len(shape) - 1, *range(1, len(shape) - 1))
        shape = tuple(shape[axis] for axis in order)
        name = f"{step.name}.channels_first"
        model.types[name] = TensorType(shape, given.dtype)
        work = Function("Transpose", {"perm": order})
        yield Node(name, "Transpose", work, (x.name,), (name,))
        result = f"{step.name}.mean"
    if len(shape) != 4:
        flat = model.add(f"{name}.rows", np.array((*shape[:2], 1, prod(shape[2:])), np.int64))
        rows = f"{step.name}.row"
        model.types[rows] = TensorType((*shape[:2], 1, prod(shape[2:])), given.dtype)
        yield Node(rows, "Reshape", Function("Reshape"), (name, flat), (rows,))
        name, result = rows, f"{step.name}.mean"
    with _naming(step):
        program = onnx_rules.global_average(given, kind, prod(shape[2:]))
    yield Node(step.name, step.kind, None, (name,), (result,), program)
    if result != step.outputs[0]:
        model.types[result] = TensorType((*shape[:2], 1, 1), kind.dtype)
        wanted = model.type(step.outputs[0]).shape
        back = model.add(f"{result}.shape", np.array(wanted, np.int64))
        last = f"{step.name}.back"
        yield Node(last, "Reshape", Function("Reshape"), (result, back), step.outputs)


def q_linear_average_pool(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result; the mean of every window."""
    check_pads(step, step.attributes.get("pads", ()))
    x, y = _tensor(step, 0), _made(step, 3)
    for each in (x, y):
        per_tensor(model, step, each)
    size = model.type(x.name).shape[2:]
    alone = not any(step.attributes.get("pads", ())) and not step.attributes.get("channels_last")
    if alone and tuple(step.attributes["kernel_shape"]) == size:
        yield from q_linear_global_average_pool(model, replace(step, attributes={}))
        return
    note(model, y)
    yield from _as_function(step)


def q_linear_softmax(model: Model, step: Step) -> Iterator[Node]:
    """x, its scale and zero point, those of the result; shares of exponentials along an axis."""
    x, y = _tensor(step, 0), _made(step, 3)
    for each in (x, y):
        per_tensor(model, step, each)
    note(model, y)
    yield from _as_function(step)


def _as_function(step: Step) -> Iterator[Node]:
    name = step.kind.removeprefix(PREFIX)
    assert name in FUNCTIONS
    yield Node(step.name, step.kind, Function(name, step.attributes), step.inputs, step.outputs)


def quantize_linear(model: Model, step: Step) -> Iterator[Node]:
    """Reals to integers, where nothing took it in."""
    y = Tensor(step.outputs[0], step.input(1), step.input(2))
    if y.scale in model.constants:
        count = scales(model, step, y).size
        if y.zero_point and model.type(y.name).dtype in ("int8", "uint8"):
            zero_points(model, step, y)
        if count == 1:
            note(model, y)
    yield Node(
        step.name, step.kind, Function(step.kind, step.attributes), step.inputs, step.outputs
    )


def dequantize_linear(model: Model, step: Step) -> Iterator[Node]:
    """Integers to reals, where nothing took it in."""
    x = _tensor(step, 0)
    if x.scale in model.constants:
        scales(model, step, x)
        if x.zero_point and model.type(x.name).dtype in ("int8", "uint8"):
            zero_points(model, step, x)
    yield Node(
        step.name, step.kind, Function(step.kind, step.attributes), step.inputs, step.outputs
    )


NODES: Mapping[str, Rule] = {
    TABLE: table,
    "ConvInteger": conv_integer,
    "DequantizeLinear": dequantize_linear,
    "MatMulInteger": matmul_integer,
    "QLinearConv": q_linear_conv,
    "QLinearConvTranspose": q_linear_conv_transpose,
    "QLinearMatMul": q_linear_matmul,
    "QuantizeLinear": quantize_linear,
    f"{PREFIX}DequantizeLinear": dequantize_linear,
    f"{PREFIX}QGemm": q_gemm,
    f"{PREFIX}QuantizeLinear": quantize_linear,
    f"{LINEAR}Add": q_linear_add,
    f"{LINEAR}AveragePool": q_linear_average_pool,
    f"{LINEAR}Concat": q_linear_concat,
    f"{LINEAR}GlobalAveragePool": q_linear_global_average_pool,
    f"{LINEAR}LeakyRelu": q_linear_leaky_relu,
    f"{LINEAR}Mul": q_linear_mul,
    f"{LINEAR}Sigmoid": q_linear_sigmoid,
    f"{LINEAR}Softmax": q_linear_softmax,
}
