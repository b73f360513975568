"""Sum of maps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32, saturating_add
from accelsim.ops.base import OnHost


@dataclass(frozen=True)
class Add(OnHost):
    """out = the sum of two or more inputs, saturated to int8.

    Inputs of different scales are brought to the coarsest of them first, rounded half to even.
    """

    name: ClassVar[str] = "add"

    def out_shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        if len(inputs) < 2:
            raise ShapeError(f"inputs of add: it takes at least 2 inputs, not {len(inputs)}")
        shapes = list(dict.fromkeys(inputs))
        if len(shapes) > 1:
            raise ShapeError(
                f"inputs of add must have one shape, not {' and '.join(map(show, shapes))}"
            )
        return shapes[0]

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w] each, all on one scale."""
        return saturating_add(*inputs).astype(np.int32)
