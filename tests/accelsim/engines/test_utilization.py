"""Utilisation is a share, bounds are bounds, and skipped taps are those that no multiplier sees."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim import published
from accelsim.dataflows import tap_serial
from accelsim.engines import depthwise
from accelsim.engines.base import passes_of
from accelsim.errors import AccelsimError
from accelsim.hardware import THIRD_PARTY, third_party_design
from accelsim.ir import Conv, Layer, Network
from tests.accelsim.dataflows.test_dataflows import arrays, convs, naive_conv
from tests.accelsim.engines.depthwise.convolutions import (
    convolutions,
    engines,
    lists,
    plans_of,
    sparse,
)
from tests.naive.depthwise_law import tile_taps
from tests.naive.operators import live_macs

KERNELS = ((1, 1), (3, 3), (1, 7), (7, 1), (2, 5), (13, 3), (31, 31))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
batches = st.sampled_from((1, 1, 2, 3, 4))


@given(convs() | convolutions() | lists())
def test_live_macs_are_the_products_with_values_of_the_map(conv):
    assert conv.live_macs == live_macs(conv) <= conv.macs


@settings(max_examples=20)
@given(convs(most=5))
def test_live_macs_are_the_sum_of_products_of_ones(conv):
    x = np.ones(conv.in_shape, np.int8)
    w = np.ones((conv.k, conv.c // conv.groups, conv.fh, conv.fw), np.int8)
    assert conv.live_macs == naive_conv(conv, x, w).sum()


def test_live_macs_of_a_large_kernel_on_a_small_map():
    """By hand: 31 taps over 7 values, padded by 15, of which each output meets all 7."""
    assert Conv(1, 7, 7, 1, 7, 7, 31, 31, pt=15, pl=15, groups=1).live_macs == 49 * 49


@st.composite
def operators(draw):
    """Layers of every kind, with kernels larger than maps and strides larger than kernels."""
    c, kernel = draw(st.integers(1, 6)), draw(st.sampled_from(KERNELS))
    stride, dilation = draw(pairs | st.tuples(st.integers(3, 9), st.integers(1, 9))), draw(pairs)
    sides = draw(st.tuples(*[st.integers(0, 9)] * 4))
    padding = draw(st.sampled_from(("same", sides)))
    shared = {"stride": stride, "padding": padding, "dilation": dilation}
    kind = draw(st.sampled_from(("dense", "grouped", "depthwise", "kernels", "linear")))
    if kind == "linear":
        return c, ax.ops.Linear(draw(st.integers(1, 9)))
    if kind == "kernels":
        kernels = draw(st.lists(st.sampled_from(KERNELS), min_size=c, max_size=c))
        return c, ax.ops.Depthwise(kernels=tuple(kernels), stride=stride, dilation=dilation)
    if kind == "depthwise":
        return c, ax.ops.Depthwise(kernel, multiplier=draw(st.sampled_from((1, 2))), **shared)
    groups = c if kind == "dense" else 1
    return c, ax.ops.Conv2d(c * draw(st.integers(1, 2)), kernel, groups=c // groups, **shared)


@st.composite
def networks(draw):
    """Of one layer."""
    c, op = draw(operators())
    sizes = st.integers(1, 9)
    try:
        layer = Layer("it", op, ("input",))
        return Network("one", (c, draw(sizes), draw(sizes)), (layer,))
    except AccelsimError:  # a kernel larger than the padded map
        return Network("one", (c, 99, 99), (layer,))


def check(result: ax.Result) -> None:
    """What must hold of the only layer of a result."""
    (layer,) = result.layers
    convs = [piece.conv for piece in result.graph.layers[0].op.lower(result.graph.input)]
    assert layer.live_macs == result.batch * sum(map(live_macs, convs))
    assert layer.macs == result.batch * sum(conv.macs for conv in convs)
    engine = result.hardware.engine(layer.engine)
    offered = engine.multipliers * layer.cycles
    assert layer.utilization == layer.live_macs / offered <= 1
    assert 1 <= layer.bound_cycles <= layer.cycles
    assert layer.bound_cycles >= -(-layer.live_macs // engine.multipliers)
    # What is multiplied holds what is live, and what is not skipped.
    assert 0 <= layer.skipped_macs <= layer.macs - layer.live_macs
    if layer.busy_utilization is not None:
        assert layer.macs - layer.skipped_macs <= layer.busy_utilization * offered * (1 + 1e-12)
        assert layer.utilization <= layer.busy_utilization <= 1
    if layer.engine != "depthwise":
        assert layer.skipped_macs == 0


@settings(max_examples=150)
@given(networks(), arrays, engines(6), st.sampled_from(("os", "ws", "is", "rows", "auto")), batches)
def test_our_engines(network, array, engine, dataflow, batch):
    for design, where in (
        (ax.Hardware(array), "auto"),
        (ax.Hardware(array, depthwise=engine), "engine"),
    ):
        try:
            result = ax.simulate(network, design, dataflow, depthwise_on=where, batch=batch)
        except AccelsimError:  # what an engine refuses
            continue
        check(result)


@pytest.mark.parametrize("smallest", THIRD_PARTY, ids=lambda engine: engine.name)
@settings(max_examples=30)
@given(networks(), st.integers(0, 3), batches)
def test_third_party_engines(smallest, network, times, batch):
    sizes = {
        each.name: getattr(smallest, each.name) << times for each in fields(smallest) if each.init
    }
    engine = replace(smallest, **sizes)
    array = None if engine.runs_all else ax.SystolicArray(4, 4)
    check(ax.simulate(network, third_party_design(engine, array), batch=batch))


@settings(max_examples=150)
@given(networks(), st.integers(1, 9), st.sampled_from(published.MODELS), st.data())
def test_published_timings_have_a_share_or_none(network, size, model, data):
    dataflow = data.draw(st.sampled_from(model.dataflows))
    design = ax.Hardware(ax.SystolicArray(size, size))
    try:
        (layer,) = ax.simulate(network, design, dataflow, timing=model.name).layers
    except AccelsimError:
        return
    offered = size * size * layer.cycles
    enough = offered and layer.live_macs <= offered
    assert layer.utilization == (layer.live_macs / offered if enough else None)
    assert layer.skipped_macs is None


def test_no_share_where_a_model_counts_too_few_clocks():
    """SCALE-Sim reports the last cycle counted from 0: eight products in seven clocks."""
    network = Network("one", (8, 1, 1), (Layer("it", ax.ops.Linear(1), ("input",)),))
    result = ax.simulate(network, ax.Hardware(ax.SystolicArray(1, 1)), "os", timing="scalesim")
    assert (result.total_cycles, result.total_macs) == (7, 8)
    assert result.layers[0].utilization is result.utilization is None


@settings(max_examples=200)
@given(convolutions(most_channels=5) | sparse(convolutions(most_channels=5)) | lists(), engines(6))
def test_skipped_macs_are_those_of_no_tile(conv, engine):
    """Of a tile that runs more taps than are live, none is skipped."""
    for plan in plans_of(tap_serial, conv, engine):
        kept = tap_serial.program(conv, engine, plan).dest >= 0
        executed = at = 0
        for work in passes_of(plan.body):
            drain = -(-work.channels // engine.result_lanes)
            for taps in tile_taps(engine.pixels, work):
                executed += min(taps, conv.depth) * int(np.count_nonzero(kept[at : at + drain]))
                at += drain
        assert at == len(kept)
        skipped = depthwise.schedule.skipped(engine, conv, plan.body)
        assert 0 <= skipped == conv.macs - executed <= conv.macs - conv.live_macs


CASE = Network("pad", (1, 1, 1), (Layer("L", ax.ops.Depthwise((31, 31)), ("input",)),))


def test_a_large_kernel_on_one_pixel():
    """By hand: one tap of 961 lies on the map; a clock, ten behind it, one for the result."""
    design = ax.Hardware(ax.SystolicArray(64, 64), depthwise=ax.DepthwiseEngine(1, 1))
    (layer,) = ax.simulate(CASE, design, depthwise_on="engine").layers
    assert (layer.cycles, layer.macs, layer.live_macs, layer.skipped_macs) == (12, 961, 1, 960)
    assert (layer.utilization, layer.bound_cycles) == (1 / 12, 1)


def test_large_kernels_on_small_maps():
    """The shipped network whose layers skip the most."""
    design = ax.Hardware(ax.SystolicArray(64, 64), depthwise=ax.DepthwiseEngine(8, 7))
    result = ax.simulate(ax.networks.replknet_31b(input=(64, 64)), design)
    for layer in result.layers:
        if not layer.not_modelled:
            assert layer.bound_cycles <= layer.cycles
            assert layer.utilization <= layer.busy_utilization <= 1
    assert result.total_cycles == 1_263_010
    assert result.utilization == result.total_live_macs / (4152 * 1_263_010)
