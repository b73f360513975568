"""1 x 1 convolution: the channels of each pixel mixed."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Piece, Shape
from accelsim.ops.geometry import Pair, check_pair, check_whole, make_conv, take_map
from accelsim.ops.masks import Masked, MaskLike, as_mask


@dataclass(frozen=True)
class Pointwise(Masked):
    """out[k, oh, ow] = sum of w[k, c] x[c, oh sh, ow sw].

    mask : the weights that exist, as those of conv2d with a kernel of 1 x 1; None for all.
    """

    name: ClassVar[str] = "pointwise"
    out_channels: int
    stride: Pair = (1, 1)
    groups: int = 1
    mask: MaskLike = None

    def __post_init__(self) -> None:
        check_whole("out_channels", self.out_channels)
        check_pair("stride", self.stride)
        check_whole("groups", self.groups)
        object.__setattr__(self, "mask", as_mask(self.mask, (1, 1)))

    def unmasked(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv."""
        shape = take_map(self.name, inputs)
        return (Piece(make_conv(shape, self.out_channels, stride=self.stride, groups=self.groups)),)
