"""Softmax over the channels of every pixel, for each head of an attention by itself."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import ABOVE_0, check
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, check_whole, take_inputs


@dataclass(frozen=True)
class Softmax(OnHost):
    """out[c, h, w] = exp(x[c, h, w]) / the sum of exp(x[i, h, w]) over the channels i of its head.

    heads : a divisor of the channels; those of a head lie together, as matmul makes them.
    factor : of x, such as 1 / sqrt(channels of a head) in attentions.
    """

    name: ClassVar[str] = "softmax"
    heads: int = 1
    factor: float = 1.0

    def __post_init__(self) -> None:
        check_whole("heads", self.heads)
        check("factor", self.factor, ABOVE_0, ShapeError)

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        if shape[0] % self.heads:
            raise ShapeError(f"heads must divide the {shape[0]} channels, not be {self.heads}")
        return shape

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """The factor, and the channels of a head along an axis of their own."""
        c, h, w = inputs[0]
        apart = np.array([1, self.heads, c // self.heads, h, w])
        return (
            Call("Mul", (0, np.array(self.factor, np.float32))),
            Call("Reshape", (1, apart)),
            Call("Softmax", (2,), {"axis": 2}),
            Call("Reshape", (3, np.array([1, c, h, w]))),
        )
