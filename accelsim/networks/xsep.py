"""The XSepConv variant (Chen et al., arXiv 2002.12046): KxK depthwise as 2x2, 1xK and Kx1.

Where it is used follows from the paper's MobileNetV3-Small. Depthwise layers with an odd K of at
least 5 are replaced: those of stride 1 always, strided ones where that takes fewer
multiply-accumulates, which at stride 2 begins at K = 7. Those of the last stage, after the
network's last stride, get K = 3. The corner at which the 2x2 is padded cycles over the replaced
layers of one resolution.
"""

from collections import Counter
from dataclasses import replace

from accelsim.checks import show
from accelsim.errors import NetworkError
from accelsim.ir import Layer, Network
from accelsim.networks.square import square_depthwise
from accelsim.ops import Conv2d, Depthwise, Pointwise, Pool, Scale, XSepConv
from accelsim.ops.geometry import Pair
from accelsim.ops.xsep_conv import CORNERS

LEAST_KERNEL = 5
LAST_STAGE_KERNEL = 3


def xsep(network: Network, variant: str, kernel: int | None) -> Network:
    """The network with its large depthwise layers replaced.

    kernel : K of the replacements before the last stage; None keeps that of each layer.
    """
    last_stride = _last_stride(network)
    corners: Counter[Pair] = Counter()  # used so far, by resolution
    layers: list[Layer] = []
    for index, layer in enumerate(network.layers):
        op = square_depthwise(network, layer)
        k = LAST_STAGE_KERNEL if index > last_stride else kernel or _size(op)
        if op is None or not _is_replaced(op, k):
            layers.append(layer)
            continue
        size = network.in_shapes(layer)[0][1:]
        corner = tuple(CORNERS)[corners[size] % len(CORNERS)]
        corners[size] += 1
        layers += _replacement(network, layer, XSepConv(k, op.stride, corner))
    if not corners:
        raise NetworkError(
            f"variant {variant} replaces depthwise layers of {LEAST_KERNEL}x{LEAST_KERNEL} and "
            f"larger of stride 1 (strided ones where it saves work), and {network.name} has none"
        )
    return replace(network, layers=tuple(layers), variant=variant)


def _last_stride(network: Network) -> int:
    """Index of the last layer with a stride; the last stage follows it. One past all for none."""
    strided = [
        index
        for index, layer in enumerate(network.layers)
        if isinstance(layer.op, Conv2d | Depthwise | Pointwise | Pool) and layer.op.stride != (1, 1)
    ]
    return max(strided, default=len(network.layers))


def _size(op: Depthwise | None) -> int:
    return op.kernel[0] if op and op.kernel else 0


def _is_replaced(op: Depthwise, k: int) -> bool:
    size, stride = _size(op), op.stride[0]
    if size < LEAST_KERNEL or size % 2 == 0 or op.dilation != (1, 1) or op.multiplier != 1:
        return False
    products = 4 * stride**2 + k * stride + k  # of 2x2, 1xK and Kx1, for one output
    return stride == 1 or products < size**2


def _replacement(network: Network, layer: Layer, op: XSepConv) -> tuple[Layer, ...]:
    """The three layers; the activation follows each of them that one follows in the network."""
    gated = [x for x in network.layers if isinstance(x.op, Scale) and x.inputs[0] == layer.name]
    final = layer.activation != "none" or not gated
    activation = layer.activation if final else gated[0].activation
    (shape,) = network.in_shapes(layer)
    op = replace(op, bias=layer.bias, norm=layer.norm, activation=activation, final=final)
    *first, last = op.expand(layer.name, layer.inputs, shape)
    made = Network("replacement", shape, (replace(first[0], inputs=("input",)), first[1], last))
    if made.shape(layer.name) != network.shape(layer.name):
        raise NetworkError(
            f"variant xsep does not fit {network.name}: {show(network.shape(layer.name))} would "
            f"become {show(made.shape(layer.name))}; padding must keep the size of the input, as "
            f"'same' does (layer {layer.name})"
        )
    return *first, replace(last, layer_scale=layer.layer_scale)
