"""Plots of what the layers of a result cost: stacked, against a roofline, and along time."""

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware, SystolicArray
from accelsim.phrases import counted, of_batch
from accelsim.report.style import (
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    SHORT,
    WAYS,
    bare,
    figure,
    heading,
    ink,
    length,
    number_axis,
    size_axis,
)
from accelsim.report.words import literal, short, wrapped
from accelsim.result import LayerResult, Result
from accelsim.saved import AnyResult

HATCHES = ("", "///", "...", "xxx")
MEMORY_WIDTHS = (16, 64, 256)  # bytes a clock
ROOFS = "No layer is above the roof of its engine;\nabove a slope, it waits for that memory."
INCH_PER_LETTER = 0.062  # at the size of labels in bars
NAME_LETTERS = 44  # of a line beside a bar
BAR_POINTS = 400  # length of the longest bar of a stack, about
SEPARATOR = 0.5  # points between two of its layers
NARROW = 150  # layers that take less than such a part of a plot have no edge around them


def check_some(results: Sequence[AnyResult]) -> None:
    """UnsupportedError where there is no result to plot."""
    if not results:
        raise UnsupportedError("a plot of results takes at least one, not none")


def stack(results: Sequence[AnyResult]) -> Figure:
    """A bar per result, of its layers by operator; the cycles of every layer lie side by side.

    UnsupportedError where there is no result.
    """
    check_some(results)
    kinds: dict[str, int] = {}
    for result in results:
        for layer in _shown(result):
            kinds[layer.op] = kinds.get(layer.op, 0) + layer.cycles
    order = sorted(kinds, key=lambda kind: -kinds[kind])
    styles = [(COLOURS[index % 7], HATCHES[index // 7 % 4]) for index in range(len(order))]
    made = figure(9.5, 1.5 + 0.55 * len(results))
    axes = made.subplots()
    points = BAR_POINTS / (max(result.total_cycles for result in results) or 1)
    for place, result in enumerate(results):
        left = 0
        for layer in sorted(_shown(result), key=lambda layer: order.index(layer.op)):
            colour, hatch = styles[order.index(layer.op)]
            bar = axes.barh(place, layer.cycles, left=left, facecolor=colour, edgecolor="white")
            bar[0].set(hatch=hatch, linewidth=0.0, antialiased=False)  # or seams would show
            if left:  # a line between two layers, thinner than the layer behind it
                thin = min(SEPARATOR, layer.cycles * points / 3)
                axes.vlines(left, place - 0.4, place + 0.4, color="white", linewidth=thin)
            left += layer.cycles
        words = f"{left:,}"
        axes.annotate(words, (left, place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(results)), [name_of(result) for result in results], fontsize=8)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("cycles; a segment is a layer")
    axes.xaxis.set_major_formatter(SHORT)
    bare(axes, "x")
    handles = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=kind)
        for kind, (colour, hatch) in zip(order, styles, strict=True)
    ]
    made.legend(handles=handles, title="operator", loc="outside right upper", frameon=False)
    return made


def several(results: Sequence[Result]) -> Figure:
    """Cycles over array size, a line per network and input; a stack where all are of one size."""
    sizes: dict[int, list[str]] = {}
    for each in filter(None, map(_array, results)):
        label = f"{each.rows}x{each.columns}"
        if label not in sizes.setdefault(each.multipliers, []):
            sizes[each.multipliers].append(label)
    if len(sizes) < 2:
        return stack(results)
    made = figure(7.5, 4.4)
    axes = made.subplots()
    names = list(dict.fromkeys(map(_workload, results)))
    for index, (name, style) in enumerate(zip(names, cycle(LINE_STYLES), strict=False)):
        line = sorted(
            (array.multipliers, result.total_cycles)
            for result in results
            if (array := _array(result)) and _workload(result) == name
        )
        axes.plot(
            *zip(*line, strict=True),
            linestyle=style,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            label=name,
        )
    labels = {multipliers: ", ".join(sizes[multipliers]) for multipliers in sorted(sizes)}
    size_axis(axes, labels, 6.0)
    number_axis(axes, "y", [result.total_cycles for result in results])
    axes.set_xlabel("array size (rows x columns)")
    axes.set_ylabel("cycles")
    bare(axes)
    made.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return made


def _array(result: Result) -> SystolicArray | None:
    return result.hardware.array


def _workload(result: Result) -> str:
    name = _network(result)
    return name if result.graph.input is None else f"{name} {result.graph.size}"


def name_of(result: AnyResult) -> str:
    """What is run, and below it on what."""
    timing = "" if result.timing == "rtl" else f", {result.timing}"
    return "\n".join(
        wrapped(words, NAME_LETTERS)
        for words in (_network(result), f"{result.hardware.label}{timing}")
    )


def _network(result: AnyResult) -> str:
    return f"{literal(result.network)} {literal(result.variant)}{of_batch(result.batch)}"


class Spot(NamedTuple):
    """A layer under a roofline.

    intensity : MACs with a value of the map per byte moved: operands that are filled into the
        banks, copies by im2col included, and results.
    rate : such MACs a clock, so that no layer is above the roof of its engine.
    """

    layer: LayerResult
    intensity: float
    rate: float


def spots(result: AnyResult) -> list[Spot]:
    """The layers whose bytes are known."""
    drawn = []
    for layer in _shown(result):
        moved = (layer.read_bytes or 0) + (layer.write_bytes or 0)
        if moved and layer.cycles:
            drawn.append(Spot(layer, layer.live_macs / moved, layer.live_macs / layer.cycles))
    return drawn


def roofline(result: AnyResult, widths: Sequence[int] = MEMORY_WIDTHS) -> Figure:
    """MACs a clock of every layer over MACs per byte, below what multipliers and memory allow.

    The cycles are those of the engine: a layer above the slope of a memory waits for it.

    Parameters
    ----------
    widths : bytes that memories move in a clock, a slope each.
    """
    drawn = spots(result)
    made = figure(9.5, 4.8)
    axes = made.subplots()
    peaks = _peaks(result.hardware)
    top = max(multipliers for _, multipliers in peaks)
    least = min([1.0, *(spot.intensity for spot in drawn)]) / 2
    most = 2 * max([top / min(widths), *(spot.intensity for spot in drawn)])
    for (engine, multipliers), style in zip(peaks, cycle(LINE_STYLES), strict=False):
        label = f"{engine}: {counted(multipliers, 'multiplier')}"
        axes.axhline(multipliers, color="black", linestyle=style, linewidth=1.4, label=label)
    for width, style in zip(sorted(widths, reverse=True), cycle(LINE_STYLES), strict=False):
        slope = [least, top / width], [least * width, top]
        label = f"memory: {counted(width, 'byte')} a clock"
        axes.plot(*slope, color=GREY, linestyle=style, linewidth=1.4, label=label)
    for way in dict.fromkeys(_way(spot.layer) for spot in drawn):
        those = [spot for spot in drawn if _way(spot.layer) == way]
        axes.plot(
            [spot.intensity for spot in those],
            [spot.rate for spot in those],
            linestyle="none",
            color=WAYS.get(way, GREY),
            marker=MARKERS[list(WAYS).index(way)] if way in WAYS else MARKERS[-1],
            markeredgecolor="white",
            markeredgewidth=0.5,
            markersize=7,
            label=f"layers: {way}",
        )
    number_axis(axes, "x", [least, most])
    number_axis(axes, "y", [min([1.0, *(spot.rate for spot in drawn)]), top])
    axes.set_xlim(least, most)
    axes.set_xlabel("MACs per byte moved (operands filled, copies included, and results)")
    axes.set_ylabel("MACs per clock, taps outside the map left out")
    heading(axes, f"{_network(result)}, {result.hardware.label}", 6.4)
    bare(axes)
    made.legend(
        title=ROOFS,
        title_fontsize=8,
        alignment="left",
        loc="outside right upper",
        frameon=False,
        fontsize=9,
    )
    return made


def _peaks(hardware: Hardware) -> list[tuple[str, int]]:
    """Engines and their multipliers."""
    return [(engine.name, engine.multipliers) for engine in hardware.engines]


def timeline(result: AnyResult) -> Figure:
    """When each engine runs which layer, and how well its multipliers are used meanwhile."""
    shown = _shown(result)
    engines = list(dict.fromkeys(layer.engine for layer in shown))
    made = figure(11.0, 2.6 + 0.55 * len(engines))
    rows, use = made.subplots(2, 1, sharex=True, height_ratios=(max(1, len(engines)), 2))
    letters = result.total_cycles / (8.0 / INCH_PER_LETTER) or 1
    now = 0
    for layer in shown:
        colour = WAYS.get(_way(layer), GREY)
        row = engines.index(layer.engine)
        edge = 0.4 if layer.cycles > result.total_cycles / NARROW else 0.0
        rows.barh(row, layer.cycles, 0.8, now, color=colour, edgecolor="white", linewidth=edge)
        use.bar(
            now, length(layer.utilization), layer.cycles, align="edge", color=colour, linewidth=0
        )
        words = literal(layer.name)
        if layer.cycles > letters * (len(words) + 1):
            middle = now + layer.cycles / 2
            rows.text(middle, row, words, ha="center", va="center", fontsize=7, color=ink(colour))
        now += layer.cycles
    rows.set_yticks(range(len(engines)), engines)
    rows.set_ylim(max(1, len(engines)) - 0.5, -0.5)
    heading(
        rows,
        f"{_network(result)}, {result.hardware.label}: {counted(now, 'cycle')}, "
        f"{short(result.hardware.milliseconds(now))} ms at {result.hardware.clock_mhz:g} MHz",
        8.7,
    )
    use.set_xlim(0, now or 1)
    use.set_ylim(0, 1)
    use.yaxis.set_major_formatter(PercentFormatter(1.0))
    use.set_ylabel("utilisation")
    use.set_xlabel("cycles since the start; layers run one after another")
    use.xaxis.set_major_formatter(SHORT)
    bare(rows, "x")
    bare(use)
    ways = list(dict.fromkeys(_way(layer) for layer in shown))
    handles = [Patch(color=WAYS.get(way, GREY), label=way) for way in ways]
    if handles:
        made.legend(handles=handles, loc="outside right upper", frameon=False)
    return made


def _shown(result: AnyResult) -> list[LayerResult]:
    """The layers that an engine runs."""
    return [layer for layer in result.layers if not layer.not_modelled]


def _way(layer: LayerResult) -> str:
    """The dataflow of a layer, or the engine that knows none."""
    return layer.dataflow or layer.engine
