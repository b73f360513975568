"""Bytes between off-chip memory and chip: a model of what two buffers save.

Weights, the input and the outputs of a network lie off chip, every value a byte. On chip are an
activation buffer of A bytes and a weight buffer of W bytes. Layers run one after another, those
on the host included.

Maps     A map lives from the layer that makes it to the last one that reads it. It stays on chip
         if all maps that live at the same time fit into A together, at every layer of its life.
         Else it is written once, and read by every layer that needs it.
Weights  A layer whose weights, K bytes, fit into W reads them once, and its maps once. Else it
         runs in one of two orders, the one that reads less: ceil(K / W) parts of the weights, each
         past all of its input; or ceil((input + output) / A) parts of its maps, each past all of
         its weights. What is on chip anyway is not read again.

Not modelled: rows of a map that two neighbouring parts both need, biases and scales, the layout of
words, and the order of layers, in which depth-first execution would save more.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from accelsim.ir import INPUT, Layer, Network


class Moved(NamedTuple):
    """Bytes that a layer moves between off-chip memory and chip."""

    read: int
    write: int


class _Map(NamedTuple):
    """Values of a map and its life, from the place of one layer to that of another."""

    size: int
    made: int
    last: int


def moved(network: Network, activation_bytes: int, weight_bytes: int) -> tuple[Moved, ...]:
    """What every layer moves, in order.

    Parameters
    ----------
    activation_bytes, weight_bytes : A and W, at least 1 each.
    """
    maps = _lives(network)
    kept = set(_kept(maps, len(network.layers), activation_bytes))
    return tuple(
        _layer(network, place, layer, maps, kept, activation_bytes, weight_bytes)
        for place, layer in enumerate(network.layers)
    )


def _lives(network: Network) -> dict[str, _Map]:
    """Every map by the name of its layer; one that no layer reads is an output of the network."""
    made = {INPUT: 0} | {layer.name: place for place, layer in enumerate(network.layers)}
    last = dict(made)
    for place, layer in enumerate(network.layers):
        for name in layer.inputs:
            last[name] = place
    return {
        name: _Map(math.prod(network.shape(name)), place, last[name])
        for name, place in made.items()
    }


def _kept(maps: dict[str, _Map], layers: int, room: int) -> Iterator[str]:
    """The maps that stay on chip."""
    alive = [0] * layers
    for each in maps.values():
        for place in range(each.made, each.last + 1):
            alive[place] += each.size
    for name, each in maps.items():
        if max(alive[each.made : each.last + 1]) <= room:
            yield name


def _layer(
    network: Network,
    place: int,
    layer: Layer,
    maps: dict[str, _Map],
    kept: set[str],
    room: int,
    weight_room: int,
) -> Moved:
    names = set(layer.inputs)
    inputs = sum(maps[name].size for name in names)
    spilled = sum(maps[name].size for name in names - kept)
    output = maps[layer.name]
    weights = _weights(network, layer)
    read = spilled + weights
    if weights > weight_room:
        maps_again = weights + spilled * -(-weights // weight_room)
        weights_again = weights * -(-(inputs + output.size) // room) + spilled
        read = min(maps_again, weights_again)
    if INPUT in names & kept and place == _first_reader(network):
        read += maps[INPUT].size
    leaves = layer.name not in kept or output.last == place
    return Moved(read, output.size if leaves else 0)


def _weights(network: Network, layer: Layer) -> int:
    """Bytes of the weights of a layer."""
    shape = layer.op.weight_shape(*network.in_shapes(layer))
    return math.prod(shape) if shape else 0


def _first_reader(network: Network) -> int:
    return next(place for place, layer in enumerate(network.layers) if INPUT in layer.inputs)
