"""What the multipliers of the depthwise engine do: against the schedule and naive loops."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.dataflows import tap_serial
from accelsim.engines import depthwise
from accelsim.engines.activity import ElementState
from accelsim.engines.base import passes_of
from tests.accelsim.engines.depthwise.convolutions import convolutions, engines, lists, plans_of
from tests.naive.depthwise_law import law, tile_clocks
from tests.naive.operators import live_macs

TO_MULTIPLIER = 8  # clocks from a tap's address to its operands


ACTIVITY = depthwise.ENGINE.registers.activity


def taps(engine, passes):
    """Clocks in which a tap is issued, and those in which the shadows hold results, by the law."""
    issued, leaving = set(), set()
    start = last = drain = 0
    for p in passes:
        for clocks in tile_clocks(engine.pixels, p):
            end = max(start + clocks, last + drain)
            issued |= {*range(start, start + clocks - 1), end - 1}
            start = last = end
            drain = -(-p.channels // engine.result_lanes)
            leaving |= set(range(end + 10, end + 10 + drain))
    return issued, leaving


SMALL = convolutions(most_channels=5, most_size=9)


@settings(max_examples=40)
@given(SMALL | lists(), engines(5, False), st.integers(0))
def test_multiplies_clock_by_clock(conv, engine, seed):
    rng = np.random.default_rng(seed)
    plans = list(plans_of(tap_serial, conv, engine))
    plan = plans[int(rng.integers(len(plans)))]
    program = tap_serial.program(conv, engine, plan)
    ones = np.ones(conv.in_shape, np.int8), np.ones(conv.kernel_shape, np.int8)
    commands = program.commands.copy()
    commands[-1, -1] = 1
    total = depthwise.ENGINE.cycles(engine, plan.body)
    assert total == law(engine, plan.body)
    assume(total <= 400)  # every clock is a simulation of its own
    memories = program.operands(*ones, engine)
    seen = ACTIVITY(engine, commands, memories, program.dest >= 0, range(total))
    passes = list(passes_of(plan.body))
    assert np.count_nonzero(seen.states == ElementState.BUSY) == live_macs(conv)
    empty = sum(
        p.channels * engine.pixels * trips * run.trips
        for p in passes
        for trips, runs in depthwise.schedule.tiles(engine.pixels, p)
        for run in runs
        if not run.rows * run.columns  # a clock in which all pixels are masked
    )
    counted = sum(depthwise.schedule.macs(engine, p) for p in passes)
    assert seen.multiplies.sum() == counted + empty
    issued, leaving = taps(engine, passes)
    assert set(np.flatnonzero(seen.multiplies) - TO_MULTIPLIER) == issued
    assert set(np.flatnonzero(seen.drain[:, 0, 0])) == leaving
    some = int(rng.integers(total))
    part = ACTIVITY(engine, commands, memories, program.dest >= 0, range(some, some + 1))
    assert np.array_equal(part.states[0], seen.states[some])
