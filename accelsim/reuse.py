"""Bytes between off-chip memory and chip: a model of what two buffers save.

Weights, the input and the outputs of a network lie off chip, every value a byte, or two where the
operands of a design have more than 9 bits. Layers that are independent have inputs and outputs of
their own. On chip are an activation buffer of A bytes and a weight buffer of W bytes. Layers run
one after another, those on the host included.

Maps     A map lives from the layer that makes it to the last one that reads it. It stays on chip
         if all maps that live at the same time fit into A together, at every layer of its life.
         Else it is written once, and read by every layer that needs it, in the channels that the
         layer needs. What an alias makes, a slice for instance, lies in the maps it refers to.
Weights  A layer whose weights, K bytes, fit into W reads them once, and its maps once. Else it
         runs in one of two orders, the one that reads less: ceil(K / W) parts of the weights, each
         past all of its input; or ceil((input + output) / A) parts of its maps, each past all of
         its weights. What is on chip anyway is not read again.

The maps of a batch are as one map of all its images; weights serve them all.

Not modelled: rows of a map that two neighbouring parts both need, biases and scales, the layout of
words, and the order of layers, in which depth-first execution would save more.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from accelsim.ir import BaseNetwork, Layer, Source

SENTENCE = (
    "Off-chip bytes are of a model: a map stays on chip while all that live with it fit the "
    "activation buffer together; weights that fit theirs are read once, others in the cheaper of "
    "two orders."
)


class Own(NamedTuple):
    """All channels of a map that a layer makes itself, which may be millions: those of a kernel."""

    name: str
    channels: int

    def at(self, channel: int) -> tuple[str, int]:
        """Where a channel lies."""
        return self.name, channel


class Elsewhere(NamedTuple):
    """Where every channel of an alias lies: the map, and the channel in it."""

    sources: tuple[tuple[str, int], ...]

    def at(self, channel: int) -> tuple[str, int]:
        """Where a channel lies."""
        return self.sources[channel]


Channels = Own | Elsewhere


class Moved(NamedTuple):
    """Bytes that a layer moves between off-chip memory and chip."""

    read: int
    write: int


class _Map(NamedTuple):
    """Values of a map and its life, from the place of one layer to that of another.

    leaves : whether it is an output of the network.
    """

    size: int
    made: int
    last: int
    leaves: bool


@lru_cache(maxsize=64)
def moved(
    network: BaseNetwork,
    activation_bytes: int,
    weight_bytes: int,
    value_bytes: int = 1,
    batch: int = 1,
) -> tuple[Moved, ...]:
    """What every layer moves, in order.

    Parameters
    ----------
    activation_bytes, weight_bytes : A and W, at least `value_bytes` each.
    batch : images, whose maps count as one of all their values.
    """
    rooms = activation_bytes // value_bytes, weight_bytes // value_bytes
    values = _values(network, *rooms, batch)
    return tuple(Moved(each.read * value_bytes, each.write * value_bytes) for each in values)


def _values(
    network: BaseNetwork, activation_room: int, weight_room: int, batch: int
) -> tuple[Moved, ...]:
    """The same in values."""
    maps = _lives(network, batch)
    kept = set(_kept(maps, len(network.layers), activation_room))
    arriving = {*network.entries} & kept  # what the first layer to read it brings on chip
    values = []
    for layer, each in zip(network.layers, _reads(network), strict=True):
        if layer.name not in maps:
            values.append(Moved(0, 0))
            continue
        reads = {name: batch * size for name, size in each.items()}
        moved = _layer(
            layer.name, reads, _weights(network, layer), maps, kept, activation_room, weight_room
        )
        first = arriving & reads.keys()
        values.append(moved._replace(read=moved.read + sum(maps[name].size for name in first)))
        arriving -= first
    return tuple(values)


def alias_of(network: BaseNetwork, layer: Layer) -> tuple[Source, ...] | None:
    """Where the channels of a layer lie in its inputs; None where it makes values of its own."""
    if layer.activation != "none" or layer.norm or layer.bias:
        return None
    return layer.op.alias(*network.in_shapes(layer))


@lru_cache(maxsize=64)
def _lives(network: BaseNetwork, batch: int) -> dict[str, _Map]:
    """Every map of a batch by the name of its layer; aliases make none."""
    places = _places(network)
    made = network.entries | {
        layer.name: place
        for place, layer in enumerate(network.layers)
        if alias_of(network, layer) is None
    }
    last = dict(made)
    for place, reads in enumerate(_reads(network)):
        last |= dict.fromkeys(reads, place)
    read = {name for layer in network.layers for name in layer.inputs}
    outputs = [layer.name for layer in network.layers if layer.name not in read]
    leaves = {name for output in outputs for name in _names(places[output])}
    return {
        name: _Map(batch * math.prod(network.shape(name)), place, last[name], name in leaves)
        for name, place in made.items()
    }


@lru_cache(maxsize=64)
def _places(network: BaseNetwork) -> dict[str, Channels]:
    """Where every channel of what a layer makes lies."""
    places: dict[str, Channels] = {name: _own(network, name) for name in network.entries}
    for layer in network.layers:
        sources = alias_of(network, layer)
        if sources is None:
            places[layer.name] = _own(network, layer.name)
        else:
            inputs = [places[name] for name in layer.inputs]
            places[layer.name] = Elsewhere(tuple(inputs[at].at(channel) for at, channel in sources))
    return places


def _own(network: BaseNetwork, name: str) -> Own:
    return Own(name, network.shape(name)[0])


def _names(channels: Channels) -> set[str]:
    """The maps that channels lie in."""
    return {channels.name} if isinstance(channels, Own) else {name for name, _ in channels.sources}


@lru_cache(maxsize=64)
def _reads(network: BaseNetwork) -> tuple[dict[str, int], ...]:
    """What every layer reads of which map, in values of an image; aliases read nothing."""
    places = _places(network)
    reads = []
    for layer in network.layers:
        aliased = alias_of(network, layer) is not None
        needed = {} if aliased else _needed(network, layer, places)
        reads.append(
            {name: count * math.prod(network.shape(name)[1:]) for name, count in needed.items()}
        )
    return tuple(reads)


def _needed(network: BaseNetwork, layer: Layer, places: Mapping[str, Channels]) -> dict[str, int]:
    """How many channels a layer reads of which map, each once."""
    shapes = network.in_shapes(layer)
    inputs = [places[name] for name in layer.inputs]
    whole: dict[str, int] = {}
    some: set[tuple[str, int]] = set()
    if (sources := layer.op.alias(*shapes)) is not None:
        return Counter(name for name, _ in {inputs[at].at(channel) for at, channel in sources})
    for place, lie in enumerate(inputs):
        # Pieces choose channels of the map; a kernel that is an input is read whole.
        pieces = () if place else layer.op.lower(*shapes)
        for channels in [piece.channels for piece in pieces] or [None]:
            if channels is not None:
                some |= {lie.at(channel) for channel in channels}
            elif isinstance(lie, Own):
                whole[lie.name] = lie.channels
            else:
                some |= {*lie.sources}
    return Counter(name for name, _ in some) | whole


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
    name: str,
    reads: dict[str, int],
    weights: int,
    maps: dict[str, _Map],
    kept: set[str],
    room: int,
    weight_room: int,
) -> Moved:
    """What the layer of that name moves, but for entries that it brings on chip to stay."""
    inputs = sum(reads.values())
    spilled = sum(size for source, size in reads.items() if source not in kept)
    output = maps[name]
    read = spilled + weights
    if weights > weight_room:
        maps_again = weights + spilled * -(-weights // weight_room)
        weights_again = weights * -(-(inputs + output.size) // room) + spilled
        read = min(maps_again, weights_again)
    leaves = name not in kept or output.leaves
    return Moved(read, output.size if leaves else 0)


def _weights(network: BaseNetwork, layer: Layer) -> int:
    """Weights of a layer."""
    shape = layer.op.weight_shape(*network.in_shapes(layer))
    return math.prod(shape) if shape else 0
