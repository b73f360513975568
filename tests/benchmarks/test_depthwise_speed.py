"""How fast the registers of the depthwise engine are stepped; printed, never asserted.

A slot is one multiply-accumulator for one clock; only those of clocks that issue a tap count.
`pytest -n 0 -m full -s tests/benchmarks` shows the figures.
"""

import time

import numpy as np
import pytest

from accelsim.dataflows import tap_serial
from accelsim.dataflows.base import gather
from accelsim.engines import depthwise
from accelsim.engines.base import passes_of
from accelsim.engines.depthwise.cycle import simulate
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from tests.accelsim.engines.depthwise.convolutions import plans_of

pytestmark = pytest.mark.full

SHAPES = ((32, 8), (8, 64), (8, 8))
KERNELS = (3, 7, 31)
CHANNELS, SIDE = 128, 56
ROUNDS = 5


def seconds(function, *args) -> float:
    """CPU seconds of the fastest of several calls."""
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        function(*args)
        times.append(time.thread_time() - start)
    return min(times)


def convolve(x, w, padding):
    """Depthwise int32[h, w, c], tap by tap, channels last: whole maps in one NumPy call."""
    height, width, _ = x.shape
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    out = np.zeros(x.shape, np.int32)
    for ky in range(len(w)):
        for kx in range(len(w)):
            out += padded[ky : ky + height, kx : kx + width] * w[ky, kx]
    return out


def best_program(conv, engine):
    """The fewest clocks, and the slots of its taps."""
    plan = min(
        plans_of(tap_serial, conv, engine), key=lambda p: depthwise.ENGINE.cycles(engine, p.body)
    )
    slots = sum(depthwise.schedule.macs(engine, p) for p in passes_of(plan.body))
    return tap_serial.program(conv, engine, plan), slots


@pytest.mark.parametrize("side", KERNELS)
def test_stepping_rate_against_numpy(side):
    rng = np.random.default_rng(0)
    shape, pad = (CHANNELS, SIDE, SIDE), side // 2
    conv = Conv(*shape, *shape, side, side, pt=pad, pl=pad, groups=CHANNELS)
    x = rng.integers(-128, 128, shape).astype(np.int8)
    w = rng.integers(-128, 128, (CHANNELS, 1, side, side)).astype(np.int8)
    last = x.transpose(1, 2, 0).astype(np.int32), w[:, 0].transpose(1, 2, 0).astype(np.int32), pad
    expected = convolve(*last).transpose(2, 0, 1)
    direct = seconds(convolve, *last)
    print(f"\n{side}x{side} on {CHANNELS} maps of {SIDE}x{SIDE}, G slots per CPU second")
    print(f"{'NumPy':8}{conv.macs / direct / 1e9:8.2f}")
    for lanes, pixels in SHAPES:
        port = max(1, lanes // 8) * pixels  # results leave as fast as those of 3x3 come
        engine = DepthwiseEngine(lanes, pixels, port, bank_depth=1 << 16, tap_depth=1 << 16)
        program, slots = best_program(conv, engine)
        work = engine, program.commands, *program.operands(x, w, engine)
        assert np.array_equal(gather(program.dest, simulate(*work).words, x.size), expected.ravel())
        stepped = seconds(simulate, *work)
        print(
            f"{lanes:>3}x{pixels:<4}{slots / stepped / 1e9:8.2f}, "
            f"the layer {direct / stepped:.1f} x as fast as NumPy"
        )
