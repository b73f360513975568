"""Average over the whole map."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32, divide_half_even
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import take_inputs


@dataclass(frozen=True)
class GlobalPool(OnHost):
    """out[c, 0, 0] = the average of x[c], rounded half to even."""

    name: ClassVar[str] = "global_pool"

    def out_shape(self, *inputs: Shape) -> Shape:
        """(c, 1, 1)."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return c, 1, 1

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, 1, 1] from int8[c, h, w]."""
        (x,) = inputs
        sums = x.sum(axis=(1, 2), dtype=np.int64, keepdims=True)
        return divide_half_even(sums, x.shape[1] * x.shape[2]).astype(np.int32)
