"""Convolutions with a kernel for every region of the map, at all levels, on real data."""

import pytest

import accelsim as ax
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, GlobalPool, Linear, RegionConv
from rtl.flow.cosim import level

ARRAY = ax.Hardware(ax.SystolicArray(4, 3))


def network(way):
    """One layer with kernels of its own, and one whose kernels the image makes."""
    size = 3 * 4 * 3 * 3 * 3
    layers = (
        Layer("guide", Conv2d(3, (3, 3), (2, 1), 1), (INPUT,)),
        Layer("pool", GlobalPool(), (INPUT,)),
        Layer("kernels", Linear(size), ("pool",)),
        Layer("made", RegionConv(4, (3, 3), 3, (2, 1), 1, way=way), (INPUT, "guide", "kernels")),
        Layer("own", RegionConv(5, (1, 1), 3, groups=1, way=way), ("made", "guide"), norm=True),
    )
    return Network("regions", (3, 6, 5), layers)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("way", ["bucket", "expand"])
@pytest.mark.parametrize(("layer", "batch"), [("made", 2), ("own", 1)])
def test_all_levels_agree(layer, way, dataflow, batch):
    found = ax.cosim(network(way), layer, ARRAY, level(ARRAY), dataflow, seed=3, batch=batch)
    assert found.values_equal
    assert found.cycles_equal
    golden = ax.simulate(network(way), ARRAY, dataflow, "golden", seed=3, layers=layer, batch=batch)
    assert found.cycles.rtl == golden.layers[0].cycles


@pytest.mark.parametrize("way", ["bucket", "expand"])
def test_on_verilator(way):
    found = ax.cosim(network(way), "made", ARRAY, level(ARRAY, "verilator"), seed=3)
    assert found.values_equal
    assert found.cycles_equal


def test_regions_that_are_not_those_of_the_guide_are_seen(monkeypatch):
    """The registers multiply with the kernels of the guide's regions, golden with others."""
    right = RegionConv.golden

    def wrong(self, weights, x, guide, *kernels):
        return right(self, weights, x, guide[::-1], *kernels)

    monkeypatch.setattr(RegionConv, "golden", wrong)
    found = ax.cosim(network("bucket"), "own", ARRAY, level(ARRAY), seed=3)
    assert not found.values_equal
