"""Convolutions, plain and transposed, in one and in two dimensions."""

from collections.abc import Iterator, Sequence

from accelsim.errors import NetworkError
from accelsim.graph.types import Node, View
from accelsim.importers.onnx.model import CannotExecuteError, Model, Step
from accelsim.importers.onnx.normalise import resolve_auto_pad
from accelsim.importers.onnx.products import Shape, axes, image, products
from accelsim.ir import Operator
from accelsim.ops import Conv2d, ConvTranspose2d, Depthwise, Pointwise

Sides = tuple[int, int, int, int]


def convolution(model: Model, step: Step) -> Iterator[Node]:
    """Conv in one or two dimensions."""
    geometry = Geometry(model, step)
    x, w = geometry.x, geometry.w
    groups = step.attributes.get("group", 1)
    pads = resolve_auto_pad(step, x[2:], w[2:])
    check_pads(step, pads)
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
    if geometry.computed:
        raise CannotExecuteError("its weights are computed")
    x, w, ones = geometry.x, geometry.w, geometry.ones
    groups = step.attributes.get("group", 1)
    strides = step.attributes.get("strides", ones)
    dilations = step.attributes.get("dilations", ones)
    extra = step.attributes.get("output_padding", (0,) * len(ones))
    if step.attributes.get("output_shape") or step.attributes.get("auto_pad", "NOTSET") in _SAME:
        y = model.type(step.outputs[0]).shape[2:]
        beyond = [
            s * (n - 1) + e + d * (f - 1) + 1 - out
            for n, f, s, d, e, out in zip(x[2:], w[2:], strides, dilations, extra, y, strict=True)
        ]
        pads = _cut_off([max(each, 0) for each in beyond], step)
        extra = tuple(e + max(-each, 0) for e, each in zip(extra, beyond, strict=True))
    else:
        pads = resolve_auto_pad(step, x[2:], w[2:])
    check_pads(step, pads)
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


def check_pads(step: Step, pads: Sequence[int]) -> None:
    """NetworkError where padding would crop."""
    if min(pads, default=0) < 0:
        raise NetworkError(f"pads of {step} must be of at least 0, not {list(pads)}")


class Geometry:
    """What convolutions in one and in two dimensions share: a single row is (c, 1, l).

    x, w : shapes of the map and of the weights, as the file has them.
    computed : whether other nodes make the weights.
    ones : a 1 for every axis of a map.
    """

    def __init__(self, model: Model, step: Step) -> None:
        self.model, self.step = model, step
        self.x, self.w = (model.type(name).shape for name in step.inputs[:2])
        axes = len(self.x) - 2
        if axes not in (1, 2):
            raise CannotExecuteError(f"it has {axes} dimensions; 1 and 2 are supported")
        self.computed = step.inputs[1] not in model.constants
        if self.computed and self.x[0] != 1:
            raise CannotExecuteError(f"its weights are computed, for a batch of {self.x[0]}")
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
        weights = image(self.w)
        if self.computed:  # a map, as which a tensor of four axes is seen
            k, c, rows, columns = weights
            weights = 1, k, c * rows, columns
        return products(
            model,
            step,
            operator,
            View(axes(self.x), image(self.x)),
            View(axes(self.w), weights),
            step.input(2),
            second_map=self.computed,
        )
