"""Layer norm: the channels of each pixel normalised (arXiv 1607.06450)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.numerics import FRACTION, Int8, Int32, layer_norm
from accelsim.ops.base import Affine
from accelsim.tensors import Map


@dataclass(frozen=True)
class LayerNorm(Affine):
    """out[c, h, w] = gamma[c] (x[c, h, w] - mean[h, w]) / deviation[h, w] + beta[c]."""

    name: ClassVar[str] = "layer_norm"

    def rescale(self, *inputs: Map) -> tuple[tuple[Int8, ...], int]:
        """The input as it is, because its scale cancels; steps of 1/128 times those of gamma."""
        (x,) = inputs
        return (x.values,), 2 * FRACTION

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w], as numerics.layer_norm rounds it."""
        (x,) = inputs
        gamma, beta = weights
        return layer_norm(x, gamma, beta)
