"""InceptionNeXt (Yu et al., arXiv 2303.16900) as in the authors' code and timm.

A block is an inception depthwise convolution, a batch norm, 1x1 to more channels, GELU, 1x1 back
and a layer scale; every convolution has a bias. The batch norms before a convolution fold into it.
"""

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import (
    Add,
    Conv2d,
    GlobalPool,
    InceptionDepthwise,
    LayerNorm,
    Linear,
    Pointwise,
)

EXPANSIONS = (4, 4, 4, 3)
SMALL_DEPTHS = (3, 3, 27, 3)
BANDS_OF_11 = InceptionDepthwise(band=11, ratio=0.125)


def inception_next_atto(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """InceptionNeXt-A: bands of 9 on a quarter of the channels each."""
    mixer = InceptionDepthwise(band=9, ratio=0.25)
    return apply(inception_next("inception_next_atto", input, (2, 2, 6, 2), 40, mixer), variant)


def inception_next_tiny(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """InceptionNeXt-T."""
    return apply(inception_next("inception_next_tiny", input, (3, 3, 9, 3), 96), variant)


def inception_next_small(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """InceptionNeXt-S."""
    return apply(inception_next("inception_next_small", input, SMALL_DEPTHS, 96), variant)


def inception_next_base(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """InceptionNeXt-B."""
    return apply(inception_next("inception_next_base", input, SMALL_DEPTHS, 128), variant)


def inception_next(
    name: str,
    size: Size,
    depths: tuple[int, int, int, int],
    width: int,
    mixer: InceptionDepthwise = BANDS_OF_11,
) -> Network:
    """An InceptionNeXt whose widths double from stage to stage, beginning with `width`."""
    b = Builder(name, size)
    b.add("stem", Conv2d(width, (4, 4), (4, 4)), bias=True, norm=True)
    n = 0
    for stage, (depth, expansion) in enumerate(zip(depths, EXPANSIONS, strict=True)):
        if stage:
            width *= 2
            b.add(f"down{stage}", Conv2d(width, (2, 2), (2, 2)), bias=True, prenorm=True)
        for _ in range(depth):
            n += 1
            start, expand = b.last, Pointwise(expansion * width)
            b.expand(f"b{n}.dw", mixer)
            b.add(f"b{n}.expand", expand, bias=True, activation="gelu", prenorm=True)
            b.add(f"b{n}.project", Pointwise(width), bias=True, layer_scale=True)
            b.add(f"b{n}.add", Add(), start, b.last)
    b.add("pool", GlobalPool())
    b.add("head", Linear(3 * width), bias=True, activation="gelu")
    b.add("norm", LayerNorm())
    b.add("fc", Linear(1000), bias=True)
    return b.network()
