"""Learned values added to a map, a number for every place of it (arXiv 2010.11929)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs


@dataclass(frozen=True)
class PositionEmbedding(OnHost):
    """out[c, h, w] = x[c, h, w] + learned[c, h, w], which is in units of the input."""

    name: ClassVar[str] = "position_embedding"

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        return shape

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(c, h, w): a value for each of the input."""
        return self.out_shape(*inputs)

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One sum."""
        return (Call("Add", (0, weights[None])),)
