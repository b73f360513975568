"""Plots of results with matplotlib; colours are Okabe and Ito's, safe for colour-blind readers."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator, PercentFormatter, StrMethodFormatter

from accelsim import networks
from accelsim.hardware import Hardware, SystolicArray
from accelsim.result import LayerResult, Result
from accelsim.simulate import RTL, simulate

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#999999"

# Dataflows keep their colours from plot to plot; so does the engine that knows none. What others
# published is grey.
COLOURS = {"os": BLUE, "ws": GREEN, "is": PURPLE, "rows": ORANGE, "depthwise": VERMILION}
LINE_COLOURS = (VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY)
LINE_STYLES = ("-", "-.", ":", "--")


def layers(result: Result, ax: Axes | None = None) -> Axes:
    """Cycles of every modelled layer as bars coloured by dataflow, utilisation beside them.

    What runs on the host is not modelled and left out.
    """
    shown = [layer for layer in result.layers if not layer.not_modelled]
    if ax is None:
        ax = plt.subplots(figsize=layers_size(result), layout="constrained")[1]
    positions = range(len(shown))
    ways = [layer.dataflow or _unnamed(result, layer) for layer in shown]
    colours = [COLOURS.get(way, GREY) for way in ways]
    ax.barh(positions, [layer.cycles for layer in shown], color=colours)
    ax.set_yticks(positions, [layer.name for layer in shown], fontsize=7)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlabel("cycles")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_title(
        f"{result.network} {result.variant}, {result.hardware.label}\n"
        f"timing {result.timing}: {result.total_cycles:,} cycles",
        loc="left",
        fontsize=10,
    )
    side = ax.inset_axes((1.02, 0.0, 0.25, 1.0), sharey=ax)
    side.barh(positions, [layer.utilization for layer in shown], color=colours, alpha=0.6)
    side.tick_params(labelleft=False, left=False)
    side.set_xlim(0, max([1.0, *(layer.utilization for layer in shown)]))
    side.xaxis.set_major_formatter(PercentFormatter(1.0))
    side.set_xlabel("utilisation")
    for axes in (ax, side):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    used = sorted(set(ways), key=lambda way: ([*COLOURS, way].index(way), way))
    side.legend(
        handles=[Patch(color=COLOURS.get(way, GREY), label=way) for way in used],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=max(1, len(used)),
        frameon=False,
    )
    return ax


def _unnamed(result: Result, layer: LayerResult) -> str:
    """What to call the way in which a layer without dataflow runs."""
    return layer.engine if result.timing == RTL else result.timing


def layers_size(result: Result) -> tuple[float, float]:
    """Width and height in inches with which the names of all layers can be read."""
    return 9.0, 1.4 + 0.17 * sum(not layer.not_modelled for layer in result.layers)


class Comparison(NamedTuple):
    """A variant against a baseline under one timing model; the baseline may be kept to `os`."""

    label: str
    timing: str
    baseline_dataflow: str = "auto"


COMPARISONS = (
    Comparison("rtl", "rtl"),
    Comparison("rtl, baseline by im2col (os)", "rtl", "os"),
    Comparison("fuseconv-2020", "fuseconv-2020"),
)


def speedup(
    names: Sequence[str] = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large"),
    variants: Sequence[str] = ("fuse_full", "fuse_half"),
    sides: Sequence[int] = (8, 16, 32, 64, 128),
    comparisons: Sequence[Comparison] = COMPARISONS,
) -> list[Axes]:
    """Speed-up of variants over their baseline on side x side arrays, one panel per network.

    Below the line at 1 a variant is slower than the network it replaces.
    """
    figure, grid = plt.subplots(
        1,
        len(names),
        figsize=(2.6 + 2.8 * len(names), 3.6),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    panels: list[Axes] = list(grid[0])
    for ax, name in zip(panels, names, strict=True):
        for (_, timing, dataflow), style in zip(comparisons, LINE_STYLES, strict=False):
            baseline = [_cycles(name, "baseline", side, timing, dataflow) for side in sides]
            for variant, colour in zip(variants, LINE_COLOURS, strict=False):
                cycles = [_cycles(name, variant, side, timing, "auto") for side in sides]
                ratios = [b / c for b, c in zip(baseline, cycles, strict=True)]
                ax.plot(sides, ratios, style, color=colour, marker="o", markersize=4)
        ax.axhline(1.0, color=GREY, linewidth=1)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        ax.set_xticks(sides, [f"{side}" for side in sides])
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g} x"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("array side")
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("speed-up over baseline")
    lines = [Line2D([], [], color=c, label=v) for v, c in zip(variants, LINE_COLOURS, strict=False)]
    lines += [
        Line2D([], [], color="black", ls=style, label=comparison.label)
        for comparison, style in zip(comparisons, LINE_STYLES, strict=False)
    ]
    figure.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=9)
    return panels


def _cycles(name: str, variant: str, side: int, timing: str, dataflow: str) -> int:
    hardware = Hardware(SystolicArray(side, side))
    return simulate(networks.get(name, variant), hardware, dataflow, timing=timing).total_cycles
