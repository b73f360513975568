"""What follows the sums of a layer, on the RTL of a unit, by Amaranth's simulator."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.errors import AccelsimError
from accelsim.hardware import PostProcessing
from accelsim.numerics.integers import Int32, Integers
from accelsim.numerics.programs import Bias, Clamp, Program, Requantise, Table
from accelsim.passes import UNPAIRED, PostChannel, PostLayer, Rule
from rtl.post.unit import PostProcessor

LANES = 8
MOST_WORDS = 1 << 14  # more take Amaranth's simulator minutes
PATIENCE = 1000  # clocks in which a result must come

Progress = Callable[[str, float], None]


class _Steps(NamedTuple):
    """A program that a unit runs by itself: of one map, with a factor for every channel."""

    bias: Bias | None
    requantise: Requantise
    clamp: Clamp
    table: Table | None


def post_level(progress: Progress) -> Callable[[Program, Int32], Integers | None]:
    """The RTL of a unit as the level that accelsim.cosimulation.cosim takes.

    It makes int8 or uint8 of sums int32[..., k, h, w], shaped as they are. None where the program
    is none of a unit, or where the sums are too many.
    """

    def run(program: Program, sums: Int32) -> Integers | None:
        steps = _steps(program)
        if steps is None:
            return None
        pixels = sums.reshape(-1, sums.shape[-3], sums.shape[-2] * sums.shape[-1])
        padded = np.pad(pixels, ((0, 0), (0, 0), (0, -pixels.shape[2] % LANES)))
        words = padded.reshape(*padded.shape[:2], -1, LANES)
        if words.size > MOST_WORDS * LANES:
            return None
        made = _simulated(steps, words, progress).reshape(padded.shape)
        last = steps.clamp.dtype if steps.table is None else steps.table.values.dtype
        return made[:, :, : pixels.shape[2]].view(last).reshape(sums.shape)

    return run


def _steps(program: Program) -> _Steps | None:
    """The steps of a program, if they are those of a unit, in its order."""
    found: dict[type, Any] = {type(step): step for step in program}
    order = [each for each in (Bias, Requantise, Clamp, Table) if each in found]
    if [type(step) for step in program] != order or not {Requantise, Clamp} <= found.keys():
        return None
    bias, table = found.get(Bias), found.get(Table)
    steps = _Steps(bias, found[Requantise], found[Clamp], table)
    return None if steps.requantise.offset else steps


def _simulated(
    steps: _Steps, words: npt.NDArray[np.int32], progress: Progress
) -> npt.NDArray[np.uint8]:
    """uint8, the bytes of words int32[images, k, words, lanes], in their order."""
    rule, clamp, table = steps.requantise.rule, steps.clamp, steps.table
    unit = PostProcessor(PostProcessing(LANES, (rule,), (), 0 if table is None else 1))
    k = words.shape[1]
    factors = steps.requantise.multiplier, steps.requantise.shift
    columns = ([0] if steps.bias is None else steps.bias.values, *factors)
    channels = [
        PostChannel(*(int(each) for each in row))._asdict()
        for row in zip(*(np.broadcast_to(each, k) for each in columns), strict=True)
    ]
    settings = PostLayer(
        Rule[rule.upper()], clamp.zero_point, clamp.low, clamp.high, int(table is not None), 0
    )
    flat = words.reshape(-1, LANES).tolist()
    per_channel = words.shape[2]
    results: list[list[int]] = []

    async def run(ctx: Any) -> None:
        if table is not None:
            for place, value in enumerate(table.values.view(np.uint8).tolist()):
                ctx.set(unit.table_fill.payload, {"table": 0, "index": place, "value": value})
                ctx.set(unit.table_fill.valid, 1)
                await ctx.tick()
            ctx.set(unit.table_fill.valid, 0)
        pair = UNPAIRED._asdict()
        ctx.set(unit.commands.payload, settings._asdict() | {"pair": pair})
        ctx.set(unit.commands.valid, 1)
        ctx.set(unit.results.ready, 1)
        sent, waited = 0, 0
        while len(results) < len(flat):
            if sent < len(flat):
                word = {
                    "sums": flat[sent],
                    "channel": channels[sent // per_channel % k],
                    "last": sent == len(flat) - 1,
                }
                ctx.set(unit.words.payload, word)
            ctx.set(unit.words.valid, sent < len(flat))
            takes = ctx.get(unit.words.ready), ctx.get(unit.commands.ready)
            if ctx.get(unit.results.valid):
                results.append([ctx.get(each) for each in unit.results.payload.values])
                waited = 0
                if len(results) % 256 == 0:
                    progress("post-processing, simulating", len(results) / len(flat))
            await ctx.tick()
            sent += bool(takes[0] and sent < len(flat))
            if takes[1]:
                ctx.set(unit.commands.valid, 0)
            waited += 1
            if waited > PATIENCE:
                raise AccelsimError("the post-processing unit is stuck: no result comes any more")

    simulation = Simulator(unit)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()
    return np.array(results, np.uint8)
