"""Plots that set designs side by side."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import (
    LogLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)

from accelsim.ops.papers.base import DYNAMIC, FOLDABLE, IRREGULAR
from accelsim.phrases import counted, of_batch
from accelsim.report.study import clocks_of
from accelsim.report.style import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    MARKERS,
    NUMBERS,
    ORANGE,
    PURPLE,
    SHORT,
    VERMILION,
    apart,
    bare,
    number_axis,
)
from accelsim.side_by_side import SideBySide
from accelsim.study.depthwise import WAYS, Point
from accelsim.study.operators import OperatorCost
from accelsim.study.ways import IM2COL

PANEL_INCHES = 2.5  # of the axes of a panel, about
CLASS_COLOURS = {None: GREY, FOLDABLE: BLUE, IRREGULAR: ORANGE, DYNAMIC: VERMILION}
WAY_COLOURS = dict(zip(WAYS, (GREY, ORANGE, PURPLE, BLUE, VERMILION, GREEN), strict=True))


def side_by_side(comparison: SideBySide) -> Figure:
    """Cycles and utilisation of every layer, a marker for every design."""
    positions = range(len(comparison.rows))
    figure = Figure(figsize=(9.5, 1.8 + 0.19 * len(comparison.rows)), layout="constrained")
    cycles, share = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    for index, (entry, total) in enumerate(zip(comparison.entries, comparison.totals, strict=True)):
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": "none",
            "markersize": 5.5,
            "markerfacecolor": "none",  # markers in the same place can still be told apart
            "markeredgewidth": 1.4,
        }
        multipliers = counted(total.multipliers, "multiplier")
        label = f"{entry.name}: {counted(total.cycles, 'cycle')}, {multipliers}"
        costs = [row.costs[index] for row in comparison.rows]
        cycles.plot([cost.cycles for cost in costs], positions, label=label, **style)
        share.plot([cost.utilization for cost in costs], positions, **style)
    least = [row.fastest for row in comparison.rows]
    most = [max(cost.cycles for cost in row.costs) for row in comparison.rows]
    cycles.hlines(positions, least, most, color=GREY, linewidth=0.7, zorder=0)
    cycles.set_yticks(positions, [row.name for row in comparison.rows], fontsize=7)
    cycles.set_ylim(len(comparison.rows) - 0.4, -0.6)
    cycles.set_xscale("log")
    cycles.xaxis.set_major_formatter(NUMBERS)
    if max(most) < 10 * min(least):
        cycles.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        cycles.xaxis.set_minor_formatter(NUMBERS)
    else:
        cycles.xaxis.set_minor_formatter(NullFormatter())
    cycles.set_xlabel("cycles")
    share.set_xlim(left=0)
    share.xaxis.set_major_formatter(PercentFormatter(1.0))
    share.set_xlabel("utilisation of the engine")
    for axes in (cycles, share):
        bare(axes, "x")
    figure.legend(
        title=f"{comparison.network} {comparison.variant}{of_batch(comparison.batch)}",
        loc="outside upper left",
        alignment="left",
        frameon=False,
        fontsize=8,
    )
    return figure


def depthwise_study(points: Sequence[Point], with_memory: bool = False) -> Figure:
    """Cycles over multipliers, a panel per network and a line per way; a point is an array.

    Parameters
    ----------
    with_memory : whether to show clocks with memory in their place.
    """
    names = list(dict.fromkeys(point.network for point in points))
    columns = 2 if len(names) > 2 else 1  # of the legend
    size = (max(6.0, 1.0 + 2.9 * len(names)), 5.1 - 0.45 * columns)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        known = [(p, clocks_of(p, with_memory)) for p in points if p.network == name]
        shown = [(point, clocks) for point, clocks in known if clocks is not None]
        for index, (way, colour) in enumerate(WAY_COLOURS.items()):
            line = sorted((p.multipliers, clocks) for p, clocks in shown if p.way == way.name)
            axes.plot(
                [multipliers for multipliers, _ in line],
                [clocks for _, clocks in line],
                color=colour,
                marker=MARKERS[index],
                markersize=5,
                label=f"{way.label}: {way.about}" if name == names[0] else None,
            )
        # Arrays are named once, above the line that is slowest everywhere.
        named = [each for each in shown if each[0].way == IM2COL.name]
        places = [point.multipliers for point, _ in named]
        for at in apart(places, [point.array for point, _ in named], PANEL_INCHES):
            point, clocks = named[at]
            axes.annotate(
                point.array,
                (point.multipliers, clocks),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(LogLocator(base=4))
        axes.xaxis.set_major_formatter(NUMBERS)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", labelsize=8)
        axes.set_xlabel("multipliers")
        axes.set_title(f"{name}{of_batch(known[0][0].batch)}", fontsize=10)
        bare(axes)
    panels[0].set_ylabel(f"{'clocks with memory' if with_memory else 'cycles'} of the network")
    number_axis(panels[0], "y", filter(None, (clocks_of(p, with_memory) for p in points)))
    figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=8)
    return figure


def operators_study(entries: Sequence[OperatorCost]) -> Figure:
    """Cycles of every operator beside the baseline's, and over the accuracy that authors report.

    On the right, where authors report any, a line leads from the baseline of each paper to its
    operator: baselines of different papers were trained differently.
    """
    known = [entry for entry in entries if entry.cycles is not None]
    placed = [
        (entry, each.top1, each.gain)
        for entry in known
        if (each := entry.reported) and each.top1 is not None and each.gain is not None
    ]
    figure = Figure(
        figsize=(11.0 if placed else 6.5, 1.6 + 0.24 * len(known)), layout="constrained"
    )
    panels = figure.subplots(1, 2 if placed else 1, squeeze=False)[0]
    bars, places = panels[0], range(len(known))
    colours = [CLASS_COLOURS[entry.cost_class] for entry in known]
    bars.barh(places, [entry.cycles or 0 for entry in known], color=colours)
    bars.axvline(known[0].cycles or 0, color=GREY, linewidth=0.8)
    bars.set_yticks(places, [entry.variant for entry in known], fontsize=8)
    bars.set_ylim(len(known) - 0.4, -0.6)
    bars.xaxis.set_major_formatter(SHORT)
    bars.set_xlabel("cycles")
    bars.set_title(known[0].network, fontsize=10, loc="left")
    bare(bars, "x")
    if placed:
        _reported(panels[1], placed, known[0])
    shown = dict.fromkeys(entry.cost_class for entry in known)
    handles = [Patch(color=CLASS_COLOURS[each], label=each or "baseline") for each in shown]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, fontsize=8)
    return figure


def _reported(
    axes: Axes, placed: Sequence[tuple[OperatorCost, float, float]], plain: OperatorCost
) -> None:
    """Reported accuracy over cycles, from the baseline of each paper.

    placed : entries with their accuracy, and what that is more than their paper's baseline.
    """
    for entry, top1, gain in placed:
        assert entry.cycles is not None
        assert plain.cycles is not None
        colour = CLASS_COLOURS[entry.cost_class]
        ends = (plain.cycles, entry.cycles), (top1 - gain, top1)
        axes.plot(*ends, color=colour, linewidth=1.0, alpha=0.6)
        axes.plot(*(end[:1] for end in ends), "o", color=GREY, markersize=4)
        axes.plot(*(end[1:] for end in ends), "o", color=colour, markersize=6)
        axes.annotate(
            entry.variant,
            (entry.cycles, top1),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=7,
        )
    axes.margins(0.15)
    axes.xaxis.set_major_formatter(SHORT)
    axes.set_xlabel("cycles")
    datasets = dict.fromkeys(entry.reported.dataset for entry, *_ in placed if entry.reported)
    axes.set_ylabel(f"reported top-1 on {', '.join(datasets)}, %")
    axes.set_title("grey: each paper's own baseline", fontsize=8, loc="left")
    bare(axes)
