"""Sets of live taps of output channels: pieces by themselves, or joined, whatever is faster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.dataflows import Plan, tap_serial
from accelsim.engines import engine_of
from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.ir import INPUT, Layer, LayerList
from accelsim.lowering import Lowered, in_each_dataflow, joining, lower, parse_dataflows
from accelsim.lowering.joining import few, fewest, joinable, joined
from accelsim.ops import Conv2d, Depthwise
from accelsim.ops.geometry import convolve
from accelsim.ops.masks import Mask
from tests.accelsim.ops.test_masks import masked, stored
from tests.accelsim.ops.test_ops import ints
from tests.naive import operators as naive

ARRAYS = (SystolicArray(3, 5), SystolicArray(8, 4), SystolicArray(1, 16))


def layer(op):
    return Layer("probe", op, (INPUT,))


def expected_of(op, shape, live, seed):
    """The map, the weights as they are stored, and the sums by naive loops."""
    x, kernel = ints(seed, *shape), ints(seed + 1, *live.shape) * live
    sides = (op.padding,) * 4 if isinstance(op.padding, int) else op.padding
    groups = shape[0] // live.shape[1]
    sums = naive.conv2d(x, kernel, op.stride, sides, op.dilation, groups)
    return x, stored(kernel, live), sums


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(masked(), masked(depthwise=True)),
    st.sampled_from(ARRAYS),
    st.sampled_from(("os", "ws", "is", "rows", "auto")),
    st.sampled_from(("array", "engine")),
    st.integers(0, 99),
)
def test_registers_compute_naive_values_in_the_clocks_of_the_schedule(
    case, array, dataflow, place, seed
):
    op, shape, live = case
    hardware = Hardware(engines=(array, DepthwiseEngine(3, 4)))
    try:
        work = lower(layer(op), (shape,), hardware, parse_dataflows(dataflow, place))
    except UnsupportedError:
        return  # what a dataflow cannot run
    x, weights, expected = expected_of(op, shape, live, seed)
    sequence = work.sequence(x, weights)
    run = work.measure(sequence)
    assert np.array_equal(sequence.output(run.words), expected)
    assert run.busy_cycles == work.cycles
    assert work.dense_macs == weights.size * expected[0].size
    assert work.live_macs <= work.dense_macs - work.skipped_macs <= work.dense_macs
    assert work.cycles >= work.bound.cycles


@settings(max_examples=60, deadline=None)
@given(st.one_of(masked(), masked(depthwise=True)), st.integers(0, 99), st.data())
def test_joined_pieces_have_the_values_of_their_parts(case, seed, data):
    op, shape, live = case
    x, weights, expected = expected_of(op, shape, live, seed)
    pieces = list(op.lower(shape))
    while len(pieces) > 1:
        first = data.draw(st.integers(0, len(pieces) - 2))
        number = data.draw(st.integers(2, len(pieces) - first))
        whole = joined(pieces[first : first + number])
        if whole is None:
            break
        assert whole.conv.macs >= sum(conv.macs for conv in whole.exact)
        pieces[first : first + number] = [whole]
    made = np.zeros(expected.shape, np.int64)
    for piece in pieces:
        sums = convolve(piece.conv, piece.take_weights(weights), piece.take_input(x))
        piece.put(sums, made)
    assert np.array_equal(made, expected)
    exact = sum(conv.live_macs for piece in pieces for conv in piece.exact)
    assert exact == sum(piece.conv.live_macs for piece in op.lower(shape))


def checks(k, c):
    """Every output channel has taps that no other has: one piece each."""
    live = np.zeros((k, c, 3, 3), bool)
    for output in range(k):
        live[output, output % c, output // c % 3] = True
    return live


def test_narrow_sets_are_joined_where_that_is_faster():
    """Four outputs with one tap of nine in common with no other, on a wide and a narrow array."""
    op = Conv2d(4, (3, 3), mask=Mask.of(checks(4, 2)))
    wide, narrow = (
        lower(layer(op), ((2, 12, 12),), Hardware(SystolicArray(8, columns)), parse_dataflows("os"))
        for columns in (8, 1)
    )
    assert len(wide.pieces) < 4 == len(narrow.pieces)
    assert wide.dense_macs == narrow.dense_macs == 4 * 3 * 100


def test_no_way_to_join_is_slower_than_all_apart_or_all_as_one():
    rng = np.random.default_rng(1)
    hardware = Hardware(SystolicArray(8, 8))
    for density in (0.05, 0.3, 0.9):
        live = rng.random((24, 8, 3, 3)) < density
        live[0, 0, 0, 0] = True
        op = Conv2d(24, (3, 3), padding=1, mask=Mask.of(live))
        cycles = lower(layer(op), ((8, 10, 10),), hardware).cycles
        dense = lower(layer(Conv2d(24, (3, 3), padding=1)), ((8, 10, 10),), hardware).cycles
        assert cycles <= dense
        (whole,) = op.lower((8, 10, 10))[:0] or (joined(op.lower((8, 10, 10))),)
        assert whole.conv.k == sum(taps.any() for taps in live)


def test_clocks_choose():
    """By clocks that count pieces, all become one; by such that count products, none."""
    pieces = Conv2d(6, (3, 3), mask=Mask.of(checks(6, 2))).lower((2, 9, 9))
    assert joinable(pieces)
    assert len(fewest(pieces, len)) == 1
    assert fewest(pieces, lambda some: sum(piece.conv.macs for piece in some)) == pieces


def test_very_many_sets_are_looked_at_in_pairs(monkeypatch):
    monkeypatch.setattr(joining, "MOST_PIECES", 4)
    pieces = Conv2d(6, (3, 3), mask=Mask.of(checks(6, 2))).lower((2, 9, 8))
    assert len(pieces) == 6
    made = few.__wrapped__(pieces)
    assert [len(piece.parts) for piece in made] == [2, 2, 2]
    assert few.__wrapped__(pieces[:4]) == pieces[:4]


def test_what_cannot_be_joined():
    several = Depthwise(kernels=((3, 3), (1, 3), (3, 1), (3, 3))).lower((4, 5, 5))
    assert not joinable(several)
    assert joined(several) is None
    live = np.ones((4, 2, 1, 3), bool)
    live[1, 0] = live[2:, 1] = False  # two outputs in a group of one set, one of each in the other
    pieces = Conv2d(4, (1, 3), groups=2, mask=Mask.of(live)).lower((4, 3, 5))
    assert [piece.conv.groups for piece in pieces] == [1, 1, 1]
    assert joined(pieces[:2]).conv.live is None
    assert joined(pieces[1:]) is None
    assert joined(pieces).conv.groups == 2


def test_what_joined_pieces_lack_is_not_counted_as_skipped():
    """Each of four channels has one corner; of taps that three lack most meet the border."""
    live = np.zeros((4, 1, 3, 3), bool)
    live[range(4), 0, [0, 0, 2, 2], [0, 2, 0, 2]] = True
    whole = joined(Depthwise((3, 3), mask=Mask.of(live)).lower((4, 8, 8)))
    sizes = DepthwiseEngine(4, 4)
    counted = set()
    for _, tiling in tap_serial.tilings(whole.conv, sizes):
        plan = Plan(tap_serial.body(whole.conv, sizes, tiling), tiling)
        model = engine_of(sizes)
        work = Lowered(model, sizes, tap_serial, (whole,), (plan,), (4, 8, 8))
        assert (work.dense_macs, work.live_macs) == (4 * 64, 4 * 49)
        assert 4 * 49 <= work.dense_macs - work.skipped_macs <= 4 * 64
        counted.add(model.skipped(sizes, whole.conv, plan.body))
    assert max(counted) > 4 * (64 - 49)  # which of its own taps meet no map


def lhc(k, c, density, seed=0):
    """Blocks of 16 x 32 channels, each with its own live taps, so many in all."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((-(-k // 16), -(-c // 32), 3, 3))
    return Mask.of_blocks(blocks <= np.quantile(blocks, density), 16, 32)


@pytest.mark.parametrize("channels", [64, 128, 256, 512])
def test_a_tenth_of_the_taps_takes_little_more_than_a_tenth_of_the_clocks(channels):
    """At most 1.5 x the live products, where tiles of 16 columns have one mask."""
    op = Conv2d(channels, (3, 3), padding=1, mask=lhc(channels, channels, 0.1))
    work = lower(layer(op), ((channels, 14, 14),), Hardware(SystolicArray(16, 16)))
    dense = Conv2d(channels, (3, 3), padding=1).macs((channels, 14, 14))
    assert 0.09 * dense < work.dense_macs < 0.112 * dense
    assert work.cycles <= 1.5 * work.dense_macs / 256


def test_reports_of_a_layer_with_zeros():
    """Nothing is lost or counted twice, also where products of zeros are in joined pieces."""
    op = Conv2d(4, (3, 3), padding=1, mask=Mask.of(checks(4, 2)))
    network = LayerList("list", (Layer("it", op, ()),), ((2, 12, 12),))
    for hardware in (Hardware(SystolicArray(8, 8)), Hardware(SystolicArray(4, 2))):
        cost = ax.simulate(network, hardware, fidelity="cycle").layers[0]
        assert cost.values_equal
        assert cost.macs == 4 * 3 * 144
        assert cost.params == 12
        assert cost.live_macs == 2 * (11 + 12) * (11 + 12 + 11)  # rows above and in the middle
        assert cost.utilization == cost.live_macs / (hardware.engines[0].multipliers * cost.cycles)
        explained = ax.explain(network, "it", hardware)
        clocks = [part.multiplier_clocks for part in explained.parts]
        assert min(clocks) > 0
        assert sum(clocks) == hardware.engines[0].multipliers * cost.cycles
        assert ax.csynth(network, "it", hardware).report.latency_cycles == cost.cycles
        assert ax.film(network, "it", hardware).cycles == cost.cycles


@settings(max_examples=40)
@given(masked(depthwise=True), st.sampled_from(ARRAYS))
def test_auto_takes_the_fewest_clocks_of_all_dataflows(case, array):
    op, shape, _ = case
    hardware = Hardware(engines=(array, DepthwiseEngine(3, 4)))
    allowed = parse_dataflows("auto", "auto")
    each = in_each_dataflow(layer(op), (shape,), hardware, allowed)
    able = [way.cycles for way in each if isinstance(way, Lowered)]
    assert lower(layer(op), (shape,), hardware, allowed).cycles == min(able)
    assert {way.dataflow for way in each} == {None, "os", "ws", "is", "rows"}
