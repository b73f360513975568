"""What is best in a table of designs: Pareto fronts, best designs, sensitivities.

A design is better than another at the same work: what is best is found for every workload (network,
variant, input, batch) of a table on its own, unless it is asked for across some of these columns.

Tables are polars frames with a row per design, such as a sweep writes; any columns will do. They
are read lazily and in a stream: of millions of rows only the columns in question are in memory,
and of these only rows that differ.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim import sweep
from accelsim.checks import suggestion
from accelsim.conditions import Frame, check_columns, check_numbers, matching
from accelsim.errors import FileError, SelectionError
from accelsim.frames import polars
from accelsim.kernels import kernel

Bools = npt.NDArray[np.bool_]
Ranks = npt.NDArray[np.int64]

FEW = 2_000  # rows that are compared at once
PIVOTS = 50  # of these, that all others are compared with first

SCANS: dict[str, Callable[[Path], polars.LazyFrame]] = {
    ".parquet": polars.scan_parquet,
    ".csv": polars.scan_csv,
}


class Designs(NamedTuple):
    """A table of designs.

    parameters : the columns in which designs of a sweep differ; None where that is not known.
    """

    rows: polars.LazyFrame
    parameters: tuple[str, ...] | None


def open_designs(path: str | Path) -> Designs:
    """The results of a sweep, or the table of a .parquet or .csv file, read when needed.

    The folder of a sweep that has been moved without the one beside it is a table, too.
    """
    path = Path(path)
    if path.is_dir() and not sweep.beside(path).exists() and any(path.glob("*.parquet")):
        return Designs(polars.scan_parquet(path / "*.parquet"), None)
    if path.is_dir():
        axes = sweep.manifest(path)["specification"]["axes"]
        chosen = [key for axis in axes if len(axis["values"]) > 1 for key in axis["keys"]]
        return Designs(sweep.scan(path), tuple(chosen))
    if not path.exists():
        raise FileError(f"{path} cannot be read: there is no such file or folder")
    if path.suffix not in SCANS:
        kinds = " or ".join(SCANS)
        raise FileError(f"{path} must be the folder of a sweep, or a {kinds} file")
    with reading(path):
        rows = SCANS[path.suffix](path)
        rows.collect_schema()
    return Designs(rows, None)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Say in one sentence what is wrong with the file of a table that is read meanwhile."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except polars.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path} cannot be read: {reason}") from None


def pareto(
    frame: Frame,
    minimise: Sequence[str] = (),
    maximise: Sequence[str] = (),
    where: Sequence[str] = (),
    across: Sequence[str] = (),
) -> polars.DataFrame:
    """Rows that no other row of their workload dominates, by workload and objectives in turn.

    A row dominates another if it is as good in every objective and better in one; rows that are
    equal in all objectives are all kept. Rows without a value in an objective are left out.

    Parameters
    ----------
    minimise, maximise : columns of numbers, at least one in all.
    where : conditions that rows must meet, such as "rows<=64" or "network=mobilenet_v2".
    across : columns of workloads whose values compete, such as variant.
    """
    rows, names = _select(frame, minimise, maximise, where)

    def undominated(workload: polars.LazyFrame) -> polars.DataFrame:
        points = workload.select(names).collect(engine="streaming")
        if len(points) > FEW:
            points = _without_hopeless(points, minimise)
        points = points.unique()
        best = points.filter(polars.Series(front(_ranks(points, minimise))))
        kept = workload.join(best.lazy(), on=names, how="semi", maintain_order="left")
        return _sorted(kept, names, maximise).collect(engine="streaming")

    return _of_each(rows, across, undominated)


def workload_columns(frame: Frame, across: Sequence[str] = ()) -> list[str]:
    """The columns that tell the workloads of a table apart.

    Parameters
    ----------
    across : those that do not, as their values compete.
    """
    for name in across:
        if name not in sweep.WORKLOAD:
            raise SelectionError(
                f"what competes across workloads is some of {', '.join(sweep.WORKLOAD)}, not "
                f"{name!r}{suggestion(sweep.WORKLOAD, name)}"
            )
    schema = frame.lazy().collect_schema()
    check_columns(schema, across)
    return [name for name in sweep.WORKLOAD if name in schema and name not in across]


def kinds(rows: Frame, columns: Sequence[str]) -> list[dict[str, object]]:
    """The values that rows have together in the columns, sorted; one of none for no columns."""
    if not columns:
        return [{}]
    found = rows.lazy().select(columns).unique().sort(columns).collect(engine="streaming")
    return found.to_dicts()


def of_kind(rows: polars.LazyFrame, kind: Mapping[str, object]) -> polars.LazyFrame:
    """The rows that have these values in these columns."""
    return rows.filter(*(polars.col(key).eq_missing(polars.lit(kind[key])) for key in kind))


def varying(frame: Frame, where: Sequence[str] = ()) -> list[str]:
    """The parameters in which the designs that meet the conditions differ."""
    rows = matching(frame, where)
    schema = rows.collect_schema()
    names = [name for name in sweep.PARAMETERS if name in schema]
    counts = rows.select(polars.col(names).n_unique()).collect(engine="streaming")
    return [name for name in names if counts[name][0] > 1]


def _of_each(
    rows: polars.LazyFrame,
    across: Sequence[str],
    choose: Callable[[polars.LazyFrame], polars.DataFrame],
) -> polars.DataFrame:
    """What is chosen of every workload, one below the other."""
    each = kinds(rows, workload_columns(rows, across))
    if len(each) < 2:
        return choose(rows)
    return polars.concat([choose(of_kind(rows, workload)) for workload in each])


def _ranks(points: polars.DataFrame, minimise: Sequence[str]) -> Ranks:
    """int64[n, objectives], places of the values in every objective, from 1 for the best."""
    ranks = [
        column.rank("dense", descending=column.name not in minimise).to_numpy().astype(np.int64)
        for column in points
    ]
    return np.stack(ranks, axis=1)


def _without_hopeless(points: polars.DataFrame, minimise: Sequence[str]) -> polars.DataFrame:
    """The points without most of those that are dominated: sorting them would take long.

    They are compared with a few points that dominate many: the front of a sample, those first
    that have the best places in it.
    """
    sample = points.sample(FEW, seed=0).unique()
    ranks = _ranks(sample, minimise)
    order = ranks.sum(axis=1).argsort()
    chosen = order[front(ranks)[order]][:PIVOTS]
    for pivot in sample[chosen].iter_rows(named=True):
        better = [
            polars.col(name) < value if name in minimise else polars.col(name) > value
            for name, value in pivot.items()
        ]
        equal = [polars.col(name) == value for name, value in pivot.items()]
        points = points.filter(polars.any_horizontal(better) | polars.all_horizontal(equal))
    return points


def best(
    frame: Frame,
    minimise: Sequence[str] = (),
    maximise: Sequence[str] = (),
    where: Sequence[str] = (),
    count: int = 1,
    across: Sequence[str] = (),
) -> polars.DataFrame:
    """The first `count` rows of every workload, by the objectives in turn, least before most.

    Parameters
    ----------
    minimise, maximise, where, across : as in `pareto`.
    """
    rows, names = _select(frame, minimise, maximise, where)
    return _of_each(
        rows,
        across,
        lambda part: _sorted(part, names, maximise).head(count).collect(engine="streaming"),
    )


def sensitivity(
    frame: Frame,
    parameter: str,
    metric: str,
    held: Sequence[str],
    where: Sequence[str] = (),
) -> polars.DataFrame:
    """How a metric follows a parameter when all else is held.

    Designs that differ in the parameter alone are compared with the one among them that has its
    first value; groups without that one are left out.

    Parameters
    ----------
    held : columns of all other parameters.

    Returns
    -------
    A row per value of the parameter: the value, `designs` compared, and `least`, `lower`,
    `median`, `upper`, `most`, the quartiles of metric / metric at the first value.
    """
    rows = matching(frame, where)
    others = [name for name in check_columns(rows, held) if name != parameter]
    check_numbers(rows, (metric,))
    check_columns(rows, (parameter,))
    names = [*others, parameter, metric]
    for name in names:
        if names.count(name) > 1:
            raise SelectionError(f"a sensitivity needs different columns, not {name} twice")
    values = (
        rows.select(*others, parameter, metric)
        .drop_nulls([parameter, metric])
        .unique()
        .collect(engine="streaming")
    )
    if values.is_empty():
        raise SelectionError(f"no row has {parameter}, {metric} and what --where asks for")
    first = values[parameter].min()
    at_first = values.filter(polars.col(parameter) == first).select(
        *others, polars.col(metric).alias("first")
    )
    _check_held(values, parameter, metric, others)
    if (at_first["first"] == 0).any():
        raise SelectionError(f"{metric} is 0 at {parameter} {first!s}: nothing is relative to 0")
    if others:
        both = values.join(at_first, on=others, how="inner", nulls_equal=True)
    else:
        both = values.join(at_first, how="cross")
    ratio = polars.col(metric) / polars.col("first")
    return (
        both.group_by(parameter)
        .agg(
            polars.len().alias("designs"),
            ratio.min().alias("least"),
            ratio.quantile(0.25, "linear").alias("lower"),
            ratio.median().alias("median"),
            ratio.quantile(0.75, "linear").alias("upper"),
            ratio.max().alias("most"),
        )
        .sort(parameter)
    )


def _check_held(
    values: polars.DataFrame, parameter: str, metric: str, others: Sequence[str]
) -> None:
    """Refuse a metric that also follows a column which is not held."""
    if values.select(*others, parameter).is_duplicated().any():
        raise SelectionError(
            f"{metric} differs between designs that are equal in {parameter} and in all columns "
            f"that are held ({', '.join(others) or 'none'}); hold the column that decides it too"
        )


def count(frame: Frame, where: Sequence[str] = ()) -> int:
    """How many rows meet the conditions."""
    rows: int = matching(frame, where).select(polars.len()).collect(engine="streaming").item()
    return rows


def compared(
    frame: Frame, minimise: Sequence[str], maximise: Sequence[str], where: Sequence[str] = ()
) -> int:
    """How many of these rows have a value in every objective: only they can be compared."""
    rows, _ = _select(frame, minimise, maximise, where)
    return count(rows)


def front(ranks: Ranks) -> Bools:
    """bool[n], which rows no other one dominates.

    Parameters
    ----------
    ranks : int64[n, objectives], less is better; no two rows are equal.
    """
    count, objectives = ranks.shape
    order = np.lexsort(ranks.T[::-1])  # whoever dominates a row stands before it
    ordered = np.ascontiguousarray(ranks[order])
    if objectives == 1:
        kept = np.arange(count) < 1
    elif objectives == 2:
        least = np.minimum.accumulate(ordered[:, 1])
        kept = np.append(True, ordered[1:, 1] < least[:-1])[:count]
    else:
        kept = _undominated(ordered)
    undominated = np.zeros(count, np.bool_)
    undominated[order] = kept
    return undominated


@kernel
def _undominated(ordered: Ranks) -> Bools:
    """bool[n] of int64[n, objectives] in lexical order: every row against the front before it.

    A row that dominated one tends to dominate the next: it moves to the head of the front.
    """
    count, objectives = ordered.shape
    kept = np.zeros(count, np.bool_)
    members = np.empty(count, np.int64)
    size = 0
    for row in range(count):
        dominated = False
        for place in range(size):
            member = members[place]
            dominated = True
            for objective in range(1, objectives):
                if ordered[member, objective] > ordered[row, objective]:
                    dominated = False
                    break
            if dominated:
                members[place] = members[place // 2]
                members[place // 2] = member
                break
        if not dominated:
            kept[row] = True
            members[size] = row
            size += 1
    return kept


def _select(
    frame: Frame, minimise: Sequence[str], maximise: Sequence[str], where: Sequence[str]
) -> tuple[polars.LazyFrame, list[str]]:
    """Rows that meet the conditions and have a value in every objective, and the objectives."""
    names = [*minimise, *maximise]
    if not names:
        raise SelectionError("a best design needs a column to minimise or to maximise")
    check_columns(frame.lazy(), names)
    for name in names:
        if names.count(name) > 1:
            raise SelectionError(f"{name} is an objective twice")
    rows = matching(frame, where)
    check_numbers(rows, names)
    # NaN is no value, but polars would sort and compare it as the largest.
    schema = rows.collect_schema()
    known = [polars.col(name).is_not_null() for name in names]
    known += [polars.col(name).is_not_nan() for name in names if schema[name].is_float()]
    return rows.filter(*known), names


def _sorted(
    rows: polars.LazyFrame, names: Sequence[str], maximise: Sequence[str]
) -> polars.LazyFrame:
    """The rows by the objectives in turn, best first; equal ones in the order they had."""
    return rows.sort(names, descending=[name in maximise for name in names], maintain_order=True)
