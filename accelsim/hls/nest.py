"""Loop nests with HLS pragmas, and the latency that follows from them by generic rules.

A `Loop` is sequential (iterations one after another), pipelined (`pipeline=ii`: an iteration
starts every ii clocks), unrolled (`unroll=u`: u iterations share a clock), or a `dataflow`
region, whose tasks overlap as far as their ports allow.

A `Task` is one step of a dataflow region: sections in order, each of which occupies ports at
fixed offsets from its start (the reservation table of modulo scheduling; B. R. Rau, "Iterative
Modulo Scheduling", MICRO-27, 1994). A section starts as soon as all its ports are free at the
offsets at which it needs them, tasks in order. Nothing here knows any engine.

Times are clocks. Not modelled: memory ports beyond those that a task names, and control logic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple


@dataclass(frozen=True)
class Loop:
    """`trip` iterations of `body`; an empty body is one clock of work."""

    name: str
    trip: int
    body: "tuple[Loop | Task, ...]" = ()
    pipeline: int | None = None
    unroll: int = 1
    dataflow: bool = False

    @cached_property
    def latency(self) -> int:
        """Clocks from the first iteration's start to the last one's end."""
        if self.dataflow:
            return _Clock().run(self).done
        iterations = -(-self.trip // self.unroll)
        if iterations == 0:
            return 0
        if self.pipeline is not None:
            return self.iteration_latency + (iterations - 1) * self.pipeline
        return self.iteration_latency * iterations

    @property
    def iteration_latency(self) -> int:
        """Clocks of one iteration on its own."""
        return sum(node.latency for node in self.body) if self.body else 1

    @property
    def interval(self) -> int:
        """Clocks between the starts of successive iterations in the steady state."""
        if self.pipeline is not None:
            return self.pipeline
        return _Clock().period(self) if self.dataflow else self.iteration_latency


class Stage(NamedTuple):
    """Loops that run one after another while they hold ports.

    offset : clocks from the start of the section to the first use of the ports.
    until : None where the ports are free when the loops end; else (section index, clocks): the
        ports are held until so many clocks after that section starts.
    """

    loops: tuple[Loop, ...]
    ports: tuple[str, ...]
    offset: int = 0
    until: tuple[int, int] | None = None

    @property
    def latency(self) -> int:
        """Clocks for which the loops run."""
        return sum(loop.latency for loop in self.loops)


class Section(NamedTuple):
    """Stages at fixed offsets; starts at least `after` clocks after the section before it."""

    name: str
    stages: tuple[Stage, ...]
    after: int = 0


class Use(NamedTuple):
    """A port needed `begin` clocks after a section starts, free `end` after section `until`."""

    port: str
    begin: int
    end: int
    until: int


@dataclass(frozen=True, eq=False)
class Task:
    """One step of a dataflow region; `tail` clocks pass after its last stage ends.

    Compared by identity: engines make one Task per distinct pass and keep it.
    """

    name: str
    sections: tuple[Section, ...]
    tail: int = 0

    @cached_property
    def uses(self) -> tuple[tuple[int, tuple[Use, ...]], ...]:
        """Per section: least distance from the section before, and the reservations."""
        table = []
        for index, section in enumerate(self.sections):
            uses = []
            for stage in section.stages:
                until, end = stage.until or (index, stage.offset + stage.latency)
                uses += [Use(port, stage.offset, end, until) for port in stage.ports]
            table.append((section.after, tuple(uses)))
        return tuple(table)

    @cached_property
    def length(self) -> int:
        """Clocks from the start of the last section to the task's end."""
        return max(s.offset + s.latency for s in self.sections[-1].stages) + self.tail

    @cached_property
    def latency(self) -> int:
        """Clocks of the task on its own."""
        clock = _Clock()
        clock.place(self)
        return clock.done


@dataclass
class _Clock:
    """Where a dataflow region stands: when each port is free, and when all so far is done.

    Times are kept relative to the start of the last task, `now`, and never below it (a later
    task does not start earlier), so that equal states are equal values: a loop whose state
    repeats has reached its steady state and the rest follows by multiplication.
    """

    now: int = 0
    done: int = 0
    free: tuple[tuple[str, int], ...] = ()

    def place(self, task: Task) -> None:
        shift, length, self.free = _place(self.free, task)
        self.now += shift
        self.done = max(self.done, self.now + length)

    def run(self, loop: Loop) -> "_Clock":
        if not loop.dataflow:
            raise ValueError(f"loop {loop.name} holds tasks and must be a dataflow region")
        left = loop.trip
        while left:
            before, entered = self.now, self.free
            outer, self.done = self.done, 0
            for node in loop.body:
                if isinstance(node, Task):
                    self.place(node)
                else:
                    self.run(node)
            left -= 1
            if self.free == entered:
                step = self.now - before
                self.now += step * left
                self.done += step * left
                left = 0
            self.done = max(self.done, outer)
        return self

    def period(self, loop: Loop) -> int:
        """Clocks per iteration once the state repeats, or of the last iteration."""
        one = Loop(loop.name, 1, loop.body, dataflow=True)
        step = 0
        for _ in range(min(loop.trip, 4)):
            before = self.now
            self.run(one)
            step = self.now - before
        return step if loop.trip > 1 else self.done


@lru_cache(maxsize=1 << 16)
def _place(
    free: tuple[tuple[str, int], ...], task: Task
) -> tuple[int, int, tuple[tuple[str, int], ...]]:
    """Start a task: (clocks that `now` advances, clocks from it to the end, new port times)."""
    when = dict(free)
    starts: list[int] = []
    earliest = 0
    for after, uses in task.uses:
        start = earliest + (after if starts else 0)
        for use in uses:
            start = max(start, when.get(use.port, 0) - use.begin)
        starts.append(start)
        earliest = start
    for _, uses in task.uses:
        for use in uses:
            when[use.port] = starts[use.until] + use.end
    now = starts[0]
    state = tuple(sorted((port, max(clock - now, 0)) for port, clock in when.items()))
    return now, starts[-1] - now + task.length, state


def sequential(loop: Loop) -> Loop:
    """The same nest without overlap: every task starts when the one before it is done."""
    body = tuple(sequential(n) if isinstance(n, Loop) and n.dataflow else n for n in loop.body)
    return Loop(loop.name, loop.trip, body)


def walk(node: Loop | Task, depth: int = 0) -> "Iterator[tuple[int, Loop | Task]]":
    """The nodes of a nest from the outside in, with their depth."""
    yield depth, node
    if isinstance(node, Loop):
        for child in node.body:
            yield from walk(child, depth + 1)
