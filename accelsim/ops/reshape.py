"""The values of a map as a map of another shape."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from accelsim.checks import Requirement, check, is_tuple, show, whole
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs

THREE = Requirement(
    "three whole numbers of at least 1, channels, rows and columns",
    lambda value: is_tuple(value, whole(1), 3),
)
ORDER = Requirement(
    "the axes 0, 1 and 2, each once",
    lambda value: is_tuple(value, whole(0), 3) and sorted(value) == [0, 1, 2],
)
AS_THEY_ARE = 0, 1, 2


@dataclass(frozen=True)
class Reshape(OnHost):
    """The values in their order, channel by channel and row by row, as a map of another shape.

    Such as a kernel that a linear layer makes, one channel a value, as rows and columns of taps.

    shape : channels, rows and columns.
    order : of these axes in the result; (0, 2, 1) exchanges rows and columns.
    """

    name: ClassVar[str] = "reshape"
    shape: Shape
    order: tuple[int, int, int] = AS_THEY_ARE

    def __post_init__(self) -> None:
        check("shape", self.shape, THREE, ShapeError)
        check("order", self.order, ORDER, ShapeError)

    def out_shape(self, *inputs: Shape) -> Shape:
        """The shape, its axes in the order."""
        (shape,) = take_inputs(self.name, inputs, 1)
        if prod(shape) != prod(self.shape):
            raise ShapeError(
                f"shape must have the {prod(shape)} values of the input, not be {show(self.shape)}"
            )
        c, h, w = (self.shape[axis] for axis in self.order)
        return c, h, w

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call, or two."""
        made = Call("Reshape", (0, np.array([1, *self.shape])))
        if self.order == AS_THEY_ARE:
            return (made,)
        return made, Call("Transpose", (1,), {"perm": (0, *(1 + axis for axis in self.order))})
