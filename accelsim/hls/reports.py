"""The report of a loop nest in the form that users of HLS tools know.

It follows from the nest alone, by the rules of accelsim.hls.nest: a tree of modules and loops
with trip counts, latencies and initiation intervals, and how busy the multipliers are. Control
never depends on data, so a latency is exact and minimum and maximum are one number.

Resources are what the engine says that its hardware has; see its `resources` for what they cover.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from accelsim.hls.nest import Loop, Stage, Task, operations


class Resource(NamedTuple):
    """A part of the hardware: its multipliers, flip-flops and bits of memory."""

    name: str
    multipliers: int = 0
    register_bits: int = 0
    memory_bits: int = 0


@dataclass(frozen=True)
class ReportLine:
    """A loop or a module (a task of a dataflow region, or a stage of a task).

    depth : in the tree, the outermost loop being 0.
    kind : loop, task or stage.
    latency_cycles : of one execution, all iterations included.
    iteration_latency_cycles : of one iteration; None for modules.
    interval_cycles : between the starts of successive iterations at the end of the loop, or of
        successive tasks of this kind; None where nothing follows.
    trip_count : iterations, unrolled ones counted one by one; None for modules.
    pragmas : as an HLS user would write them: pipeline II=1, unroll 64, dataflow.
    start_cycles : from the start of the task to that of a stage, where nothing holds it up; None
        for all others.
    ports : what a stage holds.
    """

    depth: int
    name: str
    kind: str
    latency_cycles: int
    iteration_latency_cycles: int | None = None
    interval_cycles: int | None = None
    trip_count: int | None = None
    pragmas: tuple[str, ...] = ()
    start_cycles: int | None = None
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a nest costs on given resources.

    multiplies : executed, those with padding included.
    """

    rows: tuple[ReportLine, ...]
    multiplies: int
    resources: tuple[Resource, ...]
    clock_mhz: float

    @property
    def latency_cycles(self) -> int:
        """Clocks of the whole nest."""
        return self.rows[0].latency_cycles

    @property
    def multipliers(self) -> int:
        """Multipliers of all resources."""
        return sum(resource.multipliers for resource in self.resources)

    @property
    def busy_utilization(self) -> float:
        """Multiplies / (multipliers x cycles)."""
        return self.share(self.multiplies)

    def share(self, operations: int) -> float:
        """So many operations as a part of what the multipliers could do in the time."""
        return operations / (self.multipliers * self.latency_cycles)

    def nanoseconds(self, cycles: int) -> float:
        """Time of so many clocks."""
        return cycles * 1e3 / self.clock_mhz

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "clock_mhz": self.clock_mhz,
            "latency_cycles": self.latency_cycles,
            "latency_ns": self.nanoseconds(self.latency_cycles),
            "multiplies": self.multiplies,
            "multipliers": self.multipliers,
            "busy_utilization": self.busy_utilization,
            "modules_and_loops": [
                asdict(row) | {"latency_ns": self.nanoseconds(row.latency_cycles)}
                for row in self.rows
            ],
            "resources": [resource._asdict() for resource in self.resources],
        }


def report(loop: Loop, resources: tuple[Resource, ...], clock_mhz: float) -> Report:
    """The report of a nest that runs on the resources."""
    return Report(tuple(_loop(loop, 0)), operations(loop), resources, clock_mhz)


def _loop(loop: Loop, depth: int) -> Iterator[ReportLine]:
    yield ReportLine(
        depth,
        loop.name,
        "loop",
        loop.latency,
        loop.iteration_latency,
        loop.interval,
        loop.trip,
        tuple(_pragmas(loop)),
    )
    for node in loop.body:
        yield from _loop(node, depth + 1) if isinstance(node, Loop) else _task(node, depth + 1)


def _pragmas(loop: Loop) -> Iterator[str]:
    if loop.pipeline is not None:
        yield f"pipeline II={loop.pipeline}"
    if loop.unroll > 1:
        yield f"unroll {loop.unroll}"
    if loop.dataflow:
        yield "dataflow"


def _task(task: Task, depth: int) -> Iterator[ReportLine]:
    yield ReportLine(depth, task.name, "task", task.latency, interval_cycles=task.interval)
    for start, section in zip(task.starts, task.sections, strict=True):
        for stage in section.stages:
            yield from _stage(stage, start + stage.offset, depth + 1)


def _stage(stage: Stage, start: int, depth: int) -> Iterator[ReportLine]:
    yield ReportLine(
        depth, stage.name, "stage", stage.latency, start_cycles=start, ports=tuple(stage.ports)
    )
    for loop in stage.loops:
        yield from _loop(loop, depth + 1)
