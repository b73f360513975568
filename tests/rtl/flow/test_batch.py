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

ARRAY = ax.Hardware(ax.SystolicArray(3, 4))
BOTH = ax.Hardware(ax.SystolicArray(2, 3), depthwise=ax.DepthwiseEngine(2, 3))
# Small enough for Amaranth's simulator.
SMALL = Network("small", (3, 6, 5), KINDS.layers)
ON_ENGINES = [layer.name for layer in SMALL.layers if layer.op.lower(*SMALL.in_shapes(layer))]
DEPTHWISE = ["mix", "dw", "dynamic", "last"]


@pytest.mark.parametrize(
    ("design", "place", "name"),
    [
        *((ARRAY, "array", name) for name in ON_ENGINES),
        *((BOTH, "engine", name) for name in DEPTHWISE),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_all_levels_agree(design, place, name):
    batch = 2 + len(name) % 3
    run_rtl = level(design)
    found = ax.cosim(SMALL, name, design, run_rtl, seed=3, depthwise_on=place, batch=batch)
    assert found.values_equal
    assert found.cycles_equal
    assert found.values == batch * prod(SMALL.shape(name))
    assert (found.engine == "depthwise") == (place == "engine")


@pytest.mark.parametrize("most", [400, pytest.param(3000, marks=pytest.mark.full)])
@settings(max_examples=12)
@given(networks(), st.sampled_from(("os", "ws", "is", "rows", "auto")), st.integers(2, 4))
def test_layers_of_any_size(most, network, dataflow, batch):
    """Those that take no more clocks than Amaranth's simulator runs in reasonable time."""
    for design, place in ((ARRAY, "auto"), (BOTH, "engine")):
        try:
            result = ax.simulate(network, design, dataflow, depthwise_on=place, batch=batch)
        except AccelsimError:  # what an engine refuses
            continue
        if result.total_cycles <= most:
            run_rtl = level(design)
            found = ax.cosim(network, "it", design, run_rtl, dataflow, 0, place, batch)
            assert found.values_equal
            assert found.cycles_equal
