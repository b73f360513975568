"""Transposed convolutions, at all levels: pieces of several sizes that make one output."""

from contextlib import suppress
from itertools import cycle, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import ConvTranspose2d
from rtl.flow.cosim import level
from tests.accelsim.ops.transposed import networks

FULL = pytest.mark.full
ARRAYS = ((4, 3), (1, 5), (6, 1))
ENGINE = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))
# Which other tests build too.
VERILATED = ax.Hardware(
    ax.SystolicArray(5, 3, bank_depth=1024),
    depthwise=ax.DepthwiseEngine(2, 4, 8, bank_depth=1024, tap_depth=8192),
)


def one(shape, *args, **attributes):
    op = ConvTranspose2d(*args, **attributes)
    return Network("one", shape, (Layer("it", op, (INPUT,), bias=True),))


def agree(network, hardware, simulator="amaranth", **options):
    found = ax.cosim(network, "it", hardware, level(hardware, simulator), seed=3, **options)
    assert found.values_equal
    assert found.cycles_equal
    return found


SHAPES = {
    "unet": one((4, 3, 4), 5, (2, 2), (2, 2)),
    "strides": one((2, 3, 4), 3, (7, 3), (4, 3), (2, 3, 1, 0), (3, 2)),
    "dilated": one((2, 4, 3), 3, (3, 4), (3, 2), 2, (2, 1), (2, 4)),
    "grouped": one((4, 3, 2), 6, (3, 2), (2, 1), groups=2),
    "point": one((3, 1, 1), 2, (4, 4), (4, 2), (1, 2, 0, 1)),
    "holes": one((2, 3, 2), 3, (1, 2), (4, 3), 0, (3, 1)),
    "cropped": one((2, 6, 5), 2, (3, 2), (2, 2), (7, 1, 0, 5)),
    "nothing": one((2, 2, 2), 3, (1, 1), (4, 4), 1),
}
DEPTHWISE = {
    "even": one((5, 4, 5), 5, (4, 4), (2, 2), 1, groups=5),
    "multiplied": one((2, 3, 4), 4, (3, 5), (2, 3), 1, (1, 0), (1, 2), groups=2),
}


DATAFLOWS = "os", "ws", "is"
SOME = list(zip(SHAPES, cycle(DATAFLOWS), strict=False))
REST = [each for each in product(SHAPES, DATAFLOWS) if each not in SOME]


@pytest.mark.parametrize(
    ("name", "dataflow"), [*SOME, *(pytest.param(*each, marks=FULL) for each in REST)]
)
def test_all_levels_agree(name, dataflow):
    hardware = ax.Hardware(ax.SystolicArray(*ARRAYS[len(name) % 3]))
    assert agree(SHAPES[name], hardware, dataflow=dataflow).dataflow == dataflow


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("even", "rows"),
        ("even", "engine"),
        ("multiplied", "ws"),
        ("multiplied", "engine"),
        pytest.param("even", "ws", marks=FULL),
        pytest.param("multiplied", "rows", marks=FULL),
    ],
)
def test_all_levels_agree_on_depthwise_ones(name, way):
    if way == "engine":
        assert agree(DEPTHWISE[name], ENGINE, depthwise_on=way).engine == "depthwise"
    else:
        found = agree(DEPTHWISE[name], ENGINE, dataflow=way, depthwise_on="array")
        assert found.dataflow == way


@pytest.mark.parametrize(
    ("name", "dataflow"), [("unet", "ws"), ("grouped", "is"), ("even", "rows")]
)
def test_batches_agree(name, dataflow):
    agree((SHAPES | DEPTHWISE)[name], ENGINE, dataflow=dataflow, depthwise_on="array", batch=3)


def test_batches_agree_on_the_depthwise_engine():
    agree(DEPTHWISE["multiplied"], ENGINE, depthwise_on="engine", batch=2)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("strides", "array"),
        ("even", "engine"),
        *(pytest.param(name, "array", marks=FULL) for name in SHAPES if name != "strides"),
        pytest.param("multiplied", "engine", marks=FULL),
    ],
)
def test_verilator_agrees(name, place):
    agree((SHAPES | DEPTHWISE)[name], VERILATED, "verilator", depthwise_on=place)


def check_random(network, shape, dataflow, place):
    hardware = ax.Hardware(ax.SystolicArray(*shape), depthwise=ax.DepthwiseEngine(2, 4))
    with suppress(UnsupportedError):  # what a dataflow cannot run
        agree(network, hardware, dataflow=dataflow, depthwise_on=place)


random = given(
    networks(most=4),
    st.sampled_from(ARRAYS),
    st.sampled_from(("os", "ws", "is", "rows", "auto")),
    st.sampled_from(("array", "auto")),
)
UNHURRIED = [HealthCheck.too_slow]


@settings(max_examples=3, suppress_health_check=UNHURRIED)
@random
def test_random_ones_agree(network, shape, dataflow, place):
    check_random(network, shape, dataflow, place)


@FULL
@settings(max_examples=200, suppress_health_check=UNHURRIED)
@random
def test_many_random_ones_agree(network, shape, dataflow, place):
    check_random(network, shape, dataflow, place)


@settings(max_examples=40)
@given(
    networks(),
    st.sampled_from(ARRAYS),
    st.sampled_from(("os", "ws", "is", "auto")),
    st.integers(1, 3),
)
def test_registers_agree_on_random_ones(network, shape, dataflow, batch):
    array = ax.SystolicArray(*shape)
    hardware = ax.Hardware(array, depthwise=ax.DepthwiseEngine(2, 4))
    stepped, scheduled, single = (
        ax.simulate(network, hardware, dataflow, fidelity, batch=images).layers[0]
        for fidelity, images in (("cycle", batch), ("schedule", batch), ("schedule", 1))
    )
    assert stepped.values_equal
    assert stepped.cycles == scheduled.cycles
    assert (stepped.macs, stepped.live_macs) == (batch * single.macs, batch * single.live_macs)


@pytest.mark.parametrize("name", [*SHAPES, *DEPTHWISE])
def test_film_trace_and_report(name):
    network = (SHAPES | DEPTHWISE)[name]
    cycles = ax.simulate(network, ENGINE).layers[0].cycles
    assert ax.film(network, "it", ENGINE).cycles == cycles
    assert ax.csynth(network, "it", ENGINE).report.latency_cycles == cycles
    assert ax.explain(network, "it", ENGINE).cycles == cycles
    made = ax.trace(network, ENGINE, "it")
    assert made.cycles == cycles
    assert max(event["ts"] + event["dur"] for event in made.events if "dur" in event) == cycles
