"""Convolution in two dimensions, grouped, strided, dilated."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Piece, Shape
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_padding,
    check_pair,
    check_whole,
    make_conv,
    take_map,
)
from accelsim.ops.masks import Masked, MaskLike, as_mask


@dataclass(frozen=True)
class Conv2d(Masked):
    """out[k, oh, ow] = sum of w[k, c, fh, fw] x[c, oh sh + fh dh - pt, ow sw + fw dw - pl].

    padding : a number for all sides, (top, bottom, left, right), "same" (d (k - 1) zeros in all,
        the odd one at the bottom and the right, whatever the stride) or "same_tf" (as TensorFlow
        pads, which depends on the stride). 0 if not given, while depthwise has "same".
    mask : the taps that exist, as ops.masks.as_mask takes them; None for all.
    """

    name: ClassVar[str] = "conv2d"
    out_channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = 0
    dilation: Pair = (1, 1)
    groups: int = 1
    mask: MaskLike = None

    def __post_init__(self) -> None:
        check_whole("out_channels", self.out_channels)
        check_pair("kernel", self.kernel)
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_pair("dilation", self.dilation)
        check_whole("groups", self.groups)
        object.__setattr__(self, "mask", as_mask(self.mask, self.kernel))

    def unmasked(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv."""
        shape = take_map(self.name, inputs)
        conv = make_conv(
            shape,
            self.out_channels,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return (Piece(conv),)
