"""Global response norm: channels compete by their norms over the map (arXiv 2301.00808)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.numerics import Int8, Int32, global_response_norm
from accelsim.ops.base import Affine


@dataclass(frozen=True)
class GlobalResponseNorm(Affine):
    """out[c] = gamma[c] x[c] norm[c] / the average of all norms + beta[c] + x[c].

    norm[c] is the square root of the sum of squares of x[c]. Gamma is in units of 1/128, beta in
    those of the input.
    """

    name: ClassVar[str] = "global_response_norm"

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w], as numerics.global_response_norm rounds it."""
        (x,) = inputs
        gamma, beta = weights
        return global_response_norm(x, gamma, beta)
