"""Layer tables of MobileNetV3-Small, ShuffleNetV2 and MixNet-S at 224 x 224, row by row.

They were counted from PyTorch's modules (torchvision, timm), squeeze-excite as 1 x 1 convolutions
and grouped 1 x 1 convolutions by their groups; norms and biases are not in them.
"""

from collections import Counter
from typing import NamedTuple

import pytest

from accelsim import networks
from accelsim.ir import Conv, Layer, Network

# Kind, channels of a group or of a depthwise kernel, kernel, stride, output, count, MACs, weights.
MOBILENET_V3_SMALL = """
conv 3>16 3x3 2 112x112 1 5419008 432
dw 16>16 3x3 2 56x56 1 451584 144
pw 16>8 1x1 1 1x1 1 128 128
pw 8>16 1x1 1 1x1 1 128 128
pw 16>16 1x1 1 56x56 1 802816 256
pw 16>72 1x1 1 56x56 1 3612672 1152
dw 72>72 3x3 2 28x28 1 508032 648
pw 72>24 1x1 1 28x28 1 1354752 1728
pw 24>88 1x1 1 28x28 1 1655808 2112
dw 88>88 3x3 1 28x28 1 620928 792
pw 88>24 1x1 1 28x28 1 1655808 2112
pw 24>96 1x1 1 28x28 1 1806336 2304
dw 96>96 5x5 2 14x14 1 470400 2400
pw 96>24 1x1 1 1x1 1 2304 2304
pw 24>96 1x1 1 1x1 1 2304 2304
pw 96>40 1x1 1 14x14 1 752640 3840
pw 40>240 1x1 1 14x14 2 3763200 19200
dw 240>240 5x5 1 14x14 2 2352000 12000
pw 240>64 1x1 1 1x1 2 30720 30720
pw 64>240 1x1 1 1x1 2 30720 30720
pw 240>40 1x1 1 14x14 2 3763200 19200
pw 40>120 1x1 1 14x14 1 940800 4800
dw 120>120 5x5 1 14x14 1 588000 3000
pw 120>32 1x1 1 1x1 1 3840 3840
pw 32>120 1x1 1 1x1 1 3840 3840
pw 120>48 1x1 1 14x14 1 1128960 5760
pw 48>144 1x1 1 14x14 1 1354752 6912
dw 144>144 5x5 1 14x14 1 705600 3600
pw 144>40 1x1 1 1x1 1 5760 5760
pw 40>144 1x1 1 1x1 1 5760 5760
pw 144>48 1x1 1 14x14 1 1354752 6912
pw 48>288 1x1 1 14x14 1 2709504 13824
dw 288>288 5x5 2 7x7 1 352800 7200
pw 288>72 1x1 1 1x1 1 20736 20736
pw 72>288 1x1 1 1x1 1 20736 20736
pw 288>96 1x1 1 7x7 1 1354752 27648
pw 96>576 1x1 1 7x7 3 8128512 165888
dw 576>576 5x5 1 7x7 2 1411200 28800
pw 576>144 1x1 1 1x1 2 165888 165888
pw 144>576 1x1 1 1x1 2 165888 165888
pw 576>96 1x1 1 7x7 2 5419008 110592
pw 576>1024 1x1 1 1x1 1 589824 589824
fc 1024>1000 1x1 1 1x1 1 1024000 1024000
"""
SHUFFLENET_V2_X1_0 = """
conv 3>24 3x3 2 112x112 1 8128512 648
dw 24>24 3x3 2 28x28 1 169344 216
pw 24>58 1x1 1 28x28 1 1091328 1392
pw 24>58 1x1 1 56x56 1 4365312 1392
dw 58>58 3x3 2 28x28 1 409248 522
pw 58>58 1x1 1 28x28 7 18461632 23548
dw 58>58 3x3 1 28x28 3 1227744 1566
dw 116>116 3x3 2 14x14 2 409248 2088
pw 116>116 1x1 1 14x14 16 42198016 215296
pw 116>116 1x1 1 28x28 1 10549504 13456
dw 116>116 3x3 1 14x14 7 1432368 7308
dw 232>232 3x3 2 7x7 2 204624 4176
pw 232>232 1x1 1 7x7 8 21099008 430592
pw 232>232 1x1 1 14x14 1 10549504 53824
dw 232>232 3x3 1 7x7 3 306936 6264
pw 464>1024 1x1 1 7x7 1 23281664 475136
fc 1024>1000 1x1 1 1x1 1 1024000 1024000
"""
MIXNET_S = """
conv 3>16 3x3 2 112x112 1 5419008 432
dw 16>16 3x3 1 112x112 1 1806336 144
pw 16>16 1x1 1 112x112 1 3211264 256
pw 8>48 1x1 1 112x112 2 9633792 768
dw 96>96 3x3 2 56x56 1 2709504 864
pw 48>12 1x1 1 56x56 2 3612672 1152
pw 12>36 1x1 1 56x56 2 2709504 864
dw 72>72 3x3 1 56x56 1 2032128 648
pw 36>12 1x1 1 56x56 2 2709504 864
pw 24>144 1x1 1 56x56 1 10838016 3456
dw 48>48 3x3 2 28x28 1 338688 432
dw 48>48 5x5 2 28x28 1 940800 1200
dw 48>48 7x7 2 28x28 1 1843968 2352
pw 144>12 1x1 1 1x1 1 1728 1728
pw 12>144 1x1 1 1x1 1 1728 1728
pw 144>40 1x1 1 28x28 1 4515840 5760
pw 20>120 1x1 1 28x28 6 11289600 14400
dw 120>120 3x3 1 28x28 3 2540160 3240
dw 120>120 5x5 1 28x28 3 7056000 9000
pw 240>20 1x1 1 1x1 3 14400 14400
pw 20>240 1x1 1 1x1 3 14400 14400
pw 120>20 1x1 1 28x28 6 11289600 14400
pw 40>240 1x1 1 28x28 1 7526400 9600
dw 80>80 3x3 2 14x14 1 141120 720
dw 80>80 5x5 2 14x14 1 392000 2000
dw 80>80 7x7 2 14x14 1 768320 3920
pw 240>10 1x1 1 1x1 1 2400 2400
pw 10>240 1x1 1 1x1 1 2400 2400
pw 120>40 1x1 1 14x14 2 1881600 9600
pw 80>480 1x1 1 14x14 2 15052800 76800
dw 240>240 3x3 1 14x14 2 846720 4320
dw 240>240 5x5 1 14x14 2 2352000 12000
pw 480>20 1x1 1 1x1 2 19200 19200
pw 20>480 1x1 1 1x1 2 19200 19200
pw 240>40 1x1 1 14x14 4 7526400 38400
pw 40>240 1x1 1 14x14 2 3763200 19200
dw 160>160 3x3 1 14x14 1 282240 1440
dw 160>160 5x5 1 14x14 1 784000 4000
dw 160>160 7x7 1 14x14 1 1536640 7840
pw 480>40 1x1 1 1x1 1 19200 19200
pw 40>480 1x1 1 1x1 1 19200 19200
pw 240>60 1x1 1 14x14 2 5644800 28800
pw 60>180 1x1 1 14x14 4 8467200 43200
dw 90>90 3x3 1 14x14 2 317520 1620
dw 90>90 5x5 1 14x14 2 882000 4500
dw 90>90 7x7 1 14x14 2 1728720 8820
dw 90>90 9x9 1 14x14 2 2857680 14580
pw 360>60 1x1 1 1x1 2 43200 43200
pw 60>360 1x1 1 1x1 2 43200 43200
pw 180>60 1x1 1 14x14 4 8467200 43200
pw 120>720 1x1 1 14x14 1 16934400 86400
dw 144>144 3x3 2 7x7 1 63504 1296
dw 144>144 5x5 2 7x7 1 176400 3600
dw 144>144 7x7 2 7x7 1 345744 7056
dw 144>144 9x9 2 7x7 1 571536 11664
dw 144>144 11x11 2 7x7 1 853776 17424
pw 720>60 1x1 1 1x1 1 43200 43200
pw 60>720 1x1 1 1x1 1 43200 43200
pw 720>200 1x1 1 7x7 1 7056000 144000
pw 200>1200 1x1 1 7x7 2 23520000 480000
dw 300>300 3x3 1 7x7 2 264600 5400
dw 300>300 5x5 1 7x7 2 735000 15000
dw 300>300 7x7 1 7x7 2 1440600 29400
dw 300>300 9x9 1 7x7 2 2381400 48600
pw 1200>100 1x1 1 1x1 2 240000 240000
pw 100>1200 1x1 1 1x1 2 240000 240000
pw 600>100 1x1 1 7x7 4 11760000 240000
pw 200>1536 1x1 1 7x7 1 15052800 307200
fc 1536>1000 1x1 1 1x1 1 1536000 1536000
"""


class Row(NamedTuple):
    """What is equal in the convolutions of one row."""

    kind: str
    channels: str
    kernel: str
    stride: int
    out: str


class Sum(NamedTuple):
    """Convolutions, multiply-accumulates and weights of a row."""

    count: int
    macs: int
    weights: int


def read(text: str) -> dict[Row, Sum]:
    table = {}
    for line in text.strip().splitlines():
        kind, channels, kernel, stride, out, *numbers = line.split()
        table[Row(kind, channels, kernel, int(stride), out)] = Sum(*map(int, numbers))
    return table


def kind_of(layer: Layer, conv: Conv) -> str:
    if layer.name == "fc":
        return "fc"
    if 1 < conv.groups == conv.c:
        return "dw"
    return "pw" if (conv.fh, conv.fw) == (1, 1) else "conv"


def count(network: Network) -> dict[Row, Sum]:
    """The rows of a network; a grouped convolution counts as many as it has groups."""
    counts, macs, weights = Counter[Row](), Counter[Row](), Counter[Row]()
    for layer in network.layers:
        for conv, *_ in layer.op.lower(*network.in_shapes(layer)):
            kind = kind_of(layer, conv)
            groups = 1 if kind == "dw" else conv.groups
            row = Row(
                kind,
                f"{conv.c // groups}>{conv.k // groups}",
                f"{conv.fh}x{conv.fw}",
                conv.sh,
                f"{conv.oh}x{conv.ow}",
            )
            counts[row] += groups
            macs[row] += conv.macs
            weights[row] += conv.k * conv.c // conv.groups * conv.fh * conv.fw
    return {row: Sum(counts[row], macs[row], weights[row]) for row in counts}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mobilenet_v3_small", MOBILENET_V3_SMALL),
        ("shufflenet_v2_x1_0", SHUFFLENET_V2_X1_0),
        ("mixnet_s", MIXNET_S),
    ],
)
def test_layer_table(name, text):
    expected = read(text)
    assert len(expected) == len(text.strip().splitlines())
    table = count(networks.get(name))
    assert list(table) == list(expected)  # in order of first use
    assert table == expected


# Depthwise layers of MixNet, in millions: multiply-accumulates, and those that there would be if
# all channels of a layer had its largest kernel.
@pytest.mark.parametrize(
    ("name", "macs", "padded"),
    [("mixnet_s", 38.99, 63.0), ("mixnet_m", 64.76, 114.2), ("mixnet_l", 85.82, 151.1)],
)
def test_depthwise_share_of_mixnet(name, macs, padded):
    network = networks.get(name)
    total = largest = 0
    for layer in network.layers:
        convs = [conv for conv, *_ in layer.op.lower(*network.in_shapes(layer))]
        if convs and kind_of(layer, convs[0]) == "dw":
            total += sum(conv.macs for conv in convs)
            taps = max(conv.fh * conv.fw for conv in convs)
            largest += sum(conv.k * conv.oh * conv.ow for conv in convs) * taps
    assert total / 1e6 == pytest.approx(macs, abs=0.005)
    assert largest / 1e6 == pytest.approx(padded, abs=0.05)
