"""Every operator of the papers, in every form: golden, schedule, registers and the RTL agree.

All layers of an operator run register by register; on the RTL the one that takes the fewest clocks
with Amaranth's simulator, and the one that takes the most with Verilator.
"""

import functools

import pytest

import accelsim as ax
from accelsim.ops import papers
from accelsim.ops.papers.base import INFERENCE
from accelsim.ops.papers.example import example
from accelsim.ops.papers.lhc import Lhc
from rtl.flow.cosim import level

SHAPE = 8, 7
DESIGN = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))

OPERATORS = {papers.find(variant).name: papers.find(variant) for variant in papers.VARIANTS}
FORMS = [(name, form) for name, operator in OPERATORS.items() for form in operator.forms]


@functools.cache
def network(name, form):
    return example(OPERATORS[name], form, *SHAPE).network


@functools.cache
def result(name, form):
    return ax.simulate(network(name, form), DESIGN, fidelity="cycle")


def on_engines(name, form):
    """Layers by the clocks that they take."""
    layers = [each for each in result(name, form).layers if each.engine != "host"]
    return sorted((each for each in layers if each.cycles), key=lambda each: each.cycles)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_registers_have_the_golden_values_and_the_clocks_of_the_schedule(name, form):
    found = result(name, form)
    scheduled = ax.simulate(network(name, form), DESIGN)
    assert found.values_equal
    assert on_engines(name, form)
    for ours, theirs in zip(found.layers, scheduled.layers, strict=True):
        # Only regions depend on data, and the schedule alone has none.
        if ours.op != "region_conv":
            assert ours.cycles == theirs.cycles
        assert theirs.cycles_min <= ours.cycles <= theirs.cycles_max == theirs.cycles
        assert ours.macs == theirs.macs


@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param(name, form, marks=[] if form == INFERENCE else pytest.mark.full)
        for name, form in FORMS
    ],
)
@pytest.mark.parametrize(
    "simulator", ["amaranth", pytest.param("verilator", marks=pytest.mark.full)]
)
def test_rtl_has_their_values_and_clocks(name, form, simulator):
    layers = on_engines(name, form)
    layer = layers[0] if simulator == "amaranth" else layers[-1]
    run = level(DESIGN, simulator)
    found = ax.cosim(network(name, form), layer.name, DESIGN, run)
    assert found.values_equal
    assert found.cycles_equal
    assert found.cycles.schedule == layer.cycles


@pytest.mark.parametrize("simulator", ["amaranth", "verilator"])
def test_rtl_leaves_out_taps_of_depthwise_blocks(simulator):
    """As of blocks of dense layers, LHC: the same values and clocks as at all other levels."""
    op = Lhc(8, (5, 5), padding=2, groups=8, cgo=2, density=0.1)
    network = op.network((8, 7, 7))
    (layer,) = ax.simulate(network, DESIGN, fidelity="cycle", depthwise_on="engine").layers
    found = ax.cosim(network, "lhc", DESIGN, level(DESIGN, simulator), depthwise_on="engine")
    assert layer.engine == "depthwise"
    assert found.values_equal
    assert found.cycles_equal
    assert found.cycles.schedule == layer.cycles
