"""GhostNet (Han et al., arXiv 1911.11907) as its authors and timm have it.

A Ghost module makes half of its channels by a 1x1 convolution, and of each of them another one by a
3x3 depthwise convolution, the cheap operation; both halves are concatenated.
"""

from typing import NamedTuple

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size, make_divisible
from accelsim.networks.variants import apply
from accelsim.ops import Add, Concat, Depthwise, GlobalPool, Linear, SqueezeExcite


class Block(NamedTuple):
    """A line of the paper's table 1.

    kernel : of the depthwise layers at stride 2, and of the shortcut.
    """

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    stride: int


BLOCKS = (
    Block(3, 16, 16, False, 1),
    Block(3, 48, 24, False, 2),
    Block(3, 72, 24, False, 1),
    Block(5, 72, 40, True, 2),
    Block(5, 120, 40, True, 1),
    Block(3, 240, 80, False, 2),
    Block(3, 200, 80, False, 1),
    Block(3, 184, 80, False, 1),
    Block(3, 184, 80, False, 1),
    Block(3, 480, 112, True, 1),
    Block(3, 672, 112, True, 1),
    Block(5, 672, 160, True, 2),
    Block(5, 960, 160, False, 1),
    Block(5, 960, 160, True, 1),
    Block(5, 960, 160, False, 1),
    Block(5, 960, 160, True, 1),
)


def ghostnet(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """GhostNet, width 1."""
    b = Builder("ghostnet", input)
    b.conv("stem", 16, 3, 2, "relu")
    for n, row in enumerate(BLOCKS, 1):
        _block(b, f"b{n}", row)
    b.pointwise("head", 960, "relu")
    b.add("pool", GlobalPool())
    b.add("head2", Linear(1280), bias=True, activation="relu")
    b.add("fc", Linear(1000), bias=True)
    return apply(b.network(), variant)


def _block(b: Builder, block: str, row: Block) -> None:
    """Two Ghost modules; the shortcut of one that changes the map is a separable convolution."""
    start, channels = b.last, b.channels
    _ghost(b, f"{block}.ghost1", row.expanded, "relu")
    if row.stride > 1:
        b.depthwise(f"{block}.dw", row.kernel, row.stride, "none")
    if row.squeeze:
        b.squeeze_excite(block, SqueezeExcite(make_divisible(row.expanded / 4, 4)))
    _ghost(b, f"{block}.ghost2", row.out, "none")
    end, shortcut = b.last, start
    if row.stride > 1 or channels != row.out:
        down = Depthwise((row.kernel, row.kernel), (row.stride, row.stride))
        b.add(f"{block}.down_dw", down, start, norm=True)
        b.pointwise(f"{block}.down", row.out)
        shortcut = b.last
    b.add(f"{block}.add", Add(), shortcut, end)


def _ghost(b: Builder, module: str, out: int, activation: str) -> None:
    b.pointwise(f"{module}.primary", out // 2, activation)
    b.depthwise(f"{module}.cheap", 3, 1, activation)
    b.add(module, Concat(), f"{module}.primary", f"{module}.cheap")
