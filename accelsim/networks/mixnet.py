"""MixNet (Tan and Le, arXiv 1907.09595) as in timm."""

from typing import NamedTuple

from accelsim.ir import Network
from accelsim.networks.builder import (
    Bottleneck,
    Builder,
    Size,
    inverted_residual,
    make_divisible,
)
from accelsim.networks.variants import apply
from accelsim.ops import SqueezeExcite


class RepeatedBlock(NamedTuple):
    """A block and how often it comes; the first one of them has the stride.

    expansion : of the block's input channels.
    groups : of the 1x1 convolutions that expand and project.
    squeeze : what squeeze-excite reduces to, relative to the block's input channels; 0 for none.
    """

    repeats: int
    kernels: tuple[int, ...]
    expansion: int
    out: int
    stride: int
    groups: tuple[int, int] = (1, 1)
    squeeze: float = 0
    activation: str = "silu"


S = (
    RepeatedBlock(1, (3,), 1, 16, 1, activation="relu"),
    RepeatedBlock(1, (3,), 6, 24, 2, (2, 2), activation="relu"),
    RepeatedBlock(1, (3,), 3, 24, 1, (2, 2), activation="relu"),
    RepeatedBlock(1, (3, 5, 7), 6, 40, 2, (1, 1), 0.5),
    RepeatedBlock(3, (3, 5), 6, 40, 1, (2, 2), 0.5),
    RepeatedBlock(1, (3, 5, 7), 6, 80, 2, (1, 2), 0.25),
    RepeatedBlock(2, (3, 5), 6, 80, 1, (1, 2), 0.25),
    RepeatedBlock(1, (3, 5, 7), 6, 120, 1, (2, 2), 0.5),
    RepeatedBlock(2, (3, 5, 7, 9), 3, 120, 1, (2, 2), 0.5),
    RepeatedBlock(1, (3, 5, 7, 9, 11), 6, 200, 2, (1, 1), 0.5),
    RepeatedBlock(2, (3, 5, 7, 9), 6, 200, 1, (1, 2), 0.5),
)
M = (
    RepeatedBlock(1, (3,), 1, 24, 1, activation="relu"),
    RepeatedBlock(1, (3, 5, 7), 6, 32, 2, (2, 2), activation="relu"),
    RepeatedBlock(1, (3,), 3, 32, 1, (2, 2), activation="relu"),
    RepeatedBlock(1, (3, 5, 7, 9), 6, 40, 2, (1, 1), 0.5),
    RepeatedBlock(3, (3, 5), 6, 40, 1, (2, 2), 0.5),
    RepeatedBlock(1, (3, 5, 7), 6, 80, 2, (1, 1), 0.25),
    RepeatedBlock(3, (3, 5, 7, 9), 6, 80, 1, (2, 2), 0.25),
    RepeatedBlock(1, (3,), 6, 120, 1, (1, 1), 0.5),
    RepeatedBlock(3, (3, 5, 7, 9), 3, 120, 1, (2, 2), 0.5),
    RepeatedBlock(1, (3, 5, 7, 9), 6, 200, 2, (1, 1), 0.5),
    RepeatedBlock(3, (3, 5, 7, 9), 6, 200, 1, (1, 2), 0.5),
)


def mixnet_s(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MixNet-S."""
    return apply(_mixnet("mixnet_s", input, S, 16), variant)


def mixnet_m(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MixNet-M."""
    return apply(_mixnet("mixnet_m", input, M, 24), variant)


def mixnet_l(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MixNet-L: MixNet-M, 1.3 times as wide."""
    return apply(_mixnet("mixnet_l", input, M, 24, 1.3), variant)


def _mixnet(
    name: str, size: Size, rows: tuple[RepeatedBlock, ...], stem: int, width: float = 1
) -> Network:
    b = Builder(name, size)
    b.conv("stem", make_divisible(width * stem), 3, 2, "relu")
    blocks = [(row, row.stride if i == 0 else 1) for row in rows for i in range(row.repeats)]
    for n, (row, stride) in enumerate(blocks, 1):
        reduced = round(row.squeeze * b.channels)
        block = Bottleneck(
            row.kernels,
            row.expansion * b.channels,
            make_divisible(width * row.out),
            stride,
            row.activation,
            SqueezeExcite(reduced, row.activation, "sigmoid") if reduced else None,
            *row.groups,
        )
        inverted_residual(b, f"b{n}", block)
    b.pointwise("head", 1536, "relu")
    b.classifier()
    return b.network()
