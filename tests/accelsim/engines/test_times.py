"""When passes start and retire: the schedule against plain machines that step every register.

With earliest starts of all kinds, for all engines that have registers.
"""

from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines import ENGINES, Engine, depthwise, systolic_array
from accelsim.hls.nest import Loop, Section, times
from accelsim.passes import Opcode
from tests.engines import depthwise as depthwise_sequences
from tests.engines import systolic_array as sequences
from tests.engines.earliest import random_earliest
from tests.naive import depthwise as plain_depthwise
from tests.naive import systolic_array as plain_array

# With many rows or lanes a pass may wait for the results of the one before it.
SHAPES = st.sampled_from(((1, 1), (1, 4), (4, 1), (3, 2), (2, 3), (4, 4), (24, 1), (16, 2)))
SEEDS = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """A sequence on an engine; `plain` is the module of its machine, `used` marks what counts."""

    engine: Engine
    plain: ModuleType
    sizes: Any
    passes: tuple
    commands: np.ndarray
    memories: tuple
    used: Any = True


def on_array(rng, shape, modes, overlap):
    array = sequences.random_array(rng, shape, overlap)
    work = sequences.random_sequence(rng, array, int(rng.integers(1, 7)), modes)
    engine, plain = systolic_array.ENGINE, plain_array
    return Case(engine, plain, array, *work[:2], (work.left, work.top), work.used)


def on_depthwise(rng, shape, fill):
    sizes = depthwise_sequences.random_engine(rng, shape, fill)
    if rng.random() < 0.5:
        sizes = replace(sizes, results_per_clock=sizes.pixels)
    work = depthwise_sequences.small_sequence(rng, sizes, int(rng.integers(1, 6)))
    return Case(depthwise.ENGINE, plain_depthwise, sizes, *work[:2], (work.maps, work.taps))


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


def test_every_engine_with_registers_has_a_plain_machine():
    made = {make(np.random.default_rng(0), (2, 2)).engine.name for make in CASES.values()}
    assert made == {engine.name for engine in ENGINES if engine.registers}


def assert_same_times(case, earliest, change=lambda nest: nest):
    """Words and times of the machine are those of the golden model and of the schedule."""
    engine, plain, sizes, passes, commands, memories, used = case
    machine = plain.Machine(sizes, commands, *memories, earliest)
    for _ in plain.run(machine):
        pass
    nest = engine.nest(sizes, passes, "sequence")
    started, retired = times(change(nest), earliest)
    about = f"{sizes}\n{passes}\n{earliest}"
    assert machine.started == started.tolist(), about
    assert machine.retired == retired.tolist(), about
    expected = engine.registers.golden(sizes, commands, *memories)
    assert np.array_equal(machine.words * used, expected * used), about
    if earliest is None:
        assert retired[-1] - started[0] == nest.latency, about


@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, seed=SEEDS)
def test_passes_start_and_retire_as_on_a_plain_machine(make, shape, seed):
    rng = np.random.default_rng(seed)
    case = make(rng, shape)
    assert_same_times(case, random_earliest(rng, len(case.passes)))


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
        case = CASES[name](np.random.default_rng(seed), (24, 2))
        assert_same_times(case, None)
        try:
            assert_same_times(case, None, rigid)
        except AssertionError:
            told += 1
    assert told > 3
