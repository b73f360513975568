"""MobileNetV3 (Howard et al., arXiv 1905.02244), official and as FuSeConv's authors define it.

Official is torchvision's: squeeze-excite reduces to a quarter rounded to a multiple of 8, a
block that does not widen has no expansion, and the hidden layer of Small has 1024 channels.
FuSeConv's (arXiv 2105.13434, released code) reduces to a quarter without rounding or biases,
activates after the squeeze-excite, expands 16 to 16 in the first block, and has 1280 hidden
channels in both sizes.
"""

from typing import NamedTuple

from accelsim.ir import Network
from accelsim.networks.builder import (
    Bottleneck,
    Builder,
    Size,
    inverted_residual,
    make_divisible,
)
from accelsim.networks.variants import Rules, apply
from accelsim.ops import Add, GlobalPool, Linear, Pointwise, SqueezeExcite


class Block(NamedTuple):
    """A line of the paper's tables 1 and 2."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    activation: str
    stride: int


LARGE = (
    Block(3, 16, 16, False, "relu", 1),
    Block(3, 64, 24, False, "relu", 2),
    Block(3, 72, 24, False, "relu", 1),
    Block(5, 72, 40, True, "relu", 2),
    Block(5, 120, 40, True, "relu", 1),
    Block(5, 120, 40, True, "relu", 1),
    Block(3, 240, 80, False, "hswish", 2),
    Block(3, 200, 80, False, "hswish", 1),
    Block(3, 184, 80, False, "hswish", 1),
    Block(3, 184, 80, False, "hswish", 1),
    Block(3, 480, 112, True, "hswish", 1),
    Block(3, 672, 112, True, "hswish", 1),
    Block(5, 672, 160, True, "hswish", 2),
    Block(5, 960, 160, True, "hswish", 1),
    Block(5, 960, 160, True, "hswish", 1),
)
SMALL = (
    Block(3, 16, 16, True, "relu", 2),
    Block(3, 72, 24, False, "relu", 2),
    Block(3, 88, 24, False, "relu", 1),
    Block(5, 96, 40, True, "hswish", 2),
    Block(5, 240, 40, True, "hswish", 1),
    Block(5, 240, 40, True, "hswish", 1),
    Block(5, 120, 48, True, "hswish", 1),
    Block(5, 144, 48, True, "hswish", 1),
    Block(5, 288, 96, True, "hswish", 2),
    Block(5, 576, 96, True, "hswish", 1),
    Block(5, 576, 96, True, "hswish", 1),
)
LARGE_HALF = tuple(f"b{n}.dw" for n in range(2, 9))
SMALL_HALF = tuple(f"b{n}.dw" for n in (3, 5, 6, 7, 8))


def mobilenet_v3_small(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV3-Small, official."""
    network = _official("mobilenet_v3_small", input, SMALL, 1024)
    return apply(network, variant, Rules(SMALL_HALF, _rounded_quarter))


def mobilenet_v3_large(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV3-Large, official."""
    network = _official("mobilenet_v3_large", input, LARGE, 1280)
    return apply(network, variant, Rules(LARGE_HALF, _rounded_quarter))


def mobilenet_v3_small_fuseconv(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV3-Small as FuSeConv's authors define it."""
    network = _fuseconv("mobilenet_v3_small_fuseconv", input, SMALL)
    return apply(network, variant, Rules(SMALL_HALF, _quarter))


def mobilenet_v3_large_fuseconv(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileNetV3-Large as FuSeConv's authors define it."""
    network = _fuseconv("mobilenet_v3_large_fuseconv", input, LARGE)
    return apply(network, variant, Rules(LARGE_HALF, _quarter))


def _rounded_quarter(channels: int) -> int:
    return make_divisible(channels / 4)


def _quarter(channels: int) -> int:
    return channels // 4


def _official(name: str, size: Size, rows: tuple[Block, ...], hidden: int) -> Network:
    b = Builder(name, size)
    b.conv("stem", 16, 3, 2, "hswish")
    for n, row in enumerate(rows, 1):
        squeeze = SqueezeExcite(_rounded_quarter(row.expanded)) if row.squeeze else None
        block = Bottleneck(row.kernel, row.expanded, row.out, row.stride, row.activation, squeeze)
        inverted_residual(b, f"b{n}", block)
    b.pointwise("head", 6 * b.channels, "hswish")
    b.add("pool", GlobalPool())
    b.add("head2", Linear(hidden), bias=True, activation="hswish")
    b.add("fc", Linear(1000), bias=True)
    return b.network()


def _fuseconv(name: str, size: Size, rows: tuple[Block, ...]) -> Network:
    b = Builder(name, size)
    b.conv("stem", 16, 3, 2, "hswish")
    for n, row in enumerate(rows, 1):
        _fuseconv_block(b, f"b{n}", row)
    b.pointwise("head", 6 * b.channels, "hswish")
    b.add("pool", GlobalPool())
    b.add("head2", Pointwise(1280), bias=True, activation="hswish")
    b.add("fc", Linear(1000), bias=True)
    return b.network()


def _fuseconv_block(b: Builder, block: str, row: Block) -> None:
    start, channels = b.last, b.channels
    b.pointwise(f"{block}.expand", row.expanded, row.activation)
    if row.squeeze:
        b.depthwise(f"{block}.dw", row.kernel, row.stride, "none")
        b.squeeze_excite(block, SqueezeExcite(_quarter(row.expanded), bias=False), row.activation)
    else:
        b.depthwise(f"{block}.dw", row.kernel, row.stride, row.activation)
    b.pointwise(f"{block}.project", row.out)
    if row.stride == 1 and row.out == channels:
        b.add(f"{block}.add", Add(), start, b.last)
