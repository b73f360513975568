"""Layers on hardware as it is configured: what `run` prices is what runs, or both say why not."""

import re

import numpy as np
import pytest

import accelsim as ax
from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, Depthwise
from rtl.flow.cosim import level


def random_design(rng):
    """Memories from the shallowest on, most of them too shallow for a whole layer."""

    def depth(least):
        return int(least * 2 ** rng.uniform(0, 5))

    lanes, pixels = rng.integers(1, 5, 2).tolist()
    return ax.Hardware(
        ax.SystolicArray(*rng.integers(1, 5, 2).tolist(), bank_depth=depth(2)),
        depthwise=ax.DepthwiseEngine(
            lanes,
            pixels,
            fill_port=int(rng.integers(0, lanes * pixels + 1)) * int(rng.integers(2)),
            bank_depth=depth(4),
            tap_depth=depth(2),
        ),
    )


def random_network(rng):
    """A layer, depthwise or not."""
    c, h, w = rng.integers(1, 6, 3).tolist()
    kernel, stride = tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.integers(1, 3, 2).tolist())
    depthwise = Depthwise(kernel, stride, padding="same")
    op = depthwise if rng.random() < 0.6 else Conv2d(int(rng.integers(1, 5)), kernel, stride)
    shape = c, h + 2, w + 2
    return Network("probe", shape, (Layer("probe", op, (INPUT,)),))


def run_and_cosim(network, hardware, place):
    """Whether the design can run the layer; then the same clocks, else the same reason."""
    try:
        result = ax.simulate(network, hardware, depthwise_on=place)
    except UnsupportedError as error:
        same = re.escape(str(error))
        with pytest.raises(UnsupportedError, match=same):
            ax.csynth(network, "probe", hardware, depthwise_on=place)
        with pytest.raises(UnsupportedError, match=same):
            ax.cosim(network, "probe", hardware, level(hardware), depthwise_on=place)
        return False
    found = ax.cosim(network, "probe", hardware, level(hardware), depthwise_on=place)
    assert found.values_equal, hardware
    assert set(found.cycles) == {result.total_cycles}, hardware
    return True


@pytest.mark.parametrize(
    "seeds", [range(8), pytest.param(range(8, 80), marks=pytest.mark.full)], ids=["some", "many"]
)
@pytest.mark.parametrize("place", ["array", "engine"])
def test_small_memories(place, seeds):
    """The array cuts whatever there is; the other engine needs room for three rows and a kernel."""
    outcomes = set()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        outcomes.add(run_and_cosim(random_network(rng), random_design(rng), place))
    assert outcomes == ({True} if place == "array" else {True, False})


@pytest.mark.full
@pytest.mark.parametrize("name", ["b1.dw", "b2.dw"])
def test_the_largest_maps_of_a_network(name):
    """Of MobileNetV2 on 4 lanes x 8 pixels, a map takes three quarters of half a bank."""
    hardware = ax.Hardware(ax.SystolicArray(8, 8), depthwise=ax.DepthwiseEngine(4, 8))
    network = ax.networks.get("mobilenet_v2")
    found = ax.cosim(network, name, hardware, level(hardware, "verilator"))
    assert found.engine == "depthwise"
    assert found.values_equal
    assert found.cycles_equal
