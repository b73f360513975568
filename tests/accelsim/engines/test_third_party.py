"""Third-party engines against the tables and formulas of their publications, and on data."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.engines import third_party as peers
from accelsim.hardware import ColumnArray, Gemmini, TapSerial, WindowEngine
from accelsim.hls.csim import execute
from accelsim.hls.nest import MULTIPLY, Loop, Section, Task, operations
from accelsim.ir import Conv
from tests.naive import operators as naive

# The comparison of windows of nine multipliers with serial taps: kernel, taps, passes, slots of
# multipliers, utilisation in percent; 12 kernels as published, of which 3 also transposed.
WINDOW_TABLE = (
    ((1, 1), 1, 1, 9, "11.1"),
    ((2, 2), 4, 1, 9, "44.4"),
    ((3, 3), 9, 1, 9, "100.0"),
    ((1, 5), 5, 2, 18, "27.8"),
    ((5, 1), 5, 2, 18, "27.8"),
    ((5, 5), 25, 4, 36, "69.4"),
    ((1, 7), 7, 3, 27, "25.9"),
    ((7, 7), 49, 9, 81, "60.5"),
    ((1, 11), 11, 4, 36, "30.6"),
    ((11, 1), 11, 4, 36, "30.6"),
    ((11, 11), 121, 16, 144, "84.0"),
    ((13, 13), 169, 25, 225, "75.1"),
    ((27, 27), 729, 81, 729, "100.0"),
    ((29, 29), 841, 100, 900, "93.4"),
    ((31, 31), 961, 121, 1089, "88.2"),
    ((51, 5), 255, 34, 306, "83.3"),
)

# Depthwise layers of MobileNets on an array 64 rows high, in one of its columns, as the authors of
# FuSeConv count them: channels, map, stride, cycles.
FUSECONV_BASELINE = (
    (32, 112, 1, 457_856),
    (64, 112, 2, 228_928),
    (144, 56, 1, 515_088),
    (192, 28, 1, 172_992),
    (512, 14, 1, 118_784),
    (1024, 7, 1, 59_392),
    (960, 7, 1, 55_680),
)


def depthwise(channels, out, kernel, stride=1, dilation=1):
    """A depthwise Conv without padding that makes out = (rows, columns)."""
    size = [(o - 1) * stride + dilation * (k - 1) + 1 for o, k in zip(out, kernel, strict=True)]
    return Conv(
        *(channels, *size, channels, *out, *kernel),
        *(stride, stride, dilation, dilation),
        groups=channels,
    )


def utilization(engine, conv):
    return Fraction(conv.macs, engine.multipliers * peers.nest(engine, conv).latency)


@pytest.mark.parametrize("row", WINDOW_TABLE, ids=lambda row: "x".join(map(str, row[0])))
@pytest.mark.parametrize("parallel", [(1, 1), (4, 3)], ids=str)
def test_windows_of_nine_multipliers_are_used_as_published(row, parallel):
    kernel, taps, passes, slots, percent = row
    channels, pixels = parallel
    conv = depthwise(2 * channels, (5, 2 * pixels), kernel)
    engine = WindowEngine(channels, pixels)
    tiles = 2 * 5 * 2
    cycles = peers.nest(engine, conv).latency
    assert cycles == tiles * passes
    assert cycles * engine.multipliers == tiles * slots * channels * pixels
    assert conv.macs == tiles * taps * channels * pixels
    assert f"{100 * float(utilization(engine, conv)):.1f}" == percent


@pytest.mark.parametrize("row", WINDOW_TABLE, ids=lambda row: "x".join(map(str, row[0])))
@pytest.mark.parametrize("dilation", [1, 3])
def test_serial_taps_waste_no_multiplier_on_any_kernel(row, dilation):
    engine = TapSerial(4, 8, 4, 4, 16)
    assert engine.multipliers == 512
    assert utilization(engine, depthwise(32, (8, 16), row[0], dilation=dilation)) == 1


def test_serial_taps_take_time_in_proportion_to_the_taps():
    engine = TapSerial(8, 8, 8, 1, 2)
    cycles = {
        kernel: peers.nest(engine, depthwise(13, (10, 9), kernel)).latency
        for kernel in ((3, 3), (5, 5), (7, 7), (1, 11))
    }
    for kernel, ratio in (((5, 5), "2.78"), ((7, 7), "5.44"), ((1, 11), "1.22")):
        assert f"{cycles[kernel] / cycles[3, 3]:.2f}" == ratio


@given(
    st.tuples(*[st.integers(1, 9)] * 6),
    st.tuples(*[st.integers(1, 5)] * 4),
    st.integers(1, 25),
)
def test_serial_taps_follow_their_formula(sizes, split, lanes):
    oh, ow, k, c, fh, fw = sizes
    engine = TapSerial(*split, depthwise=min(lanes, split[2] * split[3]))
    tiles = ceil(oh / split[0]) * ceil(ow / split[1])
    regular = Conv(c, oh + fh - 1, ow + fw - 1, k, oh, ow, fh, fw)
    expected = tiles * ceil(k / split[2]) * ceil(c / split[3]) * fh * fw
    assert peers.nest(engine, regular).latency == expected
    channels = c + 1
    expected = tiles * ceil(channels / engine.depthwise) * fh * fw
    assert peers.nest(engine, depthwise(channels, (oh, ow), (fh, fw))).latency == expected


def test_depthwise_layers_leave_idle_what_they_cannot_use():
    full, quarter = TapSerial(8, 8, 8, 1, 8), TapSerial(8, 8, 8, 1, 2)
    conv = depthwise(16, (16, 16), (3, 3))
    assert utilization(full, conv) == 1
    assert utilization(quarter, conv) == Fraction(1, 4)


@pytest.mark.parametrize("layer", FUSECONV_BASELINE, ids=str)
def test_one_column_is_the_baseline_of_fuseconv(layer):
    channels, size, stride, cycles = layer
    out = ceil(size / stride)
    conv = Conv(
        *(channels, size, size, channels, out, out, 3, 3, stride, stride),
        pt=1,
        pl=1,
        groups=channels,
    )
    assert peers.nest(ColumnArray(64, 1), conv).latency == cycles
    assert peers.nest(ColumnArray(64, 8), conv).latency == cycles // 8


ENGINES = (
    TapSerial(2, 3, 2, 3, 4),
    TapSerial(1, 1, 1, 1, 1),
    WindowEngine(2, 3),
    ColumnArray(4, 2),
    Gemmini(4),
    Gemmini(6),
)


@st.composite
def convs(draw):
    """Small convolutions of every kind, padded on all sides."""
    groups = draw(st.integers(1, 3))
    depth = 1 if groups > 1 and draw(st.booleans()) else draw(st.integers(1, 3))
    filters, oh, ow, fh, fw = draw(st.tuples(*[st.integers(1, 4)] * 5))
    sh, sw, dh, dw = draw(st.tuples(*[st.integers(1, 3)] * 4))
    pt, pl = draw(st.tuples(*[st.integers(0, 3)] * 2))
    reach_h = (oh - 1) * sh + dh * (fh - 1) + 1
    reach_w = (ow - 1) * sw + dw * (fw - 1) + 1
    h, w = max(1, reach_h - pt - draw(st.integers(0, 2))), max(1, reach_w - pl)
    shape = (groups * depth, h, w, groups * filters, oh, ow, fh, fw)
    return Conv(*shape, sh, sw, dh, dw, pt, pl, groups, draw(st.sampled_from((1, 1, 2, 3))))


def gemmini_commands(size, conv):
    """Pixels of every compute command, tile of weights by tile, as its convolution loop goes."""
    depth = conv.c // conv.groups
    together = 1 if depth > size or conv.dw > 1 else min(size // depth, conv.fw)
    rows, columns = conv.n * conv.oh, conv.ow
    if (conv.fh, conv.fw, conv.sh, conv.sw) == (1, 1, 1, 1):
        rows, columns = 1, conv.n * conv.oh * conv.ow
    for _ in range(conv.groups):
        for _ in range(0, conv.k // conv.groups, size):
            for _ in range(conv.fh):
                for _ in range(0, conv.fw, together):
                    for _ in range(0, depth, size):
                        yield [
                            min(size, columns - column)
                            for _ in range(rows)
                            for column in range(0, columns, size)
                        ]


@settings(deadline=None)
@given(st.data(), st.integers(4, 9))
def test_gemmini_takes_the_clocks_of_its_commands(data, size):
    conv = data.draw(convs())
    expected = 0
    for pixels in gemmini_commands(size, conv):
        *others, _ = pixels
        expected += sum(max(count, 4) for count in others) + size
    assert peers.nest(Gemmini(size), conv).latency == expected


def test_gemmini_uses_one_column_for_depthwise_layers():
    """By hand: 32 channels, 3 kernel rows of 3 taps at once, 112 rows of 7 tiles of 16 pixels."""
    engine = Gemmini(16)
    conv = depthwise(32, (112, 112), (3, 3))
    assert peers.nest(engine, conv).latency == 32 * 3 * 112 * 7 * 16
    assert utilization(engine, conv) == Fraction(3, 16 * 16)
    assert utilization(engine, Conv(64, 14, 16, 64, 14, 16)) == 1
    assert utilization(engine, Conv(64, 14, 16, 64, 12, 16, 3, 1)) == 1


@settings(deadline=None, max_examples=60)
@given(convs(), st.sampled_from(ENGINES), st.integers(0, 2**32 - 1))
def test_the_nests_compute_the_convolution_in_the_clocks_that_they_state(conv, engine, seed):
    random = np.random.default_rng(seed)
    x = random.integers(-128, 128, conv.in_shape, np.int8)
    w = random.integers(-128, 128, (conv.k, conv.c // conv.groups, conv.fh, conv.fw), np.int8)
    bottom = (conv.oh - 1) * conv.sh + conv.dh * (conv.fh - 1) + 1 - conv.pt - conv.h
    right = (conv.ow - 1) * conv.sw + conv.dw * (conv.fw - 1) + 1 - conv.pl - conv.w
    padding = (conv.pt, max(bottom, 0), conv.pl, max(right, 0))
    images = x.reshape(conv.n, conv.c, conv.h, conv.w)
    how = (conv.sh, conv.sw), padding, (conv.dh, conv.dw), conv.groups
    expected = np.stack([naive.conv2d(image, w, *how) for image in images])
    values, clocks = peers.simulate(engine, conv, x, w)
    assert np.array_equal(values, expected[..., : conv.oh, : conv.ow].reshape(conv.out_shape))
    nest = peers.nest(engine, conv)
    assert clocks == nest.latency
    assert operations(nest) == conv.macs


def test_resources_are_the_multipliers():
    for engine in ENGINES:
        (part,) = peers.resources(engine)
        assert part.multipliers == engine.multipliers
    assert WindowEngine(2, 3).multipliers == 54
    assert TapSerial(2, 3, 5, 7).multipliers == 210
    assert ColumnArray(4, 2).multipliers == 8


# --- the C simulation itself


def test_clocks_of_a_c_simulation_follow_the_pragmas():
    """By hand: pipelined every 2 clocks, 3 of 5 iterations at a time, bodies of 4 clocks."""
    calls = []
    body = (Loop("a", 3), Loop("b", 2, unroll=2))
    assert execute(Loop("outer", 5, body, pipeline=2, unroll=3), calls.append) == 2 + 4
    assert calls[:5] == [
        {"outer": 0, "a": 0},
        {"outer": 0, "a": 1},
        {"outer": 0, "a": 2},
        {"outer": 0, "b": 0},
        {"outer": 0, "b": 1},
    ]
    assert len(calls) == 25
    assert execute(Loop("none", 0), calls.append) == 0


def test_tasks_cannot_be_executed():
    with pytest.raises(ValueError, match="task t has no iterations to execute"):
        execute(Loop("outer", 1, (Task("t", (Section(()),)),)), lambda at: None)


def test_multiplies_are_innermost():
    nest = peers.nest(ENGINES[0], Conv(4, 5, 5, 6, 5, 5))
    while nest.body:
        (nest,) = nest.body
    assert nest.name == MULTIPLY
