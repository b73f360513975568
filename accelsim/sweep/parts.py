"""A sweep in independent parts: each needs the specification, and makes the content of a file."""

import io
from functools import lru_cache

from accelsim.frames import polars
from accelsim.sweep.costs import FIELDS, CostTables, Int
from accelsim.sweep.evaluate import Evaluator
from accelsim.sweep.spec import Spec

SETTINGS = 16  # of engines, in a part of the tables


@lru_cache(maxsize=4)
def tables_of(spec: Spec) -> CostTables:
    """What is to be tabulated for a specification."""
    return CostTables(spec)


def evaluator_of(spec: Spec, costs: Int) -> Evaluator:
    """The evaluator of a specification, from its costs int64[settings, layers, fields]."""
    return Evaluator(spec, tables_of(spec), costs)


def cost_part(spec: Spec, part: int) -> bytes:
    """A part of the tables."""
    tables, first = tables_of(spec), part * SETTINGS
    rows = []
    for number, setting in enumerate(tables.settings[first : first + SETTINGS], first):
        costs, reasons = tables.costs(setting)
        reason = polars.lit(reasons[0] if reasons else None, polars.String)
        frame = polars.DataFrame(costs, schema=FIELDS, orient="row")
        rows.append(frame.with_columns(polars.lit(number).alias("job"), reason.alias("reason")))
    return _to_bytes(polars.concat(rows))


def point_part(evaluator: Evaluator, part: int) -> bytes:
    """A part of the rows."""
    return _to_bytes(evaluator.part(part))


def _to_bytes(frame: polars.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()
