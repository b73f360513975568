"""The XSepConv variant: costs, and the rule of what it replaces by what."""

import pytest

import accelsim as ax
from accelsim import networks
from accelsim.errors import NetworkError
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.variants import apply
from accelsim.ops import Depthwise, Scale

# MobileNetV3-Small at 224 x 224: parameters, MACs, and those of the depthwise layers.
TABLE = [
    ("baseline", 2_542_856, 56_510_400, 58_584, 7_460_544),
    ("xsep", 2_524_976, 54_059_616, 33_120, 5_009_760),
    ("xsep:k=5", 2_524_976, 54_059_616, 33_120, 5_009_760),
    ("xsep:k=7", 2_527_952, 54_642_912, 36_096, 5_593_056),
]


def depthwise(network):
    return [layer for layer in network.layers if isinstance(layer.op, Depthwise)]


def one(kernel, stride=1, **attributes):
    """A network of one depthwise layer, another before it, so that a stage is not the last."""
    op = Depthwise((kernel, kernel), (stride, stride), **attributes)
    layers = (Layer("dw", op, (INPUT,)), Layer("end", Depthwise((3, 3), (2, 2)), ("dw",)))
    return Network("n", (4, 16, 16), layers)


@pytest.mark.parametrize(("variant", "params", "macs", "dw_weights", "dw_macs"), TABLE)
def test_mobilenet_v3_small(variant, params, macs, dw_weights, dw_macs):
    network = networks.mobilenet_v3_small(variant)
    assert (network.total_params, network.total_macs) == (params, macs)
    assert network.variant == variant
    layers = depthwise(network)
    assert sum(network.macs(layer) for layer in layers) == dw_macs
    norms = sum(2 * network.shape(layer.name)[0] for layer in layers)
    assert sum(network.params(layer) for layer in layers) - norms == dw_weights


# Products of a replaced layer, all three convolutions.
@pytest.mark.parametrize(
    ("block", "before", "after"),
    [
        ("b5", 1_176_000, 658_560),
        ("b6", 1_176_000, 658_560),
        ("b7", 588_000, 329_280),
        ("b8", 705_600, 395_136),
        ("b10", 705_600, 282_240),
        ("b11", 705_600, 282_240),
    ],
)
def test_layers_of_mobilenet_v3_small(block, before, after):
    plain, network = networks.mobilenet_v3_small(), networks.mobilenet_v3_small("xsep")
    names = [f"{block}.dw_2x2", f"{block}.dw_h", f"{block}.dw"]
    assert plain.macs(plain.layer(f"{block}.dw")) == before
    assert sum(network.macs(network.layer(name)) for name in names) == after
    k = 3 if block in ("b10", "b11") else 5
    kernels = [network.layer(name).op.kernel for name in names]
    assert kernels == [(2, 2), (1, k), (k, 1)]


def test_all_else_stays():
    plain, network = networks.mobilenet_v3_small(), networks.mobilenet_v3_small("xsep:k=7")
    replaced = {f"b{n}.dw" for n in (5, 6, 7, 8, 10, 11)}
    rest = [x for x in network.layers if x.name.removesuffix("_2x2").removesuffix("_h") in replaced]
    assert len(rest) == 3 * len(replaced)
    assert [x for x in network.layers if x not in rest] == [
        x for x in plain.layers if x.name not in replaced
    ]
    assert all(network.shape(x.name) == plain.shape(x.name) for x in plain.layers)


def test_four_successive_layers_take_four_corners_and_a_new_resolution_begins_anew():
    network = networks.mobilenet_v3_small("xsep")
    zeros = [x.op.padding for x in network.layers if x.name.endswith("_2x2")]
    assert all(sorted(sides) == [0, 0, 1, 1] for sides in zeros)
    assert len(set(zeros[:4])) == 4
    assert [sum(side) for side in zip(*zeros[:4], strict=True)] == [2, 2, 2, 2]
    assert [sum(side) for side in zip(*zeros[:2], strict=True)] == [1, 1, 1, 1]
    assert zeros[4:] == zeros[:2]


@pytest.mark.parametrize(
    ("kernel", "stride", "k", "replaced"),
    [
        (3, 1, None, False),
        (4, 1, None, False),  # even
        (5, 1, None, True),
        (7, 1, None, True),
        (5, 1, 11, True),  # as asked for, although (4 + 22) / 25 saves nothing
        (5, 2, None, False),  # (16 + 15) / 25
        (7, 2, None, True),  # (16 + 21) / 49: the first that pays
        (7, 2, 11, False),  # (16 + 33) / 49
        (9, 2, None, True),
        (7, 3, None, False),  # (36 + 28) / 49
    ],
)
def test_what_is_replaced(kernel, stride, k, replaced):
    network = one(kernel, stride)
    variant = "xsep" if k is None else f"xsep:k={k}"
    if not replaced:
        with pytest.raises(NetworkError, match=rf"{variant} replaces .* 5x5 and larger .* n has"):
            apply(network, variant)
        return
    after = apply(network, variant)
    size = k or kernel
    assert [(x.name, x.op.kernel, x.op.stride) for x in after.layers[:3]] == [
        ("dw_2x2", (2, 2), (1, 1)),
        ("dw_h", (1, size), (1, stride)),
        ("dw", (size, 1), (stride, 1)),
    ]
    assert after.shape("dw") == network.shape("dw")


def test_dilated_layers_and_several_outputs_a_channel_stay():
    for network in (one(5, dilation=(2, 2)), one(5, multiplier=2)):
        with pytest.raises(NetworkError, match="n has none"):
            apply(network, "xsep")


def test_without_a_stride_there_is_no_last_stage():
    network = Network("n", (4, 8, 8), (Layer("dw", Depthwise((7, 7)), (INPUT,)),))
    assert apply(network, "xsep").layer("dw").op.kernel == (7, 1)


def test_the_last_stage_follows_from_strides_whatever_the_resolution():
    params = {
        networks.mobilenet_v3_small("xsep", size).total_params
        for size in ((224, 224), (16, 16), (1, 1), (225, 191))
    }
    assert params == {2_524_976}


def test_an_activation_behind_squeeze_excite_stays_there():
    """As in the paper: 2x2 and 1xk are activated, kx1 after the gates."""
    network = networks.mobilenet_v3_small_fuseconv("xsep")
    activations = [
        network.layer(f"b5.{name}").activation for name in ("dw_2x2", "dw_h", "dw", "se")
    ]
    assert activations == ["hswish", "hswish", "none", "hswish"]
    assert isinstance(network.layer("b5.se").op, Scale)
    network = networks.mobilenet_v3_small("xsep")
    activations = [
        network.layer(f"b5.{name}").activation for name in ("dw_2x2", "dw_h", "dw", "se")
    ]
    assert activations == ["hswish", "hswish", "hswish", "none"]


def test_biases_and_layer_scale_are_kept():
    layer = Layer("dw", Depthwise((5, 5)), (INPUT,), bias=True, layer_scale=True)
    network = apply(Network("n", (4, 8, 8), (layer,)), "xsep")
    assert [(x.bias, x.norm, x.layer_scale) for x in network.layers] == [
        (True, False, False),
        (True, False, False),
        (True, False, True),
    ]
    assert network.total_params == 4 * (4 + 5 + 5 + 3 + 1)


def test_other_networks():
    network = networks.efficientnet_b0("xsep")
    replaced = [x.name for x in network.layers if x.name.endswith("_2x2")]
    # the 5x5 of stride 1: not those that begin the stages of b4 and b12
    assert replaced == [f"b{n}.dw_2x2" for n in (5, 9, 10, 11, 13, 14, 15)]
    large = networks.mobilenet_v3_large("xsep")
    kernels = [large.layer(f"b{n}.dw").op.kernel for n in (4, 5, 6, 13, 14, 15)]
    assert kernels == [(5, 5), (5, 1), (5, 1), (5, 5), (3, 1), (3, 1)]


@pytest.mark.parametrize(
    ("name", "variant", "message"),
    [
        ("mobilenet_v2", "xsep", "xsep replaces depthwise layers of 5x5 and .*mobilenet_v2 has"),
        ("resnet50", "xsep:k=7", "xsep:k=7 replaces depthwise layers .* resnet50 has none"),
        ("mobilenet_v3_small", "xsep:k=4", "key k .* odd number from 3 to 999, not 4"),
        ("mobilenet_v3_small", "xsep:k=1", "key k .* odd number from 3 to 999, not 1"),
        ("mobilenet_v3_small", "xsep:k=-5", "key k .* odd number from 3 to 999, not -5"),
        ("mobilenet_v3_small", "xsep:k=x", "key k .* odd number from 3 to 999, not x"),
        ("mobilenet_v3_small", "xsep:k=9999", "key k .* odd number from 3 to 999, not 9999"),
        ("mobilenet_v3_small", "xsep:j=5", "variant xsep takes only the keys k, not 'j'"),
        ("mobilenet_v3_small", "xsep:k=5,k=7", "'xsep:k=5,k=7' gives k twice"),
        ("mobilenet_v3_small", "xsep:", "must read NAME"),
        ("mobilenet_v3_small", "ddc", "variant ddc replaces context modules, and mobilenet_v3_sm"),
    ],
)
def test_mistakes(name, variant, message):
    with pytest.raises(NetworkError, match=message):
        networks.get(name, variant)


def test_padding_that_does_not_keep_the_size_is_refused_with_the_layer():
    with pytest.raises(NetworkError, match=r"\[4, 12, 12\] would become \[4, 16, .*layer dw"):
        apply(one(5, padding=0), "xsep")


@pytest.mark.parametrize("variant", ["xsep", "xsep:k=7"])
def test_register_by_register(variant):
    network = networks.mobilenet_v3_small(variant, (32, 32))
    hardware = ax.Hardware(ax.SystolicArray(32, 32))
    result = ax.simulate(network, hardware, fidelity="cycle", layers="b4.dw..b11.project")
    assert result.values_equal
    scheduled = ax.simulate(network, hardware, layers="b4.dw..b11.project")
    assert result.total_cycles == scheduled.total_cycles
