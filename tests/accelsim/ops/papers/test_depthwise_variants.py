"""The mixer of InceptionNeXt and small kernels beside large ones, in place of depthwise layers."""

import warnings

import numpy as np
import pytest

from accelsim import networks
from accelsim.errors import AccelsimWarning, NetworkError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import BatchNorm, Concat, Depthwise, ParallelDepthwise
from tests.accelsim.ops.papers.folds import both


def one(op, shape=(16, 9, 9), **epilogue):
    return Network("n", shape, (Layer("dw", op, (INPUT,), **epilogue),))


# --- inception_next


def test_the_mixer_in_place_of_convnext_layers():
    """C - 3 int(C / 8) channels as they are; (9 + 11 + 11) weights and 3 biases for the others."""
    plain, network = networks.convnext_tiny(), networks.convnext_tiny("inception_next")
    replaced = [layer for layer in plain.layers if isinstance(layer.op, Depthwise)]
    assert len(replaced) == 18
    saved = sum(
        c * (49 + 1) - c // 8 * (31 + 3) for c, *_ in (plain.shape(x.name) for x in replaced)
    )
    assert plain.total_params - network.total_params == saved
    assert all(isinstance(network.layer(x.name).op, Concat) for x in replaced)


def test_a_norm_and_an_activation_are_of_all_channels():
    network = apply(one(Depthwise((3, 3)), norm=True, activation="relu6"), "inception_next:band=5")
    last = network.layers[-1]
    assert (last.name, type(last.op), last.activation) == ("dw", BatchNorm, "relu6")
    assert network.total_params == 2 * (9 + 5 + 5 + 3) + 2 * 16
    network = apply(one(Depthwise((3, 3)), activation="relu"), "inception_next:ratio=1/4,kernel=5")
    last = network.layers[-1]
    assert (type(last.op), last.activation) == (Concat, "relu")
    assert network.total_params == 4 * (25 + 11 + 11 + 3)


def test_strided_layers_stay_and_are_named():
    with pytest.warns(AccelsimWarning) as said:
        network = networks.mobilenet_v2("inception_next")
    reasons = [str(each.message) for each in said]
    assert len(reasons) == 4
    assert all("stride must be [1, 1], not [2, 2] (layer b" in reason for reason in reasons)
    assert sum(isinstance(x.op, Depthwise) and x.op.stride == (2, 2) for x in network.layers) == 4


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("inception_next:ratio=0.4", "key ratio of variant inception_next must be above 0 and at"),
        ("inception_next:ratio=x", "key ratio .* not x"),
        ("inception_next:ratio=nan", "key ratio .* not nan"),
        ("inception_next:band=0", "key band of variant inception_next must be a number from 1"),
        ("inception_next:ratio=0.01", r"ratio 0.01 leaves no channel of 16 .* \(layer dw\)"),
    ],
)
def test_mistakes_of_inception_next(variant, message):
    with pytest.raises(NetworkError, match=message):
        apply(one(Depthwise((3, 3))), variant)


# --- reparam


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)], ids=str)
def test_a_small_kernel_folds_into_a_large_one(stride):
    kernels = ((7, 7), (3, 3))
    summed, folded = both(
        ParallelDepthwise(kernels, stride), ParallelDepthwise(kernels, stride, True), (4, 9, 8)
    )
    assert np.array_equal(summed, folded)


def test_a_network_with_large_kernels_and_small_ones_beside_them():
    plain = networks.convnext_tiny()
    run, train = (networks.get("convnext_tiny", "reparam", form=form) for form in FORMS)
    assert (run.total_macs, run.total_params) == (plain.total_macs, plain.total_params)
    channels = sum(plain.shape(x.name)[0] for x in plain.layers if isinstance(x.op, Depthwise))
    # a norm and 5 x 5 taps more, and the bias becomes a norm
    assert train.total_params - plain.total_params == channels * (25 + 2 + 2 - 1)


FORMS = ("inference", "train")


def test_only_kernels_larger_than_the_small_one():
    with pytest.raises(
        NetworkError, match=r"reparam replaces square depthwise .* mobilenet_v2 has"
    ):
        networks.mobilenet_v2("reparam")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = networks.mobilenet_v2("reparam:small=1")
    assert network.total_macs == networks.mobilenet_v2().total_macs


@pytest.mark.parametrize(
    ("op", "variant", "message"),
    [
        (Depthwise((7, 7)), "reparam:small=4", "key small .* must be an odd number from 1 to 31"),
        (Depthwise((7, 7), dilation=(2, 2)), "reparam", "no dilation and one output a channel"),
        (Depthwise((7, 7), multiplier=2), "reparam", "no dilation and one output a channel"),
        (Depthwise((7, 7), padding="same_tf"), "reparam", "must have padding same, no dilation"),
        (Depthwise((7, 7), padding=1), "reparam", "padding 1 is of one kernel size"),
    ],
)
def test_mistakes_of_reparam(op, variant, message):
    with pytest.raises(NetworkError, match=message):
        apply(one(op), variant)
