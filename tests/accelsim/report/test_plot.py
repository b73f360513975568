"""Plots show the numbers of the results."""

from itertools import cycle

import matplotlib.pyplot as plt
import pytest

import accelsim as ax
from accelsim.report import style
from accelsim.study.fuseconv import COMPARISONS


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
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert set(labels) == {layer.dataflow for layer in shown}
    assert f"{result.total_cycles:,} cycles" in axes.get_title(loc="left")


def test_layers_can_be_drawn_on_given_axes(result):
    given = plt.figure().subplots()
    assert ax.plot.layers(result, given) is given


def test_published_timings_without_dataflows_are_drawn(result):
    axes = ax.plot.layers(ax.simulate(result.graph, result.hardware, timing="fuseconv-2021"))
    assert len(axes.patches) > 10


def lines(figure, panel):
    """Of every network and variant, as (sides, ratios), and last the line at 1."""
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[panel].lines]


@pytest.fixture(scope="module")
def scaling():
    points = ax.plot.speedups(sides=(32, 64))
    return points, ax.plot.speedup(points)


def test_speedups_of_the_published_model_are_the_published_ones(scaling):
    published = {  # FuSe full and half; the figure of the paper, by its authors' code
        "mobilenet_v1": ([2.0237, 4.0832], 6.7604),
        "mobilenet_v2": ([3.3503, 5.1652], 7.2325),
        "mobilenet_v3_large_fuseconv": ([2.4801, 3.6132], 5.4531),
    }
    drawn = lines(scaling[1], 0)
    legend = [text.get_text() for text in scaling[1].legends[0].get_texts()]
    assert legend == [*published, "fuse_full", "fuse_half"]
    for index, (full, half) in enumerate(published.values()):
        assert drawn[2 * index][0] == [32, 64]
        assert drawn[2 * index][1] == pytest.approx(full, abs=5e-5)
        assert drawn[2 * index + 1][1][1] == pytest.approx(half, abs=5e-5)
    assert drawn[-1][1] == [1, 1]


def test_our_panels_show_our_cycles(scaling):
    plain, half = (ax.networks.mobilenet_v2(variant) for variant in ("baseline", "fuse_half"))
    hardware = ax.Hardware(ax.SystolicArray(32, 32))
    fastest = ax.simulate(half, hardware).total_cycles
    for panel, dataflow in ((1, "os"), (2, "auto")):
        ratio = ax.simulate(plain, hardware, dataflow).total_cycles / fastest
        assert lines(scaling[1], panel)[3][1][0] == ratio
    titles = [panel.get_title().replace("\n", " ") for panel in scaling[1].axes]
    assert titles == [comparison.label for comparison in COMPARISONS]
    assert len({point[:6] for point in scaling[0]}) == len(scaling[0]) == 36


def test_lines_of_one_colour_differ_in_their_marker():
    looks = list(zip(range(50), cycle(style.COLOURS), cycle(style.MARKERS), strict=False))
    assert len({look[1:] for look in looks}) == len(looks)
