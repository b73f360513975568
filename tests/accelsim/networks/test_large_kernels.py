"""ConvNeXt, InceptionNeXt, RepLKNet, SLaK and their operators.

Expected values: parameters as torchvision and timm document them, counts and layer tables that
the authors' definitions gave in PyTorch, published figures, naive loops, onnxruntime.
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import networks
from accelsim.errors import FileError, NetworkError, ShapeError
from accelsim.hardware import Hardware, SystolicArray
from accelsim.importers import load
from accelsim.ir import INPUT, Layer, Network
from accelsim.networks.inception_next import inception_next
from accelsim.networks.replknet import Dimensions, replknet
from accelsim.ops import (
    Add,
    Conv2d,
    Depthwise,
    GlobalPool,
    InceptionDepthwise,
    LayerNorm,
    Linear,
    ParallelDepthwise,
    Pointwise,
)
from accelsim.ops.papers.base import Trained
from accelsim.simulation import simulate
from accelsim.weights import seeded_weights
from tests.accelsim import onnx_oracle
from tests.accelsim.ops.reals import golden
from tests.naive import operators as naive

# name, parameters, multiply-accumulates of convolution and FC at 224 x 224
EXACT = [
    ("convnextv2_atto", 3_708_400, 547_332_480),
    ("convnext_atto", 3_695_520, 547_332_480),
    ("convnext_tiny", 28_589_128, 4_455_531_264),
    ("inception_next_tiny", 28_055_680, 4_188_634_272),
    ("replknet_31b", 79_527_272, 15_353_525_248),
    ("slak_tiny", 50_703_838, 8_704_776_370),
]
TORCHVISION = [  # num_params
    ("convnext_small", 50_223_688),
    ("convnext_base", 88_591_464),
    ("convnext_large", 197_767_336),
]
# name, side of the image, millions of parameters, billions of multiply-accumulates; SLaK's are of
# the 60 % of its weights that are not zero. Authors count norms and activations too.
PUBLISHED = [
    ("convnext_small", 224, 50, 8.7),
    ("convnext_base", 224, 89, 15.4),
    ("convnext_large", 224, 198, 34.4),
    ("inception_next_atto", 224, 4.2, 0.51),
    ("inception_next_small", 224, 49, 8.4),
    ("inception_next_base", 224, 87, 14.9),
    ("inception_next_base", 384, 87, 43.6),
    ("replknet_31b", 384, 79.5, 45.1),
    ("replknet_31l", 384, 172, 96.0),
    ("replknet_xl", 320, 335, 128.7),
    ("slak_small", 224, 55 / 0.6, 9.8 / 0.6),
    ("slak_base", 224, 95 / 0.6, 17.1 / 0.6),
]

# Every layer at 224 x 224, equal ones together: kind, input and output channels, kernel, stride,
# output map, how many, multiply-accumulates and weights of them all.
TABLES = {
    "inception_next_tiny": """
        conv    3   96   4x4 4   56x56  1   14450688     4608
        dw     12   12   3x3 1   56x56  3    1016064      324
        dw     12   12  1x11 1   56x56  3    1241856      396
        dw     12   12  11x1 1   56x56  3    1241856      396
        pw     96  384   1x1 1   56x56  3  346816512   110592
        pw    384   96   1x1 1   56x56  3  346816512   110592
        conv   96  192   2x2 2   28x28  1   57802752    73728
        dw     24   24   3x3 1   28x28  3     508032      648
        dw     24   24  1x11 1   28x28  3     620928      792
        dw     24   24  11x1 1   28x28  3     620928      792
        pw    192  768   1x1 1   28x28  3  346816512   442368
        pw    768  192   1x1 1   28x28  3  346816512   442368
        conv  192  384   2x2 2   14x14  1   57802752   294912
        dw     48   48   3x3 1   14x14  9     762048     3888
        dw     48   48  1x11 1   14x14  9     931392     4752
        dw     48   48  11x1 1   14x14  9     931392     4752
        pw    384 1536   1x1 1   14x14  9 1040449536  5308416
        pw   1536  384   1x1 1   14x14  9 1040449536  5308416
        conv  384  768   2x2 2     7x7  1   57802752  1179648
        dw     96   96   3x3 1     7x7  3     127008     2592
        dw     96   96  1x11 1     7x7  3     155232     3168
        dw     96   96  11x1 1     7x7  3     155232     3168
        pw    768 2304   1x1 1     7x7  3  260112384  5308416
        pw   2304  768   1x1 1     7x7  3  260112384  5308416
        fc    768 2304   1x1 1     1x1  1    1769472  1769472
        fc   2304 1000   1x1 1     1x1  1    2304000  2304000
    """,
    "convnext_tiny": """
        conv    3   96   4x4 4   56x56  1   14450688     4608
        dw     96   96   7x7 1   56x56  3   44255232    14112
        pw     96  384   1x1 1   56x56  3  346816512   110592
        pw    384   96   1x1 1   56x56  3  346816512   110592
        conv   96  192   2x2 2   28x28  1   57802752    73728
        dw    192  192   7x7 1   28x28  3   22127616    28224
        pw    192  768   1x1 1   28x28  3  346816512   442368
        pw    768  192   1x1 1   28x28  3  346816512   442368
        conv  192  384   2x2 2   14x14  1   57802752   294912
        dw    384  384   7x7 1   14x14  9   33191424   169344
        pw    384 1536   1x1 1   14x14  9 1040449536  5308416
        pw   1536  384   1x1 1   14x14  9 1040449536  5308416
        conv  384  768   2x2 2     7x7  1   57802752  1179648
        dw    768  768   7x7 1     7x7  3    5531904   112896
        pw    768 3072   1x1 1     7x7  3  346816512  7077888
        pw   3072  768   1x1 1     7x7  3  346816512  7077888
        fc    768 1000   1x1 1     1x1  1     768000   768000
    """,
    "replknet_31b": """
        conv    3  128   3x3 2 112x112  1   43352064     3456
        dw    128  128   3x3 1 112x112  1   14450688     1152
        pw    128  128   1x1 1 112x112  1  205520896    16384
        dw    128  128   3x3 2   56x56  1    3612672     1152
        pw    128  128   1x1 1   56x56  4  205520896    65536
        dw    128  128 31x31 1   56x56  2  771506176   246016
        pw    128  512   1x1 1   56x56  2  411041792   131072
        pw    512  128   1x1 1   56x56  2  411041792   131072
        pw    128  256   1x1 1   56x56  1  102760448    32768
        dw    256  256   3x3 2   28x28  1    1806336     2304
        pw    256  256   1x1 1   28x28  4  205520896   262144
        dw    256  256 29x29 1   28x28  2  337584128   430592
        pw    256 1024   1x1 1   28x28  2  411041792   524288
        pw   1024  256   1x1 1   28x28  2  411041792   524288
        pw    256  512   1x1 1   28x28  1  102760448   131072
        dw    512  512   3x3 2   14x14  1     903168     4608
        pw    512  512   1x1 1   14x14 36 1849688064  9437184
        dw    512  512 27x27 1   14x14 18 1316818944  6718464
        pw    512 2048   1x1 1   14x14 18 3699376128 18874368
        pw   2048  512   1x1 1   14x14 18 3699376128 18874368
        pw    512 1024   1x1 1   14x14  1  102760448   524288
        dw   1024 1024   3x3 2     7x7  1     451584     9216
        pw   1024 1024   1x1 1     7x7  4  205520896  4194304
        dw   1024 1024 13x13 1     7x7  2   16959488   346112
        pw   1024 4096   1x1 1     7x7  2  411041792  8388608
        pw   4096 1024   1x1 1     7x7  2  411041792  8388608
        fc   1024 1000   1x1 1     1x1  1    1024000  1024000
    """,
}
HARDWARE = Hardware(array=SystolicArray(32, 32))
KINDS = {Conv2d: "conv", Depthwise: "dw", Pointwise: "pw", Linear: "fc"}
NEW = [name for name, _, _ in EXACT] + [name for name, *_ in PUBLISHED]


def ints(seed, *shape):
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


def rows(network):
    """The table's rows, from the layers that have weights and multiply with them."""
    count, macs, weights = Counter(), Counter(), Counter()
    for layer in network.layers:
        if type(layer.op) in KINDS:
            inputs = network.in_shapes(layer)
            (piece,) = layer.op.lower(*inputs)
            conv = piece.conv
            kernel, out = f"{conv.fh}x{conv.fw}", f"{conv.oh}x{conv.ow}"
            key = (KINDS[type(layer.op)], conv.c, conv.k, kernel, conv.sh, out)
            count[key] += 1
            macs[key] += layer.op.macs(*inputs)
            weights[key] += int(np.prod(layer.op.weight_shape(*inputs)))
    return [" ".join(map(str, (*key, count[key], macs[key], weights[key]))) for key in count]


@pytest.mark.parametrize("name", TABLES)
def test_layer_table_row_by_row(name):
    expected = [" ".join(line.split()) for line in TABLES[name].strip().splitlines()]
    assert rows(networks.get(name)) == expected


@pytest.mark.parametrize(("name", "params", "macs"), EXACT)
def test_exact_counts(name, params, macs):
    network = networks.get(name)
    assert (network.total_params, network.total_macs) == (params, macs)


@pytest.mark.parametrize(("name", "params"), TORCHVISION)
def test_parameters_of_torchvision(name, params):
    assert networks.get(name).total_params == params


@pytest.mark.parametrize(("name", "side", "params", "macs"), PUBLISHED)
def test_published_counts(name, side, params, macs):
    network = networks.get(name, input=(side, side))
    assert network.total_params / 1e6 == pytest.approx(params, rel=0.011)
    assert network.total_macs / 1e9 == pytest.approx(macs, rel=0.02)


def test_every_network_has_a_count():
    families = ("convnext", "inception_next", "replknet", "slak")
    made = {d.__name__ for d in networks.NETWORKS if d.__name__.startswith(families)}
    assert made == set(NEW)


def test_replknet_at_384():
    assert networks.replknet_31b(input=(384, 384)).total_macs == 45_118_578_688


@pytest.mark.parametrize(
    ("kernels", "params", "macs"),
    [
        ((3, 3, 3, 3), 71_894_376, 12.939),
        ((7, 7, 7, 7), 72_375_656, 13.063),
        ((13, 13, 13, 13), 73_819_496, 13.436),
        ((25, 25, 25, 13), 78_372_200, 14.809),
    ],
)
def test_replknet_kernel_sweep(kernels, params, macs):
    network = replknet("sweep", (224, 224), Dimensions(128, kernels, small=0))
    assert network.total_params == params
    assert round(network.total_macs / 1e9, 3) == macs


def test_replknet_for_training():
    network = replknet("train", (224, 224), Dimensions(128), merged=False)
    assert (network.total_params, network.total_macs) == (79_864_168, 15_431_298_048)


@pytest.mark.parametrize(
    ("band", "ratio", "params"),
    [
        (7, 1 / 8, 28_049_056),
        (9, 1 / 8, 28_052_368),
        (13, 1 / 8, 28_058_992),
        (11, 1 / 4, 28_083_832),
        (11, 1 / 16, 28_041_604),
    ],
)
def test_inception_next_ablations(band, ratio, params):
    mixer = InceptionDepthwise(band=band, ratio=ratio)
    network = inception_next("ablation", (224, 224), (3, 3, 9, 3), 96, mixer)
    assert network.total_params == params


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (
            "convnext_tiny",
            "stem stem.norm b1.dw b1.norm b1.expand b1.project b1.add b2.dw",
        ),
        (
            "inception_next_tiny",
            "stem b1.dw_id b1.dw_hw b1.dw_w b1.dw_h b1.dw b1.expand b1.project b1.add b2.dw_id",
        ),
        (
            "replknet_31b",
            "stem stem.dw1 stem.project stem.dw2 b1.expand b1.dw b1.project b1.add b1.ffn_expand",
        ),
        (
            "slak_tiny",
            "stem stem.norm b1.dw_51x5 b1.dw_5x51 b1.dw_5x5 b1.dw b1.norm b1.expand b1.project",
        ),
    ],
)
def test_layer_names(name, first):
    expected = first.split()
    assert [layer.name for layer in networks.get(name).layers[: len(expected)]] == expected


@pytest.mark.parametrize("name", NEW)
def test_residuals_join_the_ends_of_a_block(name):
    network = networks.get(name)
    sums = [x for x in network.layers if isinstance(x.op, Add) and x.name.endswith("add")]
    assert len(sums) > 10
    for layer in sums:
        start, source = layer.inputs
        block = layer.name.removesuffix("add")
        assert source == f"{block}project"
        while source.startswith(block):
            source = network.layer(source).inputs[0]
        assert source == start


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        (
            "convnext_tiny",
            (3, 64),
            r"reach 4 is larger .* 3 \(layer stem of convnext_tiny\)",
        ),
        (
            "convnext_tiny",
            (32, 31),
            r"reach 2 is larger .* 1 \(layer down3 of convnext_tiny",
        ),
        ("inception_next_tiny", (16, 64), r"padded input 1 \(layer down3 of inception_next_tiny\)"),
        ("slak_base", (31, 400), r"padded input 1 \(layer down3 of slak_base\)"),
    ],
)
def test_an_image_too_small_names_the_layer(name, size, message):
    with pytest.raises(ShapeError, match=message):
        networks.get(name, input=size)


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("size", [(32, 32), (97, 161), (320, 320)])
def test_other_resolutions_keep_the_parameters(name, size):
    network = networks.get(name, input=size)
    assert network.total_params == networks.get(name).total_params
    assert network.shape("pool")[1:] == (1, 1)


@pytest.mark.parametrize(
    "name",
    ["convnext_atto", "inception_next_atto", pytest.param("slak_tiny", marks=pytest.mark.full)],
)
def test_real_values_flow_to_the_end(name):
    """Neither zero nor saturated, and the input is what they depend on."""
    network = networks.get(name, input=(64, 64))
    out = [simulate(network, HARDWARE, fidelity="golden", seed=seed).output for seed in (0, 1)]
    for values in out:
        assert 10 < values.std() < 90
        assert np.mean(np.abs(values.astype(int)) >= 127) < 0.02
    assert np.mean(out[0] != out[1]) > 0.9


# --- norms and scales that fold


def test_params_count_norms_before_and_layer_scale():
    plain = Layer("a", Pointwise(7), (INPUT,))
    folded = Layer("a", Pointwise(7), (INPUT,), prenorm=True, layer_scale=True)
    shape = (5, 3, 4)
    counts = [Network("n", shape, (layer,)).total_params for layer in (plain, folded)]
    assert counts == [35, 35 + 2 * 5 + 7]


def test_a_norm_before_a_layer_adds_to_its_bias():
    layers = (
        Layer("a", Pointwise(7), (INPUT,), prenorm=True),
        Layer("b", Pointwise(7), ("a",), layer_scale=True),
    )
    weights = seeded_weights(Network("n", (5, 3, 4), layers))
    assert list(weights.biases) == ["a"]


@pytest.mark.parametrize(
    "op",
    [
        Conv2d(4, (3, 3), padding=1),
        Conv2d(4, (3, 3), padding=(0, 1, 0, 0)),
        Conv2d(4, (3, 3), padding=(0, 0, 0, 1)),
        Depthwise((1, 3)),
        Depthwise(kernels=((1, 1),) * 4 + ((3, 1),)),
    ],
)
def test_a_norm_does_not_fold_through_padding(op):
    with pytest.raises(ShapeError, match=r"prenorm folds only .* without padding \(layer a\)"):
        Network("n", (5, 6, 6), (Layer("a", op, (INPUT,), prenorm=True),))


@pytest.mark.parametrize("op", [Conv2d(4, (2, 2), (2, 2)), Conv2d(4, (2, 2), (3, 3), 0), Linear(3)])
def test_a_norm_folds_without_padding(op):
    assert Network("n", (5, 7, 7), (Layer("a", op, (INPUT,), prenorm=True),)).total_params > 10


@pytest.mark.parametrize("flag", ["prenorm", "layer_scale"])
def test_nothing_folds_into_a_layer_without_weights(flag):
    layer = Layer("a", GlobalPool(), (INPUT,), **{flag: True})
    message = rf"{flag} folds into weights, and global_pool has none to multiply \(layer a\)"
    with pytest.raises(ShapeError, match=message):
        Network("n", (5, 6, 6), (layer,))


def test_flags_in_a_file(tmp_path):
    path = tmp_path / "n.toml"
    text = (
        'name = "n"\ninput = [5, 3, 4]\n[[layer]]\nname = "a"\nop = "pointwise"\n'
        "out_channels = 7\nprenorm = true\nlayer_scale = true\n"
    )
    path.write_text(text)
    assert load(path).total_params == 35 + 2 * 5 + 7
    path.write_text(text.replace("layer_scale = true", "layer_scale = 1"))
    with pytest.raises(FileError, match=r":8: layer_scale must be true or false, not 1"):
        load(path)


# --- layer norm


@settings(max_examples=60)
@given(
    channels=st.integers(1, 40),
    width=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    spread=st.sampled_from([0, 1, 3, 127]),
)
def test_layer_norm_equals_its_formula(channels, width, seed, spread):
    rng = np.random.default_rng(seed)
    x = rng.integers(-spread, spread + 1, (channels, 2, width)).astype(np.int8)
    weights = ints(seed, 2, channels)
    expected = naive.layer_norm(x, *weights)
    assert np.allclose(golden(LayerNorm(), weights, x), expected, 1e-4, 0.02)


def test_layer_norm_equals_onnxruntime():
    x, weights = ints(1, 96, 5, 4), ints(2, 2, 96)
    pixels = np.ascontiguousarray(x.reshape(96, -1).T, np.float32)
    gamma, beta = weights.astype(np.float32)
    attributes = {"axis": -1, "epsilon": 1e-6}
    real = onnx_oracle.run("LayerNormalization", pixels, gamma, beta, attributes=attributes)
    ours = golden(LayerNorm(), weights, x).reshape(96, -1).T
    assert np.allclose(ours, real, 1e-4, 1e-3)


# --- inception depthwise


def test_inception_depthwise_equals_one_depthwise_with_embedded_kernels():
    """Identity, 3x3, 1x11 and 11x1 are all 11x11 kernels that are zero elsewhere."""
    channels, group, shape = 17, 2, (17, 6, 13)
    op = InceptionDepthwise(ratio=0.125)
    network = Network("n", shape, op.expand("dw", (INPUT,), shape))
    x = ints(3, *shape)
    kernels = np.zeros((channels, 11, 11), np.int8)
    kernels[: channels - 3 * group, 5, 5] = 1
    maps = {INPUT: x}
    places = {"dw_hw": (11, slice(4, 7), slice(4, 7)), "dw_w": (13, slice(5, 6), slice(0, 11))}
    places["dw_h"] = (15, slice(0, 11), slice(5, 6))
    for layer in network.layers:
        weights = ints(4, *layer.op.weight_shape(*network.in_shapes(layer)))
        maps[layer.name] = golden(layer.op, weights, *(maps[source] for source in layer.inputs))
        if layer.name in places:
            first, rows_, columns = places[layer.name]
            kernels[first : first + group, rows_, columns] = weights[:, 0]
    expected = naive.depthwise(x, kernels, paddings=[(5, 5, 5, 5)] * channels)
    names = [layer.name for layer in network.layers]
    assert names == ["dw_id", "dw_hw", "dw_w", "dw_h", "dw"]
    assert np.array_equal(maps["dw"], expected)
    # (3 x 3 + 11 + 11) weights and 3 biases for every channel of a group; nothing for the others
    assert network.total_params == group * (9 + 22) + 3 * group
    assert network.total_macs == group * (9 + 22) * 6 * 13


def test_published_inception_depthwise():
    """64 channels at 56 x 56, ratio 1/8: 248 weights, 24 biases, 777,728 multiply-accumulates."""
    shape = (64, 56, 56)
    network = Network("n", shape, InceptionDepthwise().expand("dw", (INPUT,), shape))
    assert (network.total_params, network.total_macs) == (248 + 24, 777_728)
    assert network.shape("dw_id") == (40, 56, 56)


def test_mixers_of_inception_next_tiny():
    """8.31 M multiply-accumulates and 25,668 weights in all; the rest is 1 x 1."""
    network = networks.get("inception_next_tiny")
    mixers = [layer for layer in network.layers if isinstance(layer.op, Depthwise)]
    assert len(mixers) == 3 * 18
    assert sum(map(network.macs, mixers)) == 8_311_968
    biases = sum(network.shape(layer.name)[0] for layer in mixers)
    assert sum(map(network.params, mixers)) - biases == 25_668


def test_a_third_of_the_channels_leaves_none_unchanged():
    layers = InceptionDepthwise(ratio=1 / 3).expand("dw", (INPUT,), (6, 4, 4))
    assert [layer.name for layer in layers] == ["dw_hw", "dw_w", "dw_h", "dw"]


# --- parallel depthwise and its fold


BRANCHES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4)


@settings(max_examples=40)
@given(
    kernels=BRANCHES.map(lambda shapes: tuple(dict.fromkeys(shapes))),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 10**6),
)
def test_branches_and_their_fold_are_equal_in_integers(kernels, stride, seed):
    """Sum of scale (kernel * x) + offset over branches == folded kernel * x + folded bias."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (3, 7, 6)).astype(np.int8)
    op = ParallelDepthwise(kernels, stride)
    branches, expected = {}, 0
    for fh, fw in kernels:
        kernel = rng.integers(-128, 128, (3, 1, fh, fw)).astype(np.int8)
        scale, offset = rng.integers(-1000, 1000, (2, 3))
        branches[f"n_{fh}x{fw}" if len(kernels) > 1 else "n"] = Trained(kernel, scale, offset)
        sums = naive.depthwise(x, kernel[:, 0], stride, [same(fh, fw)] * 3)
        expected = expected + scale[:, None, None] * sums + offset[:, None, None]
    kernel, _, bias = op.fold("n", branches)["n"]
    folded = naive.depthwise(x, kernel[:, 0], stride, [same(*op.merged_kernel)] * 3)
    assert np.array_equal(folded + bias[:, None, None], expected)


def same(fh, fw):
    return (fh - 1) // 2, fh // 2, (fw - 1) // 2, fw // 2


def test_a_small_kernel_is_added_to_the_centre_of_the_large_one():
    large, small = np.zeros((1, 1, 31, 31), np.int8), np.ones((1, 1, 5, 5), np.int8)
    one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
    op = ParallelDepthwise(((31, 31), (5, 5)), merged=True)
    branches = {"n_31x31": Trained(large, one, zero), "n_5x5": Trained(small, 3 * one, zero)}
    kernel = op.fold("n", branches)["n"].kernel
    assert kernel.sum() == 75
    assert np.all(kernel[0, 0, 13:18, 13:18] == 3)


def test_parallel_depthwise_in_both_forms():
    shape = (6, 9, 8)
    apart = ParallelDepthwise(((7, 7), (3, 3)), activation="relu").expand("dw", (INPUT,), shape)
    assert [layer.name for layer in apart] == ["dw_7x7", "dw_3x3", "dw"]
    assert [layer.activation for layer in apart] == ["none", "none", "relu"]
    # weights, and gamma and beta of each branch
    assert Network("n", shape, apart).total_params == 6 * (49 + 2) + 6 * (9 + 2)
    (merged,) = ParallelDepthwise(((7, 7), (3, 3)), merged=True).expand("dw", (INPUT,), shape)
    assert Network("n", shape, (merged,)).total_params == 6 * (49 + 1)
    (alone,) = ParallelDepthwise(((7, 7),)).expand("dw", (INPUT,), shape)
    assert Network("n", shape, (alone,)).total_params == 6 * (49 + 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ParallelDepthwise(()), r"kernels must be a list .* not \[\]"),
        (
            lambda: ParallelDepthwise(((3, 3), (3, 3))),
            r"no two the same, not \[\[3, 3\], \[3",
        ),
        (lambda: ParallelDepthwise(((3, 0),)), r"kernels must be .* not \[\[3, 0\]\]"),
        (lambda: ParallelDepthwise(((3, 3),), merged=1), "merged must be true or false, not 1"),
        (lambda: ParallelDepthwise(((3, 3),), activation="x"), "activation must be one of"),
        (lambda: ParallelDepthwise(((3, 3),), stride=2), "stride must be two whole numbers"),
        (lambda: ParallelDepthwise(((3, 3),)).fold("n", {}), "fold needs what layer n has"),
        (
            lambda: ParallelDepthwise(((3, 3),)).fold("n", {"n": Trained(np.ones((2, 1, 3, 5)))}),
            r"kernel of layer n must have \[3, 3\] rows and columns, not \[3, 5\]",
        ),
        (lambda: InceptionDepthwise(ratio=0.4), "ratio must be above 0 and at most 1/3, not 0.4"),
        (lambda: InceptionDepthwise(ratio=True), "ratio must be above 0 .* not True"),
        (lambda: InceptionDepthwise(kernel=0), "kernel must be a whole number"),
        (lambda: InceptionDepthwise(band="11"), "band must be a whole number .* not '11'"),
        (lambda: InceptionDepthwise(bias=1), "bias must be true or false, not 1"),
        (
            lambda: InceptionDepthwise().expand("dw", (INPUT,), (7, 4, 4)),
            "ratio 0.125 leaves no channel of 7 for a group",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


# --- variants


@pytest.mark.parametrize("name", ["convnext_tiny", "replknet_31b"])
def test_fuse_half_of_large_kernels(name):
    """A KxK kernel becomes 1xK on half of the channels and Kx1 on the others: C K weights."""
    network = networks.get(name, "fuse_half")
    fused = [x for x in network.layers if x.name.endswith(("dw_h", "dw_v"))]
    before = networks.get(name).layer("b1.dw").op.kernel[0]
    assert network.layer("b1.dw_h").op.kernel == (1, before)
    assert all(1 in layer.op.kernel for layer in fused)
    assert network.shape("b1.dw") == networks.get(name).shape("b1.dw")


def test_inception_next_has_nothing_to_fuse():
    with pytest.raises(NetworkError, match="inception_next_tiny has none"):
        networks.get("inception_next_tiny", "fuse_half")
