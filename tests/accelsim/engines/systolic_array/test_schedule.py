"""The systolic array as a nest: against a list scheduler, and the recursion of its design."""

import numpy as np
import pytest

from accelsim.engines.systolic_array.schedule import joint, nest, task
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import operations
from accelsim.passes import ArrayPass, Opcode, Repeat
from tests.accelsim.hls.calendar import Calendar
from tests.engines.systolic_array import random_sequence


def one_by_one(array, passes):
    """Clocks of passes by the oracle, which knows nothing of repetitions."""
    calendar = Calendar()
    total = 0
    for p in passes:
        if not array.overlap:
            calendar = Calendar()
        calendar.place(task(array.result_latency, p))
        total += max(calendar.ends)
    return total if not array.overlap else max(calendar.ends)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (3, 3), (4, 7), (8, 8)])
def test_cycles_of_random_sequences_equal_the_list_schedulers(size, overlap):
    array = SystolicArray(*size, overlap=overlap, accumulator_depth=32)
    rng = np.random.default_rng(7)
    for _ in range(10):
        passes = random_sequence(rng, array, 12).passes
        body = (Repeat(3, (*passes[:4], Repeat(5, passes[4:6]))), *passes[6:])
        flat = (passes[:4] + passes[4:6] * 5) * 3 + passes[6:]
        assert nest(array, body).latency == one_by_one(array, flat)


def test_recursion_of_the_design_gives_the_same_clocks():
    # e' = e + max(load', drain); the end is the largest e + R + drain + n + 2.
    array = SystolicArray(6, 5)
    rng = np.random.default_rng(3)
    for _ in range(50):
        sizes = rng.integers(1, (7, 6, 20), (8, 3)).tolist()
        body = tuple(ArrayPass(Opcode.OS, m, n, k) for m, n, k in sizes)
        end = drain = total = 0
        for m, n, k in sizes:
            end += max(k, drain)
            drain = m
            total = max(total, end + array.rows + m + n + 2)
        assert nest(array, body).latency == total


def test_multiplies_are_those_of_the_passes():
    # Every result of os adds k products, of ws and is k, of rows taps x streams.
    array = SystolicArray(8, 8)
    body = (
        ArrayPass(Opcode.OS, 5, 6, 7),
        ArrayPass(Opcode.WS, 9, 4, 3),
        ArrayPass(Opcode.IS, 2, 8, 8),
        ArrayPass(Opcode.ROWS, 3, 6, 7, 3, 4),
        Repeat(3, (ArrayPass(Opcode.ROWS, 3, 6, 7, 3, 1, 5),)),
    )
    multiplies = operations(nest(array, body))
    assert multiplies == 5 * 6 * 7 + 9 * 4 * 3 + 2 * 8 * 8 + 3 * 6 * 12 + 3 * (3 * 6 * 3 * 5)


@pytest.mark.parametrize("opcodes", [(Opcode.OS,), (Opcode.WS, Opcode.IS)])
@pytest.mark.parametrize("overlap", [True, False])
def test_joints_join_to_what_the_nest_takes(opcodes, overlap):
    """Halves of a sequence, each by itself a Joint, joined: the clocks of the whole."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        array = SystolicArray(*rng.integers(1, 8, 2).tolist(), overlap=overlap)
        halves = [_random_body(rng, array, opcodes) for _ in range(2)]
        first, second = (joint(array, half) for half in halves)
        whole = first.then(second)
        assert whole.load + whole.end == nest(array, halves[0] + halves[1]).latency
        thrice = whole.times(3)
        assert thrice.load + thrice.end == nest(array, 3 * (halves[0] + halves[1])).latency


def _random_body(rng, array, opcodes):
    body = ()
    for _ in range(rng.integers(1, 4)):
        opcode, n = rng.choice(opcodes), int(rng.integers(1, array.columns + 1))
        short, long = int(rng.integers(1, array.rows + 1)), int(rng.integers(1, 12))
        if opcode != Opcode.OS:
            body += (ArrayPass(int(opcode), long, n, short, emit=int(rng.integers(2))),)
        elif rng.integers(2):
            body += (ArrayPass(Opcode.OS, short, n, long, emit=0),)
            body += (ArrayPass(Opcode.OS, short, n, int(rng.integers(1, 12)), accumulate=1),)
        else:
            body += (Repeat(int(rng.integers(1, 4)), (ArrayPass(Opcode.OS, short, n, long),)),)
    return body


def test_joints_are_of_passes_that_join_alike():
    array = SystolicArray(3, 3)
    os, ws = ArrayPass(Opcode.OS, 2, 2, 4), ArrayPass(Opcode.WS, 2, 2, 2)
    assert joint(array, (os, Repeat(2, (ws,)))) is None
    assert joint(array, (ArrayPass(Opcode.ROWS, 2, 2, 4, 3),)) is None
    assert joint(array, (os, os)) is not None
