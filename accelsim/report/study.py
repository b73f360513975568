"""Change the network or the hardware? The answer as a table and as a file."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from accelsim.hardware import Clock, DepthwiseEngine, Memory
from accelsim.report.clocks import at, sources
from accelsim.report.side_by_side import mark, plain
from accelsim.report.table import Table, fits
from accelsim.study.depthwise import BASELINE, ENGINE, FUSE_HALF, WAYS, Point, Way

WORDS = ("network", "array")
ON_THE_ARRAY = tuple(way for way in WAYS if not way.engine)
COLUMNS = (
    *(*WORDS, "multipliers", *(plain(way.label) for way in ON_THE_ARRAY)),
    *("all multipliers", plain(ENGINE.label)),
)
NARROW = (*WORDS, "way", "multipliers", plain("cycles"))
NONE = plain("-")


def depthwise(points: Sequence[Point], width: int, with_memory: bool = False) -> Table:
    """Cycles of every way, the fewest marked, and multipliers.

    A line per network and array, a column per way; where these do not fit, a line per way.

    Parameters
    ----------
    width : characters of a line.
    with_memory : whether to show clocks with memory in place of cycles.
    """
    rows, lines = [], []
    for (network, array), group in groupby(points, lambda point: (point.network, point.array)):
        ways = {point.way: point for point in group}
        clocks = {name: clocks_of(point, with_memory) for name, point in ways.items()}
        least = min((each for each in clocks.values() if each is not None), default=0)
        cells = {name: NONE if each is None else mark(each, least) for name, each in clocks.items()}
        multipliers = {name: f"{point.multipliers:,}" for name, point in ways.items()}
        alone, beside = multipliers[FUSE_HALF.name], multipliers[ENGINE.name]
        on_the_array = [cells[way.name] for way in ON_THE_ARRAY]
        rows.append((network, array, alone, *on_the_array, beside, cells[ENGINE.name]))
        lines += [
            (network, array, way.label, multipliers[way.name], cells[way.name]) for way in WAYS
        ]
    table = Table(COLUMNS, rows, WORDS)
    return table if fits(table, width) else Table(NARROW, lines, (*WORDS, "way"))


def clocks_of(point: Point, with_memory: bool) -> int | None:
    """Cycles of a point, or its clocks with memory."""
    return point.memory_cycles if with_memory else point.cycles


def notes(
    points: Sequence[Point],
    engine: DepthwiseEngine,
    shared: str = "",
    beside: bool = False,
    memory: Memory | None = None,
) -> list[str]:
    """Sentences below the table: what the ways are, and the command that gives each number.

    Parameters
    ----------
    engine : that of the way of this name.
    shared : options of `accelsim run` that all ways share, such as "--input 64x64".
    beside : whether the design has a depthwise engine, which the other ways do without.
    memory : whose clocks the table shows; None where it shows cycles.
    """
    shown = f"Clocks with {memory.label}" if memory else "Cycles of all layers that an engine runs"
    command = f"accelsim run NETWORK --array RxC {shared}".rstrip()
    lines = [
        f"{shown}; * is the fewest. Each is the total {'with memory ' if memory else ''}of",
        f"`{command}` with, and depthwise layers run:",
    ]
    lines += [
        f"{way.label}: {' '.join(_options(way, engine, beside))}, {way.about}." for way in WAYS
    ]
    reasons = dict.fromkeys(point.why_not for point in points if point.why_not)
    lines += [f"-: {reason}." for reason in reasons]
    return [*lines, *_clocks(points), "The banks of arrays and engine are filled off the clock."]


def _clocks(points: Sequence[Point]) -> list[str]:
    """The clocks of arrays, alone and with the engine, and where they are from."""
    clocks = [
        (f"{point.array}{' with engine' if point.way == ENGINE.name else ''}", clock)
        for point in points
        if (clock := _clock(point)) is not None
    ]
    if not clocks:
        return []
    return [f"{at(clocks)}.", *sources(clock for _, clock in clocks)]


def _clock(point: Point) -> Clock | None:
    if point.clock_mhz is None or point.clock_source is None:
        return None
    return Clock(point.clock_mhz, point.clock_source)


def _options(way: Way, engine: DepthwiseEngine, beside: bool) -> Iterator[str]:
    """The options of `accelsim run` that ask for a way."""
    if way.engine:
        yield f"--depthwise {engine.lanes}x{engine.pixels}"
    elif beside:
        yield "--depthwise none"
    if way.variant != BASELINE:
        yield f"--variant {way.variant}"
    elif not way.engine:
        yield f"--dataflow {way.dataflow}"


def to_csv(points: Sequence[Point]) -> str:
    """One line per point, below a line of column names."""
    text = io.StringIO()
    rows = records(points)
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def records(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Points by their fields; the batch only where one of them is of several images."""
    left_out = () if any(point.batch > 1 for point in points) else ("batch",)
    return [
        {key: value for key, value in asdict(point).items() if key not in left_out}
        for point in points
    ]
