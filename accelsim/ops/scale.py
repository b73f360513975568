"""Channels multiplied by gates, as squeeze-excite does."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import FRACTION, Int8, Int32, gate
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import take_inputs
from accelsim.tensors import Map


@dataclass(frozen=True)
class Scale(OnHost):
    """out[c] = x[c] gates[c] / 128, rounded half to even and saturated."""

    name: ClassVar[str] = "scale"

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the first input; the second is (c, 1, 1)."""
        x, gates = take_inputs(self.name, inputs, 2)
        if gates != (x[0], 1, 1):
            raise ShapeError(
                f"inputs of scale: the second must have the shape {[x[0], 1, 1]}, not {show(gates)}"
            )
        return x

    def rescale(self, *inputs: Map) -> tuple[tuple[Int8, ...], int]:
        """The inputs as they are: by gates in units of 1/128 the scale of the first remains."""
        x, gates = inputs
        return (x.values, gates.values), x.exponent + gates.exponent - FRACTION

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w] and int8[c, 1, 1]."""
        x, gates = inputs
        return gate(x, gates).astype(np.int32)
