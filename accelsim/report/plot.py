"""Plots of results with matplotlib."""

import csv
import io
from collections.abc import Sequence
from itertools import cycle, product

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator, PercentFormatter, StrMethodFormatter

from accelsim.files import write_whole
from accelsim.phrases import counted, of_batch
from accelsim.report.style import (
    COLOURS,
    GREY,
    LETTER_INCHES,
    LINE_STYLES,
    MARKERS,
    WAYS,
    any_script,
    bare,
    figure,
    heading,
    length,
)
from accelsim.report.words import literal, wrapped
from accelsim.request import RTL
from accelsim.result import LayerResult
from accelsim.saved import AnyResult
from accelsim.study.fuseconv import Speedup

BARS_INCHES, NAME_POINTS = 6.0, 7  # width of the bars of layers, size of their names


def layers(result: AnyResult, ax: Axes | None = None) -> Axes:
    """Cycles of every modelled layer as bars coloured by dataflow, utilisation beside them.

    What runs on the host is not modelled and left out.
    """
    shown = [layer for layer in result.layers if not layer.not_modelled]
    if ax is None:
        ax = plt.subplots(figsize=layers_size(result), layout="constrained")[1]
    positions = range(len(shown))
    ways = [layer.dataflow or _unnamed(result, layer) for layer in shown]
    colours = [WAYS.get(way, GREY) for way in ways]
    ax.barh(positions, [layer.cycles for layer in shown], color=colours)
    ax.set_yticks(positions, [literal(layer.name) for layer in shown], fontsize=NAME_POINTS)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlabel("cycles")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    heading(
        ax,
        f"{literal(result.network)} {literal(result.variant)}{of_batch(result.batch)}, "
        f"{result.hardware.label}, "
        f"timing {result.timing}: {counted(result.total_cycles, 'cycle')}",
        BARS_INCHES + 1.5,
        pad=24,  # for the legend
    )
    side = ax.inset_axes((1.02, 0.0, 0.25, 1.0), sharey=ax)
    side.barh(positions, [length(layer.utilization) for layer in shown], color=colours, alpha=0.6)
    side.tick_params(labelleft=False, left=False)
    side.set_xlim(0, 1)
    side.xaxis.set_major_formatter(PercentFormatter(1.0))
    side.set_xlabel("utilisation")
    for axes in (ax, side):
        bare(axes, "x")
    used = sorted(set(ways), key=lambda way: ([*WAYS, way].index(way), way))
    ax.legend(
        handles=[Patch(color=WAYS.get(way, GREY), label=way) for way in used],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=max(1, len(used)),
        borderaxespad=0.0,
        frameon=False,
    )
    return ax


def _unnamed(result: AnyResult, layer: LayerResult) -> str:
    """What to call the way in which a layer without dataflow runs."""
    return layer.engine if result.timing == RTL else result.timing


def layers_figure(result: AnyResult) -> Figure:
    """The plot of `layers`, in a size with which the names of all layers can be read."""
    made = figure(*layers_size(result))
    layers(result, made.subplots())
    with any_script():
        for _ in range(2):  # the axes at the side are as wide as the layout before makes them
            made.draw_without_rendering()
    return made


def layers_size(result: AnyResult) -> tuple[float, float]:
    """Width and height in inches with which the names of all layers can be read."""
    shown = [layer for layer in result.layers if not layer.not_modelled]
    longest = max((len(literal(layer.name)) for layer in shown), default=0)
    beside = BARS_INCHES + LETTER_INCHES * NAME_POINTS * longest
    return beside + 2.0, 1.7 + 0.17 * len(shown)


def speedup(points: Sequence[Speedup]) -> Figure:
    """The FuSeConv paper's figure of speed-ups over array size, and the same on our hardware.

    A panel per comparison, a colour per network, a line style per variant. Below the line at 1 a
    variant is slower than the network it replaces.
    """
    labels, names, variants, sides = (
        list(dict.fromkeys(getattr(point, key) for point in points))
        for key in ("comparison", "network", "variant", "side")
    )
    made = figure(3.0 + 2.9 * len(labels), 4.4)
    panels = made.subplots(1, len(labels), sharey=True, squeeze=False)[0]
    for ax, label in zip(panels, labels, strict=True):
        for (name, colour), (variant, style) in product(
            zip(names, cycle(COLOURS), strict=False),
            zip(variants, cycle(LINE_STYLES), strict=False),
        ):
            line = [p for p in points if (p[0], p.network, p.variant) == (label, name, variant)]
            ratios = [point.ratio for point in line]
            marker = MARKERS[names.index(name) % len(MARKERS)]
            shown = {"color": colour, "linestyle": style, "marker": marker, "markersize": 4.5}
            ax.plot([point.side for point in line], ratios, **shown)
        ax.axhline(1.0, color=GREY, linewidth=1)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        ax.set_xticks(sides, [f"{side}" for side in sides])
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g} x"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(wrapped(label, 28), fontsize=10)
        ax.set_xlabel("array side (processing elements)")
        bare(ax)
    panels[0].set_ylabel("speed-up over baseline")
    lines = [
        Line2D([], [], color=colour, marker=marker, label=name)
        for name, colour, marker in zip(names, cycle(COLOURS), cycle(MARKERS), strict=False)
    ]
    lines += [
        Line2D([], [], color="black", ls=style, label=variant)
        for variant, style in zip(variants, cycle(LINE_STYLES), strict=False)
    ]
    made.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=9)
    return made


def write_speedups(path: str, points: Sequence[Speedup]) -> None:
    """Write one line per point, below a line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*Speedup._fields, "speedup"])
    writer.writerows([*point, point.ratio] for point in points)
    write_whole(path, text.getvalue())
