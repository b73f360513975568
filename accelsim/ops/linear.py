"""Fully connected layer."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Piece, Shape
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import check_whole, make_conv, take_inputs


@dataclass(frozen=True)
class Linear(Convolution):
    """out[k, 0, 0] = sum of w[k, i] x.ravel()[i]."""

    name: ClassVar[str] = "linear"
    out_features: int

    def __post_init__(self) -> None:
        check_whole("out_features", self.out_features)

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(k, c h w)."""
        return super().weight_shape(*inputs)[:2]

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv on the flattened input."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        return (Piece(make_conv((c * h * w, 1, 1), self.out_features)),)
