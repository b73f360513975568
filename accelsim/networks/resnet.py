"""ResNet-18, -50 and -101 (He et al., arXiv 1512.03385) as in torchvision: stride on the 3x3."""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Add, Pool

WIDTHS = (64, 128, 256, 512)


def resnet18(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ResNet-18: two 3x3 convolutions a block."""
    return apply(_resnet("resnet18", input, (2, 2, 2, 2), bottleneck=False), variant)


def resnet50(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ResNet-50: 1x1, 3x3, 1x1 a block, four times as wide at its end."""
    return apply(_resnet("resnet50", input, (3, 4, 6, 3), bottleneck=True), variant)


def resnet101(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ResNet-101: ResNet-50 with 23 blocks instead of 6 in its third stage."""
    return apply(_resnet("resnet101", input, (3, 4, 23, 3), bottleneck=True), variant)


def _resnet(name: str, size: Size, repeats: tuple[int, ...], bottleneck: bool) -> Network:
    b = Builder(name, size)
    b.conv("stem", 64, 7, 2, "relu")
    b.add("maxpool", Pool("max", (3, 3), (2, 2), (1, 1, 1, 1)))
    blocks = [
        (width, 2 if stage and not i else 1)
        for stage, (width, count) in enumerate(zip(WIDTHS, repeats, strict=True))
        for i in range(count)
    ]
    for n, (width, stride) in enumerate(blocks, 1):
        _block(b, f"b{n}", width, stride, bottleneck)
    b.classifier()
    return b.network()


def _block(b: Builder, block: str, width: int, stride: int, bottleneck: bool) -> None:
    start, channels = b.last, b.channels
    if bottleneck:
        out = 4 * width
        b.conv(f"{block}.conv1", width, 1, 1, "relu")
        b.conv(f"{block}.conv2", width, 3, stride, "relu")
        b.conv(f"{block}.conv3", out, 1, 1, "none")
    else:
        out = width
        b.conv(f"{block}.conv1", width, 3, stride, "relu")
        b.conv(f"{block}.conv2", out, 3, 1, "none")
    end, shortcut = b.last, start
    if stride != 1 or channels != out:
        b.conv(f"{block}.down", out, 1, stride, "none", start)
        shortcut = b.last
    b.add(f"{block}.add", Add(), shortcut, end, activation="relu")
