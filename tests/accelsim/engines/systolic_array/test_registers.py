"""Registers of the simulation against those of a plain machine, element by element."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines.systolic_array.cycle import record
from accelsim.passes import Opcode
from tests.naive import systolic_array as plain
from tests.sequences import random_array, random_sequence

SHAPES = st.sampled_from(((1, 1), (1, 5), (5, 1), (3, 2), (2, 3), (4, 4), (12, 2)))


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, mode=st.none() | st.sampled_from(Opcode), seed=st.integers(0, 2**32 - 1))
def test_registers_are_those_of_a_plain_machine(overlap, shape, mode, seed):
    """Of all elements and tap buffers, at every clock of a sequence."""
    rng = np.random.default_rng(seed)
    array = random_array(rng, shape, overlap)
    modes = tuple(Opcode) if mode is None else (mode,)
    work = random_sequence(rng, array, 5, modes)
    rows = work.commands, work.left, work.top
    machine = plain.Machine(array, *rows)
    expected = [machine.registers for _ in plain.run(machine)]
    found = record(array, *rows, range(len(expected)))._asdict()
    for name, values in found.items():
        for clock, registers in enumerate(expected):
            about = f"{name} at clock {clock}\n{array}\n{work.passes}"
            assert np.array_equal(values[clock], registers[name]), about
