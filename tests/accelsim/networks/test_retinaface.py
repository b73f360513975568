"""RetinaFace: costs of its parts as published and as counted, with and without DDC."""

import re
from collections import Counter

import pytest

from accelsim import networks
from accelsim.errors import NetworkError
from accelsim.ops import Depthwise, Pointwise

# Multiply-accumulates per input pixel, without and with depthwise dilated context modules.
PARTS = [
    ("backbone", 812.6, 812.6),
    ("fpn", 832.0, 832.0),
    ("context", 708.75, 119.44),
    ("head", 42.0, 42.0),
    ("total", 2395.4, 1806.1),
]
SIZE = (480, 640)


def part(name):
    match = re.match("(fpn|context|head)[123]", name)
    return match[1] if match else "backbone"


def kind(layer):
    if isinstance(layer.op, Depthwise):
        return "dw"
    return "pw" if isinstance(layer.op, Pointwise) else "conv"


@pytest.mark.parametrize("variant", ["baseline", "ddc"])
def test_parts(variant):
    network = networks.retinaface_mnet025(variant, SIZE)
    macs = Counter()
    for layer in network.layers:
        macs[part(layer.name)] += network.macs(layer)
    macs["total"] = network.total_macs
    pixels = SIZE[0] * SIZE[1]
    for name, base, ddc in PARTS:
        expected = base if variant == "baseline" else ddc
        assert macs[name] / pixels == pytest.approx(expected, abs=0.05)
    exact = 708.75 if variant == "baseline" else 119.4375  # 5,824 (1/64 + 1/256 + 1/1024)
    assert macs["context"] / pixels == exact


def test_pyramid_is_laterals_and_merges():
    network = networks.retinaface_mnet025(input=SIZE)
    macs = Counter()
    for layer in network.layers:
        macs[layer.name.rpartition(".")[2]] += network.macs(layer) / SIZE[0] / SIZE[1]
    assert (macs["lateral"], macs["merge"]) == (112, 720)


# Millions of multiply-accumulates at 640 x 480.
@pytest.mark.parametrize(
    ("variant", "total", "kinds"),
    [
        ("baseline", 735.86, {"conv": 455.50, "pw": 253.75, "dw": 26.61}),
        ("ddc", 554.82, {"dw": 37.50}),
    ],
)
def test_kinds(variant, total, kinds):
    network = networks.retinaface_mnet025(variant, SIZE)
    assert network.total_macs / 1e6 == pytest.approx(total, abs=0.005)
    megamacs = Counter()
    for layer in network.layers:
        megamacs[kind(layer)] += network.macs(layer) / 1e6
    for name, macs in kinds.items():
        assert megamacs[name] == pytest.approx(macs, abs=0.005)


@pytest.mark.parametrize(("variant", "weights"), [("baseline", 419_824), ("ddc", 333_616)])
def test_weights(variant, weights):
    network = networks.retinaface_mnet025(variant)
    others = sum(
        (2 * layer.norm + layer.bias) * network.shape(layer.name)[0] for layer in network.layers
    )
    assert network.total_params - others == weights
    each = Counter(
        {
            n: sum(network.params(x) for x in network.layers if x.name.startswith(f"context{n}"))
            for n in (1, 2, 3)
        }
    )
    channels = 32 + 4 * 16 if variant == "baseline" else 3 * 64 + 64  # that a batch norm follows
    module = (34_560 if variant == "baseline" else 5_824) + 2 * channels
    assert set(each.values()) == {module}


def test_anchors():
    """Two a pixel of three levels: 16,800 at 640 x 640, as in the authors' code."""
    network = networks.retinaface_mnet025()
    for head, outputs in (("class", 2), ("box", 4), ("landmark", 10)):
        values = 0
        for level in (1, 2, 3):
            c, h, w = network.shape(f"head{level}.{head}")
            values += c * h * w
        assert values == 16_800 * outputs


@pytest.mark.parametrize("size", [(640, 640), (225, 191), (33, 97), (1, 1)], ids=str)
def test_levels_meet_at_every_resolution(size):
    network = networks.retinaface_mnet025(input=size)
    h, w = size
    for level, stride in ((1, 8), (2, 16), (3, 32)):
        assert network.shape(f"fpn{level}.lateral") == (64, -(-h // stride), -(-w // stride))
        assert network.shape(f"context{level}")[1:] == network.shape(f"fpn{level}.lateral")[1:]
    assert network.layer("fpn2.up").inputs == ("fpn3.lateral",)
    assert network.layer("fpn1.up").inputs == ("fpn2.merge",)
    assert network.layer("fpn1.add").inputs == ("fpn1.lateral", "fpn1.up")
    assert network.layer("context3_3x3").inputs == ("fpn3.lateral",)
    assert network.layer("context1_3x3").inputs == ("fpn1.merge",)


def test_ddc_takes_no_keys():
    with pytest.raises(NetworkError, match="variant ddc takes no keys, not 'd'"):
        networks.retinaface_mnet025("ddc:d=2")
    assert networks.retinaface_mnet025("ddc").variant == "ddc"


def test_fuse_half_of_the_backbone():
    network = networks.retinaface_mnet025("fuse_half")
    assert network.shape("b1.dw_h")[0] == 4
    assert network.shape("context1")[0] == 64
