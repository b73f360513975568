"""An activation as a layer of its own."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import ACTIVATIONS, Int8, Int32, activate, activation_exponent
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import check_choice, take_inputs
from accelsim.tensors import Map


@dataclass(frozen=True)
class Activation(OnHost):
    """out = function(x), by a table of 256 entries (numerics.activation_table)."""

    name: ClassVar[str] = "activation"
    function: str

    def __post_init__(self) -> None:
        check_choice("function", self.function, ACTIVATIONS)

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        return shape

    def rescale(self, *inputs: Map) -> tuple[tuple[Int8, ...], int]:
        """The input as it is; the result is on the function's own scale."""
        (x,) = inputs
        return (x.values,), activation_exponent(self.function, x.exponent)

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w]."""
        (x,) = inputs
        return activate(x, self.function).astype(np.int32)
