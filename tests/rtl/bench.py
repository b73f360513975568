"""Many short sequences on one core in Amaranth's simulator, registers in view.

The co-simulation runs one sequence of any length from reset. Here a core is elaborated once and
works off sequence after sequence, the words of the next filled while the current one runs; it can
start from any registers, every register can be recorded at every clock, and passes may wait for
other units, which the bench plays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.passes import addresses, columns
from rtl.flow.cosim import AmaranthWires, result_bits
from rtl.flow.ports import payload
from rtl.host.driver import Host, Job, Stalls
from rtl.host.job import sums
from rtl.host.starts import Taken, earliest
from tests.engines.base import Ints, Log, Registers, Sequence, Subject
from tests.rtl.units import Units

PERIOD = 1e-8
QUIET = 40  # clocks behind the last sequence in which no further result may come
TRACED = 8  # sequences whose registers are recorded; reading them takes a third of the time
NOBODY = Units((), (), ())


class Outcome(NamedTuple):
    """What the core did with one sequence.

    words : int32[result words, values], as they left, used or not.
    busy_cycles, stall_cycles : its counters.
    started, retired : int64[passes], clocks of the first operands, and behind the last results;
        empty without units.
    log : of all sequences.
    earliest : int64[passes], clocks before which passes could not start, from the first clock in
        which the first one could.
    trace : registers at the start of clocks 0 .. busy_cycles, one more axis in front; empty where
        not recorded, as of later sequences, or not known what they should be.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    stall_cycles: int
    started: Ints
    retired: Ints
    log: Log
    earliest: Ints
    trace: Registers


def run(
    subject: Subject,
    sizes: Any,
    sequences: list[Sequence],
    stalls: Stalls | None = None,
    units: Units = NOBODY,
    trace: bool = False,
    first: Registers | None = None,
    made: Callable[..., Any] | None = None,
) -> list[Outcome]:
    """Outcome of every sequence, one after another; AccelsimError where the core is stuck.

    Parameters
    ----------
    units : what the passes of the only sequence wait for.
    first : registers a clock before the first operand of the first sequence; those of reset if
        None.
    made : made(sizes, units=0), the core; that of the subject if None.
    """
    core = (made or subject.core.core)(sizes, units=len(units.reached))
    commands, memories = in_a_row(subject, sequences)
    job = _job(subject, sizes, core, commands, memories, units)
    host = Host(job, stalls or Stalls())
    bench = _Bench(core, host, job.streams, subject.core.lead(sizes), units)
    simulation = Simulator(core)  # elaborates it: some registers are there only then
    simulation.add_clock(PERIOD)
    simulation.add_testbench(bench.work)
    if trace:
        bench.observed = subject.registers(core)
        bench.traced = 1 if subject.from_reset else min(len(sequences), TRACED)
    if first is not None:
        bench.first = [
            (signal, int(first[name][place]))
            for name, table in subject.registers(core).items()
            for place, signal in np.ndenumerate(table)
        ]
    simulation.run()
    taken = Taken(*(np.array(clocks) for clocks in (host.commands_taken, host.results_taken)))
    clocks = subject.core.could_start(sizes, commands, taken)
    return bench.outcomes(sequences, clocks - clocks[0], subject.core.pause(sizes))


def in_a_row(subject: Subject, sequences: list[Sequence]) -> tuple[Ints, list[Any]]:
    """Commands of all sequences, and memories in which their words follow each other."""
    places = list(addresses(subject.engine.registers.command))
    behind = np.zeros(len(places), np.int64)
    commands = []
    for sequence in sequences:
        moved = sequence.commands.copy()
        moved[:, places] += behind
        commands.append(moved)
        behind += [len(memory) for memory in sequence.memories]
    memories = zip(*(sequence.memories for sequence in sequences), strict=True)
    return np.concatenate(commands), [np.concatenate(parts) for parts in memories]


def _job(
    subject: Subject, sizes: Any, core: Any, commands: Ints, memories: list[Any], units: Units
) -> Job:
    """What the host sends; its patience is longer by what the units take."""
    as_one = commands.copy()
    as_one[:-1, columns(subject.engine.registers.command)["last"]] = 0
    held = subject.core.memories(sizes, as_one, *memories)
    sent = np.hstack([commands, units.waits]) if units.waits else commands
    job = subject.core.job(sizes, core, sent, held)
    longest = max((clocks[-1] for clocks in units.reached if clocks), default=0)
    return job._replace(patience=job.patience + longest)


class _Bench:
    """The clocks of a simulation.

    observed : registers that are recorded, in the first `traced` sequences.
    first : registers that are set a clock before the first operand, and their values.
    """

    def __init__(
        self, core: Any, host: Host, streams: tuple[str, ...], lead: int, units: Units
    ) -> None:
        self._core, self._host, self._streams = core, host, streams
        self._lead, self._units = lead, units
        self.observed: Registers = {}
        self.traced = 0
        self.first: list[tuple[Any, int]] = []
        self._reports: list[tuple[int, int]] = []
        self._over: list[int] = []  # the last clocks of sequences, as the host counts
        self._seen: dict[int, list[int]] = {}
        self._started: list[int] = []
        self._retired: list[int] = []
        self._clock: int | None = None  # from the first command on

    async def work(self, ctx: Any) -> None:
        """Every clock until all sequences are done, and some more."""
        core, host = self._core, self._host
        wires = AmaranthWires(core, ctx, self._streams)
        observed = [signal for table in self.observed.values() for signal in table.ravel()]
        idle_before, running = True, True
        while running:
            host.drive(wires)
            if self._clock is None and ctx.get(core.commands.valid):
                self._clock = -self._lead
            self._play_units(ctx)
            if self._clock == -1:
                for register, value in self.first:
                    ctx.set(register, value)
            running = host.sample(wires)
            idle, busy = wires.idle(), ctx.get(core.busy_cycles)
            self._observe(ctx, observed)
            if idle and not idle_before:
                self._reports.append((busy, ctx.get(core.stall_cycles)))
                self._over.append(host.clocks - 1)
            idle_before = idle
            await self._tick(ctx)
        ctx.set(core.results.ready, 1)
        for _ in range(QUIET):
            self._play_units(ctx)
            self._observe(ctx, observed)
            assert not ctx.get(core.results.valid), "a result word too many"
            await self._tick(ctx)

    def _observe(self, ctx: Any, observed: list[Any]) -> None:
        """Note the registers, by the clock."""
        if self.traced and self._clock is not None:
            self._seen[self._clock] = [ctx.get(signal) for signal in observed]

    async def _tick(self, ctx: Any) -> None:
        await ctx.tick()
        if self._clock is not None:
            self._clock += 1

    def _play_units(self, ctx: Any) -> None:
        """Drive the units' progress, and note when passes have started and retired.

        The core sees it so many clocks before the passes that it lets start.
        """
        core, clock = self._core, self._clock
        if clock is None or not self._units.reached:
            return
        ctx.set(core.progress, self._units.progress(clock + self._lead))
        # `started` counts a pass from the clock behind its start on.
        self._started += [clock - 1] * (ctx.get(core.started) - len(self._started))
        self._retired += [clock] * (ctx.get(core.retired) - len(self._retired))

    def outcomes(self, sequences: list[Sequence], clocks: Ints, pause: int) -> list[Outcome]:
        """Of every sequence; `clocks` are those before which passes could not start."""
        results, core = self._host.results, self._core
        every = np.full(len(results), len(payload(core, "results")))
        words = sums(core, every, result_bits(core, results))
        ends = np.cumsum([len(sequence.used) for sequence in sequences])
        times = np.array(self._started, np.int64), np.array(self._retired, np.int64)
        host = self._host
        log = Log(host.commands_taken, host.fills_taken, host.results_taken, self._over)
        assert len(self._reports) == len(sequences), "sequences that have no end, or no beginning"
        firsts, starts = self._earliest(sequences, clocks, pause)
        return [
            Outcome(part, *report, *times, log, starts[place], self._trace(place, firsts[place]))
            for place, (part, report) in enumerate(
                zip(np.split(words, ends[:-1]), self._reports, strict=True)
            )
        ]

    def _earliest(
        self, sequences: list[Sequence], clocks: Ints, pause: int
    ) -> tuple[list[int], list[Ints]]:
        """The first clock of every sequence, and the earliest starts of its passes from there."""
        firsts: list[int] = []
        parts, end = [], 0
        passes = np.cumsum([len(sequence.passes) for sequence in sequences])
        for part, (busy, _) in zip(np.split(clocks, passes[:-1]), self._reports, strict=True):
            firsts.append(max(int(part[0]), end + pause - 1) if firsts else 0)
            parts.append(earliest(part, firsts[-1]))
            end = firsts[-1] + busy
        return firsts, parts

    def _trace(self, place: int, first: int) -> Registers:
        if place >= self.traced:
            return {}
        busy, _ = self._reports[place]
        table = np.array([self._seen[first + clock] for clock in range(busy + 1)], np.int64)
        traced, at = {}, 0
        for name, signals in self.observed.items():
            part = table[:, at : at + signals.size]
            traced[name] = part.reshape(-1, *signals.shape)
            at += signals.size
        return traced
