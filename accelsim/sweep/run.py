"""A sweep from beginning to end: tabulate, evaluate, write; here or on a Dask cluster."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from accelsim import reuse
from accelsim.energy import LEFT_OUT, by_table
from accelsim.errors import UnsupportedError
from accelsim.hardware import clock
from accelsim.phrases import counted
from accelsim.sweep import area
from accelsim.sweep.costs import FIELDS, CostTables, Int
from accelsim.sweep.executors import Executor, LocalExecutor
from accelsim.sweep.parts import SETTINGS, tables_of
from accelsim.sweep.reader import load_spec
from accelsim.sweep.spec import Spec
from accelsim.sweep.store import Folder, beside, open_folder

Progress = Callable[[str, int, int], None]  # of what, how much is done, of how much


class Summary(NamedTuple):
    """What a sweep did.

    points, rows : of the whole sweep, and made this time.
    settings, tabulated : engines in the tables, and those scheduled this time.
    tabulate_seconds, evaluate_seconds : time that it took.
    unsupported : points with a layer that cannot run.
    refusals : why, what most engines say first.
    clocks : where the clocks are from, in a sentence.
    energy : whose energies there are, and what is left out of them, in sentences.
    """

    points: int
    rows: int
    settings: int
    tabulated: int
    tabulate_seconds: float
    evaluate_seconds: float
    unsupported: int
    refusals: tuple[str, ...]
    clocks: str
    energy: tuple[str, ...]

    def sentences(self, directory: Path) -> list[str]:
        """What there is to say at the end."""
        rate = self.rows / self.evaluate_seconds if self.rows else 0.0
        done = (
            f"{self.tabulated:,} of {counted(self.settings, 'engine')} scheduled in "
            f"{self.tabulate_seconds:.1f} s; "
            f"{counted(self.rows, 'point')} evaluated and written in "
            f"{self.evaluate_seconds:.1f} s, {rate:,.0f} a second."
        )
        first = (
            f"{counted(self.points, 'point')} in {directory}, a table in Parquet; what --resume "
            f"needs is in {beside(directory)}."
        )
        sentences = [first, done, reuse.SENTENCE, area.sentence(), self.clocks, *self.energy]
        if self.unsupported:
            reason = f", for instance: {self.refusals[0]}" if self.refusals else ""
            some = counted(self.unsupported, "point has", "points have")
            sentences.append(f"{some} a layer that cannot run{reason}.")
        return sentences


def run(
    spec: Spec | str | Path,
    directory: str | Path,
    resume: bool = False,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Evaluate all points into a folder; what is finished in it is not done again.

    spec : also the file of one, see `load_spec`.
    """
    if isinstance(spec, str | Path):
        spec = load_spec(spec)
    if not isinstance(spec, Spec):
        raise UnsupportedError(f"a sweep takes a Spec or the file of one, not {spec!r}")
    executor = executor or LocalExecutor()
    report = progress or _ignore
    tables = tables_of(spec)
    parts = -(-len(tables.settings) // SETTINGS)
    with executor, open_folder(Path(directory), spec, parts, resume) as folder:
        start = time.perf_counter()
        tabulated = _tabulate(spec, folder, executor, report)
        costs, refusals = read_costs(folder, tables)
        middle = time.perf_counter()
        rows = _evaluate(spec, folder, executor, costs, report)
        end = time.perf_counter()
        unsupported = folder.points.count_false("supported") if refusals else 0
    return Summary(
        points=spec.points,
        rows=rows,
        settings=len(tables.settings),
        tabulated=tabulated,
        tabulate_seconds=middle - start,
        evaluate_seconds=end - middle,
        unsupported=unsupported,
        refusals=refusals,
        clocks=clock.sentence_of_many() if spec.own_clocks else clock.GIVEN,
        energy=() if spec.energy is None else (by_table(spec.energy), LEFT_OUT),
    )


def _ignore(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def _tabulate(spec: Spec, folder: Folder, executor: Executor, report: Progress) -> int:
    missing = folder.costs.missing()
    settings = len(tables_of(spec).settings)
    sizes = {part: min(SETTINGS, settings - part * SETTINGS) for part in missing}
    done = settings - sum(sizes.values())
    report("designs", done, settings)
    for part, content in executor.tabulate(spec, missing):
        folder.costs.write(part, content)
        done += sizes[part]
        report("designs", done, settings)
    return sum(sizes.values())


def read_costs(folder: Folder, tables: CostTables) -> tuple[Int, tuple[str, ...]]:
    """int64[settings, layers, fields], and why engines refuse layers, most often first."""
    frame = folder.costs.frame()
    shape = len(tables.settings), len(tables.layers), len(FIELDS)
    costs = frame.select(FIELDS).to_numpy().reshape(shape)
    reasons = Counter(frame.get_column("reason").drop_nulls().to_list())
    return np.ascontiguousarray(costs, np.int64), tuple(
        reason for reason, _ in reasons.most_common()
    )


def _evaluate(spec: Spec, folder: Folder, executor: Executor, costs: Int, report: Progress) -> int:
    missing = folder.points.missing()
    sizes = {part: min(spec.part_points, spec.points - part * spec.part_points) for part in missing}
    done = spec.points - sum(sizes.values())
    report("points", done, spec.points)
    for part, content in executor.evaluate(spec, costs, missing):
        folder.points.write(part, content)
        done += sizes[part]
        report("points", done, spec.points)
    return sum(sizes.values())
