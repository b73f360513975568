"""The model of off-chip bytes against what its laws say, and against counts by hand."""

import math
import random

import pytest

import accelsim as ax
from accelsim.reuse import moved

HUGE = 1 << 40
CHAIN = """
name = "chain"
input = [2, 8, 8]
[[layer]]
name = "a"
op = "pointwise"
out_channels = 4
[[layer]]
name = "b"
op = "depthwise"
kernel = [3, 3]
[[layer]]
name = "c"
op = "pointwise"
out_channels = 4
[[layer]]
name = "sum"
op = "add"
inputs = ["a", "c"]
[[layer]]
name = "end"
op = "pointwise"
out_channels = 1
"""


@pytest.fixture
def chain(tmp_path):
    (tmp_path / "chain.toml").write_text(CHAIN)
    return ax.load(tmp_path / "chain.toml")


def test_with_room_for_all_every_byte_moves_once(chain):
    traffic = moved(chain, HUGE, HUGE)
    # The input and a's weights; then weights only; the last map leaves.
    assert [each.read for each in traffic] == [128 + 8, 36, 16, 0, 4]
    assert [each.write for each in traffic] == [0, 0, 0, 0, 64]


def test_without_room_every_layer_moves_its_maps(chain):
    traffic = moved(chain, 1, HUGE)
    assert [each.read for each in traffic] == [128 + 8, 256 + 36, 256 + 16, 512, 256 + 4]
    assert [each.write for each in traffic] == [256, 256, 256, 256, 64]


def test_values_of_two_bytes_move_twice_and_fill_twice(chain):
    for room, weight_room in ((1 << 10, 1 << 10), (320, 16), (512, 8), (640, 20), (2, 2)):
        one = moved(chain, room // 2, weight_room // 2)
        assert moved(chain, room, weight_room, 2) == tuple((2 * r, 2 * w) for r, w in one)


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        # Alive are: input and a (384); a and b (512); a, b, c (768); a, c, sum (768); sum, end.
        (319, ""),
        (320, ""),
        (384, "input"),
        (512, "input"),
        (767, "input"),
        (768, "input a b c sum"),
    ],
)
def test_a_map_stays_where_all_that_live_with_it_fit(chain, room, kept):
    writes = {
        layer.name: each.write
        for layer, each in zip(chain.layers, moved(chain, room, HUGE), strict=True)
    }
    for name in ("a", "b", "c", "sum"):
        assert (writes[name] == 0) == (name in kept.split())
    assert writes["end"] == 64


def test_weights_that_do_not_fit_cost_the_cheaper_of_two_orders(tmp_path):
    (tmp_path / "fc.toml").write_text(
        'name = "fc"\ninput = [16, 4, 4]\n[[layer]]\nname = "wide"\nop = "pointwise"\n'
        "out_channels = 64\n"
    )
    network = ax.load(tmp_path / "fc.toml")
    weights, inputs, outputs = 16 * 64, 256, 1024
    for room in (1, 100, 640, 1279, 1280):
        for weight_room in (1, 100, 512, 1023, 1024):
            (traffic,) = moved(network, room, weight_room)
            on_chip = inputs + outputs <= room
            if weights <= weight_room or on_chip:
                expected = weights + inputs
            else:
                by_weights = weights + inputs * -(-weights // weight_room)
                by_maps = weights * -(-(inputs + outputs) // room) + inputs
                expected = min(by_weights, by_maps)
            assert traffic == (expected, outputs)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "resnet18", "mixnet_s"])
def test_bounds_and_monotony_of_real_networks(name):
    network = ax.networks.get(name)
    weights = sum(
        math.prod(shape)
        for layer in network.layers
        if (shape := layer.op.weight_shape(*network.in_shapes(layer)))
    )
    image = 3 * 224 * 224
    least = moved(network, HUGE, HUGE)
    assert sum(each.read for each in least) == weights + image
    assert sum(each.write for each in least) == 1000
    rooms = random.Random(2)
    for _ in range(10):
        small, small_weights = rooms.randrange(1, 1 << 20), rooms.randrange(1, 1 << 20)
        large, large_weights = small * 2, small_weights * 3
        before, after = moved(network, small, small_weights), moved(network, large, large_weights)
        assert sum(map(sum, before)) >= sum(map(sum, after)) >= weights + image + 1000
