"""The work of a sweep in independent parts: each needs the specification, and makes a file."""

import io
from functools import lru_cache

import polars

from accelsim.sweep.costs import FIELDS, Int, Works
from accelsim.sweep.evaluate import Evaluator
from accelsim.sweep.spec import Spec

JOBS = 16  # engines in a part of the tables


@lru_cache(maxsize=4)
def works_of(spec: Spec) -> Works:
    """The distinct layers of a specification."""
    return Works(spec)


def evaluator_of(spec: Spec, costs: Int) -> Evaluator:
    """The evaluator of a specification, from its tables int64[jobs, works, fields]."""
    return Evaluator(spec, works_of(spec), costs)


def cost_part(spec: Spec, part: int) -> bytes:
    """A part of the tables."""
    works = works_of(spec)
    rows = []
    for number, job in enumerate(works.jobs[part * JOBS : (part + 1) * JOBS], part * JOBS):
        costs, reasons = works.row(job)
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
