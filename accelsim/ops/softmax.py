"""Softmax over the channels of every pixel, for each head of an attention by itself."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import SHARE, Int8, Int32, softmax
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import check_whole, take_inputs
from accelsim.tensors import Map


@dataclass(frozen=True)
class Softmax(OnHost):
    """out[c, h, w] = exp(x[c, h, w]) / the sum of exp(x[i, h, w]) over the channels i of its head.

    An int8 value q counts as q / 16 whatever the scale of its map, as for activations, so that
    the factor before it in attentions, 1 / sqrt(channels), is part of that scale.

    heads : a divisor of the channels; those of a head lie together, as matmul makes them.
    """

    name: ClassVar[str] = "softmax"
    heads: int = 1

    def __post_init__(self) -> None:
        check_whole("heads", self.heads)

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        if shape[0] % self.heads:
            raise ShapeError(f"heads must divide the {shape[0]} channels, not be {self.heads}")
        return shape

    def rescale(self, *inputs: Map) -> tuple[tuple[Int8, ...], int]:
        """The input as it is; the result is on a scale of its own."""
        (x,) = inputs
        return (x.values,), SHARE

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from int8[c, h, w], as numerics.softmax rounds it."""
        (x,) = inputs
        return softmax(x, self.heads)
