"""Streams through parts that both cores share, against hosts of every pace: no word is lost."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from rtl.lib.results import ResultMemory
from rtl.lib.skid import Skid

CLOCKS = 400
PACES = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.9, 0.2), (0.1, 0.9))


def simulate(component, clock):
    """`clock(ctx)` in every clock, inputs driven and outputs seen before its edge."""

    async def run(ctx):
        for number in range(CLOCKS):
            clock(ctx, number)
            await ctx.tick()

    simulation = Simulator(component)
    simulation.add_clock(1e-6)
    simulation.add_testbench(run)
    simulation.run()


@pytest.mark.parametrize("pace", PACES)
def test_a_skid_buffer_is_a_queue_of_two_words_one_clock_later(pace):
    idle, deaf = pace
    draw = random.Random(7)
    skid = Skid(8)
    held: deque[int] = deque()
    out: deque[int] = deque()
    sent = 0
    moves = set()

    def clock(ctx, number):
        nonlocal sent
        offers, takes = draw.random() >= idle, draw.random() >= deaf
        ctx.set(skid.i.payload, sent % 256)
        ctx.set(skid.i.valid, offers)
        ctx.set(skid.o.ready, takes)
        ready, valid = ctx.get(skid.i.ready), ctx.get(skid.o.valid)
        # Against a queue: valid where it holds a word, ready where it held at most one.
        assert valid == bool(held)
        assert ready == (len(held) < 2)
        if valid:
            assert ctx.get(skid.o.payload) == held[0]
        if valid and takes:
            out.append(held.popleft())
        if offers and ready:
            held.append(sent % 256)
            sent += 1
        moves.add((ready, valid))

    simulate(skid, clock)
    assert list(out) == [word % 256 for word in range(len(out))]
    assert len(moves) == (3 if deaf else 2)
    if pace == (0.0, 0.0):
        assert len(out) == CLOCKS - 1


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("pace", PACES)
def test_results_come_whole_in_order_and_their_places_come_back(pace, columns):
    """The writer keeps to what `handed` gives back, with as many words as the memory has."""
    idle, deaf = pace
    draw = random.Random(columns)
    memory = ResultMemory(8, columns, depth=8)
    skewed: deque[int | None] = deque([None] * columns, maxlen=columns)  # word in every column
    free, sent, got = memory.depth, 0, 0
    written: dict[int, int] = {}  # clock of the last column of every word
    latency = set()

    def clock(ctx, number):
        nonlocal free, sent, got
        free += ctx.get(memory.handed)
        begins = free > 0 and draw.random() >= idle
        skewed.appendleft(sent if begins else None)
        if begins:
            free, sent = free - 1, sent + 1
        bits = 0
        for column, word in enumerate(skewed):
            if word is not None:
                bits |= 1 << column
                ctx.set(memory.word[column], (word * 5 + column) % 256)
        ctx.set(memory.write, bits)
        if skewed[-1] is not None:
            written[skewed[-1]] = number
        takes = draw.random() >= deaf
        ctx.set(memory.results.ready, takes)
        if ctx.get(memory.results.valid) and takes:
            values = [ctx.get(memory.results.payload[column]) for column in range(columns)]
            assert values == [(got * 5 + column) % 256 for column in range(columns)]
            latency.add(number - written[got])
            got += 1

    simulate(memory, clock)
    assert min(latency) >= 3
    if deaf == 0:
        assert latency == {3}
        assert sent - got <= columns + 3
    if idle == 0:
        assert got > CLOCKS * (1 - deaf) * 0.8 - 20
