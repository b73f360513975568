"""The post-processing unit on Amaranth's simulator, with a host of any pace."""

import random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from tests.rtl.post.work import command_bits, fill_bits, word_bits

PATIENCE = 500  # clocks in which something must happen


class Run(NamedTuple):
    """What a unit made of some layers.

    values : uint8[words, lanes].  last : bool[words].
    entered, left : int64[words], the clocks in which words were taken, and their results.
    """

    values: npt.NDArray[np.uint8]
    last: npt.NDArray[np.bool_]
    entered: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]


def simulate(unit, tables, layers, idle=0.0, deaf=0.0, late=0.0, seed=0):
    """What leaves a unit, whose tables are filled before.

    idle, late : how often no word, and no command, is offered in a clock in which it could be.
    deaf : how often nobody takes a result.
    """
    draw = random.Random(seed)
    payloads = {
        "commands": [each for layer in layers for each in _numbers(command_bits(layer.settings))],
        "words": [each for layer in layers for each in _numbers(word_bits(layer, unit.sizes))],
    }
    waits = {"commands": late, "words": idle}
    moved = {name: [] for name in payloads}
    results, left = [], []

    async def run(ctx):
        for entry in _numbers(fill_bits(tables)) if len(tables) else []:
            ctx.set(unit.table_fill.payload.as_value(), entry)
            ctx.set(unit.table_fill.valid, 1)
            await ctx.tick()
        if len(tables):
            ctx.set(unit.table_fill.valid, 0)
        clock = 0
        while len(results) < len(payloads["words"]):
            for name, each in payloads.items():
                stream = getattr(unit, name)
                if len(moved[name]) < len(each) and not ctx.get(stream.valid):
                    ctx.set(stream.payload.as_value(), each[len(moved[name])])
                    ctx.set(stream.valid, draw.random() >= waits[name])
            ctx.set(unit.results.ready, draw.random() >= deaf)
            if ctx.get(unit.results.valid & unit.results.ready):
                results.append(ctx.get(unit.results.payload.as_value()))
                left.append(clock)
            takes = {name: ctx.get(getattr(unit, name).ready) for name in payloads}
            offers = {name: ctx.get(getattr(unit, name).valid) for name in payloads}
            await ctx.tick()
            for name in payloads:
                if takes[name] and offers[name]:
                    moved[name].append(clock)
                    ctx.set(getattr(unit, name).valid, 0)
            clock += 1
            assert clock < PATIENCE + max([0, *left, *moved["words"]]), "nothing happens any more"

    simulation = Simulator(unit)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()
    lanes = unit.sizes.lanes
    raw = np.array([[word >> 8 * n & 255 for n in range(lanes + 1)] for word in results])
    return Run(
        raw[:, :lanes].astype(np.uint8),
        raw[:, lanes] == 1,
        np.array(moved["words"]),
        np.array(left),
    )


def _numbers(payloads):
    return [int.from_bytes(payload.tobytes(), "little") for payload in payloads]
