"""Registers of the simulation against those of a plain machine, element by element."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines.systolic_array.cycle import record, simulate
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode
from tests.engines.earliest import random_earliest
from tests.engines.systolic_array import (
    FACTORS,
    random_array,
    random_sequence,
    random_state,
    sequence,
)
from tests.naive import systolic_array as plain

SHAPES = st.sampled_from(((1, 1), (1, 5), (5, 1), (3, 2), (2, 3), (4, 4), (12, 2)))


def random_work(rng, shape, overlap, mode):
    array = random_array(rng, shape, overlap)
    modes = tuple(Opcode) if mode is None else (mode,)
    return array, random_sequence(rng, array, 5, modes)


def equal(name, values, registers):
    """Whether registers are those of the plain machine; factors where they make a difference."""
    same = values == registers[name]
    return (same | (registers[FACTORS[name]] == 0) if name in FACTORS else same).all()


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, mode=st.none() | st.sampled_from(Opcode), seed=st.integers(0, 2**32 - 1))
def test_registers_are_those_of_a_plain_machine(overlap, shape, mode, seed):
    """Of all elements and tap buffers, at every clock of a sequence."""
    array, work = random_work(np.random.default_rng(seed), shape, overlap, mode)
    rows = work.commands, *work.memories
    machine = plain.Machine(array, *rows)
    expected = [machine.registers for _ in plain.run(machine)]
    recorded = record(array, *rows, range(len(expected)))._asdict()
    for name, values in recorded.items():
        for clock, registers in enumerate(expected):
            about = f"{name} at clock {clock}\n{array}\n{work.passes}"
            assert equal(name, values[clock], registers), about


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, mode=st.none() | st.sampled_from(Opcode), seed=st.integers(0, 2**32 - 1))
def test_passes_that_wait_are_those_of_a_plain_machine(overlap, shape, mode, seed):
    """Words, times, and registers at some clocks."""
    rng = np.random.default_rng(seed)
    array, work = random_work(rng, shape, overlap, mode)
    rows = work.commands, *work.memories
    earliest = random_earliest(rng, len(work.passes))
    machine = plain.Machine(array, *rows, earliest)
    expected = [machine.registers for _ in plain.run(machine)]
    about = f"{array}\n{work.passes}\n{earliest}"
    for clock in {0, len(expected) - 1, *rng.integers(len(expected), size=4).tolist()}:
        run = simulate(array, *rows, clock=clock, earliest=earliest)
        assert np.array_equal(run.words, machine.words), about
        assert run.started.tolist() == machine.started, about
        assert run.retired.tolist() == machine.retired, about
        for name, values in run.registers._asdict().items():
            assert equal(name, values, expected[clock]), f"{name} at {clock}\n{about}"


@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, overlap=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_what_waits_changes_no_value(shape, overlap, seed):
    """From any registers; passes start in order, and none before its clock."""
    rng = np.random.default_rng(seed)
    array, work = random_work(rng, shape, overlap, None)
    rows = work.commands, *work.memories
    state, passes = random_state(array, rng), len(work.passes)
    alone = simulate(array, *rows, state)
    none = simulate(array, *rows, state, earliest=np.zeros(passes, np.int64))
    assert alone.registers is None
    assert alone.started[0] == 0
    for one, other in zip(alone[:-1], none[:-1], strict=True):
        assert np.array_equal(one, other)
    earliest = rng.integers(0, 100, passes)
    run = simulate(array, *rows, state, earliest=earliest)
    assert np.array_equal(run.words[work.used], alone.words[work.used])
    assert run.busy_cycles == run.retired[-1] - run.started[0]
    assert (run.started >= np.maximum(earliest, alone.started)).all()
    assert (run.retired >= alone.retired).all()
    assert (np.diff(run.started) > 0).all()
    assert (np.diff(run.retired) >= 0).all()
    if not overlap:
        assert (run.started[1:] >= run.retired[:-1]).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (12, 2)], ids=str)
@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_passes_that_wait_very_long(shape, overlap):
    """Each runs as if it were alone; nothing moves meanwhile, and no time is spent on that."""
    rng = np.random.default_rng(shape)
    array, work = random_work(rng, shape, overlap, Opcode.OS)
    rows = work.commands, *work.memories
    short, long = (far * np.arange(1, len(work.passes) + 1) for far in (2000, 10**15))
    for before in (-1, 0, 1, 17):
        one = simulate(array, *rows, clock=4000 + before, earliest=short)
        other = simulate(array, *rows, clock=2 * 10**15 + before, earliest=long)
        assert np.array_equal(other.words, one.words)
        assert (other.started - long).tolist() == (one.started - short).tolist()
        assert (other.retired - long).tolist() == (one.retired - short).tolist()
        for found, expected in zip(other.registers, one.registers, strict=True):
            assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("earliest", "reason"),
    [
        ((0, -1), "the earliest start of pass 1 is a clock from 0 to 2**60, not -1"),
        (
            (0, 2**60 + 1),
            f"the earliest start of pass 1 is a clock from 0 to 2**60, not {2**60 + 1}",
        ),
        ((0, 1.5), "the earliest start of pass 1 is a clock from 0 to 2**60, not 1.5"),
        ((None, 0), "the earliest start of pass 0 is a clock from 0 to 2**60, not None"),
        (((0,), (0, 1)), "the earliest start of pass 0 is a clock from 0 to 2**60, not (0,)"),
        ((0,), "every one of 2 passes has an earliest start, not 1 of them"),
        ((0, 1, 2), "every one of 2 passes has an earliest start, not 3 of them"),
    ],
)
def test_earliest_starts_that_cannot_be_are_refused(earliest, reason):
    array = SystolicArray(2, 2)
    work = sequence(np.random.default_rng(0), array, (ArrayPass(Opcode.OS, 1, 1, 1),) * 2)
    with pytest.raises(UnsupportedError) as caught:
        simulate(array, work.commands, *work.memories, earliest=earliest)
    assert str(caught.value) == reason
