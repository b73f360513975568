"""Global response norm: channels compete by their norms over the map (arXiv 2301.00808)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Call, Shape
from accelsim.ops.base import Affine
from accelsim.ops.geometry import Reals

EPSILON = 1e-6  # of the average norm, as in ConvNeXt V2


@dataclass(frozen=True)
class GlobalResponseNorm(Affine):
    """out[c] = gamma[c] x[c] norm[c] / the average of all norms + beta[c] + x[c].

    norm[c] is the square root of the sum of squares of x[c].
    """

    name: ClassVar[str] = "global_response_norm"

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """Norms of the channels, their share of the average, what it scales, and the input."""
        gamma, beta = weights.reshape(2, -1, 1, 1)
        return (
            Call("ReduceL2", (0, np.array([2, 3])), {"keepdims": 1}),
            Call("ReduceMean", (1, np.array([1])), {"keepdims": 1}),
            Call("Add", (2, np.array(EPSILON, np.float32))),
            Call("Div", (1, 3)),
            Call("Mul", (0, 4)),
            Call("Mul", (5, gamma)),
            Call("Add", (6, beta)),
            Call("Add", (7, 0)),
        )
