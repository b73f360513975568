"""One sequence on a core whose passes wait for other units, in Amaranth's simulator.

The bench plays the other units: it drives their progress at the clocks at which they are to have
retired their passes. Nothing stalls: all operands are there before the first command where the
core has no fill port, every command is offered as soon as it can be taken, and all results are
taken at once.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from accelsim.passes import Wait
from rtl.lib.layout import values

PERIOD = 1e-8
COUNTS = 1 << 16  # counters of units go on modulo this
GAPS = (0, 1, 10, 40, 500)  # clocks that a unit takes at most between two passes

Reached = tuple[tuple[int, ...], ...]


class Work(NamedTuple):
    """A sequence for a core with units.

    fills : words {address, data} for each of the core's fill streams.
    commands : records, without their Wait.  waits : one for each of them.
    reached : of every unit, the clocks at which it has retired 1, 2, ... passes, in order.
    before : passes that every unit has retired before; all counts go on from there.
    results : words that the core sends.
    """

    fills: Mapping[str, Sequence[Any]]
    commands: Sequence[Any]
    waits: Sequence[Wait]
    reached: Sequence[Sequence[int]]
    before: Sequence[int]
    results: int


class Outcome(NamedTuple):
    """What the core did.

    words : result words as they left, as bits.
    started, retired : int64[passes], clocks of the first operands, and behind the last results.
    """

    words: list[int]
    started: npt.NDArray[np.int64]
    retired: npt.NDArray[np.int64]
    busy_cycles: int
    stall_cycles: int


class WaitsBench:
    """A core in Amaranth's simulator; `run` begins with a reset.

    first : clocks from taking the command of a pass that waits for nothing to its first operand;
        a core sees the progress of units so many clocks before the passes that it lets start.
    """

    def __init__(self, core: Component, first: int) -> None:
        self.core: Any = core
        self._first = first
        self._simulation = Simulator(core)
        self._simulation.add_clock(PERIOD)
        self._simulation.add_testbench(self._host)
        self._used = False

    def run(self, work: Work, patience: int) -> Outcome:
        """Outcome of a sequence; AssertionError where it takes longer than `patience`."""
        self._work, self._patience = work, patience
        if self._used:
            self._simulation.reset()
        self._used = True
        self._simulation.run()
        return self._outcome

    async def _host(self, ctx: Any) -> None:
        core, work = self.core, self._work
        fills = {getattr(core, name): deque(words) for name, words in work.fills.items()}
        at_once = {port: queue for port, queue in fills.items() if port.signature.always_ready}
        while any(at_once.values()):
            self._fill(ctx, at_once)
            await ctx.tick()

        commands = deque(zip(work.commands, work.waits, strict=True))
        words: list[int] = []
        started: list[int] = []
        retired: list[int] = []
        ctx.set(core.results.ready, 1)
        for clock in range(-self._first, self._patience):
            ctx.set(core.progress, self._progress(clock + self._first))
            ctx.set(core.commands.valid, bool(commands))
            if commands:
                ctx.set(core.commands.payload, _with_wait(*commands[0]))
                if ctx.get(core.commands.ready):
                    commands.popleft()
            self._fill(ctx, fills)
            if ctx.get(core.results.valid):
                words.append(ctx.get(core.results.payload.as_value()))
            # `started` counts a pass from the clock behind its start on.
            started += [clock - 1] * (ctx.get(core.started) - len(started))
            retired += [clock] * (ctx.get(core.retired) - len(retired))
            if len(words) == work.results and len(retired) == len(work.waits):
                break
            await ctx.tick()
        assert len(words) == work.results, f"{len(words)} result words instead of {work.results}"
        assert len(retired) == len(work.waits), f"{len(retired)} passes have retired"
        assert ctx.get(core.idle)
        self._outcome = Outcome(
            words,
            np.array(started, np.int64),
            np.array(retired, np.int64),
            ctx.get(core.busy_cycles),
            ctx.get(core.stall_cycles),
        )

    def _fill(self, ctx: Any, fills: Mapping[Any, deque[Any]]) -> None:
        """A word on every fill stream that has one left, taken in this clock or offered again."""
        for port, queue in fills.items():
            ctx.set(port.valid, bool(queue))
            if queue:
                ctx.set(port.payload, queue[0])
                if ctx.get(port.ready):
                    queue.popleft()

    def _progress(self, clock: int) -> list[int]:
        """Counters of the units at a clock of the sequence."""
        return [
            (before + sum(at <= clock for at in clocks)) % COUNTS
            for before, clocks in zip(self._work.before, self._work.reached, strict=True)
        ]


def _with_wait(command: Any, wait: Wait) -> dict[str, Any]:
    return values(command) | {"wait": values(wait)}


def random_waits(
    rng: np.random.Generator, passes: int, before: tuple[int, ...]
) -> tuple[list[Wait], Reached]:
    """Two of three passes wait, for any count of any unit; and how far the units are when.

    A count that is a multiple of 2**16 is 0, which waits for nothing.
    """
    gap = int(rng.choice(GAPS))
    reached = tuple(
        tuple(np.cumsum(rng.integers(0, gap + 1, int(rng.integers(1, passes + 2)))).tolist())
        for _ in before
    )
    waits = []
    for _ in range(passes):
        unit = int(rng.integers(len(before)))
        count = (before[unit] + int(rng.integers(1, len(reached[unit]) + 1))) % COUNTS
        waits.append(Wait(unit, count if rng.random() < 2 / 3 else 0))
    return waits, reached
