"""Many short sequences on one depthwise core in Amaranth's simulator, registers in view."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.job import memories, of_sequence, used
from rtl.flow.cosim import AmaranthWires, result_bits
from rtl.host.driver import Host, Stalls
from rtl.host.job import sums
from tests.engines.depthwise import Sequence

PERIOD = 1e-8

Register = npt.NDArray[np.int64]


class Trace(NamedTuple):
    """Registers at the start of clock 0 .. busy_cycles - 1, one more axis in front.

    x, product, acc, s : [P, L].  w1, w2 : [L].  mask1, mask2 : [P].  first, last : [4], of the
    taps issued 1 to 4 clocks ago.  made, issued : whether generator and issue stage hold a tile,
    its word, and y and x of its pixels [2 + 2 P].
    """

    x: Register
    product: Register
    acc: Register
    s: Register
    w1: Register
    w2: Register
    mask1: Register
    mask2: Register
    shift2: Register
    odd2: Register
    first: Register
    last: Register
    made: Register
    issued: Register


class Outcome(NamedTuple):
    """What the core did with one sequence.

    words : int32[result words, results_per_clock].
    busy_cycles, stall_cycles : its counters.  clocks : during which a sequence was under way.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    stall_cycles: int
    clocks: int
    trace: Trace | None


class _Wires(AmaranthWires):
    """The ports, passes counted from the beginning of a sequence."""

    def __init__(self, component: Any, context: Any, streams: tuple[str, ...]) -> None:
        super().__init__(component, context, streams)
        self._before = super().passes_read()

    def passes_read(self) -> int:
        return super().passes_read() - self._before


class Bench:
    """A core in Amaranth's simulator; `run` begins with a reset."""

    def __init__(self, engine: DepthwiseEngine, core: type[Component] = DepthwiseCore) -> None:
        self.engine = engine
        self.core: Any = core(engine)
        self._simulation = Simulator(self.core)
        self._simulation.add_clock(PERIOD)
        self._simulation.add_testbench(self._work)
        self._used = False

    def run(
        self, sequences: list[Sequence], stalls: Stalls | None = None, trace: bool = False
    ) -> list[Outcome]:
        """Outcome of every sequence; AccelsimError where the core is stuck."""
        self._sequences, self._stalls, self._trace = sequences, stalls or Stalls(), trace
        self._outcomes: list[Outcome] = []
        if self._used:
            self._simulation.reset()
        self._used = True
        self._simulation.run()
        return self._outcomes

    async def _work(self, ctx: Any) -> None:
        for index, sequence in enumerate(self._sequences):
            stalls = Stalls(*self._pace(), seed=self._stalls.seed + index)
            self._outcomes.append(await self._one(ctx, sequence, stalls))

    def _pace(self) -> tuple[float, float, float, float]:
        _, *shares = 0, *vars(self._stalls).values()
        return tuple(shares[:4])  # type: ignore[return-value]

    async def _one(self, ctx: Any, sequence: Sequence, stalls: Stalls) -> Outcome:
        core, engine = self.core, self.engine
        _, commands, maps, taps = sequence
        held = memories(engine, commands, maps, taps)
        host = Host(of_sequence(engine, core, commands, held), stalls)
        wires = _Wires(core, ctx, ("commands", "map_fill", "tap_fill"))
        seen: dict[int, list[int]] = {}
        clocks, running = 0, True
        registers = self._registers() if self._trace else []
        while running:
            host.drive(wires)
            running = host.sample(wires)
            if not wires.idle():
                clocks += 1
                # Frozen clocks show the same registers; the counter starts with clock 0.
                if registers:
                    seen[ctx.get(core.busy_cycles)] = [ctx.get(value) for value in registers]
            await ctx.tick()
        busy, stall = ctx.get(core.busy_cycles), ctx.get(core.stall_cycles)
        words = sums(core, used(engine, commands), result_bits(core, host.results))
        trace = self._traced([seen[n] for n in range(busy)]) if registers else None
        return Outcome(words, busy, stall, clocks, trace)

    def _registers(self) -> list[Any]:
        """Every register of the trace, in its order."""
        lanes, pixels = self.core.lanes.lanes, range(self.engine.pixels)
        found = [
            getattr(lane, name)[p]
            for name in ("operand", "product", "acc", "shadow")
            for p in pixels
            for lane in lanes
        ]
        found += [getattr(lane, name) for name in ("weight1", "weight2") for lane in lanes]
        shared = self.core.lanes
        found += [mask[p] for mask in (shared.mask1, shared.mask2) for p in pixels]
        found += [shared.shift2, shared.odd2]
        found += [step.first for step in shared.steps] + [step.beats for step in shared.steps]
        for stage in (self.core.generator, self.core.issue):
            tile = stage.tile
            found += [stage.valid, tile.word, *(tile.y[p] for p in pixels)]
            found += [tile.x[p] for p in pixels]
        return found

    def _traced(self, rows: list[list[int]]) -> Trace:
        lanes, pixels = self.engine.lanes, self.engine.pixels
        grid, tile = (pixels, lanes), (2 + 2 * pixels,)
        shapes = [*[grid] * 4, (lanes,), (lanes,), (pixels,), (pixels,), (), (), (4,), (4,)]
        table, found, at = np.array(rows, np.int64).reshape(len(rows), -1), [], 0
        for shape in (*shapes, tile, tile):
            size = int(np.prod(shape))
            found.append(table[:, at : at + size].reshape(len(rows), *shape))
            at += size
        return Trace(*found)
