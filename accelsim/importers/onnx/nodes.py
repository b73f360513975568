"""What every operator comes to in a Graph: a table of functions; by default a Function by name.

Sums of products become Products, whose Views say how engines see the tensors of the file. Other
parts of the importer add lines to NODES.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import numpy as np

from accelsim.errors import NetworkError, ShapeError
from accelsim.graph.types import Function, Node, Products, TensorType, View
from accelsim.importers.onnx.model import CannotExecuteError, Model, Step, derived
from accelsim.importers.onnx.normalise import resolve_auto_pad
from accelsim.ir import Operator
from accelsim.ops import Conv2d, ConvTranspose2d, Depthwise, Linear, Matmul, Pointwise

Rule = Callable[[Model, Step], Iterator[Node]]
Shape = tuple[int, ...]
Sides = tuple[int, int, int, int]


def make_nodes(model: Model, step: Step) -> Iterator[Node]:
    """The nodes of a step, most often one.

    CannotExecuteError says why there are none; NetworkError where numbers do not fit.
    """
    try:
        yield from NODES.get(step.kind, function)(model, step)
    except ShapeError as error:
        raise NetworkError(f"{step} does not fit: {error}") from None


def function(model: Model, step: Step) -> Iterator[Node]:
    """The function of the name of the operator."""
    work = Function(step.kind, step.attributes)
    yield Node(step.name, step.kind, work, step.inputs, step.outputs)


def pool(model: Model, step: Step) -> Iterator[Node]:
    """A pool, whose padding cannot crop."""
    _check_pads(step, step.attributes.get("pads", ()))
    yield from function(model, step)


def convolution(model: Model, step: Step) -> Iterator[Node]:
    """Conv in one or two dimensions."""
    geometry = Geometry(model, step)
    x, w = geometry.x, geometry.w
    groups = step.attributes.get("group", 1)
    pads = resolve_auto_pad(step, x[2:], w[2:])
    _check_pads(step, pads)
    operator = choose_convolution(
        x[1],
        w[0],
        geometry.pair(w[2:]),
        geometry.pair(step.attributes.get("strides", geometry.ones)),
        geometry.sides(pads),
        geometry.pair(step.attributes.get("dilations", geometry.ones)),
        groups,
    )
    yield geometry.node(operator)


def choose_convolution(
    c: int,
    k: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: Sides = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Operator:
    """The operator of a convolution: depthwise, pointwise, or neither.

    padding : top, bottom, left, right.
    """
    if groups == c > 1 and k % c == 0:
        return Depthwise(kernel, stride, padding, dilation, k // c)
    if kernel == (1, 1) and padding == (0, 0, 0, 0):
        return Pointwise(k, stride, groups)
    return Conv2d(k, kernel, stride, padding, dilation, groups)


def transposed_convolution(model: Model, step: Step) -> Iterator[Node]:
    """ConvTranspose in one or two dimensions."""
    geometry = Geometry(model, step)
    x, w, ones = geometry.x, geometry.w, geometry.ones
    groups = step.attributes.get("group", 1)
    strides = step.attributes.get("strides", ones)
    dilations = step.attributes.get("dilations", ones)
    extra = step.attributes.get("output_padding", (0,) * len(ones))
    if step.attributes.get("output_shape") or step.attributes.get("auto_pad", "NOTSET") in _SAME:
        y = model.type(step.outputs[0]).shape[2:]
        whole = [
            s * (n - 1) + e + d * (f - 1) + 1
            for n, f, s, d, e in zip(x[2:], w[2:], strides, dilations, extra, strict=True)
        ]
        pads = _cut_off([a - b for a, b in zip(whole, y, strict=True)], step)
    else:
        pads = resolve_auto_pad(step, x[2:], w[2:])
    _check_pads(step, pads)
    yield geometry.node(
        ConvTranspose2d(
            w[1] * groups,
            geometry.pair(w[2:]),
            geometry.pair(strides),
            geometry.sides(pads),
            geometry.pair(extra, 0),
            geometry.pair(dilations),
            groups,
        )
    )


_SAME = ("SAME_UPPER", "SAME_LOWER")


def _cut_off(totals: list[int], step: Step) -> Shape:
    """Padding of a transposed convolution from its sum along every axis."""
    less = [total // 2 for total in totals]
    more = [total - half for total, half in zip(totals, less, strict=True)]
    if step.attributes.get("auto_pad") == "SAME_UPPER":
        return (*less, *more)
    return (*more, *less)


def _check_pads(step: Step, pads: Sequence[int]) -> None:
    if min(pads, default=0) < 0:
        raise NetworkError(f"pads of {step} must be of at least 0, not {list(pads)}")


class Geometry:
    """What convolutions in one and in two dimensions share: a single row is (c, 1, l).

    x, w : shapes of the map and of the weights, as the file has them.
    ones : a 1 for every axis of a map.
    """

    def __init__(self, model: Model, step: Step) -> None:
        self.model, self.step = model, step
        self.x, self.w = (model.type(name).shape for name in step.inputs[:2])
        axes = len(self.x) - 2
        if axes not in (1, 2):
            raise CannotExecuteError(f"it has {axes} dimensions; 1 and 2 are supported")
        if step.inputs[1] not in model.constants:
            raise CannotExecuteError("its weights are computed")
        self.ones = (1,) * axes
        said = step.attributes.get("kernel_shape", self.w[2:])
        if len(self.w) != len(self.x) or tuple(said) != self.w[2:]:
            raise NetworkError(
                f"kernel_shape of {step} must be that of its weights {step.inputs[1]!r}, "
                f"{list(self.w[2:])}, not {list(said)}"
            )

    def pair(self, values: Sequence[int], fill: int = 1) -> tuple[int, int]:
        """Rows and columns."""
        if len(values) != len(self.ones):
            raise NetworkError(
                f"{self.step} has {len(self.ones)} axes, and {list(values)} for them"
            )
        rows, columns = (fill, *values)[-2:]
        return rows, columns

    def sides(self, pads: Sequence[int]) -> Sides:
        """Top, bottom, left, right."""
        half = len(self.ones)
        (top, left), (bottom, right) = self.pair(pads[:half], 0), self.pair(pads[half:], 0)
        return top, bottom, left, right

    def node(self, operator: Operator) -> Node:
        """The node of an operator, whose result must be of the shape that was inferred."""
        step, model = self.step, self.model
        return products(
            model,
            step,
            operator,
            View(_axes(self.x), _image(self.x)),
            View(_axes(self.w), _image(self.w)),
            step.input(2),
        )


def _axes(shape: Shape) -> Shape:
    return tuple(range(len(shape)))


def _image(shape: Shape) -> Shape:
    """With rows: (n, c, h, w) of (n, c, w)."""
    return shape if len(shape) == 4 else (*shape[:2], 1, *shape[2:])


def products(
    model: Model,
    step: Step,
    operator: Operator,
    x: View,
    w: View,
    bias: str = "",
    y: View | None = None,
    second_map: bool = False,
) -> Node:
    """A node of Products; NetworkError unless its result has the shape that was inferred."""
    shape = model.type(step.outputs[0]).shape
    y = y or View(_axes(shape), _image(shape))
    maps = (x.shape[-3:], w.shape[-3:]) if second_map else (x.shape[-3:],)
    made = (x.shape[0], *operator.out_shape(*maps))  # type: ignore[arg-type]
    if made != y.shape:
        raise NetworkError(f"{step} makes {list(y.shape)}, and its attributes say {list(made)}")
    work = Products(operator, x, w, y, second_map)
    inputs = (step.inputs[0], step.inputs[1], bias, "", "")
    return Node(step.name, step.kind, work, inputs, step.outputs[:1])


NODES: Mapping[str, Rule] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
}
