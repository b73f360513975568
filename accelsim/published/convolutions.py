"""What the published models look at in a layer: one dense or depthwise convolution."""

from typing import NamedTuple

from accelsim.errors import UnsupportedError
from accelsim.ir import Conv, Layer, Shape
from accelsim.ops import Conv2d, ConvTranspose2d, Depthwise, DynamicDepthwise, RegionConv
from accelsim.ops.geometry import resolve_padding


class PaddedConv(NamedTuple):
    """A convolution and the size of its padded input.

    It has one group or one for every channel. As for the authors of all models, that alone tells
    a dense layer from a depthwise one: a depthwise layer of a single channel is dense.
    """

    conv: Conv
    padded_h: int
    padded_w: int

    @property
    def depthwise(self) -> bool:
        """Whether every channel is by itself, and there are several."""
        return self.conv.groups > 1


class Cost(NamedTuple):
    """Cycles of a layer and how it runs; dataflow None marks what a publication leaves out."""

    cycles: int
    dataflow: str | None


NOT_MODELLED = Cost(0, None)


def padded_conv(
    layer: Layer, in_shapes: tuple[Shape, ...], timing: str, multiplier: bool = False
) -> PaddedConv | None:
    """The layer's convolution; None where it has none, like pooling and adding.

    UnsupportedError for what no publication covers: transposed convolutions, dilation, groups that
    are not depthwise, several output channels per channel, unless `multiplier`, kernels of which
    only some taps exist, or several kernel shapes in one depthwise layer. Code that looks at none
    of these, as FuSeConv's, counts something else than the layer.
    """
    pieces = layer.op.lower(*in_shapes)
    if not pieces:
        return None
    op, conv = layer.op, pieces[0].conv
    reason = (
        "transposed convolutions"
        if isinstance(op, ConvTranspose2d)
        else "kernels that differ from region to region"
        if isinstance(op, RegionConv)
        else "kernels of which only some taps exist"
        if getattr(op, "mask", None) is not None
        else _refusal(conv, len(pieces), multiplier)
    )
    if reason:
        raise UnsupportedError(f"timing {timing} does not cover {reason} (layer {layer.name})")
    top = bottom = left = right = 0
    if isinstance(op, Conv2d | Depthwise | DynamicDepthwise):
        top, bottom, left, right = resolve_padding(
            op.padding, (conv.h, conv.w), (conv.fh, conv.fw), (conv.sh, conv.sw), (1, 1)
        )
    return PaddedConv(conv, conv.h + top + bottom, conv.w + left + right)


def _refusal(conv: Conv, pieces: int, multiplier: bool) -> str:
    """What of a layer no publication covers; "" where all is well."""
    if pieces > 1:
        return "kernel shapes that differ between channels"
    if (conv.dh, conv.dw) != (1, 1):
        return f"dilation {conv.dh}x{conv.dw}"
    if conv.groups not in (1, conv.c):
        return f"{conv.groups} groups of {conv.c} channels, only 1 or one a channel"
    if conv.groups > 1 and conv.k != conv.c and not multiplier:
        return f"{conv.k // conv.c} output channels per input channel of a depthwise layer"
    return ""
