"""Spans of time: when a loop nest does what, stage by stage, and which ports it holds meanwhile.

The starts are those from which the latency of the nest follows (accelsim.hls.nest), so that the
last span ends when the nest does. Nothing here knows any engine.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from accelsim.hls.nest import Loop, Placement, Stage, operations, placements


class Kind(Enum):
    """What a span of time is."""

    TASK = "task"  # from the start of a task to its end, its tail included
    STAGE = "stage"  # a stage holds a port, or works without one
    HELD = "held"  # a port is kept for what comes next
    LOOP = "loop"  # one of the loops of a stage


class Span(NamedTuple):
    """Clocks from `start` to before `end`.

    number : of the task, in order of execution; `task` is its name.
    place : `port` and its name, or the name of the stage where it holds none; empty for a task.
    multiplies : done in the span; of a port that shares a stage with others, all of the stage's.
    """

    kind: Kind
    number: int
    task: str
    place: str
    name: str
    start: int
    end: int
    multiplies: int


def spans_of(loop: Loop, clocks: range | None = None) -> Iterator[Span]:
    """The spans of a nest, task by task; with `clocks`, those that overlap this time."""
    for number, placed in enumerate(placements(loop)):
        if clocks is not None and placed.starts[0] >= clocks.stop:
            return
        if clocks is None or placed.end > clocks.start:
            for span in _task(number, placed):
                if clocks is None or (span.start < clocks.stop and span.end > clocks.start):
                    yield span


def _task(number: int, placed: Placement) -> Iterator[Span]:
    task, _, starts, end = placed
    name = task.name
    yield Span(Kind.TASK, number, name, "", name, starts[0], end, operations(task))
    for section, start in zip(task.sections, starts, strict=True):
        for stage in section.stages:
            begin = start + stage.offset
            done = begin + stage.latency
            loops = tuple(_loops(stage, begin))
            count = sum(loop.multiplies for loop in loops)
            for place in [f"port {port}" for port in stage.ports] or [stage.name]:
                if done > begin:
                    yield Span(Kind.STAGE, number, name, place, stage.name, begin, done, count)
                if len(loops) > 1:
                    for loop in loops:
                        yield loop._replace(number=number, task=name, place=place)
                if stage.until is not None:
                    until = starts[stage.until[0]] + stage.until[1]
                    if until > done:
                        yield Span(Kind.HELD, number, name, place, stage.name, done, until, 0)


def _loops(stage: Stage, start: int) -> Iterator[Span]:
    """What a stage does one after another: its innermost sequential loops."""
    for loop in stage.loops:
        yield from _innermost(loop, start)
        start += loop.latency


def _innermost(loop: Loop, start: int) -> Iterator[Span]:
    if not loop.body or loop.pipeline is not None:
        if end := loop.latency:
            count = operations(loop)
            yield Span(Kind.LOOP, 0, "", "", loop.name, start, start + end, count)
        return
    for _ in range(loop.iterations):
        for inner in loop.body:
            assert isinstance(inner, Loop)  # tasks stand in dataflow regions, never in stages
            yield from _innermost(inner, start)
            start += inner.latency
