"""Columns and numbers in words, for plots and tables."""

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
