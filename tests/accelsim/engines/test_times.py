"""When passes start and retire: the schedule against plain machines that step every register.

With earliest starts of all kinds, for all engines that have registers.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines import depthwise, systolic_array
from accelsim.engines.depthwise import schedule as depthwise_schedule
from accelsim.engines.systolic_array import schedule as array_schedule
from accelsim.hls.nest import Loop, Section, times
from accelsim.passes import Opcode
from tests import depthwise_sequences, sequences
from tests.earliest import random_earliest
from tests.naive import depthwise as plain_depthwise
from tests.naive import systolic_array as plain_array

# With many rows or lanes a pass may wait for the results of the one before it.
SHAPES = st.sampled_from(((1, 1), (1, 4), (4, 1), (3, 2), (2, 3), (4, 4), (24, 1), (16, 2)))
SEEDS = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """A sequence on an engine: its schedule, its machine, and what must leave where it counts."""

    about: str
    nest: Loop
    passes: int
    machine: Callable[[Any], Any]
    run: Callable[[Any], Any]
    golden: np.ndarray
    used: np.ndarray


def on_array(rng, shape, modes, overlap):
    array = sequences.random_array(rng, shape, overlap)
    work = sequences.random_sequence(rng, array, int(rng.integers(1, 7)), modes)
    rows = work.commands, work.left, work.top
    return Case(
        f"{array}\n{work.passes}",
        array_schedule.nest(array, work.passes),
        len(work.passes),
        lambda earliest: plain_array.Machine(array, *rows, earliest),
        plain_array.run,
        systolic_array.golden(array, *rows),
        work.used,
    )


def on_depthwise(rng, shape, fill):
    engine = depthwise_sequences.random_engine(rng, shape, fill)
    if rng.random() < 0.5:
        engine = replace(engine, results_per_clock=engine.pixels)
    work = depthwise_sequences.small_sequence(rng, engine, int(rng.integers(1, 6)))
    rows = work.commands, work.maps, work.taps
    golden = depthwise.golden(engine, *rows)
    return Case(
        f"{engine}\n{work.passes}",
        depthwise_schedule.nest(engine, work.body),
        len(work.passes),
        lambda earliest: plain_depthwise.Machine(engine, *rows, earliest),
        plain_depthwise.run,
        golden,
        np.full(golden.shape, True),
    )


MODES = (*((mode,) for mode in Opcode), tuple(Opcode))
CASES = {
    f"array {'+'.join(mode.name.lower() for mode in modes)}{'' if overlap else ' no overlap'}": (
        lambda rng, shape, modes=modes, overlap=overlap: on_array(rng, shape, modes, overlap)
    )
    for modes in MODES
    for overlap in (True, False)
} | {
    f"depthwise{' fill' if fill else ''}": (
        lambda rng, shape, fill=fill: on_depthwise(rng, shape, fill)
    )
    for fill in (False, True)
}


def assert_same_times(case, earliest):
    """Words and times of the machine are those of the golden model and of the schedule."""
    machine = case.machine(earliest)
    for _ in case.run(machine):
        pass
    started, retired = times(case.nest, earliest)
    about = f"{case.about}\n{earliest}"
    assert machine.started == started.tolist(), about
    assert machine.retired == retired.tolist(), about
    assert np.array_equal(np.where(case.used, machine.words, 0), case.golden * case.used), about
    if earliest is None:
        assert retired[-1] - started[0] == case.nest.latency, about


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, seed=SEEDS)
def test_passes_start_and_retire_as_on_a_plain_machine(case, shape, seed):
    rng = np.random.default_rng(seed)
    made = case(rng, shape)
    assert_same_times(made, random_earliest(rng, made.passes))


def rigid(loop):
    """The nest with nothing that runs ahead."""
    if isinstance(loop, Loop):
        return loop._replace(body=tuple(rigid(node) for node in loop.body))
    sections = tuple(Section(stages, after) for stages, after, _ in loop.sections)
    return type(loop)(loop.name, sections, loop.tail)


@pytest.mark.parametrize("name", ["array rows", "depthwise"])
def test_a_schedule_in_which_nothing_runs_ahead_is_told_from_the_machine(name):
    told = 0
    for seed in range(40):
        made = CASES[name](np.random.default_rng(seed), (24, 2))
        assert_same_times(made, None)
        try:
            assert_same_times(made._replace(nest=rigid(made.nest)), None)
        except AssertionError:
            told += 1
    assert told > 3
