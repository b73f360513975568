"""Variants that put an operator of a paper in the place of layers."""

import warnings
from dataclasses import replace

import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import AccelsimWarning, NetworkError
from accelsim.find import find_network
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply, parse, variant_keys, with_form
from accelsim.ops import Add, Conv2d, Depthwise, GlobalPool, Linear, Pointwise, papers
from accelsim.ops.papers.superconv import SuperConv


def small(*layers, shape=(8, 12, 12)):
    """The layers one after the other, then a pool and a linear layer."""
    made, last = [], INPUT
    for layer in (*layers, Layer("pool", GlobalPool(), ()), Layer("fc", Linear(3), ())):
        made.append(Layer(layer.name, layer.op, (last,), layer.bias, layer.norm, layer.activation))
        last = layer.name
    return Network("small", shape, tuple(made))


CONV = Layer("conv", Conv2d(8, (3, 3), padding=1), (), norm=True, activation="relu")
EVEN = Layer("even", Conv2d(8, (2, 2), padding="same"), ())
WIDE = Layer("wide", Conv2d(8, (7, 7), padding="same"), ())


def test_acb_of_a_network_for_inference_has_biases_in_place_of_norms():
    plain, network = networks.resnet18(), networks.resnet18("acb")
    replaced = [x for x in plain.layers if isinstance(x.op, Conv2d) and x.op.kernel == (3, 3)]
    channels = sum(x.op.out_channels for x in replaced)
    assert len(replaced) == 16
    assert network.total_macs == plain.total_macs
    assert network.total_params == plain.total_params - channels
    assert [x.name for x in network.layers] == [x.name for x in plain.layers]
    assert all(network.shape(x.name) == plain.shape(x.name) for x in plain.layers)
    assert network.layer("stem").norm  # 7 x 7
    assert (network.variant, variant_keys(network.variant)["form"]) == ("acb", "inference")


def test_acb_of_a_network_for_training_has_three_branches():
    plain, network = networks.resnet18(), networks.resnet18("acb:form=train")
    assert networks.get("resnet18", "acb", form="train") == network
    assert find_network("resnet18", "acb", form="train") == network
    for layer in plain.layers:
        if isinstance(layer.op, Conv2d) and layer.op.kernel == (3, 3):
            names = [f"{layer.name}_{branch}" for branch in ("square", "ver", "hor")]
            branches = [network.layer(name) for name in names]
            assert [x.op.kernel for x in branches] == [(3, 3), (3, 1), (1, 3)]
            assert all(x.norm and x.activation == "none" for x in branches)
            total = network.layer(layer.name)
            assert isinstance(total.op, Add)
            assert (total.inputs, total.activation) == (tuple(names), layer.activation)
            assert sum(map(network.macs, branches)) == plain.macs(layer) * 15 // 9
    assert variant_keys(network.variant) == {"variant": "acb:form=train", "form": "train"}


def test_what_does_not_fit_stays_and_is_named():
    network = small(CONV, EVEN, WIDE)
    with pytest.warns(AccelsimWarning) as said:
        changed = apply(network, "acb")
    (sentence,) = (str(each.message) for each in said)
    assert sentence == (
        "variant acb leaves a layer of small as it is: kernel must be square, odd and above 1, "
        "not [2, 2] (layer even)"
    )
    assert changed.layer("even") == network.layer("even")
    assert changed.layer("wide") == network.layer("wide")
    assert changed.layer("conv").bias


def test_kernels_with_a_mask_or_of_another_layer_stay():
    masked = Layer("masked", Conv2d(8, (3, 3), padding=1, mask=((0, 1, 1),) * 3), ())
    network = small(CONV, masked)
    assert apply(network, "acb").layer("masked") == network.layer("masked")
    layers = (
        Layer("made", Linear(8 * 9), (INPUT,)),
        Layer("conv", Depthwise((3, 3)), (INPUT, "made")),
        Layer("other", Depthwise((3, 3)), ("conv",)),
    )
    changed = apply(Network("n", (8, 4, 4), layers), "acb")
    assert changed.layer("conv") == layers[1]
    assert changed.layer("other") != layers[2]


@pytest.mark.parametrize("variant", ["acb", "acb:form=train", "odconv", "lhc"])
def test_kernels_that_layers_share_stay(variant):
    shared = SuperConv(8, (3, 3), padding=1, form="train", masks=("full", "centre"))
    block = shared.expand("block", ("conv",), (8, 9, 9))
    layers = (replace(CONV, inputs=(INPUT,)), *block, Layer("last", Conv2d(8, (3, 3)), ("block",)))
    network = Network("n", (8, 9, 9), layers)
    with pytest.warns(AccelsimWarning, match=r"its kernel is that of another layer too \(layer b"):
        changed = apply(network, variant)
    assert [changed.layer(layer.name) for layer in block] == [*block]
    assert changed.layer("last") != layers[-1]


@pytest.mark.parametrize("variant", ["fuse_half", "fuse_full_50"])
def test_depthwise_kernels_that_layers_share_stay(variant):
    shared = SuperConv(8, (5, 5), padding=2, groups=8, form="train", masks=("full", "centre"))
    block = shared.expand("block", (INPUT,), (8, 9, 9))
    network = Network("n", (8, 9, 9), (*block, Layer("last", Depthwise((3, 3)), ("block",))))
    changed = apply(network, variant)
    assert changed.layers[: len(block)] == block
    assert changed.layer("last") != network.layer("last")


def test_maps_keep_their_type():
    layer = Layer("conv", Conv2d(8, (3, 3), padding=1), (INPUT,), dtype="int16")
    changed = apply(Network("n", (8, 9, 9), (layer,)), "acb:form=train")
    assert {each.dtype for each in changed.layers} == {"int16"}


def test_a_name_that_is_there_already_is_a_reason():
    other = Layer("conv_ver", Conv2d(8, (3, 3), padding=1), ())
    with pytest.warns(AccelsimWarning, match=r"acb needs a layer conv_ver, .* \(layer conv\)"):
        changed = apply(small(CONV, other), "acb:form=train")
    assert changed.layer("conv") == small(CONV, other).layer("conv")
    assert isinstance(changed.layer("conv_ver").op, Add)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("layer_scale", "layer_scale folds into weights, and add has none"),
        ("prenorm", "prenorm folds into one layer, and the operator has several"),
    ],
)
def test_what_folds_into_one_layer_is_a_reason(flag, message):
    layer = Layer("conv", Conv2d(8, (3, 3)), (INPUT,), **{flag: True})
    network = Network("n", (8, 9, 9), (layer,))
    with pytest.raises(NetworkError, match=rf"{message} .*\(layer conv\)"):
        apply(network, "acb:form=train")
    assert getattr(apply(network, "acb").layer("conv"), flag)


@pytest.mark.parametrize(
    ("network", "variant", "message"),
    [
        (small(WIDE), "acb", "acb replaces square convolutions .* and grouped: small has none"),
        (small(EVEN), "acb", r"acb replaces square .*: kernel must be .* \[2, 2\] \(layer even\)"),
        (small(CONV), "acb:taps=4", "key taps of variant acb must be 3 or 5, not 4"),
        (small(CONV), "acb:taps=x", "key taps of variant acb must be 3 or 5, not x"),
        (small(CONV), "acb:taps=5", r"taps must be at most 3.* not 5 \(layer conv\)"),
        (small(CONV), "acb:tap=3", "variant acb takes only the keys taps, form, not 'tap'"),
        (small(CONV), "acb:form=x", "form of variant acb must be one of inference, train, not x"),
        (small(CONV), "acb:form=train,form=train", "gives form twice"),
    ],
)
def test_mistakes(network, variant, message):
    with pytest.raises(NetworkError, match=message):
        apply(network, variant)


def test_forms():
    assert with_form("acb", "inference") == "acb"
    assert with_form("acb", "train") == "acb:form=train"
    assert with_form("acb:taps=3", "train") == "acb:taps=3,form=train"
    assert with_form("acb:form=train", "train") == "acb:form=train"
    assert with_form("fuse_half", "train") == "fuse_half"  # the same in both
    with pytest.raises(NetworkError, match=r"form train is of variants .* baseline is none"):
        with_form("baseline", "train")
    with pytest.raises(NetworkError, match="form must be one of inference, train, not 'both'"):
        with_form("acb", "both")
    with pytest.raises(NetworkError, match="gives form twice"):
        parse(with_form("acb:form=inference", "train"))


@pytest.mark.parametrize("variant", ["acb", "acb:form=train"])
def test_register_by_register(variant):
    layers = (CONV, Layer("dw", Depthwise((3, 3), (2, 2)), ()), Layer("pw", Pointwise(8), ()))
    network = apply(small(*layers), variant)
    result = ax.simulate(network, ax.Hardware(ax.SystolicArray(8, 8)), fidelity="cycle")
    assert result.values_equal


def test_every_operator_has_what_the_list_shows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for variant in papers.VARIANTS:
            operator = papers.find(variant)
            assert set(operator.cost) == set(operator.forms)
            assert all(operator.default(key) for key in operator.all_keys())
