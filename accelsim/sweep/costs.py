"""Exact costs of every distinct layer on every size of engine, tabulated once.

They come from `lower`, as in `simulate`; there is no other source of cycles. An array is asked
for every dataflow, a depthwise engine for what is depthwise. Which of the two runs a layer is
decided point by point, because the tables know them apart.
"""

from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.ir import Layer, Shape
from accelsim.lower import AUTO, Lowered, is_depthwise, lower, parse_dataflows
from accelsim.sweep.spec import Spec

Int = npt.NDArray[np.int64]

UNSUPPORTED = 1 << 50  # cycles of what an engine cannot run; sums of real ones stay far below
# In the order of the kernels.
FIELDS = ("cycles", "bound_cycles", "read_bytes", "write_bytes", "busy_macs", "port_bound")
NO_COST = (UNSUPPORTED, 0, 0, 0, 0, 0)
HOST = (0, 0, 0, 0, 0, 0)


class Work(NamedTuple):
    """A distinct layer: all that decides what it costs, and a layer of that kind."""

    layer: Layer
    in_shapes: tuple[Shape, ...]
    depthwise: bool


class Job(NamedTuple):
    """One row of a table: all distinct layers on an engine.

    dataflow : allowed ones; None for the depthwise engine of the hardware.
    """

    hardware: Hardware
    dataflow: str | None


class Layout(NamedTuple):
    """Where the layers of all workloads stand in the columns of the tables.

    Of a workload first the depthwise layers, then all others that an engine runs, then those on
    the host.

    work : int64[slots], the distinct layer of a column.
    place : int64[slots], the place of the layer in its network.
    start, choice, modelled, stop : int64[workloads], first column, and the columns behind the
        depthwise layers, behind what engines run, and behind all.
    """

    work: Int
    place: Int
    start: Int
    choice: Int
    modelled: Int
    stop: Int


class Works:
    """The distinct layers of a specification, and where they stand."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        keys: dict[tuple[object, ...], int] = {}
        self.works: list[Work] = []
        columns: list[tuple[int, int]] = []
        bounds: list[tuple[int, int, int, int]] = []
        for workload in spec.workloads:
            network = workload.network
            kinds: tuple[list[tuple[int, int]], ...] = [], [], []
            for place, layer in enumerate(network.layers):
                shapes = network.in_shapes(layer)
                depthwise = is_depthwise(layer, shapes)
                key = layer.op, shapes
                if key not in keys:
                    keys[key] = len(self.works)
                    self.works.append(Work(layer, shapes, depthwise))
                kind = 0 if depthwise else 1 if layer.op.lower(*shapes) else 2
                kinds[kind].append((keys[key], place))
            choice = len(columns) + len(kinds[0])
            modelled = choice + len(kinds[1])
            bounds.append((len(columns), choice, modelled, modelled + len(kinds[2])))
            columns += chain(*kinds)
        work, place = np.array(columns, np.int64).T
        self.layout = Layout(work, place, *np.array(bounds, np.int64).T)

    @cached_property
    def arrays(self) -> list[SystolicArray]:
        """The arrays that differ in what a schedule depends on."""
        return list(dict.fromkeys(map(scheduled, self.spec.arrays)))

    @cached_property
    def engines(self) -> list[DepthwiseEngine]:
        """The depthwise engines."""
        return list(dict.fromkeys(filter(None, self.spec.engines)))

    @cached_property
    def jobs(self) -> list[Job]:
        """The rows of the table: arrays for every dataflow in turn, then depthwise engines."""
        dataflows = [str(value) for (value,) in self.spec.axis("dataflow").values]
        jobs = [Job(Hardware(array), flow) for flow in dataflows for array in self.arrays]
        for engine in self.engines:
            array = SystolicArray(1, 1, operands=engine.operands)
            jobs.append(Job(Hardware(array, depthwise=engine), None))
        return jobs

    def row(self, job: Job) -> tuple[Int, list[str]]:
        """int64[works, fields] of an engine, and why it refuses what it cannot run."""
        reasons: list[str] = []
        costs = [self._cost(work, job, reasons) for work in self.works]
        return np.array(costs, np.int64), reasons

    def _cost(self, work: Work, job: Job, reasons: list[str]) -> tuple[int, ...]:
        if job.dataflow is None:
            if not work.depthwise:
                return NO_COST
            allowed = parse_dataflows(AUTO, "engine")
        else:
            allowed = parse_dataflows(job.dataflow, "array")
        try:
            lowered = lower(work.layer, work.in_shapes, job.hardware, allowed)
        except UnsupportedError as error:
            reasons.append(str(error))
            return NO_COST
        return HOST if lowered is None else _fields(work, lowered)


def scheduled(array: SystolicArray) -> SystolicArray:
    """The array without what no schedule depends on."""
    return replace(array, bank_depth=SystolicArray.bank_depth)


def _fields(work: Work, lowered: Lowered) -> tuple[int, ...]:
    if lowered.cycles >= UNSUPPORTED:
        raise AccelsimError(
            f"layer {work.layer.name} takes {lowered.cycles:,} cycles, which is more than a sweep "
            "can count; a smaller input or a larger engine takes fewer"
        )
    traffic, bound = lowered.traffic, lowered.bound_cycles
    assert traffic is not None  # of our own engines
    multiplies = -(-work.layer.op.macs(*work.in_shapes) // lowered.multipliers)
    return (
        lowered.cycles,
        bound,
        traffic.read_bytes,
        traffic.write_bytes,
        traffic.macs,
        int(bound > multiplies),
    )
