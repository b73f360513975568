"""Convolutions of a network, however they are written: what operators of papers replace."""

from accelsim.ir import INPUT, Layer, Network, Operator
from accelsim.ops.add import Add
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Padding, Pair
from accelsim.ops.pointwise import Pointwise


def convolution(
    channels: int,
    out_channels: int,
    kernel: Pair,
    stride: Pair = (1, 1),
    padding: Padding = 0,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Operator:
    """The plainest operator that is this convolution."""
    if groups == channels > 1 and out_channels % groups == 0:
        return Depthwise(kernel, stride, padding, dilation, out_channels // groups)
    if kernel == (1, 1) and padding in (0, (0, 0, 0, 0), "same"):
        return Pointwise(out_channels, stride, groups)
    return Conv2d(out_channels, kernel, stride, padding, dilation, groups)


def as_convolution(network: Network, layer: Layer) -> Conv2d | None:
    """A layer's operator as a Conv2d, if it is a convolution with whole kernels of one shape.

    Kernels that other layers make, and such with a mask, are none that an operator can replace.
    """
    op, inputs = layer.op, network.in_shapes(layer)
    if len(inputs) != 1 or getattr(op, "mask", None) is not None:
        return None
    ((channels, _, _),) = inputs
    if isinstance(op, Conv2d):
        return op
    if isinstance(op, Pointwise):
        return Conv2d(op.out_channels, (1, 1), op.stride, groups=op.groups)
    if isinstance(op, Depthwise) and op.kernel is not None and op.channels is None:
        attributes = op.kernel, op.stride, op.padding, op.dilation
        return Conv2d(op.multiplier * channels, *attributes, groups=channels)
    return None


def is_stem(layer: Layer) -> bool:
    """Whether the layer reads the image."""
    return INPUT in layer.inputs


def is_shortcut(network: Network, layer: Layer) -> bool:
    """Whether it is the projection of a residual block's shortcut.

    Such is 1 x 1 and linear, is added to something, and reads what the block itself reads as well.
    """
    conv = as_convolution(network, layer)
    readers = [each for each in network.layers if layer.name in each.inputs]
    others = [each for each in network.layers if {*layer.inputs} & {*each.inputs}]
    return (
        conv is not None
        and conv.kernel == (1, 1)
        and layer.activation == "none"
        and any(_adds(each) for each in readers)
        and len(others) > 1
    )


def _adds(layer: Layer) -> bool:
    """Whether the layer is a sum of maps, also one of a file, where it may be called otherwise."""
    return layer.op.name.rpartition(".")[2].removeprefix("QLinear").lower() == Add.name


def as_depthwise(network: Network, layer: Layer) -> Depthwise | None:
    """The layer's operator if it is a depthwise convolution, also as a grouped one."""
    op = layer.op
    if isinstance(op, Depthwise | Conv2d) and op.mask is not None:
        return None
    if isinstance(op, Depthwise):
        return op
    channels = network.in_shapes(layer)[0][0]
    if isinstance(op, Conv2d) and 1 < channels == op.groups == op.out_channels:
        return Depthwise(op.kernel, stride=op.stride, padding=op.padding, dilation=op.dilation)
    return None


def square_depthwise(network: Network, layer: Layer) -> Depthwise | None:
    """Its operator if it is depthwise with one KxK kernel (K > 1) and one stride for both axes."""
    op = as_depthwise(network, layer)
    if op is None or op.kernel is None or op.channels is not None or op.mask is not None:
        return None
    if len(layer.inputs) > 1:
        return None
    return op if op.kernel[0] == op.kernel[1] > 1 and op.stride[0] == op.stride[1] else None
