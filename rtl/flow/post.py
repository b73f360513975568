"""What follows the sums of a layer, on the RTL of a unit, by Amaranth's simulator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.hardware import PostProcessing
from accelsim.numerics.integers import Int32, Integers
from accelsim.numerics.programs import RULES, Clamp, Program, Requantise
from accelsim.passes import Operation
from accelsim.passes.post_commands import PostCommands, post_commands
from rtl.post.unit import PostProcessor

LANES = 8
MOST_WORDS = 1 << 14  # more take Amaranth's simulator minutes
PATIENCE = 1000  # clocks in which a result must come

Progress = Callable[[str, float], None]


def post_level(progress: Progress) -> Callable[[Program, Int32], Integers | None]:
    """The RTL of a unit as the level that accelsim.cosimulation.cosim takes.

    It makes int8 or uint8 of sums int32[..., k, h, w], shaped as they are. None where the program
    is none of a unit, or where the sums are too many.
    """

    def run(program: Program, sums: Int32) -> Integers | None:
        commands = _of_one_map(program)
        if commands is None:
            return None
        pixels = sums.reshape(-1, sums.shape[-3], sums.shape[-2] * sums.shape[-1])
        padded = np.pad(pixels, ((0, 0), (0, 0), (0, -pixels.shape[2] % LANES)))
        words = padded.reshape(*padded.shape[:2], -1, LANES)
        if words.size > MOST_WORDS * LANES:
            return None
        made = _simulated(commands, words, progress).reshape(padded.shape)
        (clamp,) = (step for step in program if isinstance(step, Clamp))
        dtype = clamp.dtype if commands.table is None else commands.table.dtype
        return made[:, :, : pixels.shape[2]].view(dtype).reshape(sums.shape)

    return run


def _of_one_map(program: Program) -> PostCommands | None:
    """The commands of a program of sums, if a unit runs it and reads no other map."""
    try:
        commands = post_commands(program)
    except UnsupportedError:
        return None
    of_sums = any(isinstance(step, Requantise) for step in program)
    return commands if of_sums and commands.layer.pair.operation == Operation.NONE else None


def _simulated(
    commands: PostCommands, words: npt.NDArray[np.int32], progress: Progress
) -> npt.NDArray[np.uint8]:
    """uint8, the bytes of words int32[images, k, words, lanes], in their order."""
    layer, table = commands.layer, commands.table
    unit = PostProcessor(PostProcessing(LANES, (RULES[layer.rule],), (), layer.looks_up))
    channels = [channel._asdict() for channel in commands.channels]
    settings = layer._asdict() | {"pair": layer.pair._asdict()}
    flat = words.reshape(-1, LANES).tolist()
    per_channel = words.shape[2]
    results: list[list[int]] = []

    async def run(ctx: Any) -> None:
        if table is not None:
            for place, value in enumerate(table.view(np.uint8).tolist()):
                ctx.set(unit.table_fill.payload, {"table": 0, "index": place, "value": value})
                ctx.set(unit.table_fill.valid, 1)
                await ctx.tick()
            ctx.set(unit.table_fill.valid, 0)
        ctx.set(unit.commands.payload, settings)
        ctx.set(unit.commands.valid, 1)
        ctx.set(unit.results.ready, 1)
        sent, waited = 0, 0
        while len(results) < len(flat):
            if sent < len(flat):
                word = {
                    "sums": flat[sent],
                    "channel": channels[sent // per_channel % len(channels)],
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
