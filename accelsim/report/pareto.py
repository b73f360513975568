"""A Pareto front as a table and as a file."""

from collections.abc import Sequence
from math import inf
from typing import Any

from accelsim import analysis, reuse
from accelsim.energy import LEFT_OUT
from accelsim.frames import polars
from accelsim.phrases import are, counted, significant
from accelsim.report.table import Table, fit
from accelsim.report.words import wording
from accelsim.sweep import area

MOST_ROWS = 40
# Columns that follow from the model of reuse.
ENERGY = "total_energy_pj"
REUSE = ("offchip_read_bytes", "offchip_write_bytes", "clocks", "time_ms", "memory_bound_layers")


def front(
    designs: polars.DataFrame,
    objectives: Sequence[str],
    parameters: Sequence[str] | None,
    width: int,
    across: Sequence[str] = (),
) -> Table:
    """Workloads and objectives of the first rows, and what tells their designs apart.

    Parameters
    ----------
    parameters : columns in which designs differ; None where that is not known.
    width : characters; columns are left out from the right until the others fit.
    across : as in `analysis.pareto`.
    """
    workload = told_apart(designs, across)
    others = [
        name
        for name in (designs.columns if parameters is None else parameters)
        if name not in (*workload, *objectives)
    ]
    telling = [name for name in others if len(designs) == 1 or designs[name].n_unique() > 1]
    shown = designs.head(MOST_ROWS).select(*workload, *objectives, *telling)
    rows = [list(map(_cell, shown.columns, row)) for row in shown.iter_rows()]
    columns, kept = fit(shown.columns, rows, reversed(telling), width)
    return Table(columns, kept, [name for name in columns if not designs[name].dtype.is_numeric()])


def told_apart(designs: polars.DataFrame, across: Sequence[str] = ()) -> list[str]:
    """The columns that tell the workloads of several fronts apart."""
    columns = analysis.workload_columns(designs, across)
    return [name for name in columns if designs[name].n_unique() > 1]


def notes(
    designs: polars.DataFrame,
    count: int,
    minimise: Sequence[str],
    maximise: Sequence[str],
    parameters: Sequence[str] | None,
    across: Sequence[str] = (),
    left_out: int = 0,
) -> list[str]:
    """Sentences below the table: how many designs, and what all of the front have in common.

    left_out : designs without a value in one of the objectives.
    """
    goals = [f"least {wording(name)}" for name in minimise]
    goals += [f"most {wording(name)}" for name in maximise]
    best = f"{len(designs):,} of {counted(count, 'design')} {are(len(designs))} best"
    lines = [f"{best} in {', '.join(goals)}{_among(designs, across)}."]
    if left_out:
        some = counted(left_out, "design has", "designs have")
        lines.append(f"Left out: {some} no value in one of these columns.")
    if len(designs) > MOST_ROWS:
        lines.append(f"The first {MOST_ROWS} are shown; --csv and --json write all.")
    same = [name for name in parameters or () if designs[name].n_unique() == 1]
    if same and len(designs) > 1:
        common = {name: designs[name][0] for name in same}
        values = (
            f"{name} {_cell(name, value)}" for name, value in common.items() if value is not None
        )
        lines.append(f"The same in all of them: {', '.join(values)}.")
    if parameters is not None:
        asked = {*minimise, *maximise}
        lines += [sentence for columns, sentence in _models() if asked & columns]
    return lines


def _among(designs: polars.DataFrame, across: Sequence[str]) -> str:
    """With which designs those on the front were compared, if there are several workloads."""
    workload = told_apart(designs, across)
    among = f", each among those of its {' and '.join(workload)}" if workload else ""
    return among + (f", across every {' and '.join(across)}" if across else "")


def _models() -> tuple[tuple[frozenset[str], str], ...]:
    """Columns of a sweep that are of a model, and what it is."""
    return (
        (frozenset(REUSE), reuse.SENTENCE),
        (frozenset(area.FIGURES), area.sentence()),
        (frozenset({ENERGY}), LEFT_OUT),
    )


def to_dict(
    designs: polars.DataFrame,
    count: int,
    minimise: Sequence[str],
    maximise: Sequence[str],
    where: Sequence[str],
    across: Sequence[str] = (),
) -> dict[str, Any]:
    """What `--json` prints; what JSON has no number for is null."""
    finite = [
        polars.when(polars.col(name).is_finite()).then(polars.col(name))
        for name, kind in designs.schema.items()
        if kind.is_float()
    ]
    return {
        "minimise": list(minimise),
        "maximise": list(maximise),
        "where": list(where),
        "across": list(across),
        "designs": count,
        "front": designs.with_columns(finite).to_dicts(),
    }


def to_csv(designs: polars.DataFrame) -> str:
    """One line per design, below a line of column names."""
    return designs.write_csv()


def _cell(name: str, value: object) -> str:
    """A value of the column of that name; of energies as many digits as their tables deserve."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return significant(value) if name == ENERGY and 0 < value < inf else f"{value:,.6g}"
