"""From numbers of points to rows of results, by the kernels and tables of costs.

A row says what its design is, in the words of the specification, and what the network costs on
it. Columns that `accelsim run` also reports, or sums of them over layers, are equal to it:

total_cycles, total_macs, total_live_macs, total_skipped_macs, total_params, bound_cycles,
read_bytes, write_bytes, utilization, time_ms
batch, cycles_per_image    where the specification, or a network, has a batch
total_energy_pj         of specifications with a table of energies
offchip_read_bytes, offchip_write_bytes    see accelsim.reuse; of designs with a memory
multipliers             of all engines
busy_utilization        utilisation by the MACs that engines execute
<engine>_cycles         total_cycles by engine: array_cycles, depthwise_cycles
not_modelled_layers     layers on the host, whose cycles are 0

Beyond that stand

clock_source            where clock_mhz is from: see accelsim.hardware.clock
memory_bits             of the generated cores' memories, and of both buffers; by kind these are
                        operand_, accumulator_, result_ and buffer_memory_bits
register_bits           of the generated core
clocks                  total_memory_cycles: of layers one after another, each as long as the slower
                        of its engine and the memory port takes, which moves its off-chip bytes
                        meanwhile; latencies of the memory are not modelled
multiplies_bound_layers, ports_bound_layers, memory_bound_layers
                        layers by bound_by: array; fill or results; memory
lut4, ff, mult18, logic_ge
                        of the generated cores, estimated: see accelsim.sweep.area; null where no
                        synthesised core is like one of them
dp16kd, memory_ge       blocks of memory, and gate equivalents of memories; buffers included
gate_equivalents        logic_ge and memory_ge
supported               whether every layer can run; if not, nothing else is known of the point
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.energy import FILL, PARTS, memory_stores
from accelsim.engines import engine_of
from accelsim.engines.base import Store
from accelsim.errors import AccelsimError
from accelsim.frames import polars
from accelsim.hardware import Memory, Operands, Sizes
from accelsim.lowering import AUTO
from accelsim.phrases import of_batch
from accelsim.reuse import moved
from accelsim.sweep import area, kernels
from accelsim.sweep.axes import (
    BUFFERS,
    ENGINES,
    MAIN,
    OPERANDS,
    OTHERS,
    WORKLOAD,
    Value,
    columns,
)
from accelsim.sweep.clocks import clocks_of
from accelsim.sweep.costs import UNSUPPORTED, CostTables
from accelsim.sweep.spec import Spec

Int = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Columns = dict[str, npt.NDArray[Any]]

# The axes of every group of kernels, in the order of the columns.
GROUPS: dict[int, tuple[str, ...]] = {
    kernels.WORKLOAD: WORKLOAD,
    kernels.DATAFLOW: ("dataflow",),
    kernels.PLACE: ("depthwise_on",),
    kernels.OPERANDS: OPERANDS,
    **{
        kernels.MAIN + number: tuple(columns(engine.name).values())
        for number, engine in enumerate(ENGINES)
    },
    kernels.BUFFERS: BUFFERS,
    kernels.WIDTH: ("memory_width_bytes",),
    kernels.CLOCK: ("clock_mhz",),
}
METRICS = kernels.ELSEWHERE + len(OTHERS)

UNKNOWN = -1 << 40  # cells; so low that no sum with it is positive
MOST = 1 << 62  # of any sum or product, so that none overflows
# What is added to the cycles of depthwise layers on engines beside the main one, to compare them,
# by where these layers run: on any engine, never on these, or always on the fastest of these.
RANKS = {AUTO: 0, "array": 1 << 52, "engine": -(1 << 52)}


class Evaluator:
    """Evaluates points of a specification.

    costs : int64[settings, layers, fields] of the tables.
    """

    def __init__(self, spec: Spec, tables: CostTables, costs: Int) -> None:
        self.spec = spec
        self.points = _points(spec)
        off_chip, self.moved, self.offchip_energy = _off_chip(spec, tables)
        _check_sums(spec, tables, costs, float(self.moved.max()))
        self.tables = _tables(spec, tables, costs, off_chip)
        self.groups = {
            group: _group(spec, keys) for group, keys in GROUPS.items() if group != kernels.CLOCK
        }
        self.constants = _constants(spec, tables)
        self.clocks = clocks_of(spec)

    def part(self, index: int) -> polars.DataFrame:
        """The rows of a part."""
        first = index * self.spec.part_points
        return self.frame(first, min(self.spec.part_points, self.spec.points - first))

    def metrics(self, first: int, count: int) -> tuple[Codes, Int]:
        """Codes int32[groups, points] and metrics int64[metrics, points] of points."""
        codes = np.empty((count, len(GROUPS)), np.int32)
        metrics = np.empty((count, METRICS), np.int64)
        kernels.evaluate(first, self.points, self.tables, codes, metrics)
        return np.ascontiguousarray(codes.T), np.ascontiguousarray(metrics.T)

    def frame(self, first: int, count: int) -> polars.DataFrame:
        """The rows of `count` points from number `first` on."""
        codes, metrics = self.metrics(first, count)
        numbers = polars.Series("point", np.arange(first, first + count))
        design = [
            column.gather(codes[group]) for group, known in self.groups.items() for column in known
        ]
        engines = {name: _over_engines(of, codes) for name, of in self.constants.engines.items()}
        clocks = self.clocks.columns(codes, engines["multipliers"])
        results = self._results(codes, metrics, engines, clocks[0].to_numpy())
        return polars.DataFrame([numbers, *design, *clocks, *results])

    def _results(
        self,
        codes: Codes,
        metrics: Int,
        engines: dict[str, Int],
        mhz: npt.NDArray[np.float64],
    ) -> list[polars.Series]:
        workload, buffers = codes[kernels.WORKLOAD], codes[kernels.BUFFERS]
        operands = codes[kernels.OPERANDS]
        cycles, clocks = metrics[kernels.CYCLES], metrics[kernels.CLOCKS]
        elsewhere = metrics[kernels.ELSEWHERE :]
        live_macs = self.constants.live_macs[workload]
        offered = np.maximum(1, engines["multipliers"] * cycles)
        layers, images = self.constants.modelled[workload], self.constants.batch[workload]
        supported = cycles < UNSUPPORTED
        results: Columns = {
            "total_cycles": cycles,
            **({"cycles_per_image": cycles / images} if self.spec.batched else {}),
            f"{MAIN.name}_cycles": cycles - elsewhere.sum(axis=0),
            **{f"{other.name}_cycles": on for other, on in zip(OTHERS, elsewhere, strict=True)},
            "bound_cycles": metrics[kernels.BOUND],
            "utilization": live_macs / offered,
            "busy_utilization": metrics[kernels.BUSY] / offered,
            "total_skipped_macs": metrics[kernels.SKIPPED],
            "read_bytes": metrics[kernels.READ],
            "write_bytes": metrics[kernels.WRITE],
            "offchip_read_bytes": self.moved[operands, buffers, workload, 0],
            "offchip_write_bytes": self.moved[operands, buffers, workload, 1],
            "clocks": clocks,
            "time_ms": clocks / (mhz * 1e3),
            "multiplies_bound_layers": layers
            - metrics[kernels.PORTS_BOUND]
            - metrics[kernels.MEMORY],
            "ports_bound_layers": metrics[kernels.PORTS_BOUND],
            "memory_bound_layers": metrics[kernels.MEMORY],
            **self._energy(codes, metrics),
        }
        series = [polars.Series(name, values) for name, values in results.items()]
        if not supported.all():
            frame = polars.DataFrame(series)
            known = polars.when(polars.Series(supported)).then(polars.all()).otherwise(None)
            series = frame.select(known.name.keep()).get_columns()
        sizes: Columns = {
            "total_macs": self.constants.macs[workload],
            "total_live_macs": live_macs,
            "total_params": self.constants.params[workload],
            "not_modelled_layers": self.constants.hosted[workload],
            "multipliers": engines["multipliers"],
            "memory_bits": engines["memory_bits"] + self.constants.buffer_bits[buffers],
            "buffer_memory_bits": self.constants.buffer_bits[buffers],
            "register_bits": engines["register_bits"],
            "supported": supported,
        }
        figures = {name: engines[name] for name in area.FIGURES}
        for name, added in self.constants.buffers.items():
            figures[name] = figures[name] + added[buffers]
        cells = (_known(polars.Series(name, each)) for name, each in figures.items())
        return [*(polars.Series(name, each) for name, each in sizes.items()), *cells, *series]

    def _energy(self, codes: Codes, metrics: Int) -> Columns:
        """Energies of points, where they are asked for."""
        if self.spec.energy is None:
            return {}
        at = codes[kernels.OPERANDS], codes[kernels.BUFFERS], codes[kernels.WORKLOAD]
        there = self.tables.widths[codes[kernels.WIDTH]] > 0
        off_chip = np.where(there, self.offchip_energy[at], 0)
        return {"total_energy_pj": (metrics[kernels.ENERGY] + off_chip) / PARTS}


def _known(figures: polars.Series) -> polars.Series:
    """The same with null for what is not known."""
    known = polars.when(polars.first() >= 0).then(polars.first())
    return figures.to_frame().select(known.name.keep()).to_series()


def _over_engines(figures: Sequence[Int], codes: Codes) -> Int:
    """The sums over all engines of points: int64[operands, sizes] for each to int64[points]."""
    operands = codes[kernels.OPERANDS]
    total: Int = sum(
        figure[operands, codes[kernels.MAIN + number]] for number, figure in enumerate(figures)
    )
    return total


class Constants(NamedTuple):
    """What follows from a place in a group alone.

    batch, macs, live_macs, params, modelled, hosted : int64[workloads]; images, counts of all of
        them, layers on engines and on the host.
    engines : figures that add up over the engines, int64[operands, sizes] for each of them:
        multipliers, memory_bits, register_bits, and area.FIGURES, below 0 if they are not known.
    buffer_bits : int64[buffers].
    buffers : int64[buffers] for every figure of area.FIGURES that buffers add to.
    """

    batch: Int
    macs: Int
    live_macs: Int
    params: Int
    modelled: Int
    hosted: Int
    engines: dict[str, tuple[Int, ...]]
    buffer_bits: Int
    buffers: dict[str, Int]


def _constants(spec: Spec, tables: CostTables) -> Constants:
    layout = tables.layout
    networks = [workload.network for workload in spec.workloads]
    batch = np.array([workload.batch for workload in spec.workloads], np.int64)
    kib = [[_whole(each[key]) for key in BUFFERS] for each in spec.combinations(BUFFERS)]
    buffers = [[area.buffer(size) for size in sizes] for sizes in kib]
    return Constants(
        batch=batch,
        macs=batch * np.array([network.total_macs for network in networks]),
        live_macs=batch * np.array([network.total_live_macs for network in networks]),
        params=np.array([network.total_params for network in networks]),
        modelled=layout.modelled - layout.start,
        hosted=layout.stop - layout.modelled,
        engines=_engine_figures(spec),
        buffer_bits=np.array(kib).sum(axis=1) * (8 << 10),
        buffers={
            name: np.array([sum(each[name] for each in sizes) for sizes in buffers])
            for name in buffers[0][0]
        },
    )


def _engine_figures(spec: Spec) -> dict[str, tuple[Int, ...]]:
    operands = len(spec.combinations(OPERANDS))
    names = ("multipliers", "memory_bits", "register_bits", *area.FIGURES)
    # int64[figures, operands, sizes] for every engine.
    engines = (
        np.array(list(map(_figures, spec.sizes[engine.name])), np.int64).T.reshape(
            len(names), operands, -1
        )
        for engine in ENGINES
    )
    return dict(zip(names, zip(*engines, strict=True), strict=True))


def _figures(engine: Sizes | None) -> tuple[int, ...]:
    """Multipliers, bits of memories and registers, and area.FIGURES of an engine."""
    if engine is None:
        return (0,) * (3 + len(area.FIGURES))
    parts = engine_of(engine).resources(engine)
    cells = (UNKNOWN if each is None else each for each in area.estimate(engine))
    return (
        sum(part.multipliers for part in parts),
        sum(part.memory_bits for part in parts),
        sum(part.register_bits for part in parts),
        *cells,
    )


def _whole(value: Value | None) -> int:
    assert isinstance(value, int)
    return value


def _points(spec: Spec) -> kernels.Points:
    axes = [axis for axis in spec.axes if len(axis.values) > 1]
    of = {key: group for group, keys in GROUPS.items() for key in keys}
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
        tuple(len(spec.combinations(GROUPS[group])) for group in sorted(GROUPS)),
        np.uint64(spec.grid),
        bits,
        factors | np.uint64(1),
        offsets,
    )


def _off_chip(spec: Spec, tables: CostTables) -> tuple[Int, Int, Int]:
    """Off-chip bytes of layers and of networks, and their energy.

    Returns
    -------
    int64[operands, buffers, slots]; read and written, int64[operands, buffers, workloads, 2]; parts
    of a pJ, int64[operands, buffers, workloads], 0 without a table of energies.
    """
    widths = [Operands(**each).value_bytes for each in spec.combinations(OPERANDS)]  # type: ignore[arg-type]
    made = {width: _off_chip_of(spec, tables, width) for width in set(widths)}
    slots, totals, energy = zip(*(made[width] for width in widths), strict=True)
    return np.array(slots), np.array(totals), np.array(energy)


def _off_chip_of(spec: Spec, tables: CostTables, value_bytes: int) -> tuple[Int, Int, Int]:
    """The same for operands of which a value takes so many bytes."""
    slots, totals, energies = [], [], []
    layout = tables.layout
    pj = np.zeros(2)
    if spec.energy is not None:
        byte = Store(8)
        pj[:] = [spec.energy.price(kind).pj(byte) for kind in ("offchip_read", "offchip_write")]
    for each in spec.combinations(BUFFERS):
        rooms = [_whole(each[key]) << 10 for key in BUFFERS]
        parts = []
        for workload, start, stop in zip(spec.workloads, layout.start, layout.stop, strict=True):
            bytes_ = moved(workload.network, *rooms, value_bytes, workload.batch)
            layers = np.array(bytes_, np.int64)
            parts.append(layers[layout.place[start:stop]])
        slots.append(np.concatenate(parts).sum(axis=1))
        totals.append([part.sum(axis=0) for part in parts])
        energies.append([_parts(part, pj).sum() for part in parts])
    return np.array(slots), np.array(totals), np.array(energies)


def _parts(counts: Int, pj: float | npt.NDArray[np.float64]) -> Int:
    """Energies of layers in parts of a pJ, rounded as those of accelsim.energy."""
    rounded: Int = np.rint(counts * pj * PARTS).astype(np.int64)
    return rounded


def _check_sums(spec: Spec, tables: CostTables, costs: Int, moved: float) -> None:
    """Refuse what could overflow: the slowest engines, times the largest engines.

    moved : off-chip bytes of a network, which a port of one byte moves in so many clocks.
    """
    layout = tables.layout
    cycles = costs[:, layout.distinct, kernels.CYCLES]
    slowest = np.where(cycles < UNSUPPORTED, cycles, 0).max(axis=0).astype(np.float64)
    multipliers = sum(
        max(engine.multipliers if engine else 0 for engine in sizes)
        for sizes in spec.sizes.values()
    )
    for workload, start, stop in zip(spec.workloads, layout.start, layout.stop, strict=True):
        total = float(slowest[start:stop].sum())
        if total >= UNSUPPORTED or total * multipliers + moved >= MOST:
            raise AccelsimError(
                f"{workload.name} at {workload.input}{of_batch(workload.batch)} may take "
                f"{total:,.0f} cycles on the slowest engines, which is more than a sweep can count "
                "exactly; smaller inputs and batches take fewer"
            )


def _tables(spec: Spec, tables: CostTables, costs: Int, off_chip: Int) -> kernels.Tables:
    layout = tables.layout
    operands = len(spec.combinations(OPERANDS))
    mains = tables.engines[MAIN.name]
    number = {engine: place for place, engine in enumerate(mains)}
    main_row = np.array([number[each] for each in spec.sizes[MAIN.name] if each])
    first = len(spec.axis("dataflow").values) * len(mains)
    others, other_rows = _other_rows(spec, tables, first)
    settings = [*range(first), *(row.setting for row in others)]
    slots = np.ascontiguousarray(costs[settings][:, layout.distinct])
    energies, place = _energies(spec, slots)
    slots = np.concatenate([slots[..., : kernels.ENERGIES], energies], axis=2)
    rank = slots[..., kernels.CYCLES].copy()
    depthwise = [tables.layers[each].depthwise for each in layout.distinct]
    for at, row in enumerate(others, first):
        rank[at, depthwise] += RANKS[row.place]
    return kernels.Tables(
        start=layout.start,
        choice=layout.choice,
        modelled=layout.modelled,
        stop=layout.stop,
        main_row=main_row.reshape(operands, -1),
        main_rows=len(mains),
        costs=slots,
        cycles=np.ascontiguousarray(slots[..., kernels.CYCLES]),
        ports=np.ascontiguousarray(slots[..., kernels.PORTS]),
        sums=_sums(slots, layout.start, layout.modelled),
        rest=_sums(slots, layout.choice, layout.modelled),
        other_rows=other_rows,
        rank=rank,
        moved=off_chip,
        widths=np.array([value for (value,) in spec.axis("memory_width_bytes").values], np.int64),
        energies=place,
    )


def _energies(spec: Spec, slots: Int) -> tuple[Int, Int]:
    """Energies of layers by the memory beside the engine, and which of them is that of buffers.

    slots : int64[rows, slots, fields], the last field the energy without a memory.

    Returns
    -------
    int64[rows, slots, energies], the first of them without a memory; int64[buffers].
    """
    buffers = spec.combinations(BUFFERS)
    if spec.energy is None:
        return slots[..., :0], np.zeros(len(buffers), np.int64)
    prices = [
        spec.energy.price(FILL).pj(memory_stores(Memory(**each, width_bytes=1))[FILL])  # type: ignore[arg-type]
        for each in buffers
    ]
    distinct = list(dict.fromkeys(prices))
    engine, filled = slots[..., kernels.ENERGIES], slots[..., kernels.READ]
    with_fills: list[Int] = [engine + _parts(filled, price) for price in distinct]
    place = np.array([1 + distinct.index(price) for price in prices])
    return np.stack([engine, *with_fills], axis=-1), place


class OtherRow(NamedTuple):
    """A row of the kernels' tables: an engine beside the main one.

    setting : its row of the cost tables.
    place : where depthwise layers run.
    """

    setting: int
    place: str


def _other_rows(spec: Spec, tables: CostTables, first: int) -> tuple[list[OtherRow], Int]:
    """The rows of the engines beside the main one, for every place of depthwise layers.

    first : the first of these rows, behind those of the main engine.

    Returns
    -------
    The rows, and that of a design: int64[engines, places, operands, sizes], 0 for no engine.
    """
    places = [str(value) for (value,) in spec.axis("depthwise_on").values]
    operands = len(spec.combinations(OPERANDS))
    most = max(len(spec.sizes[engine.name]) // operands for engine in OTHERS)
    numbers = np.zeros((len(OTHERS), len(places), operands, most), np.int64)
    rows: list[OtherRow] = []
    setting = first
    for engine, of_engine in zip(OTHERS, numbers, strict=True):
        sizes, distinct = spec.sizes[engine.name], tables.engines[engine.name]
        runs = [layer.depthwise for layer in tables.layers if engine.name in layer.others]
        for place, of_place in zip(places, of_engine, strict=True):
            if place == "array" and all(runs):
                continue  # nothing is left for the engine
            number = {each: first + len(rows) + at for at, each in enumerate(distinct)}
            chosen = [number[each] if each else 0 for each in sizes]
            of_place[:, : len(sizes) // operands] = np.reshape(chosen, (operands, -1))
            rows += [OtherRow(setting + at, place) for at in range(len(distinct))]
        setting += len(distinct)
    return rows, numbers


def _sums(values: Int, start: Int, stop: Int) -> Int:
    """int64[rows, workloads, fields] of int64[rows, slots, fields], from `start` to `stop` each."""
    ends = np.concatenate([np.zeros_like(values[:, :1]), values.cumsum(axis=1)], axis=1)
    sums: Int = ends[:, stop] - ends[:, start]
    return sums


def _group(spec: Spec, keys: tuple[str, ...]) -> list[polars.Series]:
    """The columns that a group of axes decides, a value for every place in it."""
    if keys == WORKLOAD:
        said = WORKLOAD if spec.batched else WORKLOAD[:-1]
        values = zip(
            *(each[1:] for each in spec.workloads), strict=True
        )  # without the network itself
        return list(map(_column, said, values))
    combinations = spec.combinations(keys)
    return [_column(key, [each[key] for each in combinations]) for key in combinations[0]]


def _column(name: str, values: Sequence[Value | None]) -> polars.Series:
    if isinstance(values[0], str):
        kinds = polars.Enum(list(dict.fromkeys(map(str, values))))
        return polars.Series(name, values, dtype=kinds)
    return polars.Series(name, values)
