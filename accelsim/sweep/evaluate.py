"""From numbers of points to rows of results, by the kernels and tables of costs.

A row says what its design is, in the words of the specification, and what the network costs on
it. Columns that `accelsim run` also reports, or sums of them over layers, are equal to it:

total_cycles, total_macs, total_params, bound_cycles, read_bytes, write_bytes, utilization
multipliers             of all engines
busy_utilization        utilisation by the MACs that engines execute
array_cycles, depthwise_cycles   total_cycles by engine
not_modelled_layers     layers on the host, whose cycles are 0

Beyond that stand

memory_bits             of the generated core's memories, and of both buffers
register_bits           of the generated core
offchip_read_bytes, offchip_write_bytes    see accelsim.sweep.reuse
clocks                  of layers one after another, each as long as the slower of its engine and
                        the memory port takes, which moves its off-chip bytes meanwhile; latencies
                        of the memory are not modelled
time_ms                 clocks at the given clock
multiplies_bound_layers, ports_bound_layers, memory_bound_layers
                        what layers wait for: the memory port, if it takes longer than the engine;
                        else what makes their bound_cycles, ports or multipliers
lut4, ff, mult18, dp16kd, gate_equivalents
                        of the generated cores, estimated: see accelsim.sweep.area; null where no
                        synthesised core is like one of them
supported               whether every layer can run; if not, nothing else is known of the point
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars

from accelsim.engines import engine_of
from accelsim.errors import AccelsimError
from accelsim.hls.report import Resource
from accelsim.lower import AUTO
from accelsim.sweep import area, kernels
from accelsim.sweep.costs import (
    UNSUPPORTED,
    Works,
    scheduled,
)
from accelsim.sweep.reuse import moved
from accelsim.sweep.spec import (
    ARRAY,
    BUFFERS,
    DEPTHWISE,
    OPERANDS,
    WORKLOAD,
    Spec,
    Value,
    depthwise_key,
)

Int = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Columns = dict[str, npt.NDArray[Any]]

# The axes of every group of kernels.
GROUPS = (
    WORKLOAD,
    ("dataflow",),
    ("depthwise_on",),
    OPERANDS,
    ARRAY,
    tuple(depthwise_key(key) for key in DEPTHWISE),
    BUFFERS,
    ("memory_width_bytes",),
    ("clock_mhz",),
)


UNKNOWN = -1 << 40  # cells; so low that no sum with it is positive
MOST = 1 << 62  # of any sum or product, so that none overflows


class Evaluator:
    """Evaluates points of a specification.

    costs : int64[jobs, works, fields] of Works.jobs.
    """

    def __init__(self, spec: Spec, works: Works, costs: Int) -> None:
        self.spec = spec
        self.points = _points(spec)
        off_chip, self.moved = _off_chip(spec, works)
        _check_sums(spec, works, costs, float(self.moved.max()))
        self.tables = _tables(spec, works, costs, off_chip)
        self.groups = [_group(spec, keys) for keys in GROUPS]
        self.designs = _design_columns(spec, works)

    def part(self, index: int) -> polars.DataFrame:
        """The rows of a part."""
        first = index * self.spec.part_points
        return self.frame(first, min(self.spec.part_points, self.spec.points - first))

    def metrics(self, first: int, count: int) -> tuple[Codes, Int]:
        """Codes int32[groups, points] and metrics int64[metrics, points] of points."""
        codes = np.empty((count, kernels.GROUPS), np.int32)
        metrics = np.empty((count, kernels.METRICS), np.int64)
        kernels.evaluate(first, self.points, self.tables, codes, metrics)
        return np.ascontiguousarray(codes.T), np.ascontiguousarray(metrics.T)

    def frame(self, first: int, count: int) -> polars.DataFrame:
        """The rows of `count` points from number `first` on."""
        codes, metrics = self.metrics(first, count)
        numbers = polars.Series("point", np.arange(first, first + count))
        design = [
            column.gather(code)
            for group, code in zip(self.groups, codes, strict=True)
            for column in group
        ]
        return polars.DataFrame([numbers, *design, *self._results(codes, metrics)])

    def _results(self, codes: Codes, metrics: Int) -> list[polars.Series]:
        workload, buffers = codes[kernels.WORKLOAD], codes[kernels.BUFFERS]
        engines = codes[kernels.OPERANDS], codes[kernels.ARRAY], codes[kernels.ENGINE]
        cycles, clocks = metrics[kernels.CYCLES], metrics[kernels.CLOCKS]
        macs = self.designs.macs[workload]
        multipliers = self.designs.multipliers.at(*engines)
        offered = np.maximum(1, multipliers * cycles)
        layers = self.designs.modelled[workload]
        mhz = self.designs.mhz[codes[kernels.CLOCK]]
        supported = cycles < UNSUPPORTED
        results: Columns = {
            "total_cycles": cycles,
            "array_cycles": cycles - metrics[kernels.DEPTHWISE],
            "depthwise_cycles": metrics[kernels.DEPTHWISE],
            "bound_cycles": metrics[kernels.BOUND],
            "utilization": macs / offered,
            "busy_utilization": metrics[kernels.BUSY] / offered,
            "read_bytes": metrics[kernels.READ],
            "write_bytes": metrics[kernels.WRITE],
            "offchip_read_bytes": self.moved[buffers, workload, 0],
            "offchip_write_bytes": self.moved[buffers, workload, 1],
            "clocks": clocks,
            "time_ms": clocks / (mhz * 1e3),
            "multiplies_bound_layers": layers
            - metrics[kernels.PORTS_BOUND]
            - metrics[kernels.MEMORY],
            "ports_bound_layers": metrics[kernels.PORTS_BOUND],
            "memory_bound_layers": metrics[kernels.MEMORY],
        }
        series = [polars.Series(name, values) for name, values in results.items()]
        if not supported.all():
            frame = polars.DataFrame(series)
            known = polars.when(polars.Series(supported)).then(polars.all()).otherwise(None)
            series = frame.select(known.name.keep()).get_columns()
        sizes: Columns = {
            "total_macs": macs,
            "total_params": self.designs.params[workload],
            "not_modelled_layers": self.designs.hosted[workload],
            "multipliers": multipliers,
            "memory_bits": self.designs.memory_bits.at(*engines)
            + self.designs.buffer_bits[buffers],
            "register_bits": self.designs.register_bits.at(*engines),
            "supported": supported,
        }
        cells = (
            _known(polars.Series(name, of.at(*engines)))
            for name, of in zip(area.FIGURES, self.designs.cells, strict=True)
        )
        return [*(polars.Series(name, each) for name, each in sizes.items()), *cells, *series]


def _known(figures: polars.Series) -> polars.Series:
    """The same with null for what is not known."""
    known = polars.when(polars.first() >= 0).then(polars.first())
    return figures.to_frame().select(known.name.keep()).to_series()


class PerEngine(NamedTuple):
    """A figure of all arrays and depthwise engines, which add up; int64[operands, engines]."""

    arrays: Int
    engines: Int

    def at(self, operands: Codes, array: Codes, engine: Codes) -> Int:
        """The sums for these designs."""
        return self.arrays[operands, array] + self.engines[operands, engine]


class Designs(NamedTuple):
    """What follows from a place in a group alone.

    macs, params, modelled, hosted : int64[workloads]; layers on engines and on the host.
    multipliers, memory_bits, register_bits : of the engines.
    cells : area.FIGURES of the engines, in order; below 0 where they are not known.
    buffer_bits : int64[buffers].
    mhz : float64[clocks].
    """

    macs: Int
    params: Int
    modelled: Int
    hosted: Int
    multipliers: PerEngine
    memory_bits: PerEngine
    register_bits: PerEngine
    cells: tuple[PerEngine, ...]
    buffer_bits: Int
    mhz: npt.NDArray[np.float64]


def _design_columns(spec: Spec, works: Works) -> Designs:
    operands = len(spec.combinations(OPERANDS))
    arrays = [engine_of(array).resources(array) for array in spec.arrays]
    engines = [engine_of(engine).resources(engine) if engine else () for engine in spec.engines]
    layout = works.layout
    networks = [workload.network for workload in spec.workloads]
    kib = [sum(_whole(each[key]) for key in BUFFERS) for each in spec.combinations(BUFFERS)]
    return Designs(
        macs=np.array([network.total_macs for network in networks]),
        params=np.array([network.total_params for network in networks]),
        modelled=layout.modelled - layout.start,
        hosted=layout.stop - layout.modelled,
        multipliers=_both("multipliers", operands, arrays, engines),
        memory_bits=_both("memory_bits", operands, arrays, engines),
        register_bits=_both("register_bits", operands, arrays, engines),
        cells=_cells(spec, operands),
        buffer_bits=np.array(kib) * (8 << 10),
        mhz=np.array([value for (value,) in spec.axis("clock_mhz").values], np.float64),
    )


def _both(field: str, operands: int, *kinds: list[tuple[Resource, ...]]) -> PerEngine:
    sums = ([sum(getattr(part, field) for part in parts) for parts in kind] for kind in kinds)
    return PerEngine(*(np.array(each, np.int64).reshape(operands, -1) for each in sums))


def _cells(spec: Spec, operands: int) -> tuple[PerEngine, ...]:
    unknown = (UNKNOWN,) * len(area.FIGURES)
    kinds = (
        np.array([area.estimate(design) or unknown for design in designs], np.int64)
        for designs in (spec.arrays, spec.engines)
    )
    arrays, engines = (kind.T.reshape(len(area.FIGURES), operands, -1) for kind in kinds)
    return tuple(map(PerEngine, arrays, engines))


def _whole(value: Value | None) -> int:
    assert isinstance(value, int)
    return value


def _points(spec: Spec) -> kernels.Points:
    axes = [axis for axis in spec.axes if len(axis.values) > 1]
    of = {key: group for group, keys in enumerate(GROUPS) for key in keys}
    groups = [of[axis.keys[0]] for axis in axes]
    sizes = [len(axis.values) for axis in axes]
    strides = [
        math.prod(
            size
            for size, other in zip(sizes[i + 1 :], groups[i + 1 :], strict=True)
            if other == group
        )
        for i, group in enumerate(groups)
    ]
    bits = max(2, (spec.grid - 1).bit_length()) if spec.sample else 0  # a bit for each half
    random = np.random.default_rng(spec.seed)
    factors, offsets = random.integers(0, 1 << 64, (2, kernels.ROUNDS), np.uint64)
    return kernels.Points(
        np.array(sizes, np.int64),
        1 / np.array(sizes, np.float64),
        np.array(groups, np.int64),
        np.array(strides, np.int64),
        np.uint64(spec.grid),
        bits,
        factors | np.uint64(1),
        offsets,
    )


def _off_chip(spec: Spec, works: Works) -> tuple[Int, Int]:
    """Off-chip bytes of layers, int64[buffers, slots]; read, written, int64[..., workloads, 2]."""
    slots, totals = [], []
    layout = works.layout
    for each in spec.combinations(BUFFERS):
        rooms = [_whole(each[key]) << 10 for key in BUFFERS]
        parts = []
        for workload, start, stop in zip(spec.workloads, layout.start, layout.stop, strict=True):
            found = np.array(moved(workload.network, rooms[0], rooms[1]), np.int64)
            parts.append(found[layout.place[start:stop]])
        slots.append(np.concatenate(parts).sum(axis=1))
        totals.append([part.sum(axis=0) for part in parts])
    return np.array(slots), np.array(totals)


def _check_sums(spec: Spec, works: Works, costs: Int, moved: float) -> None:
    """Refuse what could overflow: the slowest engines, times the widest port or largest engines.

    moved : off-chip bytes of a network.
    """
    cycles = costs[:, works.layout.work, kernels.CYCLES]
    slowest = np.where(cycles < UNSUPPORTED, cycles, 0).max(axis=0).astype(np.float64)
    widest = max(_whole(value) for (value,) in spec.axis("memory_width_bytes").values)
    multipliers = max(array.multipliers for array in spec.arrays)
    multipliers += max(engine.multipliers if engine else 0 for engine in spec.engines)
    for workload, start, stop in zip(
        spec.workloads, works.layout.start, works.layout.stop, strict=True
    ):
        total = float(slowest[start:stop].sum())
        if total >= UNSUPPORTED or total * max(widest, multipliers) + moved >= MOST:
            raise AccelsimError(
                f"{workload.name} at {workload.input} may take {total:,.0f} cycles on the slowest "
                "engines, which is more than a sweep can count exactly; smaller inputs take fewer"
            )


def _tables(spec: Spec, works: Works, costs: Int, off_chip: Int) -> kernels.Tables:
    layout = works.layout
    flows = len(spec.axis("dataflow").values)
    operands = len(spec.combinations(OPERANDS))
    rows = {design: row for row, design in enumerate(works.arrays)}
    array_row = np.array([rows[scheduled(design)] for design in spec.arrays])
    first = flows * len(works.arrays)
    jobs, forced, engine_row = _choices(spec, works, first)
    slots = np.ascontiguousarray(costs[[*range(first), *jobs]][:, layout.work])
    rank = slots[..., kernels.CYCLES].copy()
    rank[first:][forced] = -1  # cycles are positive: what must be taken is before all others
    return kernels.Tables(
        start=layout.start,
        choice=layout.choice,
        modelled=layout.modelled,
        array_row=array_row.reshape(operands, -1),
        arrays=len(works.arrays),
        costs=slots,
        cycles=np.ascontiguousarray(slots[..., kernels.CYCLES]),
        ports=np.ascontiguousarray(slots[..., kernels.PORTS]),
        sums=_sums(slots, layout.start, layout.modelled),
        rest=_sums(slots, layout.choice, layout.modelled),
        engine_row=engine_row.reshape(len(engine_row), operands, -1),
        rank=rank,
        moved=off_chip,
        host_moved=_sums(off_chip[..., None], layout.modelled, layout.stop)[..., 0],
        widths=np.array([value for (value,) in spec.axis("memory_width_bytes").values], np.int64),
    )


def _choices(spec: Spec, works: Works, first: int) -> tuple[list[int], list[bool], Int]:
    """Rows of the tables for depthwise engines, by where depthwise layers may run.

    first : rows of arrays, which stand in front.

    Returns
    -------
    Of every row, the job that made it and whether the engine must be taken; and the row of a
    design, int64[places, engines], 0 where there is no choice.
    """
    number = {engine: place for place, engine in enumerate(works.engines)}
    jobs: list[int] = []
    forced: list[bool] = []
    rows = []
    for (place,) in spec.axis("depthwise_on").values:
        if place == "array":
            rows.append([0] * len(spec.engines))
        else:
            row = first + len(jobs)
            rows.append([row + number[engine] if engine else 0 for engine in spec.engines])
            jobs += range(first, first + len(works.engines))
            forced += [place != AUTO] * len(works.engines)
    return jobs, forced, np.array(rows)


def _sums(values: Int, start: Int, stop: Int) -> Int:
    """int64[rows, workloads, fields] of int64[rows, slots, fields], from `start` to `stop` each."""
    ends = np.concatenate([np.zeros_like(values[:, :1]), values.cumsum(axis=1)], axis=1)
    found: Int = ends[:, stop] - ends[:, start]
    return found


def _group(spec: Spec, keys: tuple[str, ...]) -> list[polars.Series]:
    """The columns that a group of axes decides, a value for every place in it."""
    if keys == WORKLOAD:
        return [
            _column("network", [each.name for each in spec.workloads]),
            _column("variant", [each.variant for each in spec.workloads]),
            _column("input", [each.input for each in spec.workloads]),
        ]
    combinations = spec.combinations(keys)
    return [_column(key, [each[key] for each in combinations]) for key in combinations[0]]


def _column(name: str, values: Sequence[Value | None]) -> polars.Series:
    if isinstance(values[0], str):
        kinds = polars.Enum(list(dict.fromkeys(map(str, values))))
        return polars.Series(name, values, dtype=kinds)
    return polars.Series(name, values)
