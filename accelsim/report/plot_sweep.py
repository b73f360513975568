"""Plots of many designs: a Pareto front, latency over array size, a heat map, a sensitivity.

Each takes a polars frame with a row per design, such as a sweep writes. Millions of rows are
reduced to what a picture can show before anything is drawn. A front, a line or a map is of one
workload (network, variant, input, batch) unless it is asked for `across` some of these columns; the
title says what was fixed, and over what the best was taken.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import PercentFormatter

from accelsim import analysis, conditions, sweep
from accelsim.conditions import Frame
from accelsim.errors import SelectionError
from accelsim.frames import polars
from accelsim.phrases import counted
from accelsim.report.style import (
    BLUE,
    COLOURS,
    GREY,
    LETTER_INCHES,
    LIGHT,
    LINE_STYLES,
    MARKERS,
    SEQUENTIAL,
    SHORT,
    bare,
    figure,
    heading,
    number_axis,
    size_axis,
    word_axis,
)
from accelsim.report.words import literal, short, wording, wrapped

Floats = npt.NDArray[np.float64]

CELLS = 400  # of a scatter along either axis: one point per cell is drawn
CROWD = 500  # designs on a front from which markers are small
MOST_KINDS = 14  # that colours and markers tell apart
LETTERS = 32  # of a value beside an axis, above a panel or in the legend
WIDE = 24  # letters of a title from which it is set smaller
MOST_MAPS = 9  # heat maps of one figure
MOST_LABELS = 16  # of an axis of a heat map
MOST_WRITTEN = 12  # rows or columns of a heat map up to which its cells hold their number
PANEL_INCHES = 2.7  # of the axes of a panel, about
CELL_INCHES = 0.62  # of a column of a heat map, about
SIZE = ("rows", "columns")


def pareto(
    frame: Frame,
    minimise: Sequence[str] = (),
    maximise: Sequence[str] = (),
    where: Sequence[str] = (),
    colour: str | None = None,
    across: Sequence[str] = (),
) -> Figure:
    """All designs in grey and the front of every workload on top, over the first two objectives.

    Parameters
    ----------
    minimise, maximise, where, across : as in `analysis.pareto`.
    colour : a column that colours the fronts, for instance lanes; None colours workloads.
    """
    names = [*minimise, *maximise]
    if len(names) < 2:
        raise SelectionError(f"a front is drawn over two objectives or more, not {len(names)}")
    front = _some(analysis.pareto(frame, minimise, maximise, where, across))
    x, y = names[:2]
    rows = conditions.matching(frame, where).select(x, y).drop_nulls()
    cells, count = _thinned(rows, x, y)
    made = figure(9.5, 5.2)
    axes = made.subplots()
    whole = f"all designs ({count:,})"
    axes.plot(cells[x], cells[y], ".", color=LIGHT, markersize=4, label=whole, rasterized=True)
    number_axis(axes, "x", cells[x])
    number_axis(axes, "y", cells[y])
    workload = _told(front, analysis.workload_columns(front, across))
    if len(names) == 2:
        steps = "steps-post" if x in minimise else "steps-pre"  # corners are worse than both ends
        for each in _groups(front, workload):
            ends = _those(front, each).sort(x)
            axes.plot(ends[x], ends[y], color=GREY, linewidth=1, drawstyle=steps)
    for index, kind in enumerate(_groups(front, [colour] if colour else workload)):
        those = _those(front, kind)
        name = f", {colour} {_label(kind[colour])}" if colour else f", {_labels(kind)}"
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
            label=f"front{name.rstrip(', ')} ({len(those):,})",
        )
    for which, name in (("x", x), ("y", y)):
        better = "less" if name in minimise else "more"
        axes.set(**{f"{which}label": f"{wording(name)}, {better} is better"})
    about = _about(frame, where, across, workload, "best over")
    if len(names) > 2:
        about += f"; the front is also of {', '.join(wording(name) for name in names[2:])}"
    heading(axes, about, 6.4)
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
    across: Sequence[str] = (),
) -> Figure:
    """The least of the metric over array size, a line per variant and a panel per network.

    A line is of one workload: columns of these that neither lines nor panels tell apart make lines
    of their own. Of all its designs of a size, the best counts; of several shapes with as many
    elements, too.

    Parameters
    ----------
    across : as in `analysis.pareto`.
    """
    rows = conditions.matching(frame, where)
    conditions.check_columns(rows, (line, panel))
    conditions.check_numbers(rows, (*SIZE, metric))
    _check_different("latency over array size", (*SIZE, metric, line, panel))
    workload = analysis.workload_columns(rows, across)
    others = [name for name in workload if name not in (line, panel)]
    size = polars.col("rows") * polars.col("columns")
    best = _some(
        rows.select(line, panel, *others, *SIZE, metric, size.alias("elements"))
        .drop_nulls([*SIZE, metric])
        .sort(metric)
        .group_by(panel, line, *others, "elements", maintain_order=True)
        .agg(polars.col(metric).first(), *(polars.col(name).first() for name in SIZE))
        .sort(panel, line, *others, "elements")
        .collect(engine="streaming")
    )
    keys = [line, *_told(best, others)]
    names, lines = _groups(best, [panel]), _groups(best, keys)
    made = figure(2.2 + 3.1 * len(names), 4.5)
    panels = made.subplots(1, len(names), sharey=True, squeeze=False)[0]
    sizes = best["elements"].unique().sort().to_list()
    squares = (best["rows"] == best["columns"]).all()

    def square(size: int) -> str:
        side = math.isqrt(size)
        return f"{side}x{side}" if squares else f"{size:,}"

    for axes, name in zip(panels, names, strict=True):
        for index, (kind, style) in enumerate(zip(lines, cycle(LINE_STYLES), strict=False)):
            those = _those(best, name | kind)
            axes.plot(
                those["elements"],
                those[metric],
                linestyle=style,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                label=_labels(kind) if name == names[0] else None,
            )
        text = _labels(name)
        axes.set_title(text, fontsize=10 if len(text) < WIDE else 7)
        size_axis(axes, {size: square(size) for size in sizes}, PANEL_INCHES)
        axes.set_xlabel("array size (rows x columns)" if squares else "multipliers of the array")
        bare(axes)
    number_axis(panels[0], "y", best[metric])
    panels[0].set_ylabel(f"{wording(metric)}, the least of each size")
    shapes = rows.select(*SIZE).unique().collect(engine="streaming").height
    about = _about(frame, where, across, (line, panel, *keys, *SIZE), "least over")
    if shapes > len(sizes):
        about = f"{about}; of several shapes of a size, the least"
    letters = made.get_figwidth() / (LETTER_INCHES * 9)
    made.suptitle(wrapped(about, letters), fontsize=9, x=0.01, ha="left")
    made.legend(title=", ".join(keys), loc="outside right upper", frameon=False)
    return made


def heatmap(
    frame: Frame,
    metric: str = "total_cycles",
    x: str = "columns",
    y: str = "rows",
    where: Sequence[str] = (),
    maximise: bool = False,
    across: Sequence[str] = (),
) -> Figure:
    """The best of the metric for every pair of values of two columns, a map per workload.

    Parameters
    ----------
    maximise : whether the most is the best, not the least.
    across : as in `analysis.pareto`.
    """
    rows = conditions.matching(frame, where)
    conditions.check_columns(rows, (x, y))
    conditions.check_numbers(rows, (metric,))
    _check_different("a heat map", (x, y, metric))
    workload = [name for name in analysis.workload_columns(rows, across) if name not in (x, y)]
    best = polars.col(metric).max() if maximise else polars.col(metric).min()
    known = rows.select(x, y, *workload, metric).drop_nulls()
    cells = _some(known.group_by(x, y, *workload).agg(best).collect(engine="streaming"))
    told = _told(cells, workload)
    maps = _groups(cells, told, MOST_MAPS)
    across_x, down = (cells[name].unique().sort().to_list() for name in (x, y))
    beside = math.ceil(math.sqrt(len(maps)))
    below = -(-len(maps) // beside)
    wide, high = (min(len(kinds), MOST_LABELS) for kinds in (across_x, down))
    made = figure(
        min(14.0, 2.0 + (1.4 + CELL_INCHES * wide) * beside),
        min(14.0, 0.7 + (1.5 + 0.42 * high) * below),
    )
    panels = made.subplots(below, beside, sharex=True, sharey=True, squeeze=False).ravel()
    least, most = cells[metric].min(), cells[metric].max()
    logarithmic = least > 0 and most > 10 * least  # type: ignore[operator]
    norm = LogNorm(least, most) if logarithmic else Normalize(least, most)  # type: ignore[arg-type]
    for at, (axes, kind) in enumerate(zip(panels, maps, strict=False)):
        values = np.full((len(down), len(across_x)), np.nan)
        for at_x, at_y, value in _those(cells, kind).select(x, y, metric).iter_rows():
            values[down.index(at_y), across_x.index(at_x)] = value
        image = _map(axes, values, norm)
        if told:
            axes.set_title(_labels(kind), fontsize=9)
        places = _every(across_x, MOST_LABELS)
        word_axis(axes, places, [_label(across_x[step]) for step in places], CELL_INCHES * wide)
        places = _every(down, MOST_LABELS)
        axes.set_yticks(places, [_label(down[step]) for step in places], fontsize=8)
        if at % beside == 0:
            axes.set_ylabel(wording(y))
        if at + beside >= len(maps):  # nothing is below
            axes.set_xlabel(wording(x))
            axes.tick_params(axis="x", labelbottom=True)
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    word = "most" if maximise else "least"
    about = _about(frame, where, across, (x, y, *told), f"{word} over")
    letters = made.get_figwidth() / (LETTER_INCHES * 9)
    made.suptitle(wrapped(about, letters), fontsize=9, x=0.01, ha="left")
    bar = made.colorbar(image, ax=panels, format=SHORT)
    bar.set_label(f"{word} {wording(metric)}")
    number_axis(bar.ax, "y", [least, most])  # type: ignore[list-item]
    return made


def _map(axes: Axes, values: Floats, norm: Normalize) -> AxesImage:
    """A map of values, the numbers in its cells where there is room."""
    axes.set_facecolor(LIGHT)  # of pairs that no design has
    image = axes.imshow(values, SEQUENTIAL, norm, aspect="auto", origin="lower")
    if max(values.shape) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            if value == value:
                tone = "white" if norm(value) < 0.5 else "black"
                words = short(value)
                axes.text(column, row, words, ha="center", va="center", fontsize=7, color=tone)
    axes.spines[:].set_visible(False)
    return image


def sensitivity(
    frame: Frame,
    parameter: str,
    metric: str,
    held: Sequence[str],
    where: Sequence[str] = (),
) -> Figure:
    """How a metric follows a parameter when all else is held: median, quartiles and extremes.

    Designs of several workloads are compared each within its own, and counted together.

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
    word_axis(axes, shown, [_label(spread[parameter][index]) for index in shown], 5.6)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=0)
    words, first = wording(parameter), str(spread[parameter][0])
    axes.set_xlabel(words)
    axes.set_ylabel(wrapped(f"{wording(metric)}, relative to {first} {words}", LETTERS))
    designs: list[int] = spread["designs"].to_list()
    least, most = min(designs), max(designs)
    compared = counted(most, "design") if least == most else f"{least:,} to {most:,} designs"
    about = _about(frame, where, (), (parameter,), "over")
    heading(axes, "; ".join(filter(None, (f"{compared} at each value", about))), 5.6)
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


def _about(
    frame: Frame, where: Sequence[str], across: Sequence[str], shown: Sequence[str], best: str
) -> str:
    """What all designs of a picture share, and over which parameters it summarises them.

    Parameters
    ----------
    shown : the columns that the picture tells apart.
    best : the words before these parameters, such as "least over".
    """
    rows = conditions.matching(frame, where)
    differ = analysis.varying(rows)
    same = [name for name in analysis.workload_columns(rows) if name not in differ]
    values = rows.select(same).head(1).collect().row(0) if same else ()
    said = [text for text in where if conditions.column_of(text) not in same]
    fixed = ", ".join([*map(_label, values), *map(literal, said)])
    free = ", ".join(name for name in differ if name not in shown)
    parts = (("fixed: ", fixed), (f"{best} ", free), ("across ", ", ".join(across)))
    return "; ".join(f"{word}{names}" for word, names in parts if names)


def _told(designs: polars.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that have several values."""
    return [name for name in columns if designs[name].n_unique() > 1]


def _groups(
    designs: polars.DataFrame, columns: Sequence[str], most: int = MOST_KINDS
) -> list[dict[str, object]]:
    """The values of columns that are told apart, together; SelectionError where they are many."""
    conditions.check_columns(designs, columns)
    groups = analysis.kinds(designs, columns)
    if len(groups) > most:
        what = ", ".join(columns)
        values = "values" if len(columns) == 1 else "combinations"
        hint = ""
        if {*columns} & {*sweep.WORKLOAD}:
            hint = "; --where chooses some, and --across takes the best of them"
        raise SelectionError(
            f"{what} has {len(groups)} {values}; at most {most} can be told apart in a plot{hint}"
        )
    return groups


def _those(designs: polars.DataFrame, kind: Mapping[str, object]) -> polars.DataFrame:
    """The designs of a group."""
    return analysis.of_kind(designs.lazy(), kind).collect()


def _labels(kind: Mapping[str, object]) -> str:
    return " ".join(map(_label, kind.values()))


def _label(value: object) -> str:
    return literal(str(value), LETTERS)


def _every(values: Sequence[object], most: int) -> list[int]:
    """Places of at most so many of the values, evenly from the first on."""
    return list(range(0, len(values), -(-len(values) // most)))
