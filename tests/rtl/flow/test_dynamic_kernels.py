"""Kernels that another layer makes, at all levels: they are operands as weights are, from a map."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import pytest

import accelsim as ax
from accelsim.errors import ShapeError
from accelsim.ir import INPUT, Layer, Network, Piece
from accelsim.ops import Conv2d, Depthwise, DynamicDepthwise, GlobalPool, Linear, Pointwise, Pool
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import make_conv
from accelsim.reuse import moved
from rtl.flow.cosim import level
from tests.accelsim.values import on_layer
from tests.naive import operators as naive

C, KERNEL = 3, (3, 2)
ARRAY = ax.Hardware(ax.SystolicArray(4, 3))
BOTH = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))


@dataclass(frozen=True)
class Naive(Convolution):
    """A dynamic depthwise layer in the fewest words: only how it is lowered."""

    name: ClassVar[str] = "naive"

    def lower(self, *inputs):
        return (Piece(make_conv(inputs[0], C, KERNEL, padding="same", groups=C)),)


FLAT = Linear(C * KERNEL[0] * KERNEL[1])


def network(op, kernel=FLAT):
    pool = Layer("pool", GlobalPool(), (INPUT,))
    kernels = Layer("kernels", kernel, ("pool" if isinstance(kernel, Linear) else INPUT,))
    return Network("run-time", (C, 6, 5), (pool, kernels, Layer("dw", op, (INPUT, "kernels"))))


NETWORKS = {
    "flat": network(DynamicDepthwise(KERNEL)),
    "map": network(DynamicDepthwise(KERNEL), Pool("max", (2, 2), (2, 3))),
    "naive": network(Naive()),
}
ENGINES = [(ARRAY, "array"), (BOTH, "engine")]


@pytest.mark.parametrize(("hardware", "place"), ENGINES, ids=["array", "depthwise"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_levels_agree(name, hardware, place):
    found = ax.cosim(NETWORKS[name], "dw", hardware, level(hardware), seed=3, depthwise_on=place)
    assert found.values_equal
    assert found.cycles_equal
    assert found.engine == ("array" if place == "array" else "depthwise")


KINDS = {
    "dense": Conv2d(5, (3, 2), (2, 1), 1),
    "grouped": Conv2d(6, (2, 2), groups=3),
    "point": Pointwise(5),
    "fc": Linear(4, flatten=True),
    "multiplied": Depthwise((3, 3), multiplier=2),
    "each": Depthwise(kernels=((3, 1), (1, 3), (3, 1))),
}


@pytest.mark.parametrize(
    ("name", "dataflow"),
    [
        *(("dense", dataflow) for dataflow in ("os", "ws", "is")),
        *(("grouped", "is"), ("point", "ws"), ("fc", "os"), ("multiplied", "ws"), ("each", "is")),
    ],
)
def test_every_kind_of_convolution(name, dataflow):
    """Two images, each with its own kernel, on the RTL of the array."""
    op = KINDS[name]
    net = network(op, Linear(prod(op.weight_shape((C, 6, 5)))))
    found = ax.cosim(net, "dw", ARRAY, level(ARRAY), dataflow, seed=3, batch=2)
    assert found.values_equal
    assert found.cycles_equal


@pytest.mark.parametrize(
    ("name", "hardware", "simulator"),
    [
        ("dense", ARRAY, "verilator"),
        ("each", BOTH, "amaranth"),
        ("multiplied", BOTH, "amaranth"),
        pytest.param("each", BOTH, "verilator", marks=pytest.mark.full),
    ],
)
def test_on_other_engines_and_simulators(name, hardware, simulator):
    op, rtl = KINDS[name], level(hardware, simulator)
    place = "array" if hardware is ARRAY else "engine"
    net = network(op, Linear(prod(op.weight_shape((C, 6, 5)))))
    found = ax.cosim(net, "dw", hardware, rtl, seed=3, depthwise_on=place, batch=2)
    assert found.values_equal
    assert found.cycles_equal
    assert found.engine == ("array" if hardware is ARRAY else "depthwise")


@pytest.mark.parametrize("name", NETWORKS)
def test_golden_equals_naive_loops(name):
    net = NETWORKS[name]
    done = on_layer(net, "dw", 3)
    x, kernels = done.inputs
    assert done.weights.size == 0
    each = list(kernels.reshape(C, *KERNEL))
    assert np.array_equal(done.sums, naive.depthwise(x, each, (1, 1), [(1, 1, 0, 1)] * C, (1, 1)))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_fidelity_and_a_film(name):
    net = NETWORKS[name]
    schedule, cycle = (ax.simulate(net, BOTH, fidelity=f) for f in ("schedule", "cycle"))
    assert cycle.values_equal
    assert [x.cycles for x in cycle.layers] == [x.cycles for x in schedule.layers]
    assert ax.film(net, "dw", BOTH).cycles == schedule.layers[-1].cycles


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernel_is_no_parameter(name):
    net, fixed = NETWORKS[name], Layer("dw", Depthwise(KERNEL), (INPUT,))
    still = Network("still", net.input, (fixed,))
    assert net.params(net.layer("dw")) == 0
    assert net.macs(net.layer("dw")) == still.macs(fixed) == C * 6 * 5 * 6
    cost = ax.simulate(net, ARRAY, layers="dw").layers[0]
    assert cost.params == 0
    assert cost.cycles == ax.simulate(still, ARRAY).layers[0].cycles
    # It is a map that is read: where nothing stays on chip, with the layer's other map.
    assert moved(net, 1, 1)[-1].read == C * 6 * 5 + C * 6


def test_a_wrong_kernel_is_seen(monkeypatch):
    """The registers multiply with the kernel that the layer has, golden with another."""
    right = DynamicDepthwise.golden

    def wrong(op, weights, x, kernel):
        return right(op, weights, x, kernel[::-1])

    monkeypatch.setattr(DynamicDepthwise, "golden", wrong)
    found = ax.simulate(NETWORKS["map"], BOTH, fidelity="cycle")
    assert found.values_equal is False


@pytest.mark.parametrize("timing", ["fuseconv-2020", "fuseconv-2021"])
def test_published_timings_see_a_depthwise_layer(timing):
    op = DynamicDepthwise((3, 3), (2, 2))
    dynamic = Network("n", (3, 3, 3), (Layer("dw", op, (INPUT, INPUT)),))
    fixed = Network("n", (3, 3, 3), (Layer("dw", Depthwise((3, 3), (2, 2)), (INPUT,)),))
    design = ax.Hardware(ax.SystolicArray(4, 4))
    found, expected = (ax.simulate(n, design, timing=timing) for n in (dynamic, fixed))
    assert found.total_cycles == expected.total_cycles > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: network(DynamicDepthwise(KERNEL), Linear(17)),
            r"inputs of dynamic_depthwise: .* of 18 values, not .17, 1, 1. \(layer dw\)",
        ),
        (
            lambda: network(Naive(), Linear(17)),
            r"inputs of naive: the second is the kernel of 18 values, not .17, 1, 1. \(layer dw\)",
        ),
        (
            lambda: Network(
                "n", (C, 3, 2), (Layer("dw", Naive(), (INPUT, INPUT), layer_scale=True),)
            ),
            r"layer_scale folds into weights, and naive has none to multiply \(layer dw\)",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ShapeError, match=message):
        make()
