"""FuSeConv variants: square depthwise layers become pairs of one-dimensional ones.

FuSeConv (Selvam et al., arXiv 2105.13434): a KxK depthwise convolution becomes a 1xK and a Kx1
one, both with the full two-dimensional stride, and their outputs are concatenated. Half (D = 2):
the 1xK branch takes the first half of the channels (and the odd one), the Kx1 branch the rest.
Full (D = 1): both take all channels, so the result is twice as wide, and so is what follows: the
inputs of the next pointwise layer, and both layers of a squeeze-excite.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from accelsim.checks import show
from accelsim.errors import NetworkError, ShapeError
from accelsim.graph.host import PRODUCTS_OF_MAPS
from accelsim.ir import INPUT, Layer, Network, Shape
from accelsim.ops import (
    Concat,
    Conv2d,
    Depthwise,
    GlobalPool,
    Linear,
    Multiply,
    Pointwise,
    Pool,
    Scale,
)
from accelsim.ops.geometry import Pair, resolve_padding
from accelsim.ops.papers.convolutions import as_depthwise, square_depthwise

VARIANTS = ("fuse_full", "fuse_half", "fuse_full_50", "fuse_half_50")


@dataclass(frozen=True)
class Rules:
    """What a network says about its FuSeConv variants.

    half : depthwise layers that the 50 % variants replace; () stands for the first half.
    reduced : channels of a squeeze-excite's first layer from those of its input; None keeps
        their ratio.
    unused : layers whose replacement the authors publish with that many unused parameters.
    """

    half: tuple[str, ...] = ()
    reduced: Callable[[int], int] | None = None
    unused: tuple[tuple[str, int], ...] = ()


NO_RULES = Rules()


def fuse(network: Network, name: str, rules: Rules) -> Network:
    """The network with any KxK depthwise layer (K > 1, one stride) replaced; others stay.

    So do layers whose kernel is that of another layer too.
    """
    shared = {layer.tied for layer in network.layers}
    chosen = [
        layer.name
        for layer in network.layers
        if square_depthwise(network, layer) and not (layer.tied or layer.name in shared)
    ]
    if not chosen:
        raise NetworkError(
            f"variant {name} replaces square depthwise layers, and {network.name} has none"
        )
    if name.endswith("_50"):
        chosen = list(rules.half) or chosen[: (len(chosen) + 1) // 2]
    try:
        layers = _fuse(network, chosen, name.startswith("fuse_full"), rules)
    except ShapeError as error:
        raise NetworkError(f"variant {name} does not fit {network.name}: {error}") from None
    result = replace(network, layers=layers, variant=name)
    unused = sum(params for layer, params in rules.unused if layer in chosen)
    return replace(result, published_params=result.total_params + unused) if unused else result


def _fuse(network: Network, chosen: list[str], full: bool, rules: Rules) -> tuple[Layer, ...]:
    """The layers, the chosen ones replaced, and wider what depends on a wider result."""
    gates = _gates(network)
    shapes = {INPUT: network.input}
    layers: list[Layer] = []
    for layer in network.layers:
        op = as_depthwise(network, layer)
        after: tuple[Layer, ...] = (layer,)
        try:
            if op and layer.name in chosen:
                after = _pair(layer, op, shapes[layer.inputs[0]], full)
            elif op:
                _keeps_channels(op, network.in_shapes(layer)[0], shapes[layer.inputs[0]])
                after = (replace(layer, op=op),)  # a Depthwise follows the width of its input
            elif layer.name in gates:
                gate = gates[layer.name]
                widths = network.shape(gate.of)[0], shapes[gate.of][0]
                after = (_widen(layer, gate.last, widths, rules),)
            for new in after:
                shapes[new.name] = new.op.out_shape(*(shapes[source] for source in new.inputs))
        except ShapeError as error:
            raise ShapeError(f"{error} (layer {layer.name})") from None
        layers += after
    return tuple(layers)


def _keeps_channels(op: Depthwise, before: Shape, now: Shape) -> None:
    if op.channels and before != now:
        raise ShapeError(
            f"channels {show(op.channels)} were chosen from {before[0]}, which become {now[0]}"
        )


def _pair(layer: Layer, op: Depthwise, shape: Shape, full: bool) -> tuple[Layer, ...]:
    """NAME_h, NAME_v and their concatenation NAME; a single channel halves into NAME_h alone."""
    c, h, w = shape
    assert op.kernel is not None
    top, bottom, left, right = resolve_padding(
        op.padding, (h, w), op.kernel, op.stride, op.dilation
    )
    half = (c + 1) // 2
    named = isinstance(op.padding, str)  # "same" holds for each axis by itself
    horizontal = replace(
        op,
        kernel=(1, op.kernel[1]),
        padding=op.padding if named else (0, 0, left, right),
        channels=None if full else (0, half),
    )
    vertical = replace(
        op,
        kernel=(op.kernel[0], 1),
        padding=op.padding if named else (top, bottom, 0, 0),
        channels=None if full else (half, c),
    )
    branches = [replace(layer, name=f"{layer.name}_h", op=horizontal)]
    if full or c > 1:
        branches.append(replace(layer, name=f"{layer.name}_v", op=vertical))
    for branch in branches:
        if branch.op.out_shape(shape)[1:] != op.out_shape(shape)[1:]:
            raise ShapeError(
                f"padding {show(op.padding)} would give one-dimensional convolutions another "
                "output size; it must keep the size of the input, as 'same' does"
            )
    joined = Layer(layer.name, Concat(), tuple(branch.name for branch in branches))
    return (*branches, joined)


class _Gate(NamedTuple):
    """The place of a layer in the computation of gates.

    of : the layer whose channels are gated.
    last : whether this layer makes the gates, one a channel.
    """

    of: str
    last: bool


def _gates(network: Network) -> dict[str, _Gate]:
    """The layers with weights between the pool of a squeeze-excite and its Scale, or product."""
    gates: dict[str, _Gate] = {}
    for scale in network.layers:
        gated, source = _gated(network, scale)
        last = True
        while source not in (gated, INPUT) and network.shape(source)[1:] == (1, 1):
            layer = network.layer(source)
            if _pools(layer) or len(layer.inputs) > 1:
                break
            if isinstance(layer.op, Conv2d | Pointwise | Linear):
                gates[source] = _Gate(gated, last)
                last = False
            source = layer.inputs[0]
    return gates


def _pools(layer: Layer) -> bool:
    """Whether a layer is a pool, also one of a file."""
    return isinstance(layer.op, GlobalPool | Pool) or "pool" in layer.op.name.lower()


def _gated(network: Network, layer: Layer) -> tuple[str, str]:
    """The map that a layer multiplies by a gate for each channel, and the gates; INPUT if none."""
    of_maps = layer.op.name in PRODUCTS_OF_MAPS and len(layer.inputs) == 2
    if not (isinstance(layer.op, Scale | Multiply) or of_maps):
        return INPUT, INPUT
    gated, source = layer.inputs
    if not isinstance(layer.op, Scale) and network.shape(source)[1:] != (1, 1):
        gated, source = source, gated  # a product has them in either order
    whole = network.shape(gated)[0] == network.shape(source)[0]
    return (gated, source) if whole else (INPUT, INPUT)


def _widen(layer: Layer, last: bool, widths: Pair, rules: Rules) -> Layer:
    """The layer of a squeeze-excite whose input went from widths[0] to widths[1] channels."""
    before, now = widths
    if before == now:
        return layer
    op = layer.op
    assert isinstance(op, Conv2d | Pointwise | Linear)
    out = op.out_features if isinstance(op, Linear) else op.out_channels
    if last:
        out = now
    elif rules.reduced:
        out = rules.reduced(now)
    else:
        out = out * now // before
    if isinstance(op, Linear):
        return replace(layer, op=replace(op, out_features=out))
    return replace(layer, op=replace(op, out_channels=out))
