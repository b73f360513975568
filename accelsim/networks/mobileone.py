"""MobileOne-S0 (Vasu et al., arXiv 2206.04040) as in timm, as it is trained and as it is run.

Trained, a block is several equal convolutions, a 1x1 beside those that are larger and, where it
keeps the map, the map itself, each with a batch norm, summed. For inference all of them fold into
one convolution with a bias. Blocks are depthwise and pointwise in turn.
"""

from dataclasses import replace

from accelsim.ir import Network, Operator
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Add, BatchNorm, Conv2d, Depthwise, Pointwise

ROWS = ((2, 48), (8, 128), (10, 256), (1, 1024))  # blocks, channels; the first at stride 2
STEM = 48
BRANCHES = 4  # equal convolutions of a block; the stem has one


def mobileone_s0(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileOne-S0 as it is trained: up to six branches a block."""
    return apply(_mobileone("mobileone_s0", input, trained=True), variant)


def mobileone_s0_deploy(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """MobileOne-S0 as it is run: a depthwise and a pointwise convolution in turn."""
    return apply(_mobileone("mobileone_s0_deploy", input, trained=False), variant)


def _mobileone(name: str, size: Size, trained: bool) -> Network:
    b = Builder(name, size)
    block = _branches if trained else _folded
    block(b, "stem", Conv2d(STEM, (3, 3), (2, 2), 1), 1)
    rows = [(width, 1 if i else 2) for count, width in ROWS for i in range(count)]
    for n, (width, stride) in enumerate(rows, 1):
        block(b, f"b{n}.dw", Depthwise((3, 3), (stride, stride)), BRANCHES)
        block(b, f"b{n}.project", Pointwise(width), BRANCHES)
    b.classifier()
    return b.network()


def _folded(b: Builder, block: str, op: Conv2d | Depthwise | Pointwise, count: int) -> None:
    b.add(block, op, bias=True, activation="relu")


def _branches(b: Builder, block: str, op: Conv2d | Depthwise | Pointwise, count: int) -> None:
    start = b.last
    keeps = op.stride == (1, 1) and op.out_shape(b.shape(start)) == b.shape(start)
    branches: dict[str, Operator] = {f"{block}.conv{n}": op for n in range(1, count + 1)}
    if not isinstance(op, Pointwise):
        branches[f"{block}.1x1"] = replace(op, kernel=(1, 1), padding=0)
    if keeps:
        branches[f"{block}.identity"] = BatchNorm()
    for branch, each in branches.items():
        b.add(branch, each, start, norm=not isinstance(each, BatchNorm))
    b.add(block, Add(), *branches, activation="relu")
