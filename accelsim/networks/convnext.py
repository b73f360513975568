"""ConvNeXt (arXiv 2201.03545), ConvNeXt V2 (2301.00808), and SLaK (2207.03620) on its frame.

A block is a depthwise convolution, a layer norm, 1x1 to four times the channels, GELU, 1x1 back
and a layer scale; every convolution has a bias. ConvNeXt's depthwise kernel is 7x7. V2 has a global
response norm after GELU in place of the layer scale. SLaK widens the network to 1.3 times and
takes k x 5, 5 x k and 5 x 5 kernels with a batch norm each, summed; its authors train with 40 % of
the weights zero, and here it is dense.

Definitions as in the authors' repositories; Atto as in timm.
"""

from collections.abc import Callable

from accelsim.ir import Network
from accelsim.networks.builder import Builder, Size
from accelsim.networks.variants import apply
from accelsim.ops import (
    Add,
    Conv2d,
    Depthwise,
    GlobalPool,
    GlobalResponseNorm,
    LayerNorm,
    Linear,
    ParallelDepthwise,
    Pointwise,
)

Four = tuple[int, int, int, int]  # one number a stage
Mixer = Callable[[Builder, str, int], None]  # adds the depthwise part of a block of a stage

ATTO_DEPTHS = (2, 2, 6, 2)
SMALL_DEPTHS = (3, 3, 27, 3)
SLAK_KERNELS = (51, 49, 47, 13)


def convnext_atto(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt-Atto, timm's."""
    return apply(_convnext("convnext_atto", input, ATTO_DEPTHS, 40), variant)


def convnextv2_atto(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt V2-Atto, timm's."""
    return apply(_convnext("convnextv2_atto", input, ATTO_DEPTHS, 40, second=True), variant)


def convnext_tiny(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt-T."""
    return apply(_convnext("convnext_tiny", input, (3, 3, 9, 3), 96), variant)


def convnext_small(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt-S."""
    return apply(_convnext("convnext_small", input, SMALL_DEPTHS, 96), variant)


def convnext_base(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt-B."""
    return apply(_convnext("convnext_base", input, SMALL_DEPTHS, 128), variant)


def convnext_large(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """ConvNeXt-L."""
    return apply(_convnext("convnext_large", input, SMALL_DEPTHS, 192), variant)


def slak_tiny(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """SLaK-T, dense."""
    return apply(_slak("slak_tiny", input, (3, 3, 9, 3), 96), variant)


def slak_small(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """SLaK-S, dense."""
    return apply(_slak("slak_small", input, SMALL_DEPTHS, 96), variant)


def slak_base(variant: str = "baseline", input: Size = (224, 224)) -> Network:
    """SLaK-B, dense."""
    return apply(_slak("slak_base", input, SMALL_DEPTHS, 128), variant)


def _convnext(name: str, size: Size, depths: Four, width: int, *, second: bool = False) -> Network:
    def mix(b: Builder, block: str, stage: int) -> None:
        b.add(f"{block}.dw", Depthwise((7, 7)), bias=True)

    return _frame(name, size, depths, _widths(width), mix, second=second)


def _slak(name: str, size: Size, depths: Four, width: int) -> Network:
    def mix(b: Builder, block: str, stage: int) -> None:
        k = SLAK_KERNELS[stage]
        b.expand(f"{block}.dw", ParallelDepthwise(((k, 5), (5, k), (5, 5))))

    first, second, third, fourth = (13 * c // 10 for c in _widths(width))
    return _frame(name, size, depths, (first, second, third, fourth), mix)


def _widths(width: int) -> Four:
    return width, 2 * width, 4 * width, 8 * width


def _frame(
    name: str, size: Size, depths: Four, widths: Four, mix: Mixer, *, second: bool = False
) -> Network:
    """Stem of 4x4 patches, four stages with 2x2 patches between them, and the classifier."""
    b = Builder(name, size)
    b.add("stem", Conv2d(widths[0], (4, 4), (4, 4)), bias=True)
    b.add("stem.norm", LayerNorm())
    n = 0
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            b.add(f"down{stage}.norm", LayerNorm())
            b.add(f"down{stage}", Conv2d(width, (2, 2), (2, 2)), bias=True)
        for _ in range(depth):
            n += 1
            start = b.last
            mix(b, f"b{n}", stage)
            b.add(f"b{n}.norm", LayerNorm())
            b.add(f"b{n}.expand", Pointwise(4 * width), bias=True, activation="gelu")
            if second:
                b.add(f"b{n}.grn", GlobalResponseNorm())
            b.add(f"b{n}.project", Pointwise(width), bias=True, layer_scale=not second)
            b.add(f"b{n}.add", Add(), start, b.last)
    b.add("pool", GlobalPool())
    b.add("norm", LayerNorm())
    b.add("fc", Linear(1000), bias=True)
    return b.network()
