"""Results as CSV, and pictures as files, each written whole or not at all."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import FileError
from accelsim.files import write_whole
from accelsim.result import Result, flat

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".pdf", ".png", ".svg")


def to_csv(result: Result) -> str:
    """One line per layer, below a line of column names."""
    return csv_of(flat(result.layers))


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each row, below a line of column names; the rows have the same columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def check_picture(path: str) -> None:
    """FileError unless the ending of the file names a form of picture."""
    if Path(path).suffix.lower() not in PICTURES:
        raise FileError(f"{path} must end in one of {', '.join(PICTURES)}")


def write_plot(path: str, result: Result) -> None:
    """Write the picture of plot.layers; the ending of the file says in which form."""
    check_picture(path)
    from accelsim.report import plot  # loads matplotlib, which takes longer than the result

    write_figure(path, plot.layers_figure(result))


def write_figure(path: str, figure: "Figure") -> None:
    """Write a figure; the ending of the file says in which form."""
    check_picture(path)
    from accelsim.report.style import any_script  # loads matplotlib

    content = io.BytesIO()
    with any_script():
        figure.savefig(content, format=Path(path).suffix[1:].lower(), dpi=150)
    write_whole(path, content.getvalue())
