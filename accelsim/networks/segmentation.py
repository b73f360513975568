"""U-Net (Ronneberger et al., arXiv 1505.04597) as in milesial/Pytorch-UNet, padded, transposed.

Of that repository's two forms the one with 2x2 transposed convolutions (bilinear=False), for images
of 3 channels and 2 classes. Every 3x3 convolution is padded by 1 and has a batch norm and no bias,
so that the result has the size of the image. The paper's does not pad, and crops.
"""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import Concat, ConvTranspose2d, Pointwise, Pool

WIDTHS = (64, 128, 256, 512, 1024)  # a level each, every one at half the size of the one before
CLASSES = 2


def unet(variant: str = "baseline", input: Size = (448, 448)) -> Network:
    """U-Net: four levels down, four up, each joined with the map of its size on the way down.

    A row or column that a pool leaves over comes back as output padding, which has the bias alone;
    the authors pad zeros there.
    """
    b = Builder("unet", input)
    for level, width in enumerate(WIDTHS, 1):
        if level > 1:
            b.add(f"down{level}.pool", Pool("max", (2, 2)))
        _double(b, f"down{level}", width)
    for level in range(len(WIDTHS) - 1, 0, -1):
        _up(b, level)
    b.add("out", Pointwise(CLASSES), bias=True)
    return apply(b.network(), variant)


def _up(b: Builder, level: int) -> None:
    """The last map at twice its size, behind that of the same level on the way down."""
    skip, width = f"down{level}.conv2", WIDTHS[level - 1]
    (_, h, w), (_, rows, columns) = b.shape(b.last), b.shape(skip)
    over = rows - 2 * h, columns - 2 * w
    op = ConvTranspose2d(width, (2, 2), (2, 2), output_padding=over)
    b.add(f"up{level}.transposed", op, bias=True)
    b.add(f"up{level}.concat", Concat(), skip, b.last)
    _double(b, f"up{level}", width)


def _double(b: Builder, block: str, width: int) -> None:
    b.conv(f"{block}.conv1", width, 3, 1, "relu")
    b.conv(f"{block}.conv2", width, 3, 1, "relu")
