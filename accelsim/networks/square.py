"""The depthwise layers of a network that variants replace, however they are written."""

from accelsim.ir import Layer, Network
from accelsim.ops import Conv2d, Depthwise


def as_depthwise(network: Network, layer: Layer) -> Depthwise | None:
    """The layer's operator if it is a depthwise convolution, also as a grouped one."""
    op = layer.op
    if isinstance(op, Depthwise):
        return op
    channels = network.in_shapes(layer)[0][0]
    if isinstance(op, Conv2d) and 1 < channels == op.groups == op.out_channels:
        return Depthwise(op.kernel, stride=op.stride, padding=op.padding, dilation=op.dilation)
    return None


def square_depthwise(network: Network, layer: Layer) -> Depthwise | None:
    """Its operator if it is depthwise with one KxK kernel (K > 1) and one stride for both axes."""
    op = as_depthwise(network, layer)
    if op is None or op.kernel is None or op.channels is not None:
        return None
    return op if op.kernel[0] == op.kernel[1] > 1 and op.stride[0] == op.stride[1] else None
