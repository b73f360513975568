"""Fully connected layer."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Piece, Shape
from accelsim.ops.geometry import check_bool, check_whole, make_conv, take_map
from accelsim.ops.masks import Masked, MaskLike, as_mask


@dataclass(frozen=True)
class Linear(Masked):
    """out[k, 0, 0] = sum of w[k, i] x.ravel()[i].

    flatten : says that a map larger than 1 x 1 is meant to become one vector, channel by channel
        and row by row. It changes nothing; without it, such a layer of a file is warned of,
        because elsewhere a linear layer takes the last axis only. For a linear layer at every
        pixel there is pointwise.
    mask : the weights that exist, as those of conv2d with a kernel of 1 x 1 on a map of one pixel;
        None for all.
    """

    name: ClassVar[str] = "linear"
    out_features: int
    flatten: bool = False
    mask: MaskLike = None

    def __post_init__(self) -> None:
        check_whole("out_features", self.out_features)
        check_bool("flatten", self.flatten)
        object.__setattr__(self, "mask", as_mask(self.mask, (1, 1)))

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(k, c h w)."""
        return super().weight_shape(*inputs)[:2]

    def unmasked(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv on the flattened input."""
        c, h, w = take_map(self.name, inputs)
        return (Piece(make_conv((c * h * w, 1, 1), self.out_features)),)
