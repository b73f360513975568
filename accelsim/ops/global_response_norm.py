"""Global response norm: channels compete by their norms over the map (arXiv 2301.00808)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Shape
from accelsim.numerics import FRACTION, Int8, Int32, global_response_norm
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import take_inputs
from accelsim.tensors import Map


@dataclass(frozen=True)
class GlobalResponseNorm(OnHost):
    """out[c] = gamma[c] x[c] norm[c] / the average of all norms + beta[c] + x[c].

    norm[c] is the square root of the sum of squares of x[c]. Gamma is in units of 1/128, beta in
    those of the input.
    """

    name: ClassVar[str] = "global_response_norm"

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        return shape

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(2, c): gamma and beta."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return 2, c

    def rescale(self, *inputs: Map) -> tuple[tuple[Int8, ...], int]:
        """The input as it is; steps of 1/128 of its own."""
        (x,) = inputs
        return (x.values,), x.exponent + FRACTION

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w], as numerics.global_response_norm rounds it."""
        (x,) = inputs
        gamma, beta = weights
        return global_response_norm(x, gamma, beta)
