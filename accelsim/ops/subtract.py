"""Difference of two maps."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs


@dataclass(frozen=True)
class Subtract(OnHost):
    """out = the first input less the second, of one shape."""

    name: ClassVar[str] = "subtract"

    def out_shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        x, y = take_inputs(self.name, inputs, 2)
        if x != y:
            raise ShapeError(f"inputs of subtract must have one shape, not {show(x)} and {show(y)}")
        return x

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("Sub", (0, 1)),)
