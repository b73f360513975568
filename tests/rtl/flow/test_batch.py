"""Batches at all levels: layers of every kind on the RTL, on the data of two to four images."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.errors import AccelsimError
from accelsim.ir import Network
from rtl.flow.cosim import level
from tests.accelsim.engines.test_utilization import networks
from tests.accelsim.test_batch import KINDS
from tests.rtl.flow.test_transposed import VERILATED

FULL = pytest.mark.full
ARRAY = ax.Hardware(ax.SystolicArray(3, 4))
BOTH = ax.Hardware(ax.SystolicArray(2, 3), depthwise=ax.DepthwiseEngine(2, 3))
# Small enough for Amaranth's simulator.
SMALL = Network("small", (3, 6, 5), KINDS.layers)
ON_ENGINES = [layer.name for layer in SMALL.layers if layer.op.lower(*SMALL.in_shapes(layer))]
DEPTHWISE = ["mix", "dw", "dynamic", "last"]


# One of each: several kernels, a product of many rows, a kernel that is an input, several pieces.
QUICK = {"array": ("mix", "fc", "dynamic", "up", "product"), "engine": ("last",)}
VERILATED_QUICK = {"array": (), "engine": ("dw",)}
PLACES = {"array": ON_ENGINES, "engine": DEPTHWISE}


def layers(quick):
    """Where a layer runs and its name; all but a few are tried in full only."""
    return [
        pytest.param(place, name, marks=() if name in quick[place] else FULL)
        for place, names in PLACES.items()
        for name in names
    ]


def check(network, name, design, place, batch, simulator="amaranth", dataflow="auto"):
    run_rtl = level(design, simulator)
    found = ax.cosim(network, name, design, run_rtl, dataflow, 3, place, batch)
    assert found.values_equal
    assert found.cycles_equal
    assert found.values == batch * prod(network.shape(name))
    return found


@pytest.mark.parametrize(("place", "name"), layers(QUICK))
def test_all_levels_agree(place, name):
    design = ARRAY if place == "array" else BOTH
    found = check(SMALL, name, design, place, 2 + len(name) % 3)
    assert (found.engine == "depthwise") == (place == "engine")


@pytest.mark.parametrize(("place", "name"), layers(VERILATED_QUICK))
def test_verilator_agrees(place, name):
    """On maps of 13 x 11."""
    check(KINDS, name, VERILATED, place, 2 + (len(name) + len(place)) % 3, "verilator")


RANDOM = networks(), st.sampled_from(("os", "ws", "is", "rows", "auto")), st.integers(2, 4)


@settings(max_examples=4)
@given(*RANDOM)
def test_layers_of_any_size(network, dataflow, batch):
    any_size(network, dataflow, batch, 300)


@FULL
@settings(max_examples=30)
@given(*RANDOM)
def test_more_layers_of_any_size(network, dataflow, batch):
    any_size(network, dataflow, batch, 3000)


def any_size(network, dataflow, batch, most):
    """A layer that takes no more clocks than Amaranth's simulator runs in reasonable time."""
    for design, place in ((ARRAY, "auto"), (BOTH, "engine")):
        try:
            result = ax.simulate(network, design, dataflow, depthwise_on=place, batch=batch)
        except AccelsimError:  # what an engine refuses
            continue
        if result.total_cycles <= most:
            check(network, "it", design, place, batch, dataflow=dataflow)
