"""Learned values added to a map, a number for every place of it (arXiv 2010.11929)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import take_inputs


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

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w], exactly."""
        (x,) = inputs
        return x.astype(np.int32) + weights
