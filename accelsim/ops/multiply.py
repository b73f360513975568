"""Product of two maps, value by value."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs


@dataclass(frozen=True)
class Multiply(OnHost):
    """out = the product of two inputs, value by value; an axis of size 1 meets every position.

    As ONNX' Mul broadcasts: (c, 1, 1) is a factor for each channel, (1, h, w) for each pixel,
    (1, 1, 1) for all, and either input may be the smaller one. Products are exact.
    """

    name: ClassVar[str] = "multiply"

    def out_shape(self, *inputs: Shape) -> Shape:
        """The larger size along every axis."""
        x, y = take_inputs(self.name, inputs, 2)
        if any(m != n and 1 not in (m, n) for m, n in zip(x, y, strict=True)):
            raise ShapeError(
                f"inputs of multiply must be equal or 1 along every axis, not {show(x)} and "
                f"{show(y)}"
            )
        c, h, w = map(max, x, y)
        return c, h, w

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("Mul", (0, 1)),)
