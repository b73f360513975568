"""Sweeps: tabulating apart, points a second of the kernels against NumPy, and whole sweeps.

Ratios are of CPU time in one process, so that other programs on the machine count little.
"""

import subprocess
import sys
import time

import numpy as np
import pytest

from accelsim.sweep import kernels, load_spec
from accelsim.sweep.evaluate import GROUPS, METRICS, Evaluator
from accelsim.sweep.parts import tables_of

pytestmark = pytest.mark.full

SHAPES = """
networks = ["mobilenet_v2"]
[array]
rows = {from = 8, to = 128, step = 8}
columns = {from = 8, to = 128, step = 8}
"""
# Everything changes from point to point.
MIXED = """
networks = ["mobilenet_v2"]
dataflows = ["auto", "os"]
[array]
rows = {from = 8, to = 64, step = 8}
columns = {from = 8, to = 64, step = 8}
[memory]
activation_kib = [32, 64, 96, 128, 192, 256]
weight_kib = [32, 64, 96, 128, 192, 256]
width_bytes = [1, 2, 4, 8, 12, 16, 24, 32, 48]
[clock]
mhz = {from = 100, to = 1000, step = 100}
"""
REPEATS = 5
POINTS = 200_000
PIECE = 10_000  # points whose results fit the caches
NUMPY_PIECES = (1000, 2500, 5000)  # the best of these, for its intermediate results are many
PROGRAM = """
import sys
from accelsim.cli import main
from tests.benchmarks.memory import peak_mib
try:
    main(sys.argv[1:])
finally:
    print("peak", peak_mib(), "MiB")
"""


def seconds(work, repeats=REPEATS):
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def spec(tmp_path, text):
    (tmp_path / "sweep.toml").write_text(text)
    return load_spec(tmp_path / "sweep.toml")


def evaluator(asked):
    tables = tables_of(asked)
    costs = np.array([tables.costs(setting)[0] for setting in tables.settings])
    return Evaluator(asked, tables, costs)


def test_tabulating_256_array_shapes(tmp_path):
    tables = tables_of(spec(tmp_path, SHAPES))
    taken = seconds(lambda: [tables.costs(setting) for setting in tables.settings], 1)
    print(f"\nmobilenet_v2 on {len(tables.settings)} arrays: {taken:.2f} s of CPU")
    assert len(tables.settings) == 256


def with_numpy(made, numbers):
    """The metrics of points of a grid, vectorised, from the same tables; no depthwise engine."""
    points, tables = made.points, made.tables
    digits = np.unravel_index(numbers, points.sizes)
    at = np.zeros((len(GROUPS), len(numbers)), np.int64)
    for digit, group, stride in zip(digits, points.groups, points.strides, strict=True):
        at[group] += digit * stride
    row = at[kernels.DATAFLOW] * tables.main_rows + tables.main_row[0, at[kernels.MAIN]]
    layers, hosted = slice(0, tables.modelled[0]), slice(tables.modelled[0], tables.stop[0])
    width = tables.widths[at[kernels.WIDTH]]
    busy = tables.cycles[row, layers]
    moving = -(-tables.moved[0, at[kernels.BUFFERS], layers] // width[:, None])
    waits = moving > busy
    clocks = np.where(waits, moving, busy).sum(axis=1)
    clocks += (-(-tables.moved[0, at[kernels.BUFFERS], hosted] // width[:, None])).sum(axis=1)
    metrics = np.zeros((METRICS, len(numbers)), np.int64)
    metrics[: kernels.PORTS + 1] = tables.sums[row, 0].T
    metrics[kernels.CLOCKS] = clocks
    metrics[kernels.MEMORY] = waits.sum(axis=1)
    metrics[kernels.PORTS_BOUND] = (tables.ports[row, layers] * ~waits).sum(axis=1)
    return at.astype(np.int32), metrics


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sample, nothing in common", f"{MIXED}[sample]\npoints = {POINTS}\n"),
        ("grid, memory differs", MIXED.replace("to = 1000", "to = 100")),
        ("grid that factorises", MIXED.replace("to = 1000", "to = 2500")),
    ],
)
def test_kernels_against_numpy(tmp_path, kind, text):
    made = evaluator(spec(tmp_path, text))
    made.metrics(0, 1000)  # compiles
    count = min(PIECE, made.spec.points)
    codes = np.empty((count, len(GROUPS)), np.int32)
    metrics = np.empty((count, METRICS), np.int64)

    def evaluate():
        for first in range(0, POINTS, PIECE):
            kernels.evaluate(first % made.spec.points, made.points, made.tables, codes, metrics)

    mine = seconds(evaluate) / (count * len(range(0, POINTS, PIECE)))
    numbers = np.arange(POINTS)
    if made.points.bits:
        numbers = np.array([kernels.permuted(number, made.points) for number in range(POINTS)])
    numpy = min(
        seconds(lambda size=size: with_numpy(made, numbers[:size])) / size for size in NUMPY_PIECES
    )
    expected = with_numpy(made, numbers[7777 : 7777 + PIECE])
    for metric, other in zip(made.metrics(7777, PIECE), expected, strict=True):
        np.testing.assert_array_equal(metric, other)
    layers = made.tables.modelled[0]
    print(
        f"\n{kind} of {layers} layers: {1 / mine / 1e6:.1f} M points/s a core, "
        f"{numpy / mine:.0f} times NumPy ({1 / numpy / 1e6:.2f} M points/s)"
    )


def test_a_whole_sweep_of_millions_of_points(tmp_path):
    asked = spec(tmp_path, MIXED.replace("to = 1000", "to = 10000"))
    command = ["sweep", tmp_path / "sweep.toml", "-o", tmp_path / "out"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command], capture_output=True, text=True, check=True
    )
    taken = time.perf_counter() - start
    peak = float(done.stdout.split("peak")[1].split()[0])
    print(f"\n{asked.points:,} points with start-up: {taken:.1f} s, {peak:.0f} MiB\n{done.stdout}")
    assert peak < 2048
