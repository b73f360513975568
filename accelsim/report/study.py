"""Change the network or the hardware? The answer as a table and as a file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import groupby

from accelsim.hardware import DepthwiseEngine
from accelsim.phrases import counted
from accelsim.report.side_by_side import mark, plain
from accelsim.report.table import Table
from accelsim.study.depthwise import FUSE, WAYS, Point
from accelsim.study.ways import ENGINE, IM2COL, ROWS

WORDS = ("network", "array")
COLUMNS = (
    *(*WORDS, "multipliers", plain(IM2COL), plain(ROWS), plain(FUSE)),
    *("all multipliers", plain("with engine")),
)


def depthwise(points: Sequence[Point]) -> Table:
    """A line per network and array: cycles of every way, the fewest marked, and multipliers."""
    rows = []
    for (network, array), group in groupby(points, lambda point: (point.network, point.array)):
        ways = {point.way: point for point in group}
        least = min(point.cycles for point in ways.values())
        cells = {way: mark(ways[way].cycles, least) for way in WAYS}
        rows.append(
            (
                *(network, array, f"{ways[ROWS].multipliers:,}"),
                *(cells[IM2COL], cells[ROWS], cells[FUSE]),
                *(f"{ways[ENGINE].multipliers:,}", cells[ENGINE]),
            )
        )
    return Table(COLUMNS, rows, WORDS)


def notes(engine: DepthwiseEngine) -> list[str]:
    """Sentences below the table: what the ways are."""
    size = f"{counted(engine.lanes, 'lane')} x {counted(engine.pixels, 'pixel')}"
    return [
        "Cycles of all layers that an engine runs; * is the fewest. Depthwise layers run:",
        f"{IM2COL}: on the array by im2col, in one of its columns.",
        f"{ROWS}: on the array as row streams, or in what other mode is faster.",
        f"{FUSE}: replaced in the network by pairs of one-dimensional layers, on the array.",
        f"with engine: on a depthwise engine of {size}, or on the array where that is faster.",
        "The banks of arrays and engine are filled off the clock.",
    ]


def to_csv(points: Sequence[Point]) -> str:
    """One line per point, below a line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Point))
    writer.writerows(astuple(point) for point in points)
    return text.getvalue()
