"""Many short sequences on one core in Amaranth's simulator, at any pace, registers in view.

The co-simulation runs one sequence of any length from reset. This bench elaborates a core once and
runs sequence after sequence on it, the operands of the next filled while the current one runs; it
can start from random registers and record every register of the array at every clock.
"""

import random
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from accelsim.engines.systolic_array.cycle import State, empty_state
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass
from rtl.engines.systolic_array.core import Core
from rtl.lib.layout import values
from tests.engines.systolic_array import Sequence

PERIOD = 1e-8
PATIENCE = 1000  # clocks without any progress, beyond the longest pass: then a core is stuck
ELEMENT_REGISTERS = ("acc", "s", "a", "b", "w", "f")


class Pace(NamedTuple):
    """How a host dawdles: each stream pauses at random for up to `longest` clocks.

    pause : probability, at any clock, that a stream begins a pause.
    """

    pause: float = 0.0
    longest: int = 1
    seed: int = 0


class Outcome(NamedTuple):
    """What the core did with one sequence.

    words : int64[result words, C], in the order in which they left.
    busy_cycles, stall_cycles : its counters.  clocks : counted from outside.
    trace : registers at the start of clock 0 .. busy_cycles, one more axis in front; None where
        not recorded.
    """

    words: npt.NDArray[np.int64]
    busy_cycles: int
    stall_cycles: int
    clocks: int
    trace: State | None


class _Pauses:
    """The pauses of one stream."""

    def __init__(self, pace: Pace, stream: str) -> None:
        self._pace = pace
        self._random = random.Random(f"{pace.seed} {stream}")
        self._left = 0

    def pausing(self) -> bool:
        if self._left:
            self._left -= 1
        elif self._pace.pause and self._random.random() < self._pace.pause:
            self._left = self._random.randint(1, self._pace.longest) - 1
            return True
        else:
            return False
        return True


class Bench:
    """A core in Amaranth's simulator; `run` begins with a reset.

    Banks are used in halves, so `array.bank_depth` holds two sequences.
    """

    def __init__(self, array: SystolicArray, core: type[Component] = Core) -> None:
        self.array = array
        self.core: Any = core(array)
        self._simulation = Simulator(self.core)
        self._simulation.add_clock(PERIOD)
        self._simulation.add_process(self._host)
        grid = self.core.grid
        self._elements = [element for row in grid.elements for element in row]
        self._sequences: list[Sequence] = []
        self._used = False

    def run(
        self,
        sequences: list[Sequence],
        pace: Pace | None = None,
        state: State | None = None,
        trace: bool = False,
    ) -> list[Outcome]:
        """Outcome of every sequence; AssertionError where the core does not finish.

        state : registers of the array at clock 0 of the first sequence; reset's if None.
        """
        self._sequences = sequences
        self._pace = pace or Pace()
        self._state = state
        self._trace = trace
        self._outcomes: list[Outcome] = []
        self._finished = False
        if self._used:
            self._simulation.reset()
        self._used = True
        while not self._finished:
            self._simulation.advance()
        return self._outcomes

    def _fill(self, stream: Any, mem: npt.NDArray[np.int16], half: int) -> list[int]:
        base = half * (self.array.bank_depth // 2)
        assert len(mem) <= self.array.bank_depth // 2
        shape = stream.payload.shape()
        return [
            shape.const({"address": base + at, "data": word}).as_bits()
            for at, word in enumerate(mem.tolist())
        ]

    def _commands(self, sequence: Sequence, half: int) -> list[int]:
        base = half * (self.array.bank_depth // 2)
        shape = self.core.commands.payload.shape()
        found = []
        for row in sequence.commands.tolist():
            command = ArrayCommand(ArrayPass(*row[:9]), row[9] + base, row[10] + base, row[11])
            found.append(shape.const(values(command)).as_bits())
        return found

    def _registers(self) -> list[Any]:
        """Every register of the array, elements first, in the order of `_states`."""
        found = [getattr(e, name) for name in ELEMENT_REGISTERS[:-1] for e in self._elements]
        found += [element.f.as_value() for element in self._elements]
        return found + [row[tap] for row in self.core.grid.taps for tap in range(len(row))]

    def _states(self, samples: list[tuple[int, ...]]) -> State:
        table = np.array(samples, np.int32)
        found, at = [], 0
        for register in empty_state(self.array):
            part = table[:, at : at + register.size]
            found.append(part.reshape(-1, *register.shape).astype(register.dtype))
            at += register.size
        return State(*found)

    def _wake(self, ctx: Any, state: State) -> None:
        at_wake = [np.ravel(getattr(state, name)) for name in (*ELEMENT_REGISTERS, "taps")]
        for register, value in zip(self._registers(), np.concatenate(at_wake), strict=True):
            ctx.set(register, int(value))

    async def _host(self, ctx: Any) -> None:
        core, sequences, pace = self.core, self._sequences, self._pace
        fills = {
            name: deque(
                (number, word)
                for number, q in enumerate(sequences)
                for word in self._fill(getattr(core, name), mem(q), number % 2)
            )
            for name, mem in (("left_fill", lambda q: q.left), ("top_fill", lambda q: q.top))
        }
        commands = deque(
            (number, word)
            for number, q in enumerate(sequences)
            for word in self._commands(q, number % 2)
        )
        pauses = {name: _Pauses(pace, name) for name in (*fills, "commands", "results")}
        payloads = {name: getattr(core, name).payload.as_value() for name in (*fills, "commands")}

        # A half is filled again once every pass of the sequence before last has been read.
        ends = np.cumsum([0, 0, *(len(q.commands) for q in sequences)]).tolist()
        # Unused columns are behind the used ones, the result memory behind the array.
        lag = self.array.rows + self.array.columns + 4
        patience = PATIENCE + max(max(len(q.left), len(q.top)) for q in sequences)
        done = 0  # sequences
        offered = accepting = False
        idle_before, clocks, waited, quiet = 1, 0, 0, 0
        reports: list[tuple[int, int, int]] = []
        words: list[int] = []
        traces: list[list[tuple[int, ...]]] = [[] for _ in sequences]
        asleep = self._state is not None
        observed = self._registers() if self._trace else []
        ticks = ctx.tick().sample(
            core.commands.ready,
            core.results.valid,
            core.results.payload.as_value(),
            core.idle,
            core.busy_cycles,
            core.stall_cycles,
            core.passes_read,
            *observed,
        )
        async for _, _, ready, valid, word, idle, busy, stall, read, *registers in ticks:
            waited += 1
            if offered and ready:
                commands.popleft()
                offered = False
                waited = 0
                if asleep:
                    # The operands of the first pass reach the array in the clock that now begins;
                    # at its edge the registers were set by themselves.
                    await ctx.delay(PERIOD / 4)
                    self._wake(ctx, self._state)
                    asleep = False
            if valid and accepting:
                words.append(word)
                waited = 0
            quiet = 0 if valid or not idle else quiet + 1
            if not idle:
                clocks += 1
            if self._trace and done < len(sequences) and (not idle or not idle_before):
                # Frozen clocks show the same registers; the last of them counts.
                del traces[done][busy:]
                traces[done].append(tuple(registers))
            if idle and not idle_before:
                reports.append((busy, stall, clocks))
                done += 1
                clocks = waited = quiet = 0
            idle_before = idle
            if done == len(sequences) and quiet == lag:
                assert read == ends[-1], f"{read} passes were read instead of {ends[-1]}"
                break
            assert waited < patience, f"the core is stuck after {done} sequences"

            # What the host drives in the coming clock: commands whose words are all in the banks.
            if not offered and commands and not pauses["commands"].pausing():
                number = commands[0][0]
                offered = all(not queue or queue[0][0] > number for queue in fills.values())
                if offered:
                    ctx.set(payloads["commands"], commands[0][1])
            for name, queue in fills.items():
                may = bool(queue) and ends[queue[0][0]] <= read
                begins = may and not pauses[name].pausing()
                ctx.set(getattr(core, name).valid, begins)
                if begins:
                    ctx.set(payloads[name], queue.popleft()[1])
                    waited = 0
            ctx.set(core.commands.valid, offered)
            accepting = not pauses["results"].pausing()
            ctx.set(core.results.ready, accepting)

        self._outcomes = self._collect(sequences, words, reports, traces)
        self._finished = True

    def _collect(
        self,
        sequences: list[Sequence],
        words: list[int],
        reports: list[tuple[int, int, int]],
        traces: list[list[tuple[int, ...]]],
    ) -> list[Outcome]:
        bits = self.array.operands.accumulator_bits
        fields = [
            [(word >> bits * j & (1 << bits) - 1) for j in range(self.array.columns)]
            for word in words
        ]
        table = np.array(fields, np.int64).reshape(-1, self.array.columns)
        table -= (table >> bits - 1) << bits
        counts = [len(q.used) for q in sequences]
        assert len(table) == sum(counts), f"{len(table)} result words instead of {sum(counts)}"
        ends = np.cumsum(counts)
        parts = np.split(table, ends[:-1])
        return [
            Outcome(part, *report, self._states(trace) if self._trace else None)
            for part, report, trace in zip(parts, reports, traces, strict=True)
        ]
