"""Whole networks on both engines, register by register, against golden and the schedule."""

import pytest

import accelsim as ax

BOTH = ax.Hardware(ax.SystolicArray(32, 32), depthwise=ax.DepthwiseEngine(32, 8))


@pytest.mark.parametrize(
    ("name", "variant", "place"),
    [
        pytest.param("inception_next_tiny", "baseline", "auto", marks=pytest.mark.full),
        ("mobilenet_v3_small", "xsep", "auto"),
        ("mobilenet_v3_small", "xsep", "engine"),
        pytest.param("mixnet_l", "baseline", "engine", marks=pytest.mark.full),
        pytest.param("slak_tiny", "baseline", "engine", marks=pytest.mark.full),
        pytest.param("convnext_atto", "baseline", "auto", marks=pytest.mark.full),
        pytest.param("retinaface_mnet025", "ddc", "auto", marks=pytest.mark.full),
        pytest.param("retinaface_mnet025", "ddc", "engine", marks=pytest.mark.full),
        pytest.param("mobilenet_v2", "baseline", "engine", marks=pytest.mark.full),
    ],
)
def test_every_layer_agrees(name, variant, place):
    network = ax.networks.get(name, variant)
    schedule = ax.simulate(network, BOTH, depthwise_on=place)
    cycle = ax.simulate(network, BOTH, depthwise_on=place, fidelity="cycle")
    assert cycle.values_equal
    for counted, measured in zip(schedule.layers, cycle.layers, strict=True):
        assert (counted.name, counted.cycles) == (measured.name, measured.cycles)
    assert "depthwise" in {layer.engine for layer in cycle.layers}
