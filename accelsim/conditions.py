"""Conditions on the columns of a table, as users write them: rows<=64, network=mobilenet_v2."""

import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from accelsim.checks import suggestion
from accelsim.errors import SelectionError
from accelsim.frames import polars

Frame = polars.DataFrame | polars.LazyFrame
_Names = TypeVar("_Names", bound=Collection[str])

# Longer ones first: <= is not < and an =.
COMPARISONS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("<=", operator.le),
    (">=", operator.ge),
    ("!=", operator.ne),
    ("==", operator.eq),
    ("<", operator.lt),
    (">", operator.gt),
    ("=", operator.eq),
)
TRUTHS = {"true": True, "false": False}


def matching(frame: Frame, where: Sequence[str]) -> polars.LazyFrame:
    """The rows that meet all conditions."""
    rows = frame.lazy()
    return rows.filter(*(_condition(rows.collect_schema(), text) for text in where))


def _condition(schema: polars.Schema, text: str) -> polars.Expr:
    """A condition such as rows<=64 on the columns of a schema."""
    name, sign, value = _parts(text)
    check_columns(schema, (name,))
    compare = dict(COMPARISONS)[sign]
    if schema[name].is_numeric():
        return compare(polars.col(name), _number(value, text))  # type: ignore[no-any-return]
    if compare not in (operator.eq, operator.ne):
        raise SelectionError(f"{name} is not a number: {text!r} can only ask for = or !=")
    kind = schema[name]
    if kind == polars.Boolean and value not in TRUTHS:
        raise SelectionError(f"{name} is true or false, not {value!r}")
    if isinstance(kind, polars.Enum) and value not in kind.categories:
        close = suggestion(kind.categories, value)
        raise SelectionError(f"{name} is {' or '.join(kind.categories)}, not {value!r}{close}")
    known = TRUTHS[value] if kind == polars.Boolean else value
    return compare(polars.col(name), polars.lit(known))  # type: ignore[no-any-return]


def column_of(condition: str) -> str:
    """The column that a condition such as rows<=64 is about."""
    return _parts(condition)[0]


def _parts(text: str) -> tuple[str, str, str]:
    """Column, sign and value of a condition."""
    parts = re.fullmatch(r"\s*(\w+)\s*(<=|>=|!=|==|<|>|=)\s*(.*?)\s*", text)
    if parts is None:
        signs = " ".join(sign for sign, _ in COMPARISONS)
        raise SelectionError(
            f"a condition must be COLUMN, one of {signs}, and a value, not {text!r}"
        )
    return parts[1], parts[2], parts[3]


def _number(text: str, condition: str) -> int | float:
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if math.isfinite(number):
                return number
    raise SelectionError(f"{condition!r} compares numbers, and {text!r} is not one")


def check_columns(rows: Frame | polars.Schema, names: _Names) -> _Names:
    """The names, if all are columns; SelectionError says which are."""
    schema = rows if isinstance(rows, polars.Schema) else rows.collect_schema()
    for name in names:
        if name not in schema:
            raise SelectionError(
                f"there is no column {name!r}; there are {', '.join(schema)}"
                f"{suggestion(schema, name)}"
            )
    return names


def check_numbers(rows: Frame, names: _Names) -> _Names:
    """The names, if all are columns of numbers."""
    schema = rows.collect_schema()
    for name in check_columns(schema, names):
        if not schema[name].is_numeric():
            numbers = ", ".join(key for key, kind in schema.items() if kind.is_numeric()) or "none"
            raise SelectionError(f"{name} holds no numbers; columns that do are {numbers}")
    return names
