"""Depthwise convolution with a kernel that another layer makes."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Piece, Shape
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_padding,
    check_pair,
    make_conv,
    take_inputs,
)


@dataclass(frozen=True)
class DynamicDepthwise(Convolution):
    """Each channel by itself, with the kernel that the second input has for it.

    As `depthwise` with a second input, which here there has to be: (c, fh, fw), or any other shape
    with these values in this order, such as the (c fh fw, 1, 1) of a fully connected layer.

    kernel : (fh, fw).
    padding : as of conv2d, but "same" if not given.
    """

    name: ClassVar[str] = "dynamic_depthwise"
    depthwise: ClassVar[bool] = True
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        check_pair("kernel", self.kernel)
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_pair("dilation", self.dilation)

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv."""
        x, _ = take_inputs(self.name, inputs, 2)
        c = x[0]
        conv = make_conv(x, c, self.kernel, self.stride, self.padding, self.dilation, groups=c)
        return (Piece(conv),)
