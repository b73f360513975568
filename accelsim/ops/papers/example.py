"""Operators of papers at work on one layer: what they expand into, and what runs where."""

from functools import cache
from typing import NamedTuple

from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, Layer, Network, Operator
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.papers.base import INFERENCE, PaperOperator
from accelsim.ops.papers.convolutions import as_convolution
from accelsim.ops.pointwise import Pointwise

CHANNELS, SIDE = 64, 56


ARRAY, DEPTHWISE, HOST, ADDRESSES = "array", "depthwise engine or array", "host", "addresses"


class Example(NamedTuple):
    """An operator in the place of a convolution, and the layers that it expands into."""

    operator: PaperOperator
    replaced: Conv2d
    network: Network


@cache
def example(
    operator: type[PaperOperator], form: str = INFERENCE, channels: int = CHANNELS, side: int = SIDE
) -> Example:
    """The operator in the place of a layer without bias and norm, of as many channels behind it."""
    keys = {"form": form} if len(operator.forms) > 1 else {}
    shape = channels, side, side
    # What operators replace; some look at what is before them, and whether a stride is behind.
    convolutions: tuple[Operator, ...] = (
        Conv2d(channels, (3, 3), padding=1),
        Depthwise((3, 3)),
        Depthwise((7, 7)),
        Pointwise(channels),
        Conv2d(channels, (3, 3), padding=1, groups=2),
    )
    for op in convolutions:
        layer = Layer("layer", op, ("before",))
        before = Layer("before", Pointwise(channels), (INPUT,))
        after = Layer("after", Conv2d(channels, (3, 3), (2, 2)), ("layer",))
        network = Network("example", shape, (before, layer, after))
        replaced = as_convolution(network, layer)
        if replaced and operator.replaces(network, layer, **keys):
            made = operator.of(network, layer, **keys)
            return Example(made, replaced, made.network(shape))
    raise UnsupportedError(f"{operator.name} replaces none of the layers that examples are made of")


def runs_on(network: Network) -> dict[str, dict[str, int]]:
    """By what runs them the operators of a network, and how many layers of each there are.

    An engine for depthwise layers is never the only one; addresses move nothing.
    """
    places: dict[str, dict[str, int]] = {}
    for layer in network.layers:
        counts = places.setdefault(_place(network, layer), {})
        counts[layer.op.name] = counts.get(layer.op.name, 0) + 1
    return places


def _place(network: Network, layer: Layer) -> str:
    shapes = network.in_shapes(layer)
    pieces = layer.op.lower(*shapes)
    if not pieces:
        return HOST if layer.op.alias(*shapes) is None else ADDRESSES
    return DEPTHWISE if all(piece.conv.depthwise for piece in pieces) else ARRAY
