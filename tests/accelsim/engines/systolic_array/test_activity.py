"""What elements do: against the schedule's multiplies, and element by element against the laws."""

import numpy as np
import pytest

from accelsim.engines import systolic_array
from accelsim.engines.activity import ElementState
from accelsim.engines.systolic_array import activity as of_array
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import operations
from accelsim.passes import ArrayPass, Opcode, array_words
from tests.engines.systolic_array import random_array, random_sequence, sequence

OS, WS, IS, ROWS = Opcode
ACTIVITY = systolic_array.ENGINE.registers.activity
MODES = ((OS,), (WS,), (IS,), (ROWS,), tuple(Opcode))


def film(array, work):
    clocks = range(systolic_array.ENGINE.cycles(array, work.passes))
    return ACTIVITY(array, work.commands, work.memories, work.used, clocks)


def frames(passes):
    """(pass, clocks in which element (0, 0) would multiply for it): the law of the ports."""
    e, drain, streaming = 0, 0, False
    for p in passes:
        if p.opcode in (WS, IS):
            e = e + max(drain, p.k) if streaming else max(e + p.k + 1, e - 1 + drain)
            yield p, list(range(e, e + p.m))
            drain, streaming = p.m, True
            continue
        load = p.k if p.opcode == OS else p.streams * (p.taps + p.k)
        e = e + drain + load if streaming else e + max(load, drain)
        if p.opcode == OS:
            yield p, list(range(e - load, e))
        else:
            ends = [e - s * (p.taps + p.k) for s in range(p.streams)]
            ends += [e + f * p.n for f in range(1, p.fires)]
            yield p, [end - 1 - tap for end in ends for tap in range(p.taps)]
        e += (p.fires - 1) * p.n
        drain, streaming = p.m if p.emit else 0, False


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@pytest.mark.parametrize("modes", MODES, ids=lambda modes: "+".join(m.name for m in modes))
def test_multiplies_and_results_are_those_of_the_schedule(modes, overlap):
    rng = np.random.default_rng([9, *modes, overlap])
    for _ in range(30):
        array = random_array(rng, tuple(rng.integers(1, 7, 2).tolist()), overlap)
        work = random_sequence(rng, array, 6, modes)
        seen = film(array, work)
        counted = operations(systolic_array.schedule.nest(array, work.passes))
        assert seen.multiplies.sum() == counted, (array, work.passes)
        # Every result passes the bottom row once, and the last one at the last clock but one.
        results = sum(p.m * p.n * p.fires for p in work.passes if p.emit or p.opcode in (WS, IS))
        assert seen.drain[:, -1].sum() == results, (array, work.passes)
        assert seen.drain[-1, -1].any()


@pytest.mark.parametrize("modes", MODES, ids=lambda modes: "+".join(m.name for m in modes))
def test_elements_multiply_when_the_law_says(modes):
    """Element (i, j) is i + j clocks behind (0, 0); os and rows take the rows at the bottom."""
    rng = np.random.default_rng([10, *modes])
    for _ in range(30):
        array = random_array(rng, tuple(rng.integers(1, 7, 2).tolist()))
        work = random_sequence(rng, array, 6, modes)
        seen = film(array, work)
        expected = np.zeros(seen.states.shape, bool)
        for p, clocks in frames(work.passes):
            stationary = p.opcode in (WS, IS)
            rows = range(p.k) if stationary else range(array.rows - p.m, array.rows)
            for i in rows:
                for j in range(p.n):
                    for clock in clocks:
                        assert not expected[clock + i + j, i, j]
                        expected[clock + i + j, i, j] = True
        assert np.array_equal(seen.states >= ElementState.WASTE, expected), (array, work.passes)


def test_zeros_are_told_from_operands():
    """A product is busy where both operands are, multiplied out by hand."""
    rng = np.random.default_rng(11)
    for mode in (OS, WS, IS):
        array = SystolicArray(4, 3)
        p = ArrayPass(mode, 4, 3, 4)
        work = sequence(rng, array, (p,))
        left, top = (rng.integers(0, 2, bank.shape).astype(np.int16) for bank in work.memories)
        seen = film(array, work._replace(memories=(left, top)))
        a = left[: array_words(p)[0]].astype(int)
        b = top[: p.k].astype(int)
        real = (a.T @ b if mode == OS else a @ b[::-1]).sum()
        assert np.count_nonzero(seen.states == ElementState.BUSY) == real
        assert seen.multiplies.sum() == 4 * 3 * 4


def test_row_streams_begin_with_zeros():
    """Three taps over two values: the windows that end before them hold nothing real."""
    array = SystolicArray(1, 3)
    work = sequence(np.random.default_rng(12), array, (ArrayPass(ROWS, 1, 3, 2, taps=3),))
    left, top = work.memories
    seen = film(array, work._replace(memories=(np.ones_like(left), top)))
    pairs = sum(1 for end in (-1, 0, 1) for tap in range(3) if end - tap >= 0)
    assert np.count_nonzero(seen.states == ElementState.BUSY) == pairs == 3
    assert seen.multiplies.sum() == 9


def test_fill_and_drain_of_one_pass():
    """Two rows, one column, two products, on 2 x 2: every element at every clock, by hand."""
    array = SystolicArray(2, 2)
    work = sequence(np.random.default_rng(13), array, (ArrayPass(OS, 2, 1, 2),))
    for memory in work.memories:
        memory[:] = 1
    seen = film(array, work)
    idle, fill, busy = ElementState.IDLE, ElementState.FILL, ElementState.BUSY
    assert seen.states.tolist() == [
        [[busy, idle], [idle, idle]],
        [[busy, fill], [busy, idle]],
        [[idle, fill], [busy, fill]],
        [[idle, idle], [idle, fill]],
        *[[[idle, idle], [idle, idle]]] * 5,
    ]
    # The lower result leaves for the port, then the upper one by way of the lower element.
    assert seen.drain[:, :, 0].tolist() == [
        *[[False, False]] * 7,
        [True, True],
        [False, True],
    ]
    assert not seen.drain[:, :, 1].any()


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_a_part_is_what_the_whole_shows(overlap, monkeypatch):
    """Recorded in one go, from the middle on, and in pieces of a few clocks."""
    rng = np.random.default_rng(14)
    array = random_array(rng, (5, 4), overlap)
    work = random_sequence(rng, array, 12)
    whole = film(array, work)
    monkeypatch.setattr(of_array, "RECORDED_BYTES", 2000)
    middle = len(whole.states) // 2
    for clocks in (range(middle, len(whole.states)), range(middle, middle + 7), range(3)):
        part = ACTIVITY(array, work.commands, work.memories, work.used, clocks)
        assert np.array_equal(part.states, whole.states[clocks.start : clocks.stop])
        assert np.array_equal(part.drain, whole.drain[clocks.start : clocks.stop])
