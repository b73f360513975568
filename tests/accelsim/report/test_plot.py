"""Plots show the numbers of the results."""

import matplotlib.pyplot as plt
import pytest

import accelsim as ax
from accelsim.report.plot import Comparison


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def result():
    network = ax.networks.mobilenet_v3_small(variant="fuse_half", input=(64, 64))
    return ax.simulate(network, ax.Hardware(ax.SystolicArray(8, 8)))


def test_a_bar_for_every_modelled_layer(result):
    axes = ax.plot.layers(result)
    shown = [layer for layer in result.layers if layer.engine == "array"]
    assert [bar.get_width() for bar in axes.patches] == [layer.cycles for layer in shown]
    assert [label.get_text() for label in axes.get_yticklabels()] == [each.name for each in shown]
    (side,) = axes.child_axes
    assert [bar.get_width() for bar in side.patches] == [layer.utilization for layer in shown]
    labels = [text.get_text() for text in side.get_legend().get_texts()]
    assert set(labels) == {layer.dataflow for layer in shown}
    assert f"{result.total_cycles:,} cycles" in axes.get_title(loc="left")


def test_layers_can_be_drawn_on_given_axes(result):
    given = plt.figure().subplots()
    assert ax.plot.layers(result, given) is given


def test_published_timings_without_dataflows_are_drawn(result):
    axes = ax.plot.layers(ax.simulate(result.graph, result.hardware, timing="fuseconv-2021"))
    assert len(axes.patches) > 10


def test_speedups_of_the_published_model_are_the_published_ones():
    (panel,) = ax.plot.speedup(
        names=("mobilenet_v2",),
        sides=(32, 64),
        comparisons=(Comparison("fuseconv-2020", "fuseconv-2020"),),
    )
    full, half, at_one = panel.lines
    assert list(full.get_xdata()) == [32, 64]
    assert list(full.get_ydata()) == pytest.approx([3.3503, 5.1652], abs=5e-5)  # as published
    assert half.get_ydata()[1] == pytest.approx(7.2325, abs=5e-5)
    assert list(at_one.get_ydata()) == [1, 1]


def test_a_baseline_by_im2col_is_slower_than_one_on_row_streams():
    (panel,) = ax.plot.speedup(names=("mobilenet_v2",), variants=("fuse_half",), sides=(16,))
    rtl, by_im2col, _ = (line.get_ydata()[0] for line in panel.lines[:3])
    assert by_im2col > rtl > 1
