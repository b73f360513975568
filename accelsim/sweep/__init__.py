"""Sweeps over designs: every point exactly what `accelsim run` says, millions of them in seconds.

import accelsim as ax
spec = ax.sweep.load_spec("sweep.toml")
ax.sweep.run(spec, "results")
frame = ax.sweep.load("results")         # a polars DataFrame, a row per point
polars.scan_parquet("results")           # the same for what reads folders of Parquet: pandas, ...
row = frame.row(0, named=True)
ax.sweep.layers(spec, row)               # its layers, and what each of them waits for
"""

from pathlib import Path

from accelsim.frames import polars
from accelsim.sweep import area
from accelsim.sweep.axes import PARAMETERS, WORKLOAD, Axis
from accelsim.sweep.detail import layers, result
from accelsim.sweep.executors import (
    EXECUTORS,
    DaskExecutor,
    Executor,
    LocalExecutor,
    find_executor,
)
from accelsim.sweep.reader import load_spec
from accelsim.sweep.run import Summary, run
from accelsim.sweep.spec import Spec
from accelsim.sweep.store import beside, read_folder, read_manifest

__all__ = [
    "EXECUTORS",
    "PARAMETERS",
    "WORKLOAD",
    "Axis",
    "DaskExecutor",
    "Executor",
    "LocalExecutor",
    "Spec",
    "Summary",
    "area",
    "beside",
    "find_executor",
    "layers",
    "load",
    "load_spec",
    "manifest",
    "result",
    "run",
    "scan",
]

manifest = read_manifest


def load(directory: str | Path) -> polars.DataFrame:
    """All rows of a finished sweep, in the order of the points; see accelsim.sweep.evaluate."""
    folder, _ = read_folder(Path(directory))
    return folder.points.frame()


def scan(directory: str | Path) -> polars.LazyFrame:
    """The same, read when it is needed: for sweeps that are larger than memory."""
    folder, _ = read_folder(Path(directory))
    return folder.points.scan()
