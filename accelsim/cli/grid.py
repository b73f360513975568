"""A table as text, as Rich prints it: made here where it is plain, else by Rich.

Loading Rich and laying out a table takes longer than scheduling a whole network. Plain is
a table of printable ASCII that fits its width. What is wider, or holds other characters, follows
Rich's rules of cutting and of the widths of letters.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.report.table import BETWEEN, Table, line_width
from accelsim.report.words import printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

PAD = " "  # on both sides of what is between columns
LINE = "\u2500"
BOLD, NORMAL = "\x1b[1m", "\x1b[0m"
# Variables that tell Rich to take a file for a terminal, or a terminal for a file.
OVERRIDES = ("FORCE_COLOR", "TTY_COMPATIBLE")


def write(table: Table, width: int) -> None:
    """Print a table within `width` characters; in a terminal its column names are bold."""
    terminal = sys.stdout.isatty()
    table = _printable(table)
    if _is_plain(table, width) and _is_usual(terminal):
        print(text(table, bold=terminal))
    else:
        from rich.console import Console

        Console(width=width, highlight=False).print(rich_table(table))


def text(table: Table, bold: bool = False) -> str:
    """The lines of a plain table; `bold` column names are marked as for terminals."""
    widths = _widths(table)

    def cells(row: Sequence[str]) -> list[str]:
        return [
            cell.ljust(size) if column in table.words else cell.rstrip().rjust(size)
            for column, cell, size in zip(table.columns, row, widths, strict=True)
        ]

    def line(row: Sequence[str]) -> str:
        return (" " * BETWEEN).join(cells(row))

    head = _bold(cells(table.columns)) if bold else line(table.columns)
    width = line_width(widths)
    rows, summary = [*map(line, table.rows)], [*map(line, table.summary)]
    between = [" " * width] if rows and summary else []
    return "\n".join([head, LINE * width, *rows, *between, *summary])


def rich_table(table: Table) -> "RichTable":
    """The same table for Rich."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in table.columns:
        words = column in table.words
        made.add_column(Text(column), justify="left" if words else "right", no_wrap=True)
    for row in table.rows:
        made.add_row(*map(Text, row))  # names and formulas are no markup
    made.add_section()
    for row in table.summary:
        made.add_row(*map(Text, row))
    return made


def _printable(table: Table) -> Table:
    """The table with no letter in it that would steer a terminal."""

    def safe(rows: Sequence[Sequence[str]]) -> list[list[str]]:
        return [[printable(cell) for cell in row] for row in rows]

    columns = [*map(printable, table.columns)]
    words = [*map(printable, table.words)]
    return Table(columns, safe(table.rows), words, safe(table.summary))


def _is_plain(table: Table, width: int) -> bool:
    """Whether a letter is as wide as any other and no line has to be cut."""
    cells = [*table.columns, *(cell for row in (*table.rows, *table.summary) for cell in row)]
    plain = all(map(str.isascii, cells))
    return plain and line_width(_widths(table)) <= width


def _is_usual(terminal: bool) -> bool:
    """Whether standard output takes any letter, and bold ones if it is a terminal."""
    encoding = sys.stdout.encoding or "utf-8"  # none of text that is kept in memory
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    unusual = terminal and (dumb or sys.platform == "win32")
    overridden = any(name in os.environ for name in OVERRIDES)
    return encoding.lower().startswith("utf") and not unusual and not overridden


def _widths(table: Table) -> list[int]:
    """Characters of every column."""
    rows = (table.columns, *table.rows, *table.summary)
    return [max(map(len, cells)) for cells in zip(*rows, strict=True)]


def _bold(cells: Sequence[str]) -> str:
    """A line of bold cells and pads; the blanks between them are not bold."""
    pad = f"{BOLD}{PAD}{NORMAL}"
    return f"{pad} {pad}".join(f"{BOLD}{cell}{NORMAL}" for cell in cells)
