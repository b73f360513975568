"""Batch norm as a layer of its own, with the statistics of training (arXiv 1502.03167)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Call, Shape
from accelsim.ops.base import Affine
from accelsim.ops.geometry import Reals


@dataclass(frozen=True)
class BatchNorm(Affine):
    """out[c] = gamma[c] x[c] + beta[c], mean and deviation of the training folded into both.

    For a norm that folds into no layer; `norm = true` of a layer is one that does.
    """

    name: ClassVar[str] = "batch_norm"

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """A product and a sum."""
        gamma, beta = weights.reshape(2, -1, 1, 1)
        return Call("Mul", (0, gamma)), Call("Add", (1, beta))
