"""Expected values: the FuSeConv paper and its authors' code, and SCALE-Sim v3's reports."""

import math
from fractions import Fraction

import pytest

from accelsim import networks, published
from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import (
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Depthwise,
    GlobalPool,
    Linear,
    Pointwise,
    Pool,
    Scale,
)
from accelsim.published.fuseconv import gemm
from accelsim.study.published import MODELS

BOTH = ("fuseconv-2020", "fuseconv-2021")

# Network, variant, cycles at 64 x 64 of the paper (figure 8a) and of the released code.
TOTALS = [
    ("mobilenet_v1", "baseline", 2_536_900, 2_521_760),
    ("mobilenet_v1", "fuse_full", 621_300, 621_072),
    ("mobilenet_v1", "fuse_half", 375_260, 375_032),
    ("mobilenet_v2", "baseline", 2_979_156, 2_961_936),
    ("mobilenet_v2", "fuse_full", 576_770, 576_542),
    ("mobilenet_v2", "fuse_half", 411_910, 411_682),
    ("mobilenet_v3_large_fuseconv", "baseline", 2_018_189, 2_003_753),
    ("mobilenet_v3_large_fuseconv", "fuse_full", 558_553, 558_357),
    ("mobilenet_v3_large_fuseconv", "fuse_half", 370_097, 369_901),
]

# Speed-up of Full over the baseline, fuseconv-2020, by array side: V1, V2, V3-Large.
SCALING = {32: (2.0237, 3.3503, 2.4801), 64: (4.0832, 5.1652, 3.6132)}

# Speed-up of the 50 % variants at 64 x 64, fuseconv-2020: Half, Full.
HALF_VARIANTS = [
    ("mobilenet_v2", 2.17, 2.05),
    ("mnasnet_b1", 1.97, 1.88),
    ("mobilenet_v3_small_fuseconv", 1.69, 1.60),
    ("mobilenet_v3_large_fuseconv", 1.83, 1.76),
]

# Depthwise layers at 64 x 64, fuseconv-2020: KxK, pair of Full, pair of Half.
LAYERS = {
    "mobilenet_v1": """
        457856 15008 7504, 233088 15008 7504, 457856 15008 7504, 118912 7504 3752,
        230656 15008 7504, 62976 7504 3752, 118784 15008 7504, 118784 15008 7504,
        118784 15008 7504, 118784 15008 7504, 118784 15008 7504, 33280 7504 3752,
        59392 15008 7504""",
    "mobilenet_v2": """
        457856 15008 7504, 349632 22512 11256, 515088 16884 8442, 133776 8442 4222,
        172992 11256 5628, 172992 11256 5628, 47232 5628 2814, 89088 11256 5628,
        89088 11256 5628, 89088 11256 5628, 89088 11256 5628, 133632 16884 8442,
        133632 16884 8442, 37440 8442 4222, 55680 14070 7102, 55680 14070 7102,
        55680 14070 7102""",
}

# One layer at 64 x 64: operator, input, cycles of the paper and of the released code.
CHECKS = [
    (Conv2d(32, (3, 3), (2, 2), 1), (3, 224, 224), 24_140, 23_912),
    (Depthwise((3, 3)), (32, 112, 112), 457_856, 457_856),
    (Depthwise((3, 3), (2, 2)), (64, 112, 112), 233_088, 228_928),
    (Conv2d(64, (3, 3), (2, 2), 1, groups=64), (64, 112, 112), 233_088, 228_928),
    (Pointwise(64), (32, 112, 112), 31_164, 31_164),
    (Pointwise(128), (64, 56, 56), 18_718, 18_718),
    (Depthwise((1, 3)), (16, 112, 112), 3_752, 3_752),
    (Depthwise((1, 3), (2, 2)), (32, 112, 112), 3_752, 3_752),
    (Depthwise((1, 3)), (32, 112, 112), 7_504, 7_504),
    (Depthwise((3, 1)), (32, 112, 112), 7_504, 7_504),
    (Linear(1000), (1024, 1, 1), 17_384, 17_384),
    (Linear(1000), (1280, 1, 1), 21_480, 21_480),
    (Linear(4), (16, 1, 1), 20, 20),
    (Pointwise(16), (4, 1, 1), 20, 20),
]

# SCALE-Sim v3: network, depthwise convention, array side, total compute cycles in os, ws, is.
SCALESIM = [
    ("mobilenet_v1", "one-filter", 32, (1_448_180, 1_599_384, 2_565_628)),
    ("mobilenet_v1", "per-channel", 32, (5_352_953, 3_318_011, 6_913_201)),
    ("mobilenet_v2", "one-filter", 64, (743_135, 850_530, 1_508_301)),
    ("mobilenet_v2", "per-channel", 64, (5_713_898, 3_975_461, 8_013_518)),
]


def total(timing: published.Timing, network: Network) -> int:
    return sum(timing.cost(x, network.in_shapes(x)).cycles for x in network.layers)


def cycles(timing, op, shape):
    return timing.cost(Layer("it", op, (INPUT,)), (shape,)).cycles


@pytest.mark.parametrize(("name", "variant", "paper", "release"), TOTALS)
def test_fuseconv_totals(name, variant, paper, release):
    network = networks.get(name, variant)
    totals = [total(published.get(timing, 64, 64), network) for timing in BOTH]
    assert totals == [paper, release]


@pytest.mark.parametrize("side", SCALING)
def test_fuseconv_speed_up_over_array_size(side):
    timing = published.get("fuseconv-2020", side, side)
    names = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large_fuseconv")
    ratios = [
        total(timing, networks.get(n)) / total(timing, networks.get(n, "fuse_full")) for n in names
    ]
    assert tuple(round(ratio, 4) for ratio in ratios) == SCALING[side]


def test_full_is_slower_than_mobilenet_v1_on_a_small_array():
    timing = published.get("fuseconv-2020", 8, 8)
    slower = total(timing, networks.mobilenet_v1("fuse_full"))
    assert slower > total(timing, networks.mobilenet_v1())


@pytest.mark.parametrize(("name", "half", "full"), HALF_VARIANTS)
def test_fuseconv_half_variants(name, half, full):
    timing = published.get("fuseconv-2020", 64, 64)
    baseline = total(timing, networks.get(name))
    ratios = [
        baseline / total(timing, networks.get(name, v)) for v in ("fuse_half_50", "fuse_full_50")
    ]
    assert [round(ratio, 2) for ratio in ratios] == [half, full]


@pytest.mark.parametrize("name", LAYERS)
def test_fuseconv_depthwise_layers(name):
    timing = published.get("fuseconv-2020", 64, 64)
    columns = []
    for variant in ("baseline", "fuse_full", "fuse_half"):
        network = networks.get(name, variant)
        sums: dict[str, int] = {}
        for layer in network.layers:
            if isinstance(layer.op, Depthwise):
                block = layer.name.partition(".")[0]
                cost = timing.cost(layer, network.in_shapes(layer))
                sums[block] = sums.get(block, 0) + cost.cycles
        columns.append(list(sums.values()))
    expected = [[int(n) for n in row.split()] for row in LAYERS[name].split(",")]
    assert [list(row) for row in zip(*columns, strict=True)] == expected


@pytest.mark.parametrize(("op", "shape", "paper", "release"), CHECKS)
def test_fuseconv_worked_checks(op, shape, paper, release):
    counts = [cycles(published.get(timing, 64, 64), op, shape) for timing in BOTH]
    assert counts == [paper, release]


def test_versions_count_column_folds_differently():
    # 14 + 4 zeros exceed 16 columns in the released code only: 8 x 14 lines are 7 row folds.
    op, shape = Depthwise((1, 5)), (8, 14, 14)
    counts = [cycles(published.get(timing, 16, 16), op, shape) for timing in BOTH]
    assert counts == [7 * 21, 7 * 21 * 2]


def test_released_version_takes_rectangles():
    # 1 x 3: 30 lines on 8 rows are 4 folds, halved by the stride; 12 columns on 4 are 3 folds of 7.
    timing = published.get("fuseconv-2021", 8, 4)
    assert cycles(timing, Depthwise((1, 3), (2, 2)), (3, 10, 10)) == 2 * 3 * 7
    # Fold by fold: 10 x 6 results of 5 products in folds of 8, 2 rows by 4, 2 columns.
    folds = [5 + r + c - 1 for r in (8, 2) for c in (4, 2)]
    assert cycles(timing, Pointwise(6), (5, 2, 5)) == sum(folds)


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.parametrize("pixels", [Fraction(1), Fraction(7), Fraction(56), Fraction(169, 4)])
@pytest.mark.parametrize("filters", [1, 5, 12])
def test_gemm_is_the_sum_over_its_folds(rows, columns, pixels, filters):
    taps = 9
    expected = Fraction(0)
    top = Fraction(0)
    while top < pixels:
        for left in range(0, filters, columns):
            expected += taps + min(rows, pixels - top) + min(columns, filters - left) - 1
        top += rows
    assert gemm(pixels, taps, filters, rows, columns) == int(expected)


@pytest.mark.parametrize("timing", BOTH)
def test_lines_are_floating_point_as_in_the_code(timing):
    # 25 lines on one row, a stride of 3 and folds of 15 would be 125; its floats are a little more.
    assert 25 / 3 * 15 > 125
    sizes, shape = {
        "fuseconv-2020": ((12, 12), (300, 1, 1)),
        "fuseconv-2021": ((1, 12), (25, 1, 9)),
    }[timing]
    assert cycles(published.get(timing, *sizes), Depthwise((1, 3), (3, 3)), shape) == 126


@pytest.mark.parametrize(("name", "depthwise", "side", "expected"), SCALESIM)
def test_scalesim_totals(name, depthwise, side, expected):
    network = networks.get(name)
    totals = [
        total(published.get("scalesim", side, side, dataflow, depthwise), network)
        for dataflow in ("os", "ws", "is")
    ]
    assert tuple(totals) == expected


def test_scalesim_reports_one_short():
    # A 4 x 4 array, os, K = 4: it reports 9 where the array needs 10.
    assert cycles(published.get("scalesim", 4, 4, "os"), Pointwise(4), (4, 2, 2)) == 9


@pytest.mark.parametrize(("dataflow", "expected"), [("os", 9 + 3), ("ws", 6 + 5), ("is", 2 + 5)])
def test_scalesim_rectangles(dataflow, expected):
    # 6 pixels, 2 filters, 9 products on 2 rows and 3 columns: fold counts differ by dataflow.
    folds = {"os": 3 * 1, "ws": 5 * 1, "is": 5 * 2}[dataflow]
    timing = published.get("scalesim", 2, 3, dataflow)
    assert cycles(timing, Pointwise(2), (9, 2, 3)) == folds * expected - 1


@pytest.mark.parametrize("timing", published.TIMINGS)
def test_what_publications_leave_out_is_marked(timing):
    model = published.get(timing, 8, 8, "ws" if timing == "scalesim" else "auto")
    assert model.name == timing
    shape, gates = (4, 6, 6), (4, 1, 1)
    for op, shapes in [
        (Pool("max", (2, 2)), (shape,)),
        (GlobalPool(), (shape,)),
        (Add(), (shape, shape)),
        (Concat(), (shape, shape)),
        (Scale(), (shape, gates)),
    ]:
        inputs = tuple(f"i{n}" for n in range(len(shapes)))
        assert model.cost(Layer("it", op, inputs), shapes) == published.NOT_MODELLED
    cost = model.cost(Layer("it", Depthwise((1, 3)), (INPUT,)), (shape,))
    assert cost.dataflow is not None
    assert cost.cycles > 0


@pytest.mark.parametrize("timing", BOTH)
def test_fuseconv_runs_one_dimensional_layers_along_rows(timing):
    layer = Layer("it", Depthwise((1, 3)), (INPUT,))
    assert published.get(timing, 8, 8).cost(layer, ((4, 6, 6),)).dataflow == "rows"


def test_models_are_asked_in_each_of_their_dataflows():
    assert {name for name, _ in MODELS} == set(published.TIMINGS)
    assert [dataflow for name, dataflow in MODELS if name == "scalesim"] == ["os", "ws", "is"]


@pytest.mark.parametrize("timing", published.TIMINGS)
@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (Conv2d(4, (3, 3), dilation=(1, 2)), "dilation 1x2"),
        (Depthwise((3, 3), dilation=(2, 2)), "dilation 2x2"),
        (Conv2d(4, (3, 3), groups=2), "2 groups of 4 channels"),
        (Pointwise(8, groups=2), "2 groups of 4 channels"),
        (Depthwise((3, 3), multiplier=2), "2 output channels per input channel"),
        (Depthwise(kernels=((3, 3), (1, 3), (3, 3), (3, 1))), "kernel shapes that differ"),
        (ConvTranspose2d(4, (2, 2), (2, 2)), "transposed convolutions"),
        (ConvTranspose2d(4, (3, 3)), "transposed convolutions"),
        (Conv2d(4, (1, 2), mask=((1, 0),)), "kernels of which only some taps exist"),
    ],
)
def test_what_no_publication_covers(timing, op, reason):
    model = published.get(timing, 8, 8, "os" if timing == "scalesim" else "auto")
    with pytest.raises(UnsupportedError, match=rf"{timing} does not cover {reason}.*layer it\)"):
        cycles(model, op, (4, 9, 9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fuseconv-2020", 32, 64), "square arrays, not 32x64"),
        (("fuseconv-2021", 8, 8, "os"), "must be auto, not 'os'"),
        (("scalesim", 8, 8), "needs one dataflow of os, ws, is, not 'auto'"),
        (("scalesim", 8, 8, "os,ws"), "not 'os,ws'"),
        (("scalesim", 8, 8, "rows"), "not 'rows'"),
        (("scalesim", 8, 8, "os", "both"), "one-filter or per-channel, not 'both'"),
        (("fuseconv", 8, 8), "no published timing 'fuseconv'; there are fuseconv-2020, "),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UnsupportedError, match=message):
        published.get(*arguments)


def test_the_paper_takes_one_stride():
    with pytest.raises(UnsupportedError, match="one stride for both axes, not 1x2"):
        cycles(published.get("fuseconv-2020", 8, 8), Depthwise((3, 3), (1, 2)), (4, 9, 9))


@pytest.mark.parametrize("timing", BOTH)
@pytest.mark.parametrize("kernel", [(1, 3), (3, 1)])
def test_layers_of_few_channels(timing, kernel):
    """Lines from two channels on; one channel is one group, which the code asks for first."""
    model, op = published.get(timing, 8, 8), Depthwise(kernel)
    for channels in (2, 3):
        expected = math.ceil(14 * channels / 8) * (8 + 3) * math.ceil(14 / 8)
        assert model.cost(Layer("d", op, (INPUT,)), ((channels, 14, 14),)) == (expected, "rows")
    folds = sum(3 + min(8, 14 * 14 - first) for first in range(0, 14 * 14, 8))
    assert model.cost(Layer("d", op, (INPUT,)), ((1, 14, 14),)) == (folds, "os")
