"""Batch norm as a layer of its own, with the statistics of training (arXiv 1502.03167)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import FRACTION, Int8, Int32, affine
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import take_inputs
from accelsim.tensors import Map


@dataclass(frozen=True)
class BatchNorm(OnHost):
    """out[c] = gamma[c] x[c] + beta[c], mean and deviation of the training folded into both.

    For a norm that folds into no layer; `norm = true` of a layer is one that does. Gamma is in
    units of 1/128, beta in those of the input.
    """

    name: ClassVar[str] = "batch_norm"

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
        """int32[c, h, w] from int8[c, h, w]: gamma x + 128 beta, exactly."""
        (x,) = inputs
        gamma, beta = weights
        return affine(x.astype(np.int32), gamma, beta)
