"""Plots of many designs: a Pareto front, latency over array size, a heat map, a sensitivity.

Each takes a polars frame with a row per design, such as a sweep writes. Millions of rows are
reduced to what a picture can show before anything is drawn.
"""

import math
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import polars
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from accelsim import analysis
from accelsim.analysis import Frame
from accelsim.errors import SelectionError
from accelsim.phrases import counted
from accelsim.report.style import (
    BLUE,
    COLOURS,
    GREY,
    LIGHT,
    LINE_STYLES,
    MARKERS,
    SEQUENTIAL,
    SHORT,
    bare,
    figure,
    number_axis,
    size_axis,
)
from accelsim.report.words import literal, short, wording

CELLS = 400  # of a scatter along either axis: one point per cell is drawn
CROWD = 500  # designs on a front from which markers are small
MOST_KINDS = 14  # that colours and markers tell apart
LETTERS = 32  # of a value beside an axis, above a panel or in the legend
WIDE = 24  # letters of a title from which it is set smaller
MOST_LABELS = 16  # of an axis of a heat map
MOST_WRITTEN = 12  # rows or columns of a heat map up to which its cells hold their number
PANEL_INCHES = 2.7  # of the axes of a panel, about
SIZE = ("rows", "columns")


def pareto(
    frame: Frame,
    minimise: Sequence[str] = (),
    maximise: Sequence[str] = (),
    where: Sequence[str] = (),
    colour: str | None = None,
) -> Figure:
    """All designs in grey and the front on top, over the first two of the objectives.

    Parameters
    ----------
    minimise, maximise, where : as in `analysis.pareto`.
    colour : a column that colours the front, for instance network.
    """
    names = [*minimise, *maximise]
    if len(names) < 2:
        raise SelectionError(f"a front is drawn over two objectives or more, not {len(names)}")
    front = _some(analysis.pareto(frame, minimise, maximise, where))
    x, y = names[:2]
    rows = analysis.matching(frame, where).select(x, y).drop_nulls()
    cells, count = _thinned(rows, x, y)
    made = figure(9.5, 5.2)
    axes = made.subplots()
    whole = f"all designs ({count:,})"
    axes.plot(cells[x], cells[y], ".", color=LIGHT, markersize=4, label=whole, rasterized=True)
    number_axis(axes, "x", cells[x])
    number_axis(axes, "y", cells[y])
    if len(names) == 2:
        ends = front.sort(x)
        steps = "steps-post" if x in minimise else "steps-pre"  # corners are worse than both ends
        axes.plot(ends[x], ends[y], color=GREY, linewidth=1, drawstyle=steps)
    for index, kind in enumerate(_kinds(front, colour)):
        those = front if colour is None else front.filter(_equals(colour, kind))
        name = "" if colour is None else f", {colour} {_label(kind)}"
        axes.plot(
            those[x],
            those[y],
            linestyle="none",
            marker=MARKERS[index % len(MARKERS)],
            color=COLOURS[index % len(COLOURS)],
            markeredgecolor="white",
            markeredgewidth=0.5 if len(front) < CROWD else 0.0,
            markersize=7 if len(front) < CROWD else 3,
            rasterized=len(front) >= CROWD,
            label=f"front{name} ({len(those):,})",
        )
    for which, name in (("x", x), ("y", y)):
        better = "less" if name in minimise else "more"
        axes.set(**{f"{which}label": f"{wording(name)}, {better} is better"})
    if len(names) > 2:
        more = ", ".join(wording(name) for name in names[2:])
        axes.set_title(f"the front is also of {more}", loc="left", fontsize=10)
    bare(axes)
    made.legend(loc="outside right upper", frameon=False, fontsize=9, markerscale=1.2)
    return made


def _thinned(rows: polars.LazyFrame, x: str, y: str) -> tuple[polars.DataFrame, int]:
    """One row per cell of a picture, and the number of all rows."""
    count, *ends = (
        rows.select(
            polars.len(),
            *(polars.col(name).cast(polars.Float64).min().alias(f"{name}<") for name in (x, y)),
            *(polars.col(name).cast(polars.Float64).max().alias(f"{name}>") for name in (x, y)),
        )
        .collect(engine="streaming")
        .row(0)
    )
    cells = [_cell(name, ends[i], ends[i + 2]) for i, name in enumerate((x, y))]
    thin = rows.group_by(cells).agg(polars.col(x).first(), polars.col(y).first())
    return thin.select(x, y).collect(engine="streaming"), count


def _cell(name: str, least: float, most: float) -> polars.Expr:
    """The cell that a value lies in, along an axis as number_axis scales it."""
    value = polars.col(name).cast(polars.Float64)
    if least > 0 and most > 10 * least:
        value, least, most = value.log(), np.log(least), np.log(most)
    return ((value - least) / ((most - least) or 1) * CELLS).round().alias(f"cell of {name}")


def scaling(
    frame: Frame,
    metric: str = "total_cycles",
    line: str = "variant",
    panel: str = "network",
    where: Sequence[str] = (),
) -> Figure:
    """The least of the metric over array size, a line per variant and a panel per network.

    Of all designs of a size, the best counts; of several shapes with as many elements, too.
    """
    rows = analysis.matching(frame, where)
    analysis.check_columns(rows, (line, panel))
    analysis.check_numbers(rows, (*SIZE, metric))
    _check_different("latency over array size", (*SIZE, metric, line, panel))
    size = polars.col("rows") * polars.col("columns")
    best = _some(
        rows.select(line, panel, *SIZE, metric, size.alias("elements"))
        .drop_nulls([*SIZE, metric])
        .sort(metric)
        .group_by(panel, line, "elements", maintain_order=True)
        .agg(polars.col(metric).first(), *(polars.col(name).first() for name in SIZE))
        .sort(panel, line, "elements")
        .collect(engine="streaming")
    )
    names, lines = _kinds(best, panel), _kinds(best, line)
    made = figure(2.2 + 3.1 * len(names), 4.2)
    panels = made.subplots(1, len(names), sharey=True, squeeze=False)[0]
    sizes = best["elements"].unique().sort().to_list()
    squares = (best["rows"] == best["columns"]).all()

    def square(size: int) -> str:
        side = math.isqrt(size)
        return f"{side}x{side}" if squares else f"{size:,}"

    for axes, name in zip(panels, names, strict=True):
        for index, (kind, style) in enumerate(zip(lines, cycle(LINE_STYLES), strict=False)):
            those = best.filter(_equals(panel, name) & _equals(line, kind))
            axes.plot(
                those["elements"],
                those[metric],
                linestyle=style,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                label=_label(kind) if name == names[0] else None,
            )
        axes.set_title(_label(name), fontsize=10 if len(str(name)) < WIDE else 7)
        size_axis(axes, {size: square(size) for size in sizes}, PANEL_INCHES)
        axes.set_xlabel("array size (rows x columns)" if squares else "multipliers of the array")
        bare(axes)
    number_axis(panels[0], "y", best[metric])
    panels[0].set_ylabel(f"{wording(metric)}, the least of each size")
    made.legend(title=line, loc="outside right upper", frameon=False)
    return made


def heatmap(
    frame: Frame,
    metric: str = "total_cycles",
    x: str = "columns",
    y: str = "rows",
    where: Sequence[str] = (),
    maximise: bool = False,
) -> Figure:
    """The best of the metric for every pair of values of two columns.

    Parameters
    ----------
    maximise : whether the most is the best, not the least.
    """
    rows = analysis.matching(frame, where)
    analysis.check_columns(rows, (x, y))
    analysis.check_numbers(rows, (metric,))
    _check_different("a heat map", (x, y, metric))
    best = polars.col(metric).max() if maximise else polars.col(metric).min()
    known = rows.select(x, y, metric).drop_nulls()
    cells = _some(known.group_by(x, y).agg(best).collect(engine="streaming"))
    across, down = (cells[name].unique().sort().to_list() for name in (x, y))
    values = np.full((len(down), len(across)), np.nan)
    for at_x, at_y, value in cells.select(x, y, metric).iter_rows():
        values[down.index(at_y), across.index(at_x)] = value
    made = figure(
        min(14.0, 3.4 + 0.62 * min(len(across), MOST_LABELS)),
        min(11.0, 1.9 + 0.42 * min(len(down), MOST_LABELS)),
    )
    axes = made.subplots()
    least, most = np.nanmin(values), np.nanmax(values)
    wide = least > 0 and most > 10 * least
    norm = LogNorm(least, most) if wide else Normalize(least, most)
    axes.set_facecolor(LIGHT)  # of pairs that no design has
    image = axes.imshow(values, SEQUENTIAL, norm, aspect="auto", origin="lower")
    if max(values.shape) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            if value == value:
                tone = "white" if norm(value) < 0.5 else "black"
                words = short(value)
                axes.text(column, row, words, ha="center", va="center", fontsize=7, color=tone)
    for axis, kinds in ((axes.xaxis, across), (axes.yaxis, down)):
        shown = _every(kinds, MOST_LABELS)
        axis.set_ticks(shown, [_label(kinds[index]) for index in shown])
    axes.set_xlabel(wording(x))
    axes.set_ylabel(wording(y))
    axes.spines[:].set_visible(False)
    bar = made.colorbar(image, ax=axes, format=SHORT)
    bar.set_label(f"{'most' if maximise else 'least'} {wording(metric)}")
    number_axis(bar.ax, "y", [least, most])
    return made


def sensitivity(
    frame: Frame,
    parameter: str,
    metric: str,
    held: Sequence[str],
    where: Sequence[str] = (),
) -> Figure:
    """How a metric follows a parameter when all else is held: median, quartiles and extremes.

    Parameters
    ----------
    held : columns of all other parameters.
    """
    spread = analysis.sensitivity(frame, parameter, metric, held, where)
    places = range(len(spread))
    made = figure(8.5, 4.2)
    axes = made.subplots()
    axes.fill_between(places, spread["least"], spread["most"], color=BLUE, alpha=0.15, linewidth=0)
    axes.fill_between(places, spread["lower"], spread["upper"], color=BLUE, alpha=0.35, linewidth=0)
    axes.plot(places, spread["median"], color=BLUE, marker="o", markersize=5)
    axes.axhline(1.0, color=GREY, linewidth=1)
    shown = _every(places, MOST_LABELS)
    axes.set_xticks(shown, [_label(spread[parameter][index]) for index in shown])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=0)
    words, first = wording(parameter), str(spread[parameter][0])
    axes.set_xlabel(words)
    axes.set_ylabel(f"{wording(metric)}, relative to {first} {words}")
    designs: list[int] = spread["designs"].to_list()
    least, most = min(designs), max(designs)
    compared = counted(most, "design") if least == most else f"{least:,} to {most:,} designs"
    axes.set_title(f"{compared} at each value", loc="left", fontsize=10)
    bare(axes)
    handles = [axes.lines[0], *reversed(axes.collections)]
    made.legend(
        handles,
        ["median", "middle half of designs", "all designs"],
        loc="outside right upper",
        frameon=False,
    )
    return made


def _some(designs: polars.DataFrame) -> polars.DataFrame:
    """The frame; SelectionError where there is nothing to draw."""
    if designs.is_empty():
        raise SelectionError("no design meets the conditions and has the values to be drawn")
    return designs


def _check_different(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SelectionError(f"{what} needs different columns, not {name} twice")


def _kinds(designs: polars.DataFrame, column: str | None) -> list[object]:
    """The values of a column that is told apart; one where there is none."""
    if column is None:
        return [None]
    analysis.check_columns(designs, (column,))
    kinds = designs[column].unique().sort().to_list()
    if len(kinds) > MOST_KINDS:
        raise SelectionError(
            f"{column} has {len(kinds)} values; at most {MOST_KINDS} can be told apart in a plot"
        )
    return kinds


def _label(value: object) -> str:
    return literal(str(value), LETTERS)


def _equals(column: str, kind: object) -> polars.Expr:
    return polars.col(column).eq_missing(polars.lit(kind))


def _every(values: Sequence[object], most: int) -> list[int]:
    """Places of at most so many of the values, evenly from the first on."""
    return list(range(0, len(values), -(-len(values) // most)))
