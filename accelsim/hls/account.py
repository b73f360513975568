"""Where the clocks of a loop nest go, by what multipliers wait for: exact, for any nest.

    sum(account(loop).values()) == loop.latency

A clock belongs to the first of these that holds:

MULTIPLIES   a stage with multiplies does one
LOOP         that stage is in another of its loops, such as one in which operands only move on
PORT         the next such stage waits for a port that something else holds
STAGE        it waits for a stage of its own task, such as one that loads what stays
DRAIN        the last such stage is over, and what it made is under way

Stages follow each other at one place of an engine; that its other places are as many clocks later
as operands take to come there counts where a sequence ends, once, in DRAIN. A nest whose tasks do
not overlap ends with each of them.
"""

from collections import Counter
from enum import StrEnum
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from accelsim.hls.nest import MULTIPLY, Clock, Loop, Task, operations

REMEMBERED = 1024  # tasks: most of a sequence are one of a few


class Kind(StrEnum):
    """What clocks are for."""

    MULTIPLIES = "multiplies"
    LOOP = "loop"
    PORT = "port"
    STAGE = "stage"
    DRAIN = "drain"


class Cause(NamedTuple):
    """What clocks are for, with the name of the loop, port or stage, where there is one."""

    kind: Kind
    name: str = ""


Account = Counter[Cause]  # clocks

MULTIPLIES, DRAIN = Cause(Kind.MULTIPLIES), Cause(Kind.DRAIN)


class _Work(NamedTuple):
    """A stage with multiplies: the section that it is in, when it begins there, what it does."""

    section: int
    offset: int
    account: Account

    @property
    def latency(self) -> int:
        """Clocks of the stage."""
        return self.account.total()


def account(loop: Loop) -> Account:
    """The clocks of a nest by cause; those of all causes are its latency."""
    if loop.dataflow:
        accountant = _Accountant()
        end = accountant.run(loop)
        return accountant.until(end)
    return +_sequential(loop)  # without causes of no clocks


def _sequential(loop: Loop) -> Account:
    """A loop whose nodes run one after another, or whose iterations overlap as a pipeline."""
    if not loop.body:
        cause = MULTIPLIES if loop.name == MULTIPLY else Cause(Kind.LOOP, loop.name)
        return Account({cause: loop.latency})
    once: Account = Account()
    for node in loop.body:
        once += account(node) if isinstance(node, Loop) else _alone(node)
    if loop.pipeline is None or not once:
        return Account({cause: loop.iterations * clocks for cause, clocks in once.items()})
    # A clock of the pipeline is one of what its iterations do most.
    once[once.most_common(1)[0][0]] += loop.latency - once.total()
    return once


def _alone(task: Task) -> Account:
    """A task that overlaps with no other one."""
    accountant = _Accountant()
    end = accountant.place(task)
    return accountant.until(end)


@lru_cache(maxsize=REMEMBERED)
def _works(task: Task) -> tuple[_Work, ...]:
    """The stages of a task that multiply, in the order of their beginnings."""
    return tuple(
        _Work(index, stage.offset, sum((_sequential(loop) for loop in stage.loops), Account()))
        for index, section in enumerate(task.sections)
        for stage in sorted(section.stages, key=lambda stage: stage.offset)
        if any(operations(loop) for loop in stage.loops)
    )


class _Accountant(Clock):
    """Places tasks, and takes down what the clocks are for up to `done`.

    done : the end of the last stage that multiplies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spent: Account = Account()
        self.done = 0

    def until(self, end: int) -> Account:
        """The clocks up to the end of all tasks, by cause."""
        return self.spent + Account({DRAIN: end - self.done})

    def reserve(self, task: Task, earliest: int = 0) -> tuple[list[int], int]:
        """As a clock does, with an account of the clocks until the task has multiplied."""
        free = dict(self.free)
        starts, end = super().reserve(task, earliest)
        for work in _works(task):
            begin = starts[work.section] + work.offset
            if begin > self.done:
                self.spent[_cause(task, work.section, starts, free)] += begin - self.done
            self.spent += work.account
            if begin < self.done:  # two stages at a time, of an engine that has several places
                self.spent[MULTIPLIES] -= self.done - begin
            self.done = begin + work.latency
        return starts, end

    def state(self) -> tuple[int, ...]:
        """With what the account depends on besides."""
        return (*super().state(), self.done - self.now)

    def totals(self) -> tuple[int, ...]:
        """With the account, in which causes keep the order in which they first came."""
        return (*super().totals(), self.done, *self.spent.values())

    def skip(self, rounds: int, before: tuple[int, ...]) -> int:
        """As a clock does; the account grows by what it grew since then, as many times."""
        pairs = zip_longest(self.totals()[1:], before[1:], fillvalue=0)
        done, *spent = [rounds * (now - then) for now, then in pairs]
        self.done += done
        for cause, clocks in zip(self.spent, spent, strict=True):
            self.spent[cause] += clocks
        return super().skip(rounds, before)


def _cause(task: Task, index: int, starts: list[int], free: dict[str, int]) -> Cause:
    """Why a section starts no earlier: a port that was taken, or what its task did before it.

    free : the clocks at which ports became free of the tasks before.
    """
    for port, begin in task.reservations[index].needs:
        if free.get(port, 0) - begin == starts[index]:
            return Cause(Kind.PORT, port)
    if index:
        stages = task.sections[index - 1].stages
        return Cause(Kind.STAGE, max(stages, key=lambda stage: stage.latency).name)
    return Cause(Kind.LOOP, "start")
