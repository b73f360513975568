"""The depthwise engine's schedule and golden model, and how layers are cut for it."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim import networks
from accelsim.dataflows import tap_lists, tap_serial
from accelsim.dataflows.base import gather
from accelsim.engines import depthwise
from accelsim.engines.base import passes_of
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.hls.nest import operations
from accelsim.ir import Conv, Live
from accelsim.limits.depthwise import limits
from accelsim.passes import (
    DepthwiseOpcode,
    DepthwisePass,
    Repeat,
    depthwise_command,
    depthwise_words,
)
from accelsim.simulation import simulate
from tests.accelsim.engines.depthwise.convolutions import (
    LARGE_KERNELS,
    SMALL_KERNELS,
    convolutions,
    engines,
    lists,
    operands,
    plans_of,
    sparse,
    whole_kernel,
)
from tests.naive import operators as naive
from tests.naive.depthwise_law import law, law_with_fill, tile_clocks

# On an engine for dilations up to 8, every third column.
NINE_APART = Conv(1, 3, 9, 1, 3, 9, 1, 13, pl=6, groups=1, live=(Live(1, (1, 10)),))
EVERY = convolutions(kernels=SMALL_KERNELS + LARGE_KERNELS, most_size=30)


def expected(conv, x, w):
    """The layer by nested loops, image by image, with zeros for taps that are not live.

    Padding below and on the right is what the output size implies.
    """
    if conv.n > 1:
        return np.stack([expected(conv._replace(n=1), image, w) for image in x])
    bottom = (conv.oh - 1) * conv.sh + (conv.fh - 1) * conv.dh + 1 - conv.pt - conv.h
    right = (conv.ow - 1) * conv.sw + (conv.fw - 1) * conv.dw + 1 - conv.pl - conv.w
    padding = (conv.pt, max(0, bottom), conv.pl, max(0, right))
    w = whole_kernel(conv, w)
    whole = naive.conv2d(x, w, (conv.sh, conv.sw), padding, (conv.dh, conv.dw), conv.groups)
    return whole[:, : conv.oh, : conv.ow]


@settings(max_examples=120)
@given(convolutions(most_size=9, most_channels=5), engines(), st.integers(0, 1 << 30))
def test_every_plan_computes_the_convolution(conv, engine, seed):
    check(conv, engine, seed)


@settings(max_examples=250)
@given(lists() | sparse(convolutions(most_size=9)), engines(most=5), st.integers(0, 1 << 30))
@example(NINE_APART, DepthwiseEngine(2, 3), 0)
def test_every_list_of_taps_computes_the_convolution(conv, engine, seed):
    check(conv, engine, seed)


def check(conv, engine, seed):
    """Every plan by golden, beside naive loops."""
    x, w = operands(np.random.default_rng(seed), conv)
    right = expected(conv, x, w)
    for plan in plans_of(tap_serial, conv, engine):
        depthwise.ENGINE.check(engine, plan.body)
        program = tap_serial.program(conv, engine, plan)
        words = depthwise.golden(engine, program.commands, *program.operands(x, w, engine))
        assert np.array_equal(gather(program.dest, words, right.size).reshape(right.shape), right)


@settings(max_examples=300)
@given(EVERY | sparse(EVERY) | lists(), engines(), engines())
def test_the_loop_nest_follows_the_law(conv, engine, other):
    for plan in plans_of(tap_serial, conv, engine):
        rule = law_with_fill if engine.fill_port else law
        assert depthwise.ENGINE.cycles(engine, plan.body) == rule(engine, plan.body)
    # Kernels of several shapes in one sequence.
    first, *_ = plans_of(tap_serial, conv, engine)
    (work,) = first.body[0].body
    small = Repeat(3, (work._replace(fh=1, fw=1, channels=1),))
    mixed = (*first.body, small, *first.body)
    rule = law_with_fill if engine.fill_port else law
    assert depthwise.ENGINE.cycles(engine, mixed) == rule(engine, mixed)


@given(EVERY | sparse(EVERY) | lists(), engines())
def test_tiles_and_multiplies(conv, engine):
    for plan in plans_of(tap_serial, conv, engine):
        for p in passes_of(plan.body):
            runs = [
                run.clocks
                for trips, row in depthwise.schedule.tiles(engine.pixels, p)
                for _ in range(trips)
                for run in row
                for _ in range(run.trips)
            ]
            assert runs == tile_clocks(engine.pixels, p)
            assert depthwise.schedule.tile_count(engine, p) == len(runs)
        nest = depthwise.schedule.nest(engine, plan.body)
        executed = sum(depthwise.schedule.macs(engine, p) for p in passes_of(plan.body))
        assert operations(nest) == executed


@given(st.lists(convolutions(most_size=30), min_size=1, max_size=4), engines())
def test_words_of_a_table_are_those_of_its_passes(convs, engine):
    passes = [
        p
        for conv in convs
        for plan in plans_of(tap_serial, conv, engine)
        for p in passes_of(plan.body)
    ]
    sizes = engine.pixels, engine.result_lanes
    found = depthwise_words(DepthwisePass(*np.array(passes, np.int64).T), *sizes)
    one_by_one = [depthwise_words(p, *sizes) for p in passes]
    assert np.array_equal(np.transpose(found), one_by_one)
    assert all(type(count) is int for words in one_by_one for count in words)
    for p, words in zip(passes, one_by_one, strict=True):
        assert words.map == depthwise.schedule.words(engine, p)
        tiles = len(tile_clocks(engine.pixels, p))
        assert words.results == tiles * -(-p.channels // engine.result_lanes)


@settings(max_examples=60)
@given(convolutions(), engines(most=6))
def test_taps_lie_where_their_values_are(conv, engine):
    """Value (y, x) of a map is found at the place that a tap of an output says."""
    for plan in plans_of(tap_serial, conv, engine):
        p = plan.body[0].body[0]
        layout, pixels = p.layout(engine.pixels), engine.pixels
        places = tap_serial.tap_places(p, pixels)
        assert places[:, 1].min() >= 0
        assert places[:, 1].max() < pixels
        at = {}
        for y in range(p.h):
            for x in range(p.w):
                plane = (y % p.sh * p.sw + x % p.sw) * layout.plane_words * pixels
                at[y, x] = plane + y // p.sh * layout.pitch + x // p.sw
        assert len(set(at.values())) == p.h * p.w
        assert max(at.values()) < depthwise.schedule.words(engine, p) * pixels
        for oy, ox in {(0, 0), (p.oh - 1, p.ow - 1), (p.oh // 2, p.ow // 2)}:
            if p.opcode == DepthwiseOpcode.ROW:
                word, pixel = oy * layout.row_words + ox // pixels, ox % pixels
            else:
                word, pixel = divmod(oy * layout.pitch + ox, pixels)
            for tap, (down, shift) in enumerate(places.tolist()):
                ky, kx = divmod(tap, p.fw)
                y, x = oy * p.sh + ky * p.dh - p.pt, ox * p.sw + kx * p.dw - p.pl
                if (y, x) in at:
                    assert at[y, x] == (word + down) * pixels + shift + pixel


@pytest.mark.parametrize(
    ("name", "most"), [("mobilenet_v2", 46_000), ("mobilenet_v3_small", 18_000)]
)
def test_depthwise_layers_of_mobilenets_at_8x64(name, most):
    network = networks.get(name)
    hardware = Hardware(SystolicArray(64, 64), depthwise=DepthwiseEngine(8, 64))
    result = simulate(network, hardware, depthwise_on="engine")
    cycles = [layer.cycles for layer in result.layers if layer.op == "depthwise"]
    assert len(cycles) in (17, 11)
    assert sum(cycles) <= most


@pytest.mark.parametrize(
    ("c", "h", "kernel", "stride", "lanes", "pixels"),
    [
        (16, 56, (3, 3), 1, 8, 8),
        (16, 56, (7, 7), 1, 8, 28),
        (8, 112, (3, 3), 2, 8, 56),
        (8, 28, (5, 5), 1, 8, 16),  # flat: 784 pixels in 49 tiles
        (8, 112, (1, 11), 1, 8, 16),
        (16, 112, (11, 1), 1, 8, 112),
        (8, 64, (2, 2), 1, 4, 64),
        (8, 56, (31, 31), 1, 8, 14),
    ],
)
def test_full_lanes_and_pixels_come_close_to_the_bound(c, h, kernel, stride, lanes, pixels):
    out = h // stride
    pad = (kernel[0] - 1) // 2, (kernel[1] - 1) // 2
    conv = Conv(c, h, h, c, out, out, *kernel, stride, stride, 1, 1, *pad, c)
    engine = DepthwiseEngine(lanes, pixels)
    best = min(
        depthwise.ENGINE.cycles(engine, plan.body) for plan in plans_of(tap_serial, conv, engine)
    )
    assert best <= 1.05 * max(conv.macs / engine.multipliers, c * out * out / pixels)


def test_a_map_beyond_the_bank_runs_in_stripes():
    conv = Conv(3, 40, 40, 3, 40, 40, 3, 3, pt=1, pl=1, groups=3)
    engine = DepthwiseEngine(2, 4, bank_depth=128)
    plans = list(plans_of(tap_serial, conv, engine))
    assert min(plan.tiling.stripes for plan in plans) > 6  # 400 words in halves of 64
    for plan in plans:
        if not any(limits(engine, p) for p in passes_of(plan.body)):
            break
    else:
        pytest.fail("no plan fits")


@pytest.mark.parametrize(
    "conv",
    [
        Conv(3, 5, 4, 3, 310, 4, 3, 3, pt=307, pl=1, groups=3),
        Conv(2, 20000, 3, 2, 20000, 3, 3, 1, pt=1, groups=2),
        Conv(2, 5, 3, 2, 9000, 3, 1, 1, 2, pt=17995, groups=2),
    ],
    ids=["padding", "rows of the map", "rows and stride"],
)
def test_what_is_too_much_for_one_pass_runs_in_stripes(conv):
    engine = DepthwiseEngine(2, 4, bank_depth=1 << 16)
    x, w = operands(np.random.default_rng(2), conv)
    right = expected(conv, x, w)
    assert right[:, -1].any()
    first, *others = plans_of(tap_serial, conv, engine)
    assert first.tiling.stripes == 2
    for plan in (first, *others):
        depthwise.ENGINE.check(engine, plan.body)
    program = tap_serial.program(conv, engine, first)
    words = depthwise.golden(engine, program.commands, *program.operands(x, w, engine))
    assert np.array_equal(gather(program.dest, words, right.size).reshape(right.shape), right)


@pytest.mark.parametrize("oh", [1, 2, 3, 17, 40])
def test_a_map_runs_in_as_few_stripes_as_fit(oh):
    conv = Conv(3, oh, 40, 3, oh, 40, 3, 3, pt=1, pl=1, groups=3)
    for words in range(4, 1000, 12):
        engine = DepthwiseEngine(2, 4, bank_depth=words)
        fits = [
            stripes
            for stripes in range(1, oh + 1)
            for h in [oh if stripes == 1 else -(-oh // stripes) + 2]
            if 2 * h * 10 <= words
        ]
        plans = list(plans_of(tap_serial, conv, engine))
        assert plans[0].tiling.stripes == min(fits, default=oh)


def test_limits_name_the_thinnest_stripe():
    engine = DepthwiseEngine(4, 4)
    for rows in (99999, 10**9):
        conv = Conv(4, rows, 9999, 4, rows, 9999, 3, 3, pt=1, pl=1, groups=4)
        plan = next(plans_of(tap_serial, conv, engine))
        # 3 rows of 2500 words in halves of 2048.
        reason = limits(engine, plan.body[0].body[0])
        assert reason is not None
        assert reason.startswith(
            "map in words 7500 is more than the depthwise engine's 2048, half of 4096; a"
        )


def test_commands_carry_what_follows_from_a_pass():
    p = DepthwisePass(DepthwiseOpcode.FLAT, 5, 9, 10, 5, 4, 3, 3, 2, 3, pt=1, pl=1)
    command = depthwise_command(p, DepthwiseEngine(5, 4, 8, 6), map=7, taps=9, last=1)
    # ceil(10 / 3) = 4 columns in a plane of ceil(9 / 2) = 5 rows: 20 values in 5 words, 6 planes.
    # Tiles are 4 pixels: a row each, 5 of them. 20 operands come in by 6.
    assert command[1:] == (4 * 3, 2, 0, 4 * 2, 3 * 3, 0, 5, 3, 6 * 5, 4, 9, 7, 9, 1)
    flat = depthwise_command(p, DepthwiseEngine(5, 7), map=0, taps=0, last=0)
    # 7 pixels are a row of 4 and 3 columns of 3; 3 tiles of 7 are the 20 outputs.
    assert flat[1:6] == (12, 2, 9, 8, 9)
    assert flat[7:9] == (3, 5)
    work = p._replace(opcode=DepthwiseOpcode.ROW)
    row = depthwise_command(work, DepthwiseEngine(5, 3), map=0, taps=0, last=0)
    # 2 words of 3 values a plane row, 5 rows, 6 planes; 2 tiles a row of 4 outputs.
    assert row[1:] == ((1 << 15) - 1, 0, 9, 8, 9, 2, 2, 5, 60, 1, 9, 0, 0, 0)


@pytest.mark.parametrize("results", [7, 112], ids=["narrow", "wide"])
@pytest.mark.parametrize("size", [7, 14, 28, 56])
@pytest.mark.parametrize("kernel", [3, 5, 7, 9, 31])
def test_a_tenth_of_a_kernel_takes_a_tenth_of_the_clocks(kernel, size, results):
    """Of every tile at most 1.25 clocks for a live tap, or for a result word where these are more.

    For any tenth of the taps, as learned ones are (LHC, arXiv 2301.05440).
    """
    engine = DepthwiseEngine(16, 7, results)
    rng = np.random.default_rng((kernel, size))
    live = max(1, round(0.1 * kernel * kernel))
    taps = np.sort(rng.choice(kernel * kernel, live, replace=False))
    layer = Conv(256, size, size, 256, size, size, kernel, kernel, groups=256)
    layer = layer._replace(pt=kernel // 2, pl=kernel // 2, live=(Live(1, tuple(taps.tolist())),))
    drain = 16 * 7 // results
    tiles = 256 // 16 * min(size * -(-size // 7), -(-size * size // 7))
    clocks = min(
        depthwise.ENGINE.cycles(engine, plan.body)
        for plan in plans_of(tap_serial, layer, engine)
        if not any(limits(engine, p) for p in passes_of(plan.body))
    )
    assert clocks <= 1.25 * max(live, drain) * tiles


@settings(max_examples=150)
@given(lists(), engines(most=5), st.sampled_from(DepthwiseOpcode), st.booleans())
def test_lists_are_ranked_by_their_clocks(conv, engine, opcode, rows):
    """Their rows and columns are those of the fewest clocks; where columns are stored, exactly."""
    made = tap_lists.live(conv, engine, opcode, conv.oh, tap_lists.Padded(rows, True))
    wrong, clocks, map_words = tap_lists._rank(engine, made.work)
    assert not wrong
    assert clocks == sum(tile_clocks(engine.pixels, made.work))
    assert map_words == depthwise.schedule.words(engine, made.work)
    taps = max(1, sum(made.taps >= 0))
    if rows and taps <= engine.max_kernel:  # a column of them all would do
        assert clocks <= taps * made.work.tiles(engine.pixels)


def test_a_list_runs_where_its_kernel_is_too_large():
    """Eight taps of 13 x 13 on an engine for 3 x 3, in half of a tap memory of 18; not ten."""
    engine = DepthwiseEngine(2, 3, max_kernel=3, tap_depth=18, max_padding=4)
    taps = (0, 12, 20, 40, 84, 100, 156, 168, 77, 78)
    layer = Conv(2, 20, 20, 2, 8, 8, 13, 13, groups=2)
    for count in (8, 10):
        live = Live(1, tuple(sorted(taps[:count])))
        reasons, legal = [], []
        for plan in plans_of(tap_serial, layer._replace(live=(live,)), engine):
            reason = limits(engine, plan.body[0].body[0])
            (reasons if reason else legal).append(reason)
        assert (len(legal) > 0) == (count == 8)
    assert all("a larger max_kernel in [depthwise]" in reason for reason in reasons)
