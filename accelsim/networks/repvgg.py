"""RepVGG-A0 (Ding et al., arXiv 2101.03697) as in timm, as it is trained and as it is run.

Trained, a block is a 3x3 and a 1x1 convolution and, where it keeps the map, the map itself, each
with a batch norm, summed. For inference all three fold into one 3x3 convolution with a bias.
"""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Add, BatchNorm, Conv2d

ROWS = ((2, 48), (4, 96), (14, 192), (1, 1280))  # blocks, channels; the first at stride 2
STEM = 48


def repvgg_a0(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """RepVGG-A0 as it is trained: three branches a block."""
    return apply(_repvgg("repvgg_a0", input, trained=True), variant)


def repvgg_a0_deploy(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """RepVGG-A0 as it is run: a 3x3 convolution a block."""
    return apply(_repvgg("repvgg_a0_deploy", input, trained=False), variant)


def _repvgg(name: str, size: Size, trained: bool) -> Network:
    b = Builder(name, size)
    block = _branches if trained else _folded
    block(b, "stem", STEM, 2)
    rows = [(width, 1 if i else 2) for count, width in ROWS for i in range(count)]
    for n, (width, stride) in enumerate(rows, 1):
        block(b, f"b{n}", width, stride)
    b.classifier()
    return b.network()


def _folded(b: Builder, block: str, width: int, stride: int) -> None:
    b.add(block, Conv2d(width, (3, 3), (stride, stride), 1), bias=True, activation="relu")


def _branches(b: Builder, block: str, width: int, stride: int) -> None:
    start, keeps = b.last, b.channels == width and stride == 1
    b.conv(f"{block}.3x3", width, 3, stride, "none", start)
    b.conv(f"{block}.1x1", width, 1, stride, "none", start)
    ends = [f"{block}.3x3", f"{block}.1x1"]
    if keeps:
        b.add(f"{block}.identity", BatchNorm(), start)
        ends.append(b.last)
    b.add(block, Add(), *ends, activation="relu")
