"""Designs side by side as a table and as a file."""

from collections.abc import Callable

from accelsim.phrases import milliseconds, of_batch
from accelsim.report import energy
from accelsim.report.clocks import at, sources
from accelsim.report.output import csv_of
from accelsim.report.table import USE, Table, fit, fits, percent, ports, region_notes
from accelsim.result import flat
from accelsim.side_by_side import LayerCosts, SideBySide

WORDS = ("layer", "op")
SPARED = ("op",)
PER_IMAGE = "cycles per image"
# Totals that are left out one after another where a line has no room.
SPARED_TOTALS = ("skipped MACs", "cycles x multipliers", "multipliers", "utilisation", PER_IMAGE)
FASTEST = " *"
# What the lines of clocks and milliseconds hold.
TIMES = (
    "ms are with memory where a design has one; clocks with memory include maps of the host's",
    "layers. Left out is what the host computes, and filling banks with a fill port of no width.",
)


def table(comparison: SideBySide, width: int) -> Table:
    """Layers and totals on every design; the totals alone, a line each, where these do not fit."""
    made = designs(comparison, width)
    if fits(made, width):
        return made
    first = len(made.columns) - len(comparison.entries)
    names = ["design", *(cells[0] for cells in made.summary)]
    rows = [
        (entry.name, *(cells[first + at] for cells in made.summary))
        for at, entry in enumerate(comparison.entries)
    ]
    spared = [name for name in SPARED_TOTALS if name in names]
    return Table(*fit(names, rows, spared, width), words=("design",))


def designs(comparison: SideBySide, width: int) -> Table:
    """Cycles of every layer on every design, the fastest marked, and totals."""
    columns = (*WORDS, *(plain(entry.name) for entry in comparison.entries))
    rows = [_row(row) for row in comparison.rows]
    fewest = min(total.cycles for total in comparison.totals)
    soonest = min(total.time_ms for total in comparison.totals)
    clocks = [total.memory_cycles for total in comparison.totals]
    fastest = min((each for each in clocks if each is not None), default=0)
    with_memory = ("with memory", "", *(_mark_some(each, fastest) for each in clocks))
    cheapest = min(total.multiplier_cycles for total in comparison.totals)
    summary = [
        ("total", "", *(mark(total.cycles, fewest) for total in comparison.totals)),
        *([_images_row(comparison)] if comparison.batch > 1 else []),
        *([with_memory] if any(clocks) else []),
        ("ms", "", *(mark(total.time_ms, soonest, milliseconds) for total in comparison.totals)),
        ("multipliers", "", *(plain(f"{total.multipliers:,}") for total in comparison.totals)),
        ("utilisation", "", *(plain(percent(total.utilization, 1)) for total in comparison.totals)),
        (
            "cycles x multipliers",
            "",
            *(mark(total.multiplier_cycles, cheapest) for total in comparison.totals),
        ),
    ]
    if comparison.energy_table is not None:
        summary.append(_energy_row([total.energy_pj for total in comparison.totals]))
    if any(total.skipped_macs for total in comparison.totals):
        skipped = (plain(f"{total.skipped_macs:,}") for total in comparison.totals)
        summary.append(("skipped MACs", "", *skipped))
    names, kept = fit(columns, [*rows, *summary], SPARED, width)
    return Table(names, kept[: len(rows)], WORDS, summary=kept[len(rows) :])


def _images_row(comparison: SideBySide) -> tuple[str, ...]:
    """Cycles for each image of a batch."""
    cycles = (total.cycles / comparison.batch for total in comparison.totals)
    return (PER_IMAGE, "", *(plain(f"{each:,.1f}") for each in cycles))


def _energy_row(energies: list[float | None]) -> tuple[str, ...]:
    """Totals of energy, the least marked."""
    least = min((each for each in energies if each is not None), default=0.0)
    marked = (
        plain("-") if each is None else mark(each, least, energy.microjoules) for each in energies
    )
    return (energy.COLUMN, "", *marked)


def _row(row: LayerCosts) -> tuple[str, ...]:
    return (row.name, row.costs[0].op, *(mark(cost.cycles, row.fastest) for cost in row.costs))


def mark(number: float, least: float, form: Callable[[float], str] = "{:,}".format) -> str:
    """The number, with a mark where it is the least."""
    return form(number) + FASTEST if number == least else plain(form(number))


def _mark_some(number: int | None, least: int) -> str:
    """The number, marked where it is the least; a dash for none."""
    return plain("-") if number is None else mark(number, least)


def plain(text: str) -> str:
    """Text without the mark, as wide as with it."""
    return text + " " * len(FASTEST)


def title(comparison: SideBySide) -> str:
    """What the table is about."""
    batch = of_batch(comparison.batch)
    return f"{comparison.network} {comparison.variant}{batch}, cycles by the schedule"


def notes(comparison: SideBySide) -> list[str]:
    """Sentences below the table: the designs, and what the marks and totals mean."""
    lines = []
    clocks = [(entry.name, entry.design.clock) for entry in comparison.entries]
    for entry in comparison.entries:
        engine = entry.design.depthwise
        memory = entry.design.memory
        lines.append(
            f"{entry.name}: {entry.design.label}"
            + (f", which has {ports(engine)}" if engine else "")
            + (f"; {memory.label}." if memory else "; memory is left out.")
        )
    return [
        *lines,
        f"{at(clocks)}.",
        *sources(clock for _, clock in clocks),
        "* is the least. Multipliers are those of the engines that run these layers.",
        *region_notes(cost for row in comparison.rows for cost in row.costs),
        USE,
        *TIMES,
        *energy.notes(
            comparison.energy_table,
            [
                energy.Spent(entry.design, total.energy or {}, entry.name)
                for entry, total in zip(comparison.entries, comparison.totals, strict=True)
            ],
        ),
    ]


def to_csv(comparison: SideBySide) -> str:
    """One line per design and layer, below a line of column names."""
    costs = [
        (entry.name, row.costs[index])
        for index, entry in enumerate(comparison.entries)
        for row in comparison.rows
    ]
    layers = flat([cost for _, cost in costs])
    return csv_of(
        [{"design": name} | layer for (name, _), layer in zip(costs, layers, strict=True)]
    )
