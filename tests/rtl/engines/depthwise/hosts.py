"""Hosts of a depthwise core that send and read in any order, and what the core does then.

A host here is asked in every clock, of every stream on which nothing is offered, whether it offers
the next word, and whether it reads. Everything that crosses a port is noted, so that the plain
machine of tests.naive can be told.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from amaranth.sim import Simulator

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import Wait
from rtl.engines.depthwise import CORE, job
from rtl.flow.cosim import AmaranthWires, result_bits
from rtl.flow.ports import payload
from rtl.host.job import sums
from tests.engines.base import Sequence
from tests.naive import depthwise as plain

COMMANDS, MAP, TAPS, RESULTS = "commands", "map_fill", "tap_fill", "results"
PERIOD = 1e-8
QUIET = 40  # clocks behind the last result in which no further one may come


class Crossed(NamedTuple):
    """How many words have crossed each port so far, and of how many."""

    sent: Mapping[str, int]
    of: Mapping[str, int]
    passes_read: int


# offers(stream, clock, crossed): whether the next word of a stream is offered; RESULTS: is read.
Offers = Callable[[str, int, Crossed], bool]


class Answer(NamedTuple):
    """What a core did with a sequence; clocks count from the first in which a pass could start.

    words : int32[result words, values].
    started, retired : of passes.  crossed : of words, by port.
    """

    words: Any
    busy: int
    stalls: int
    started: list[int]
    retired: list[int]
    crossed: Mapping[str, list[int]]

    @property
    def host(self) -> plain.Host:
        """For the plain machine."""
        return plain.Host(*(self.crossed[name] for name in (COMMANDS, MAP, TAPS, RESULTS)))


class StuckError(Exception):
    """Nothing crossed any port for too long."""


def answer(
    engine: DepthwiseEngine, sequence: Sequence, offers: Offers, patience: int = 3000
) -> Answer:
    """What a core does with a sequence; StuckError where nothing crosses for `patience` clocks."""
    return _simulated(engine).answer(sequence, offers, patience)


@lru_cache(maxsize=2)
def _simulated(engine: DepthwiseEngine) -> "_Simulated":
    return _Simulated(engine)


class _Simulated:
    """A core that is elaborated once, and starts from reset with every sequence."""

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine, self.core = engine, CORE.core(engine, units=1)
        self.simulation = Simulator(self.core)
        self.simulation.add_clock(PERIOD)
        self.simulation.add_testbench(self._work)
        self.bench: _Bench | None = None

    async def _work(self, ctx: Any) -> None:
        assert self.bench is not None
        await self.bench.work(ctx)

    def answer(self, sequence: Sequence, offers: Offers, patience: int) -> Answer:
        engine, core = self.engine, self.core
        commands = np.hstack([sequence.commands, [[*Wait(0, 0)]] * len(sequence.commands)])
        held = CORE.memories(engine, sequence.commands, *sequence.memories)
        work = CORE.job(engine, core, commands, held)
        assert engine.fill_port or len(work.fills[0].ends) == 1, "the memories hold all words"
        if self.bench is not None:
            self.simulation.reset()
        self.bench = bench = _Bench(core, work, offers, patience)
        self.simulation.run()
        zero = bench.crossed[COMMANDS][0] + job.lead(engine)
        every = np.full(len(bench.words), len(payload(core, RESULTS)))
        return Answer(
            sums(core, every, result_bits(core, bench.words)),
            *bench.counters,
            *([clock - zero for clock in clocks] for clocks in (bench.started, bench.retired)),
            {name: [clock - zero for clock in clocks] for name, clocks in bench.crossed.items()},
        )


class _Bench:
    """The clocks of a simulation."""

    def __init__(self, core: Any, job: Any, offers: Offers, patience: int) -> None:
        self.core, self.offers, self.patience, self.results = core, offers, patience, job.results
        self.sources = {COMMANDS: job.commands, **{fill.stream: fill.words for fill in job.fills}}
        self.crossed: dict[str, list[int]] = {name: [] for name in (*self.sources, RESULTS)}
        self.words: list[int] = []
        self.started: list[int] = []
        self.retired: list[int] = []
        self.counters = 0, 0

    async def work(self, ctx: Any) -> None:
        """Every clock until all has crossed."""
        core, wires = self.core, AmaranthWires(self.core, ctx, tuple(self.sources))
        of = {name: len(words) for name, words in self.sources.items()} | {RESULTS: self.results}
        offering = dict.fromkeys(self.sources, False)
        clock = last = 0
        while len(self.words) < self.results or not wires.idle():
            sent = {name: len(clocks) for name, clocks in self.crossed.items()}
            crossed = Crossed(sent, of, wires.passes_read())
            for name, words in self.sources.items():
                waits = not offering[name] and sent[name] < of[name]
                if waits and self.offers(name, clock, crossed):
                    word = int.from_bytes(words[sent[name]].tobytes(), "little")
                    wires.drive(name, word)
                    offering[name] = True
            reads = self.offers(RESULTS, clock, crossed)
            wires.accept(bool(reads))
            for name in self.sources:
                if offering[name] and wires.ready(name):
                    self.crossed[name].append(clock)
            word = wires.result()
            if reads and word is not None:
                self.words.append(word)
                self.crossed[RESULTS].append(clock)
            moved = {name: len(clocks) for name, clocks in self.crossed.items()} != sent
            last = clock if moved else last
            if clock - last > self.patience:
                raise StuckError(f"at clock {clock}: {sent} of {of}")
            await self._tick(ctx, clock)
            for name in self.sources:
                if offering[name] and len(self.crossed[name]) > sent[name]:
                    wires.drive(name, None)
                    offering[name] = False
            clock += 1
        self.counters = ctx.get(core.busy_cycles), ctx.get(core.stall_cycles)
        wires.accept(True)
        for _ in range(QUIET):
            assert wires.result() is None, "a result word too many"
            await self._tick(ctx, clock)
            clock += 1

    async def _tick(self, ctx: Any, clock: int) -> None:
        """A clock edge, and what has been counted by then."""
        await ctx.tick()
        # `started` counts a pass from the clock behind its start on.
        self.started += [clock] * (ctx.get(self.core.started) - len(self.started))
        self.retired += [clock + 1] * (ctx.get(self.core.retired) - len(self.retired))
