"""Off-chip bytes where maps lie inside one another: they move once, in the channels needed."""

import math
import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import accelsim as ax
from accelsim.ops.base import Alias
from accelsim.reuse import moved
from tests.accelsim.ops.reals import golden

HUGE = 1 << 40


def weights(network):
    shapes = (layer.op.weight_shape(*network.in_shapes(layer)) for layer in network.layers)
    return sum(math.prod(shape) for shape in shapes if shape)


def totals(network, room):
    traffic = moved(network, room, HUGE)
    return sum(each.read for each in traffic) - weights(network), sum(
        each.write for each in traffic
    )


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"])
def test_half_the_channels_to_either_branch_move_what_the_whole_layer_does(name):
    """FuSe half reads and makes what the layer in its place did; its concatenation is free."""
    plain, fused = (ax.networks.get(name, variant) for variant in ("baseline", "fuse_half"))
    rooms = [1, HUGE, *(int(2 ** random.Random(seed).uniform(10, 22)) for seed in range(30))]
    moves = {room: totals(plain, room) for room in rooms}
    assert len(set(moves.values())) > 8
    assert moves == {room: totals(fused, room) for room in rooms}


def network(*layers):
    return ax.Network("aliases", (4, 5, 3), layers)


def test_aliases_by_hand():
    net = network(
        ax.Layer("a", ax.ops.Pointwise(6), ("input",)),
        ax.Layer("b", ax.ops.Pointwise(2), ("input",)),
        ax.Layer("both", ax.ops.Concat(), ("a", "b")),
        ax.Layer("some", ax.ops.Slice((5, 8)), ("both",)),
        ax.Layer("dw", ax.ops.Depthwise((3, 3), channels=(1, 3)), ("some",)),
        ax.Layer("twice", ax.ops.Concat(), ("dw", "dw")),
        ax.Layer("end", ax.ops.Pointwise(1), ("twice",)),
    )
    area = 5 * 3
    # dw needs both channels of b and none of a, which nobody else reads; end reads dw once.
    read = [4 * area + 24, 4 * area + 8, 0, 0, 2 * area + 18, 0, 2 * area + 4]
    write = [6 * area, 2 * area, 0, 0, 2 * area, 0, area]
    assert moved(net, 1, HUGE) == tuple(zip(read, write, strict=True))


def test_an_alias_that_leaves_takes_its_maps_along():
    net = network(
        ax.Layer("a", ax.ops.Pointwise(6), ("input",)),
        ax.Layer("b", ax.ops.Pointwise(2), ("a",)),
        ax.Layer("out", ax.ops.Concat(), ("a", "b")),
    )
    assert [each.write for each in moved(net, HUGE, HUGE)] == [6 * 15, 2 * 15, 0]


def test_a_slice_with_an_activation_moves_its_channels():
    net = network(
        ax.Layer("a", ax.ops.Pointwise(6), ("input",)),
        ax.Layer("some", ax.ops.Slice((0, 2)), ("a",), activation="relu6"),
    )
    assert moved(net, 1, HUGE)[1] == (2 * 15, 2 * 15)


def shuffled(network):
    """The network with a slice of every channel and a concatenation in place of a shuffle."""
    layers = []
    for layer in network.layers:
        if isinstance(layer.op, ax.ops.ChannelShuffle):
            half = network.shape(layer.name)[0] // 2
            order = [side * half + i for i in range(half) for side in (0, 1)]
            names = tuple(f"{layer.name}.{channel}" for channel in order)
            layers += [
                ax.Layer(name, ax.ops.Slice((channel, channel + 1)), layer.inputs)
                for name, channel in zip(names, order, strict=True)
            ]
            layers.append(ax.Layer(layer.name, ax.ops.Concat(), names))
        else:
            layers.append(layer)
    return ax.Network(network.name, network.input, tuple(layers))


@pytest.mark.parametrize("room", [1, 1 << 17, 1 << 18, HUGE])
def test_a_shuffle_moves_what_slices_of_one_channel_do(room):
    plain = ax.networks.shufflenet_v2_x1_0()
    by_slices = shuffled(plain)
    assert len(by_slices.layers) > 4000
    assert totals(plain, room) == totals(by_slices, room)


def test_an_alias_of_the_users_own():
    """Reversed channels: nothing but the operator says that it moves nothing."""

    @dataclass(frozen=True)
    class Reverse(Alias):
        name: ClassVar[str] = "reverse"

        def out_shape(self, *inputs):
            return inputs[0]

        def alias(self, *inputs):
            return tuple((0, c) for c in reversed(range(inputs[0][0])))

    net = network(
        ax.Layer("a", ax.ops.Pointwise(6), ("input",)),
        ax.Layer("back", Reverse(), ("a",)),
        ax.Layer("dw", ax.ops.Depthwise((3, 3), channels=(0, 2)), ("back",)),
        ax.Layer("some", ax.ops.Slice((4, 6)), ("a",), activation="relu"),
        ax.Layer("end", ax.ops.Add(), ("dw", "some")),
    )
    read = [4 * 15 + 24, 0, 2 * 15 + 18, 2 * 15, 4 * 15]
    assert [each.read for each in moved(net, 1, HUGE)] == read
    # Channels 4 and 5 of a are 1 and 0 of what is reversed: both layers read the same two.
    x = np.arange(6 * 15, dtype=np.int8).reshape(6, 5, 3)
    assert np.array_equal(golden(Reverse(), np.empty(0, np.int8), x), x[::-1])
