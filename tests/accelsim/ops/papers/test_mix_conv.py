"""MixConv with dense groups, SP-MixConv and its fold, and both as variants."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from accelsim import networks
from accelsim.errors import AccelsimWarning, NetworkError, ShapeError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Add, Concat, Conv2d, Depthwise, MixConv, Slice
from accelsim.ops.papers.base import golden
from accelsim.ops.papers.mix_conv import split_channels
from accelsim.ops.papers.sp_mix_conv import SpMixConv
from tests.accelsim.ops.papers.folds import both, draw, draw_input
from tests.naive import operators as naive

ALL = ("full", "column", "row", "centre")
CASES = [
    SpMixConv((3, 5)),
    SpMixConv((3, 5, 7), (2, 2), masks=ALL),
    SpMixConv((5, 3), (2, 1), "same_tf", split="exponential"),
    SpMixConv((3,), masks=("full",)),
    SpMixConv((3, 5), out_channels=5),
    SpMixConv((3, 5), (2, 2), out_channels=6, masks=ALL, split="exponential"),
    SpMixConv((3, 3), dilation=(2, 2), out_channels=4),
]


@pytest.mark.parametrize("op", CASES, ids=str)
def test_groups_of_branches_add_up_to_the_folded_kernels(op):
    summed, folded = both(replace(op, form="train"), op, (7, 9, 8))
    assert np.array_equal(summed, folded)


def test_it_costs_what_a_mix_conv_costs_and_a_bias():
    for out in (None, 32):
        mixed = MixConv((3, 5, 7), out_channels=out).network((64, 56, 56))
        folded = SpMixConv((3, 5, 7), out_channels=out).network((64, 56, 56))
        assert folded.total_macs == mixed.total_macs
        assert folded.total_params == mixed.total_params + (out or 64)


@pytest.mark.parametrize(
    ("kernels", "params", "macs"),
    [
        ((3, 5), 1_088, 3_411_968),
        ((3, 5, 7), 1_752, 5_494_272),
        ((3, 5, 7, 9), 2_624, 8_228_864),
    ],
)
def test_the_unit_layer(kernels, params, macs):
    """64 channels of 56 x 56, depthwise; in 3 groups of 22, 21 and 21."""
    network = MixConv(kernels).network((64, 56, 56))
    assert (network.total_params, network.total_macs) == (params, macs)


# Millions of multiply-accumulates of depthwise layers, and of such with the largest kernel of each
# layer for all of its channels.
@pytest.mark.parametrize(
    ("name", "mixed", "largest"),
    [("mixnet_s", 38.99, 63.0), ("mixnet_m", 64.76, 114.2), ("mixnet_l", 85.82, 151.1)],
)
def test_depthwise_layers_of_mixnet(name, mixed, largest):
    network = networks.get(name)
    layers = [layer for layer in network.layers if isinstance(layer.op, Depthwise)]
    found = padded = weights = 0
    for layer in layers:
        (shape,) = network.in_shapes(layer)
        kernels = layer.op.kernels or (layer.op.kernel,) * shape[0]
        found += network.macs(layer)
        padded += max(map(prod, kernels)) * prod(network.shape(layer.name))
        weights += sum(map(prod, kernels))
    assert round(found / 1e6, 2) == mixed
    assert round(padded / 1e6, 1) == largest
    assert name != "mixnet_s" or weights == 223_080


def test_dense_groups_equal_naive_loops():
    """Group i of the inputs makes group i of the outputs; the rest belongs to the first."""
    op = MixConv((3, 5), (2, 1), out_channels=5)
    network, x = op.network((7, 9, 8)), draw_input((7, 9, 8))
    trained = draw(network)
    first = naive.conv2d(x[:4], trained["mix_conv_1"].kernel, (2, 1), (1, 1, 1, 1))
    second = naive.conv2d(x[4:], trained["mix_conv_2"].kernel, (2, 1), (2, 2, 2, 2))
    assert [len(first), len(second)] == [3, 2]
    assert np.array_equal(golden(network, trained, x), np.concatenate((first, second)))
    assert network.total_params == 3 * 4 * 9 + 2 * 3 * 25
    kinds = [type(layer.op) for layer in network.layers]
    assert kinds == [Slice, Slice, Conv2d, Conv2d, Concat]


@pytest.mark.parametrize(
    ("channels", "groups", "split", "counts"),
    [
        (64, 3, "equal", [22, 21, 21]),
        (64, 4, "exponential", [32, 16, 8, 8]),
        (7, 3, "exponential", [4, 2, 1]),
        (5, 1, "exponential", [5]),
    ],
)
def test_split(channels, groups, split, counts):
    assert split_channels(channels, groups, split) == counts


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: split_channels(2, 3), "kernels must be at most one for each of the 2 channels"),
        (
            lambda: split_channels(4, 4, "exponential"),
            "split exponential leaves none of 4 channels",
        ),
        (lambda: SpMixConv((4,)), r"kernel must be square, odd and above 1, not \[4, 4\]"),
        (lambda: SpMixConv((3,), masks=("row",)), "masks must be different ones of full"),
        (lambda: SpMixConv((3,), form="x"), "form must be one of inference, train, not 'x'"),
        (lambda: MixConv((3,), split="x"), "split must be one of equal, exponential, not 'x'"),
        (lambda: MixConv((3,), out_channels=0), "out_channels must be a whole number"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


def test_mixconv_of_a_network():
    """Depthwise layers have groups of kernels; all else stays."""
    plain, network = networks.mobilenet_v2(), networks.mobilenet_v2("mixconv:kernels=3+5")
    for before, after in zip(plain.layers, network.layers, strict=True):
        if not isinstance(before.op, Depthwise):
            assert after == before
            continue
        half = plain.shape(before.name)[0] // 2
        assert after.op.kernels == ((3, 3),) * half + ((5, 5),) * half
        assert (after.norm, after.activation) == (before.norm, before.activation)
        assert network.macs(after) == plain.macs(before) * (9 + 25) // 18


def one(op, **epilogue):
    return Network("n", (8, 9, 9), (Layer("conv", op, (INPUT,), **epilogue),))


def test_dense_layers_only_where_they_are_asked_for():
    network = one(Conv2d(6, (5, 5), (2, 2), 2), bias=True, activation="relu")
    with pytest.raises(NetworkError, match=r"mixconv replaces depthwise layers .* n has none"):
        apply(network, "mixconv")
    changed = apply(network, "mixconv:dense=true,kernels=3+5")
    parts = [layer for layer in changed.layers if isinstance(layer.op, Conv2d)]
    assert [(x.op.out_channels, x.op.kernel, x.bias, x.activation) for x in parts] == [
        (3, (3, 3), True, "relu"),
        (3, (5, 5), True, "relu"),
    ]
    assert changed.shape("conv") == network.shape("conv")


def test_sp_mixconv_of_a_network_in_both_forms():
    network = one(Conv2d(6, (3, 3), padding=1), norm=True, activation="relu")
    run = apply(network, "sp_mixconv:kernels=3+5")
    assert run.total_params == 3 * 4 * 9 + 3 * 4 * 25 + 6
    train = apply(network, "sp_mixconv:kernels=3+5,masks=full+row,form=train")
    sums = [layer for layer in train.layers if isinstance(layer.op, Add)]
    assert [layer.activation for layer in sums] == ["relu", "relu"]
    assert train.total_params == 3 * 4 * 9 + 3 * 4 * 25 + 2 * 2 * 6


def test_padding_of_one_kernel_size_is_a_reason():
    layers = (
        Layer("a", Depthwise((3, 3), padding=0), (INPUT,)),
        Layer("b", Depthwise((3, 3)), ("a",)),
    )
    with pytest.warns(AccelsimWarning, match=r"padding 0 is of one kernel size.* \(layer a\)"):
        changed = apply(Network("n", (8, 9, 9), layers), "mixconv")
    assert changed.layer("a") == layers[0]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("mixconv:kernels=3+4", "key kernels .* different odd numbers from 1 to 31 .* not 3.4"),
        ("mixconv:kernels=3+3", "key kernels .* different odd numbers"),
        ("mixconv:kernels=3+", "key kernels .* different odd numbers"),
        ("mixconv:split=half", "key split of variant mixconv must be one of equal, exponential"),
        ("mixconv:dense=yes", "key dense of variant mixconv must be true or false, not yes"),
        ("mixconv:kernels=1+3+5+7+9+11+13+15+17", r"most one for each of the 8 .*\(layer conv\)"),
        ("sp_mixconv:kernels=1+3", r"kernel must be square, odd and above 1.* \(layer conv\)"),
    ],
)
def test_mistakes_of_variants(variant, message):
    with pytest.raises(NetworkError, match=message):
        apply(one(Depthwise((3, 3))), variant)
