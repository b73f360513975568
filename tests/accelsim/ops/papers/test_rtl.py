"""A layer of every operator of a paper on the RTL: the one with the most work, on real data."""

import pytest

import accelsim as ax
from accelsim.ops import papers
from accelsim.ops.papers.base import INFERENCE
from accelsim.ops.papers.example import example
from rtl.flow.cosim import level

OPERATORS = list(dict.fromkeys(map(papers.find, papers.VARIANTS)))
BOTH = [(op, form) for op in OPERATORS for form in op.forms]
ARRAY = ax.Hardware(ax.SystolicArray(4, 4))
BESIDE = ax.Hardware(ax.SystolicArray(4, 4), depthwise=ax.DepthwiseEngine(2, 2))


def check(operator, form, design, simulator, side):
    network = example(operator, form, 8, side).network
    layer = max(network.layers, key=network.macs)
    found = ax.cosim(network, layer.name, design, level(design, simulator))
    assert found.values_equal
    assert found.cycles_equal


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.name)
def test_a_layer_of_every_operator(operator):
    check(operator, INFERENCE, ARRAY, "amaranth", 3)


@pytest.mark.full
@pytest.mark.parametrize("simulator", ["amaranth", "verilator"])
@pytest.mark.parametrize(("operator", "form"), BOTH, ids=[f"{op.name}-{form}" for op, form in BOTH])
def test_a_layer_of_every_operator_in_every_form(operator, form, simulator):
    check(operator, form, BESIDE, simulator, 7)
