"""Networks for the images of CIFAR-10, 32 x 32 in 10 classes, that papers of operators begin with.

Cifar-quick with batch norms as in the code of ACNet (Ding et al., arXiv 1908.03930), VGG-16 as in
that of learnable heterogeneous convolutions (Zhao et al., arXiv 2301.05440), without batch norms
and with an average instead of the hidden layers, and ResNet-20 (He et al., arXiv 1512.03385) with
shortcuts of option A, which have no parameters.
"""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Add, Conv2d, Linear, PadChannels, Pool

CLASSES = 10
VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions; then a pool
RESNET20 = (16, 32, 64)  # channels, three blocks each


def cifar_quick(variant: str = "baseline", input: Size = (32, 32)) -> Network:
    """Cifar-quick: three 5x5 convolutions, each with a 3x3 pool without padding."""
    b = Builder("cifar_quick", input)
    for n, (width, kind) in enumerate(((32, "max"), (32, "average"), (64, "average")), 1):
        b.conv(f"conv{n}", width, 5, 1, "relu")
        b.add(f"pool{n}", Pool(kind, (3, 3), (2, 2)))
    b.add("fc1", Linear(64, flatten=True), bias=True, activation="relu")
    b.add("fc", Linear(CLASSES), bias=True)
    return apply(b.network(), variant)


def vgg16_cifar(variant: str = "baseline", input: Size = (32, 32)) -> Network:
    """VGG-16: 3x3 convolutions with biases; pools take what is left of an odd map too."""
    b = Builder("vgg16_cifar", input)
    for n, (width, count) in enumerate(VGG16, 1):
        for i in range(1, count + 1):
            conv = Conv2d(width, (3, 3), padding=1)
            b.add(f"b{n}.conv{i}", conv, bias=True, activation="relu")
        b.add(f"pool{n}", Pool("max", (2, 2), ceil_mode=True))
    b.classifier(CLASSES)
    return apply(b.network(), variant)


def resnet20(variant: str = "baseline", input: Size = (32, 32)) -> Network:
    """ResNet-20: nine blocks of two 3x3 convolutions."""
    b = Builder("resnet20", input)
    b.conv("stem", 16, 3, 1, "relu")
    blocks = [(width, 2 if width > 16 and not i else 1) for width in RESNET20 for i in range(3)]
    for n, (width, stride) in enumerate(blocks, 1):
        _block(b, f"b{n}", width, stride)
    b.classifier(CLASSES)
    return apply(b.network(), variant)


def _block(b: Builder, block: str, width: int, stride: int) -> None:
    """A shortcut to half the map is every other pixel between as many channels of zeros."""
    start, channels = b.last, b.channels
    b.conv(f"{block}.conv1", width, 3, stride, "relu")
    b.conv(f"{block}.conv2", width, 3, 1, "none")
    end, shortcut = b.last, start
    if stride > 1:
        zeros = (width - channels) // 2
        b.add(f"{block}.pixels", Pool("max", (1, 1), (stride, stride)), start)
        b.add(f"{block}.down", PadChannels(zeros, zeros))
        shortcut = b.last
    b.add(f"{block}.add", Add(), shortcut, end, activation="relu")
