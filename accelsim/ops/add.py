"""Sum of two maps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32, saturating_add
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import show, take_inputs


@dataclass(frozen=True)
class Add(OnHost):
    """out = x + y, saturated to int8."""

    name: ClassVar[str] = "add"

    def out_shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        x, y = take_inputs(self.name, inputs, 2)
        if x != y:
            raise ShapeError(f"inputs of add must have one shape, not {show(x)} and {show(y)}")
        return x

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from two int8[c, h, w]."""
        x, y = inputs
        return saturating_add(x, y).astype(np.int32)
