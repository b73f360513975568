"""Columns, numbers and names in words, for plots and tables."""

import textwrap

# The unit that the end of a column's name stands for.
UNITS = (
    ("_bytes", "bytes"),
    ("_bits", "bits"),
    ("_kib", "KiB"),
    ("_mhz", "MHz"),
    ("_ms", "ms"),
    ("_ge", "gate equivalents"),
    ("_pj", "pJ"),
    ("_layers", "layers"),
)
SYMBOLS = ("", "k", "M", "G", "T")
MOST_LETTERS = 64  # of a name in a plot; of a longer one the middle is left out


def wording(column: str) -> str:
    """A column as the words beside an axis, its unit in brackets."""
    for ending, unit in UNITS:
        if column.endswith(ending):
            return f"{column.removesuffix(ending).replace('_', ' ')} ({unit})"
    return column.replace("_", " ")


def short(value: float, _: object = None) -> str:
    """A number as read on an axis: at most three digits and a letter, as 12.5 M."""
    power = 0
    while abs(value) >= 999.5 and power < len(SYMBOLS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {SYMBOLS[power]}".rstrip()


def printable(text: str) -> str:
    """Text without what would steer a terminal or end a line: a ? for each such letter."""
    return text if text.isprintable() else "".join(x if x.isprintable() else "?" for x in text)


def literal(text: str, most: int = MOST_LETTERS) -> str:
    """A name that users chose as a plot shows it: short enough, and no formula."""
    shown = printable(text)
    if len(shown) > most:
        half = (most - 3) // 2
        shown = f"{shown[:half]}...{shown[-half:]}"
    return shown.replace("$", r"\$")  # which matplotlib would take for mathematics


def wrapped(text: str, letters: float) -> str:
    """Words in as many lines as they need; a word longer than a line is broken."""
    return textwrap.fill(text, max(8, int(letters)))
