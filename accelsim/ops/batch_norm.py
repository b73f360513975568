"""Batch norm as a layer of its own, with the statistics of training (arXiv 1502.03167)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.numerics import Int8, Int32, affine
from accelsim.ops.base import Affine


@dataclass(frozen=True)
class BatchNorm(Affine):
    """out[c] = gamma[c] x[c] + beta[c], mean and deviation of the training folded into both.

    For a norm that folds into no layer; `norm = true` of a layer is one that does. Gamma is in
    units of 1/128, beta in those of the input.
    """

    name: ClassVar[str] = "batch_norm"

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w]: gamma x + 128 beta, exactly."""
        (x,) = inputs
        gamma, beta = weights
        return affine(x.astype(np.int32), gamma, beta)
