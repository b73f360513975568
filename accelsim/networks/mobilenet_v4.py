"""MobileNetV4 (Qin et al., arXiv 2404.10518) as in timm: universal inverted bottlenecks.

A block is an inverted residual with a second, optional depthwise layer in front of its expansion;
either of the two may be left out.
"""

from typing import NamedTuple

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size, make_divisible
from accelsim.networks.variants import apply
from accelsim.ops import Add, GlobalPool, Linear


class Block(NamedTuple):
    """A universal inverted bottleneck; kernels of 0 stand for no layer.

    first, middle : kernels of the depthwise layers in front of the expansion and behind it.
    expansion : of the channels of its input.
    """

    first: int
    middle: int
    expansion: int
    out: int
    stride: int = 1


# out, kernel, stride
CONV_SMALL_STEM = ((32, 3, 2), (32, 3, 2), (32, 1, 1), (96, 3, 2), (64, 1, 1))
CONV_SMALL = (
    Block(5, 5, 3, 96, 2),
    Block(0, 3, 2, 96),
    Block(0, 3, 2, 96),
    Block(0, 3, 2, 96),
    Block(0, 3, 2, 96),
    Block(3, 0, 4, 96),
    Block(3, 3, 6, 128, 2),
    Block(5, 5, 4, 128),
    Block(0, 5, 4, 128),
    Block(0, 5, 3, 128),
    Block(0, 3, 4, 128),
    Block(0, 3, 4, 128),
)


def mobilenet_v4_conv_small(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV4-Conv-S."""
    b = Builder("mobilenet_v4_conv_small", input)
    for n, (out, kernel, stride) in enumerate(CONV_SMALL_STEM, 1):
        b.conv(f"stem{n}", out, kernel, stride, "relu")
    for n, row in enumerate(CONV_SMALL, 1):
        _block(b, f"b{n}", row)
    b.pointwise("head", 960, "relu")
    b.add("pool", GlobalPool())
    b.pointwise("head2", 1280, "relu")
    b.add("fc", Linear(1000), bias=True)
    return apply(b.network(), variant)


def _block(b: Builder, block: str, row: Block) -> None:
    """Its stride is that of the layer in the middle, or of the first where there is none."""
    start, channels = b.last, b.channels
    if row.first:
        b.depthwise(f"{block}.dw1", row.first, 1 if row.middle else row.stride, "none")
    b.pointwise(f"{block}.expand", make_divisible(row.expansion * channels), "relu")
    if row.middle:
        b.depthwise(f"{block}.dw", row.middle, row.stride, "relu")
    b.pointwise(f"{block}.project", row.out)
    if row.stride == 1 and row.out == channels:
        b.add(f"{block}.add", Add(), start, b.last)
