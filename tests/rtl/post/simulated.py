"""The post-processing unit on Amaranth's simulator, against a host of any pace."""

import random

import numpy as np
from amaranth.sim import Simulator

from tests.rtl.post.work import command_bits, fill_bits, word_bits


def simulate(unit, tables, layers, idle=0.0, deaf=0.0, seed=0):
    """uint8[words, lanes]: what leaves; clocks from the first word in to the last byte out.

    idle : how often neither command nor word is offered.  deaf : how often nobody takes a result.
    """
    draw = random.Random(seed)
    commands = [each for layer in layers for each in _numbers(command_bits(layer.settings))]
    words = [each for layer in layers for each in _numbers(word_bits(layer))]
    fills = _numbers(fill_bits(tables)) if len(tables) else []
    last = [each for layer in layers for each in [0] * (len(layer.sums) - 1) + [1]]
    taken, lasts, times = [], [], []

    async def run(ctx):
        for entry in fills:
            ctx.set(unit.table_fill.payload.as_value(), entry)
            ctx.set(unit.table_fill.valid, 1)
            await ctx.tick()
        if fills:
            ctx.set(unit.table_fill.valid, 0)
        sent = dict.fromkeys(("commands", "words"), 0)
        clock = 0
        while len(taken) < len(words):
            for name, payloads in (("commands", commands), ("words", words)):
                stream, at = getattr(unit, name), sent[name]
                # What is offered stays until it is taken.
                if at < len(payloads) and (ctx.get(stream.valid) or draw.random() >= idle):
                    ctx.set(stream.payload.as_value(), payloads[at])
                    ctx.set(stream.valid, 1)
                if ctx.get(stream.valid) and ctx.get(stream.ready):
                    sent[name] += 1
                    times.append(clock)
            takes = draw.random() >= deaf
            ctx.set(unit.results.ready, takes)
            if takes and ctx.get(unit.results.valid):
                values, ends = unit.results.payload.values, unit.results.payload.last
                taken.append([ctx.get(value) for value in values])
                lasts.append(ctx.get(ends))
            accepted = [ctx.get(getattr(unit, n).valid) & ctx.get(getattr(unit, n).ready) for n in sent]
            await ctx.tick()
            clock += 1
            for name, was in zip(sent, accepted, strict=True):
                if was:
                    ctx.set(getattr(unit, name).valid, 0)
        assert sent == {"commands": len(commands), "words": len(words)}

    simulation = Simulator(unit)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()
    assert lasts == last
    return np.array(taken, np.uint8)


def _numbers(payloads):
    return [int.from_bytes(payload.tobytes(), "little") for payload in payloads]
