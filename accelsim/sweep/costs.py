"""Exact costs of every distinct layer on every size of every engine, tabulated once.

They come from `lower`, as in `simulate`; there is no other source of cycles. The engine that runs
every layer is asked for every choice of dataflows, any other for the layers that it is made for.
Which of them runs a layer is decided point by point, because the tables know them apart.
"""

from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.energy import EnergyTable, parts
from accelsim.engines import engine_of
from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.hardware import Hardware, Sizes
from accelsim.ir import Layer, Shape
from accelsim.lowering import AUTO, Allowed, Lowered, is_depthwise, lower, parse_dataflows
from accelsim.sweep.axes import MAIN, OTHERS
from accelsim.sweep.spec import Spec

Int = npt.NDArray[np.int64]

UNSUPPORTED = 1 << 50  # cycles of what an engine cannot run; sums of real ones stay far below
# In the order of the kernels.
BYTES = ("read_bytes", "write_bytes")
FIELDS = ("cycles", "bound_cycles", *BYTES, "busy_macs", "skipped_macs", "port_bound", "energy")
NO_COST = (UNSUPPORTED, 0, 0, 0, 0, 0, 0, 0)
HOST = (0, 0, 0, 0, 0, 0, 0, 0)
MOST_ENERGY = 1 << 50  # parts of a pJ of a layer


class DistinctLayer(NamedTuple):
    """All that decides what a layer costs, in a layer that stands for all like it.

    batch : images.
    depthwise : whether every output channel sees one input channel.
    others : names of the engines, beside the one that runs every layer, that are made for it.
    """

    layer: Layer
    in_shapes: tuple[Shape, ...]
    batch: int
    depthwise: bool
    others: tuple[str, ...]


class Setting(NamedTuple):
    """An engine of some sizes and the dataflows that it may use: a row of the tables.

    dataflows : a choice of accelsim.lowering; auto where an engine stands beside one that runs all.
    """

    engine: Sizes
    dataflows: str


class Layout(NamedTuple):
    """Where the layers of all workloads stand in the columns of the tables.

    Of a workload first the layers that several engines may run, then those that only one does,
    then those on the host.

    distinct : int64[slots], the distinct layer of a column.
    place : int64[slots], the place of the layer in its network.
    start, choice, modelled, stop : int64[workloads], first column, and the columns behind the
        layers that several engines may run, behind all that engines run, and behind all.
    """

    distinct: Int
    place: Int
    start: Int
    choice: Int
    modelled: Int
    stop: Int


class CostTables:
    """What is to be tabulated: distinct layers in columns, settings of engines in rows."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        numbers: dict[tuple[object, ...], int] = {}
        self.layers: list[DistinctLayer] = []
        slots: list[tuple[int, int]] = []
        bounds: list[tuple[int, int, int, int]] = []
        for workload in spec.workloads:
            network = workload.network
            kinds: tuple[list[tuple[int, int]], ...] = [], [], []
            for place, layer in enumerate(network.layers):
                shapes = network.in_shapes(layer)
                key = layer.op, shapes, workload.batch
                if key not in numbers:
                    numbers[key] = len(self.layers)
                    self.layers.append(_distinct(layer, shapes, workload.batch))
                several = self.layers[numbers[key]].others
                kind = 0 if several else 1 if layer.op.lower(*shapes) else 2
                kinds[kind].append((numbers[key], place))
            choice = len(slots) + len(kinds[0])
            modelled = choice + len(kinds[1])
            bounds.append((len(slots), choice, modelled, modelled + len(kinds[2])))
            slots += chain(*kinds)
        distinct, place = np.array(slots, np.int64).T
        self.layout = Layout(distinct, place, *np.array(bounds, np.int64).T)

    @cached_property
    def engines(self) -> dict[str, list[Sizes]]:
        """The sizes of every engine, equal ones once."""
        return {
            name: list(dict.fromkeys(each for each in sizes if each is not None))
            for name, sizes in self.spec.sizes.items()
        }

    @cached_property
    def settings(self) -> list[Setting]:
        """The rows: the engine that runs every layer for each choice of dataflows, the others."""
        choices = [str(value) for (value,) in self.spec.axis("dataflow").values]
        main = [Setting(each, choice) for choice in choices for each in self.engines[MAIN.name]]
        others = (each for engine in OTHERS for each in self.engines[engine.name])
        return [*main, *(Setting(each, AUTO) for each in others)]

    def costs(self, setting: Setting) -> tuple[Int, list[str]]:
        """int64[layers, fields] of an engine, and why it refuses what it cannot run."""
        name, reasons = setting.engine.name, []
        design = _alone(setting)
        costs = []
        for distinct in self.layers:
            cost: tuple[int, ...] = NO_COST
            if name == MAIN.name or name in distinct.others:
                try:
                    cost = _cost(distinct, *design, self.spec.energy)
                except UnsupportedError as error:
                    reasons.append(str(error))
            costs.append(cost)
        return np.array(costs, np.int64), reasons


def _distinct(layer: Layer, in_shapes: tuple[Shape, ...], batch: int) -> DistinctLayer:
    convs = [piece.conv for piece in layer.op.lower(*in_shapes)]
    depthwise = is_depthwise(layer, in_shapes)
    others = (each.name for each in OTHERS if convs and engine_of(each).takes(convs, depthwise))
    return DistinctLayer(layer, in_shapes, batch, depthwise, tuple(others))


def _alone(setting: Setting) -> tuple[Hardware, Allowed]:
    """A design, and the dataflows that leave all its work to the engine of a setting."""
    engine: Any = setting.engine
    main: Any = MAIN
    beside = () if engine.runs_all else (replace(main, operands=engine.operands),)
    depthwise, others = (
        tuple(dataflow for dataflow in dataflows if dataflow.engine == engine.name)
        for dataflows in parse_dataflows(setting.dataflows)
    )
    return Hardware(engines=(*beside, engine)), Allowed(depthwise, others)


def _cost(
    distinct: DistinctLayer, hardware: Hardware, allowed: Allowed, energy: EnergyTable | None
) -> tuple[int, ...]:
    """FIELDS of a layer; UnsupportedError says why the engine cannot run it."""
    lowered = lower(distinct.layer, distinct.in_shapes, hardware, allowed, distinct.batch)
    return HOST if lowered is None else _fields(distinct, lowered, energy)


def _fields(
    distinct: DistinctLayer, lowered: Lowered, energy: EnergyTable | None
) -> tuple[int, ...]:
    if lowered.cycles >= UNSUPPORTED:
        raise AccelsimError(
            f"layer {distinct.layer.name} takes {lowered.cycles:,} cycles, which is more than a "
            "sweep can count; a smaller input or batch or a larger engine takes fewer"
        )
    traffic, bound = lowered.traffic, lowered.bound
    assert traffic is not None  # of our own engines
    return (
        lowered.cycles,
        bound.cycles,
        traffic.read_bytes,
        traffic.write_bytes,
        traffic.macs,
        lowered.skipped_macs,
        int(bound.array < bound.cycles),
        0 if energy is None else _energy(distinct, lowered, energy),
    )


def _energy(distinct: DistinctLayer, lowered: Lowered, table: EnergyTable) -> int:
    """What the engine spends on a layer, in parts of a pJ; fills belong to the buffers."""
    stores, accesses = lowered.stores, lowered.accesses
    assert accesses is not None  # of our own engines
    known = {kind: count for kind, count in accesses.items() if kind in stores}
    total = sum(parts(table, kind, count, stores[kind]) for kind, count in known.items())
    if total >= MOST_ENERGY:
        raise AccelsimError(
            f"layer {distinct.layer.name} takes more energy than a sweep can count; lower pJ in "
            f"{table.name} take less"
        )
    return total
