"""Loop nests with HLS pragmas, and the latency that follows from them by generic rules.

A `Loop` is sequential (iterations one after another), pipelined (`pipeline=ii`: an iteration
starts every ii clocks), unrolled (`unroll=u`: u iterations share a clock), or a `dataflow`
region, whose tasks overlap as far as their ports allow.

A `Task` is one step of a dataflow region: sections in order, each of which occupies ports at
fixed offsets from its start (the reservation table of modulo scheduling; B. R. Rau, "Iterative
Modulo Scheduling", MICRO-27, 1994). Tasks take turns at every port in their order; a section
starts as soon as its ports are free at the offsets at which it needs them, but no task starts
before the one in front of it, and none before its earliest start, where it has one. Nothing here
knows any engine.

Times are clocks. Not modelled: memory ports beyond those that a task names, and control logic.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.passes import check_earliest

Clocks = npt.NDArray[np.int64]

# Innermost loops of this name are what multipliers do.
MULTIPLY = "multiply"


class Loop(NamedTuple):
    """`trip` iterations of `body`; an empty body is one clock of work."""

    name: str
    trip: int
    body: "tuple[Loop | Task, ...]" = ()
    pipeline: int | None = None
    unroll: int = 1
    dataflow: bool = False

    @property
    def latency(self) -> int:
        """Clocks from the first iteration's start to the last one's end."""
        if self.dataflow:
            return Clock().run(self)
        iterations = self.iterations
        if not iterations:
            return 0
        once = sum([node.latency for node in self.body]) if self.body else 1
        return once + (iterations - 1) * (once if self.pipeline is None else self.pipeline)

    @property
    def iterations(self) -> int:
        """Iterations one after another, unrolled ones counted as one; ValueError if impossible."""
        name, trip, _, pipeline, unroll, dataflow = self
        if trip < 0 or unroll < 1 or (pipeline is not None and pipeline < 1):
            raise ValueError(
                f"loop {name}: trip must be at least 0, unroll and pipeline at least 1, not "
                f"{trip}, {unroll}, {pipeline}"
            )
        if dataflow and (unroll > 1 or pipeline is not None):
            raise ValueError(f"loop {name} is dataflow and can be nothing else")
        return -(-trip // unroll)

    @property
    def iteration_latency(self) -> int:
        """Clocks of one iteration on its own."""
        if self.dataflow:
            return Clock().iterate(self)
        return sum([node.latency for node in self.body]) if self.body else 1

    @property
    def interval(self) -> int | None:
        """Clocks between the starts of the last two iterations; None where there is only one."""
        if self.iterations < 2:
            return None
        if self.pipeline is not None:
            return self.pipeline
        if not self.dataflow:
            return self.iteration_latency
        clock = Clock()
        clock.run(self._replace(trip=self.trip - 1))
        before = clock.now
        clock.iterate(self)
        return clock.now - before


class Stage(NamedTuple):
    """Loops that run one after another while they hold ports.

    offset : clocks from the start of the section to the first use of the ports.
    until : None where the ports are free when the loops end; else (section index, clocks): they
        are held until so many clocks after that section starts, if that is later.
    """

    name: str
    loops: tuple[Loop, ...]
    ports: tuple[str, ...]
    offset: int = 0
    until: tuple[int, int] | None = None

    @property
    def latency(self) -> int:
        """Clocks for which the loops run."""
        return sum([loop.latency for loop in self.loops])


class Section(NamedTuple):
    """Stages at fixed offsets; starts at least `after` clocks after the section before it.

    ahead : clocks at its beginning that run as soon as the ports that they use are free, whether
        or not the others are. The stages keep their offsets for the rest, which is what everything
        behind depends on.
    """

    stages: tuple[Stage, ...]
    after: int = 0
    ahead: int = 0


class _Reservation(NamedTuple):
    """What placing one section of a task needs to know.

    needs : (port, clocks after the section's start at which it must be free).
    frees : (port, clocks after the section's start at which it becomes free).
    length : clocks from the section's start to the end of its stages.
    """

    after: int
    needs: list[tuple[str, int]]
    frees: list[tuple[str, int]]
    length: int


@dataclass(frozen=True, eq=False)
class Task:
    """One step of a dataflow region; `tail` clocks pass after its last stage ends.

    Compared by identity: engines make one Task per distinct pass and keep it. Of two sections the
    first holds a port until the second begins, as a buffer between them would be held: so no task
    falls behind without end. In between that port serves nothing else.
    """

    name: str
    sections: tuple[Section, ...]
    tail: int = 0

    def __post_init__(self) -> None:
        for index, section in enumerate(self.sections[:-1]):
            if not any(stage.until and stage.until[0] > index for stage in section.stages):
                raise ValueError(f"task {self.name}: section {index} holds nothing for the next")

    @cached_property
    def reservations(self) -> list[_Reservation]:
        """The reservation table, one entry per section."""
        table: list[_Reservation] = []
        kept: list[tuple[int, str, int]] = []
        for index, (stages, after, _) in enumerate(self.sections):
            needs, frees, length = [], [], 0
            for stage in stages:
                end = stage.offset + stage.latency
                length = max(length, end)
                for port in stage.ports:
                    needs.append((port, stage.offset))
                    frees.append((port, end))
                    if stage.until is not None:
                        kept.append((stage.until[0], port, stage.until[1]))
            if kept:
                frees += [(port, clocks) for until, port, clocks in kept if until == index]
            table.append(_Reservation(after if table else 0, needs, frees, length))
        return table

    @cached_property
    def ahead(self) -> list[tuple[str, int]] | None:
        """What the clocks that run ahead need, (port, clocks after their start); None without."""
        ahead = self.sections[0].ahead
        if not ahead:
            return None
        return [need for need in self.reservations[0].needs if need[1] < ahead]

    @cached_property
    def latency(self) -> int:
        """Clocks of the task on its own."""
        return Clock().place(self)

    @property
    def starts(self) -> list[int]:
        """Clocks from the start of the task, on its own, to the start of each section."""
        return Clock().reserve(self)[0]

    @property
    def interval(self) -> int:
        """Clocks between the starts of two such tasks, one behind the other."""
        clock = Clock()
        clock.place(self)
        clock.place(self)
        return clock.now


class Clock:
    """Where a dataflow region stands.

    now : start of the last task; no later task starts earlier.
    free : the clocks at which ports are free.
    """

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self.free: dict[str, int] = {}

    def place(self, task: Task) -> int:
        """Start a task; when it is done."""
        starts, end = self.reserve(task)
        self.now = starts[0]
        return end + task.tail

    def reserve(self, task: Task, earliest: int = 0) -> tuple[list[int], int]:
        """Reserve the ports of a task: the starts of its sections, the end of the last stage."""
        free, start, starts, end = self.free, self.now, [], 0
        if earliest > start:
            start = earliest
        for after, needs, frees, length in task.reservations:
            start += after
            for port, begin in needs:
                if port in free and free[port] - begin > start:
                    start = free[port] - begin
            for port, clocks in frees:
                if port not in free or free[port] < start + clocks:
                    free[port] = start + clocks
            starts.append(start)
            if start + length > end:
                end = start + length
        return starts, end

    def placement(self, task: Task, earliest: int) -> "Placement":
        """Start a task no earlier than a clock; where it stands."""
        ahead = task.ahead
        soonest = None if ahead is None else self.soonest(ahead, earliest)
        starts, end = self.reserve(task, earliest)
        self.now = start = starts[0]
        started = start if soonest is None else soonest
        return Placement(task, started, tuple(starts), end + task.tail)

    def soonest(self, needs: list[tuple[str, int]], earliest: int) -> int:
        """When something starts that needs these ports, so many clocks after its start."""
        free, start = self.free, max(self.now, earliest)
        for port, begin in needs:
            if port in free and free[port] - begin > start:
                start = free[port] - begin
        return start

    def iterate(self, loop: Loop) -> int:
        """One iteration of a dataflow loop; when it is done."""
        end = 0
        for node in loop.body:
            end = max(end, self.place(node) if isinstance(node, Task) else self.run(node))
        return end

    def run(self, loop: Loop) -> int:
        """All iterations of a dataflow loop; when they are done.

        A loop whose state comes back repeats itself from there on: the rest follows by
        multiplication, exactly.
        """
        if not loop.dataflow:
            raise ValueError(f"loop {loop.name} stands beside tasks and must be dataflow")
        left, end = loop.iterations, 0
        if left == 1:
            return self.iterate(loop)
        entered: dict[tuple[int, ...], tuple[int, tuple[int, ...]]] = {}
        while left:
            state = self.state()
            if state in entered:
                break
            entered[state] = left, self.totals()
            end = self.iterate(loop)
            left -= 1
        if left:
            before, since = entered[state]
            rounds, left = divmod(left, before - left)
            end += self.skip(rounds, since)
            for _ in range(left):
                end = self.iterate(loop)
        return end  # every task ends later than in the iteration before

    def state(self) -> tuple[int, ...]:
        """All that decides what comes next: when ports are free, counted from now.

        In the order in which the ports were first used, so that equal lengths mean equal ports.
        """
        now = self.now
        return tuple([at - now if at > now else 0 for at in self.free.values()])

    def totals(self) -> tuple[int, ...]:
        """All that grows from round to round, the time first."""
        return (self.now,)

    def skip(self, rounds: int, before: tuple[int, ...]) -> int:
        """Let as many more rounds pass as the one since those totals; the clocks of them all."""
        clocks = rounds * (self.now - before[0])
        self.now += clocks
        self.free = {port: at + clocks for port, at in self.free.items()}
        return clocks


class Placement(NamedTuple):
    """Where a task stands.

    started : the first clock in which it uses a port.
    starts : of its sections; the first one is later than `started` where clocks ran ahead.
    end : when it is done, its tail included.
    """

    task: Task
    started: int
    starts: tuple[int, ...]
    end: int


def placements(loop: Loop, earliest: Clocks | None = None) -> Iterator[Placement]:
    """The tasks of a nest in order, one after another; they start no earlier than those before.

    Parameters
    ----------
    earliest : int64[tasks], clocks before which tasks do not start, in the order of execution;
        None for no such limits. UnsupportedError where they cannot be.
    """
    if earliest is None:
        limits: Iterator[int] = repeat(0)
    else:
        limits = iter(check_earliest(earliest, _tasks(loop)).tolist())
    return _overlapped(loop, Clock(), limits) if loop.dataflow else _apart(loop, 0, limits)


def times(loop: Loop, earliest: Clocks | None = None) -> tuple[Clocks, Clocks]:
    """int64[tasks] each: when tasks start, and when they and all before them are done.

    earliest : as in `placements`.
    """
    started, ends = [], []
    for placed in placements(loop, earliest):
        started.append(placed.started)
        ends.append(placed.end)
    return np.array(started, np.int64), np.maximum.accumulate(np.array(ends, np.int64))


# Tasks as they are placed; at last, when all of them are done.
_Placing = Generator[Placement, None, int]


def _overlapped(loop: Loop, clock: Clock, earliest: Iterator[int]) -> _Placing:
    """A dataflow region."""
    end = clock.now
    for _ in range(loop.iterations):
        for node in loop.body:
            if isinstance(node, Task):
                placed = clock.placement(node, next(earliest))
                yield placed
                done = placed.end
            else:
                done = yield from _overlapped(node, clock, earliest)
            if done > end:
                end = done
    return end


def _apart(loop: Loop, start: int, earliest: Iterator[int]) -> _Placing:
    """A loop whose nodes run one after another from a clock on."""
    if not _tasks(loop):
        return start + loop.latency
    for _ in range(loop.iterations):
        for node in loop.body:
            if isinstance(node, Task):
                placed = Clock(start).placement(node, next(earliest))
                yield placed
                start = placed.end
            elif node.dataflow:
                start = yield from _overlapped(node, Clock(start), earliest)
            else:
                start = yield from _apart(node, start, earliest)
    return start


def _tasks(loop: Loop) -> int:
    """Tasks that a loop runs."""
    return loop.iterations * sum(
        1 if isinstance(node, Task) else _tasks(node) for node in loop.body
    )


def sequential(loop: Loop) -> Loop:
    """The same nest without overlap: every task starts when the one before it is done."""
    body = tuple(sequential(n) if isinstance(n, Loop) and n.dataflow else n for n in loop.body)
    return Loop(loop.name, loop.trip, body)


def operations(node: Loop | Task, name: str = MULTIPLY) -> int:
    """How often the innermost loops of a name do their work."""
    if isinstance(node, Task):
        stages = (stage for section in node.sections for stage in section.stages)
        return sum(operations(loop, name) for stage in stages for loop in stage.loops)
    if not node.body:
        return node.trip if node.name == name else 0
    return node.trip * sum(operations(child, name) for child in node.body)
