"""Layer norm: the channels of each pixel normalised (arXiv 1607.06450)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Call, Shape
from accelsim.ops.base import Affine
from accelsim.ops.geometry import Reals

EPSILON = 1e-6  # of the variance, as in ConvNeXt and ViT


@dataclass(frozen=True)
class LayerNorm(Affine):
    """out[c, h, w] = gamma[c] (x[c, h, w] - mean[h, w]) / deviation[h, w] + beta[c]."""

    name: ClassVar[str] = "layer_norm"

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """Channels last, normalised, and back."""
        gamma, beta = weights
        return (
            Call("Transpose", (0,), {"perm": (0, 2, 3, 1)}),
            Call("LayerNormalization", (1, gamma, beta), {"axis": -1, "epsilon": EPSILON}),
            Call("Transpose", (2,), {"perm": (0, 3, 1, 2)}),
        )
