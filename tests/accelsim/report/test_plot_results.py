"""Stacked bars, rooflines and timelines show the numbers of the results."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import accelsim as ax
from accelsim.errors import UnsupportedError
from accelsim.hardware import PRESETS
from accelsim.report import plot, plot_results
from accelsim.report.style import GREY, SHORT, WAYS, any_script, ink

BOTH = ax.Hardware(ax.SystolicArray(16, 16), depthwise=ax.DepthwiseEngine(4, 16))
NETWORK = ax.networks.mobilenet_v3_small(variant="fuse_half", input=(64, 64))


@pytest.fixture(scope="module")
def result():
    return ax.simulate(NETWORK, BOTH)


def modelled(result):
    return [layer for layer in result.layers if not layer.not_modelled]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bars_stack_up_to_the_totals(result):
    plain = ax.simulate(ax.networks.resnet18(input=(64, 64)), BOTH)
    figure = plot_results.stack([result, plain])
    (axes,) = figure.axes
    for place, each in enumerate((result, plain)):
        bars = [bar for bar in axes.patches if round(bar.get_y() + bar.get_height() / 2) == place]
        assert sorted(bar.get_width() for bar in bars) == sorted(
            layer.cycles for layer in modelled(each)
        )
        ends = sorted((bar.get_x(), bar.get_width()) for bar in bars)
        for (left, width), (start, _) in itertools.pairwise(ends):
            assert left + width == start
        assert sum(ends[-1]) == each.total_cycles
        assert axes.texts[place].get_text() == f"{each.total_cycles:,}"
    separators = [line.get_segments()[0][0] for line in axes.collections]
    for place, each in enumerate((result, plain)):
        starts = {bar.get_x() for bar in axes.patches if abs(bar.get_y() + 0.4 - place) < 0.1}
        assert {x for x, y in separators if round(y + 0.4) == place} == starts - {0}
        assert len(starts) == len(modelled(each))
    assert set(legend(figure)) == {layer.op for layer in (*modelled(result), *modelled(plain))}
    assert "cycles" in axes.get_xlabel()
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[1] == "resnet18 baseline\narray 16x16, depthwise 4x16"


def drawn_apart(figure, axes):
    """Whether no two labels of the x axis touch in the picture."""
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    return all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_several_results_are_lines_over_array_size():
    sides = (8, 16, 24, 28, 32, 36, 40, 48, 56, 64)
    net, small = (ax.networks.mobilenet_v3_small(input=(x, x)) for x in (32, 64))
    results = [
        ax.simulate(each, ax.Hardware(ax.SystolicArray(side, side)))
        for each in (net, small)
        for side in reversed(sides)
    ]
    figure = plot_results.several(results)
    (axes,) = figure.axes
    for line, those in zip(axes.lines, (results[:10], results[10:]), strict=True):
        height, width = those[0].graph.input[1:]
        assert line.get_label() == f"mobilenet_v3_small baseline {height}x{width}"
        assert line.get_xydata().tolist() == [
            [result.hardware.multipliers, result.total_cycles] for result in reversed(those)
        ]
    assert drawn_apart(figure, axes)
    ticks = dict(zip(axes.get_xticks(), axes.get_xticklabels(), strict=True))
    assert len(ticks) > 4
    assert all(
        text.get_text() == f"{side}x{side}" for side in sides if (text := ticks.get(side * side))
    )
    stacked = plot_results.several([results[0], results[10]])
    assert stacked.axes[0].get_xlabel() == "cycles; a segment is a layer"


def test_several_arrays_of_as_many_multipliers_share_a_tick():
    net = ax.networks.mobilenet_v3_small(input=(32, 32))
    designs = [ax.Hardware(ax.SystolicArray(*size)) for size in ((8, 8), (4, 16), (16, 16))]
    (axes,) = plot_results.several([ax.simulate(net, each) for each in designs]).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["8x8, 4x16", "16x16"]
    assert axes.yaxis.get_major_formatter() is SHORT
    assert not any(map(axes.yaxis.get_minor_formatter(), axes.get_yticks(minor=True)))


def test_several_results_without_an_array_are_stacked():
    nets = (ax.networks.mobilenet_v3_small(input=(x, x)) for x in (32, 64))
    stacked = plot_results.several([ax.simulate(net, "gemmini") for net in nets])
    assert stacked.axes[0].get_xlabel() == "cycles; a segment is a layer"


def test_operators_of_one_colour_differ_in_their_hatch():
    networks = (ax.networks.convnext_atto, ax.networks.mixnet_s, ax.networks.mobilenet_v3_small)
    results = [ax.simulate(network(input=(64, 64)), BOTH) for network in networks]
    figure = plot_results.stack(results)
    styles = [(p.get_facecolor(), p.get_hatch()) for p in figure.legends[0].get_patches()]
    assert len(set(styles)) == len(styles) > 3


def test_layers_lie_below_the_roof_of_their_engine(result):
    figure = plot_results.roofline(result, [8, 32])
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    tops = {"array": 256, "depthwise": 64}
    for engine, multipliers in tops.items():
        assert set(lines[f"{engine}: {multipliers} multipliers"].get_ydata()) == {multipliers}
    for width in (8, 32):
        slope = lines[f"memory: {width} bytes a clock"]
        assert [y / x for x, y in slope.get_xydata()] == pytest.approx([width] * 2)
        assert max(slope.get_ydata()) == 256
    drawn = {
        way: lines[f"layers: {way}"].get_xydata().tolist()
        for way in WAYS
        if f"layers: {way}" in lines
    }
    for way, points in drawn.items():
        those = [layer for layer in modelled(result) if (layer.dataflow or layer.engine) == way]
        assert points == [
            [
                layer.live_macs / (layer.read_bytes + layer.write_bytes),
                layer.live_macs / layer.cycles,
            ]
            for layer in those
        ]
        top = tops["depthwise" if way == "depthwise" else "array"]
        assert all(rate <= top for _, rate in points)
    assert sum(map(len, drawn.values())) == len(modelled(result))
    assert set(lines) == set(legend(figure))


def test_the_timeline_has_every_layer_after_the_other(result):
    figure = plot_results.timeline(result)
    rows, use = figure.axes
    layers = modelled(result)
    starts = [sum(layer.cycles for layer in layers[:place]) for place in range(len(layers))]
    engines = [label.get_text() for label in rows.get_yticklabels()]
    for layer, start, bar, share in zip(layers, starts, rows.patches, use.patches, strict=True):
        assert (bar.get_x(), bar.get_width()) == (start, layer.cycles)
        assert engines[round(bar.get_y() + bar.get_height() / 2)] == layer.engine
        assert (share.get_x(), share.get_width()) == (start, layer.cycles)
        assert share.get_height() == layer.utilization
    assert use.get_xlim() == (0, result.total_cycles)
    assert f"{result.total_cycles:,} cycles" in rows.get_title(loc="left")
    assert set(legend(figure)) == {layer.dataflow or layer.engine for layer in layers}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_design_can_be_drawn(preset):
    network = ax.networks.resnet18() if preset.hardware.array is None else NETWORK
    result = ax.simulate(network, preset.hardware)
    for figure in (plot_results.roofline(result), plot_results.timeline(result)):
        figure.draw_without_rendering()
    peaks = plot_results._peaks(preset.hardware)
    assert sum(multipliers for _, multipliers in peaks) == preset.hardware.multipliers


def test_published_timings_have_no_bytes_to_draw():
    result = ax.simulate(NETWORK, ax.Hardware(BOTH.array), timing="fuseconv-2020")
    assert plot_results.spots(result) == []
    plot_results.roofline(result).draw_without_rendering()
    plot_results.timeline(result).draw_without_rendering()


def test_no_bar_stands_for_a_share_that_is_none():
    """SCALE-Sim counts a clock too few, so that one multiplier would do more than it can."""
    layer = ax.Layer("it", ax.ops.Linear(1), ("input",))
    network = ax.Network("one", (8, 1, 1), (layer,))
    design = ax.Hardware(ax.SystolicArray(1, 1))
    result = ax.simulate(network, design, "os", timing="scalesim")
    _, use = plot_results.timeline(result).axes
    side = plot.layers_figure(result).axes[0].child_axes[0]
    assert [bar.get_height() for bar in use.patches] == pytest.approx([np.nan], nan_ok=True)
    assert [bar.get_width() for bar in side.patches] == pytest.approx([np.nan], nan_ok=True)


PLOTS = {
    "layers": plot.layers_figure,
    "stack": lambda result: plot_results.stack([result, result]),
    "roofline": plot_results.roofline,
    "timeline": plot_results.timeline,
}


@any_script()
def cut_off(figure):
    """Words that reach beyond the figure; ticks outside the axes are not drawn."""
    figure.draw_without_rendering()
    renderer = figure._get_renderer()
    low, high = figure.bbox.get_points()
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            least, most = sorted(axis.get_view_interval())
            ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
            hidden = {tick.label1 for tick in ticks if not least <= tick.get_loc() <= most}
            shown = [text for text in shown if text not in hidden]
    boxes = {text: text.get_window_extent(renderer).get_points() for text in shown}
    return [
        text.get_text()
        for text, (start, end) in boxes.items()
        if (start < low - 1).any() or (end > high + 1).any()
    ]


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize(
    "name",
    [
        "n" * 300,
        r"$\foo{$ x_1",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("short", "a_word " * 30)),
        pytest.param("\x00\n\u4e2d", marks=pytest.mark.full),
    ],
    ids=ascii,
)
def test_any_name_is_drawn_and_none_is_cut_off(result, kind, name):
    graph = replace(result.graph, name=name)
    layers = tuple(replace(layer, name=name) for layer in result.layers)
    assert cut_off(PLOTS[kind](replace(result, graph=graph, layers=layers))) == []


def test_the_legend_of_layers_lies_below_the_title(result):
    figure = plot.layers_figure(result)
    figure.draw_without_rendering()
    axes, renderer = figure.axes[0], figure._get_renderer()
    legend = axes.get_legend().get_window_extent(renderer)
    assert legend.y0 >= axes.get_window_extent(renderer).y1 - 1
    assert legend.y1 <= axes._left_title.get_window_extent(renderer).y0


def test_names_in_bars_can_be_read():
    """WCAG 2.1 asks for a contrast of 4.5 of text, which black or white always has."""
    assert {ink(colour) for colour in ("white", "#E69F00", GREY)} == {"black"}
    assert {ink(colour) for colour in ("black", WAYS["os"])} == {"white"}


@pytest.mark.parametrize("draw", [ax.plot.stack, ax.plot.energy])
def test_no_results_are_refused(draw):
    with pytest.raises(UnsupportedError, match="takes at least one, not none"):
        draw([])
