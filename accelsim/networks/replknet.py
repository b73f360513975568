"""RepLKNet (Ding et al., arXiv 2203.06717) as in the authors' code, large kernels merged.

A block is a batch norm, 1x1, a large depthwise kernel and 1x1, then a batch norm, 1x1 to four
times the channels, GELU and 1x1 back, both with a shortcut. For inference the 5x5 kernel beside
the large one and the batch norms of the two become one kernel with a bias. All other batch norms
stay parameters: those before a 1x1 convolution, and the last one, which averaging does not
change, fold into the convolution behind them.
"""

from typing import NamedTuple

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Add, GlobalPool, Linear, ParallelDepthwise, Pointwise
from accelsim.ops.geometry import Pair

DEPTHS = (2, 2, 18, 2)


class Dimensions(NamedTuple):
    """What differs between the sizes.

    width : channels of the first stage; each has twice those of the one before.
    kernels : large kernel of each stage.
    small : kernel beside the large one when training, or 0 for none.
    ratio : channels of the depthwise part in halves of the block's.
    """

    width: int
    kernels: tuple[int, int, int, int] = (31, 29, 27, 13)
    small: int = 5
    ratio: int = 2


def replknet_31b(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """RepLKNet-31B, merged."""
    return apply(replknet("replknet_31b", input, Dimensions(128)), variant)


def replknet_31l(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """RepLKNet-31L, merged; its authors use 384 x 384."""
    return apply(replknet("replknet_31l", input, Dimensions(192)), variant)


def replknet_xl(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """RepLKNet-XL, merged; its authors use 320 x 320. It has no small kernels."""
    dimensions = Dimensions(256, (27, 27, 27, 13), small=0, ratio=3)
    return apply(replknet("replknet_xl", input, dimensions), variant)


def replknet(name: str, size: Size, dimensions: Dimensions, merged: bool = True) -> Network:
    """A RepLKNet for inference, or for training where it is not merged."""
    b = Builder(name, size)
    width = dimensions.width
    b.conv("stem", width, 3, 2, "relu")
    b.depthwise("stem.dw1", 3, 1, "relu")
    b.pointwise("stem.project", width, "relu")
    b.depthwise("stem.dw2", 3, 2, "relu")
    n = 0
    for stage, (depth, kernel) in enumerate(zip(DEPTHS, dimensions.kernels, strict=True)):
        if stage:
            width *= 2
            b.pointwise(f"down{stage}", width, "relu")
            b.depthwise(f"down{stage}.dw", 3, 2, "relu")
        shapes: tuple[Pair, ...] = ((kernel, kernel),)
        if dimensions.small:
            shapes += ((dimensions.small, dimensions.small),)
        for _ in range(depth):
            n += 1
            mixer = ParallelDepthwise(shapes, merged=merged, activation="relu")
            _large_kernel(b, f"b{n}", mixer, width * dimensions.ratio // 2)
            _feed_forward(b, f"b{n}.ffn", 4 * width)
    b.add("pool", GlobalPool())
    b.add("fc", Linear(1000), bias=True, prenorm=True)
    return b.network()


def _large_kernel(b: Builder, block: str, mixer: ParallelDepthwise, hidden: int) -> None:
    start, channels = b.last, b.channels
    b.add(f"{block}.expand", Pointwise(hidden), norm=True, activation="relu", prenorm=True)
    b.expand(f"{block}.dw", mixer)
    b.pointwise(f"{block}.project", channels)
    b.add(f"{block}.add", Add(), start, b.last)


def _feed_forward(b: Builder, block: str, hidden: int) -> None:
    start, channels = b.last, b.channels
    b.add(f"{block}_expand", Pointwise(hidden), norm=True, activation="gelu", prenorm=True)
    b.pointwise(f"{block}_project", channels)
    b.add(f"{block}_add", Add(), start, b.last)
