"""The register-accurate depthwise engine: values, clocks, and every register at every clock."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.dataflows import tap_serial
from accelsim.engines import depthwise
from accelsim.engines.base import passes_of
from accelsim.engines.depthwise.cycle import simulate
from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import times
from accelsim.limits.depthwise import limits
from accelsim.passes import DepthwiseCommand, DepthwisePass, columns
from tests.accelsim.engines.depthwise.convolutions import (
    LARGE_KERNELS,
    SMALL_KERNELS,
    convolutions,
    engines,
    lists,
    operands,
    plans_of,
    sparse,
)
from tests.engines.depthwise import random_engine, random_sequence, sequence, small_sequence
from tests.engines.earliest import random_earliest
from tests.naive import depthwise as plain

ROW_TILES = columns(DepthwiseCommand)["row_tiles"]

SHAPES = (
    *((1, 1), (1, 8), (8, 1), (3, 5), (8, 8), (32, 8), (8, 64), (9, 28), (9, 56)),
    *((16, 16), (17, 33), (5, 64), (64, 5), (1, 64), (64, 1), (64, 64)),
)


def assert_agreement(engine, work, earliest=None):
    """Values of the golden model, clocks of the schedule."""
    about = f"{engine}\n{work.passes}\n{earliest}"
    done = simulate(engine, work.commands, *work.memories, earliest=earliest)
    started, retired = times(depthwise.ENGINE.nest(engine, work.passes, ""), earliest)
    assert np.array_equal(done.started, started), about
    assert np.array_equal(done.retired, retired), about
    assert done.busy_cycles == retired[-1] - started[0], about
    if earliest is None:
        assert done.busy_cycles == depthwise.ENGINE.cycles(engine, work.passes), about
    expected = depthwise.golden(engine, work.commands, *work.memories)
    assert np.array_equal(done.words, expected), about


def assert_same_registers(registers, expected, where):
    for name, value in registers._asdict().items():
        other = getattr(expected, name)
        if isinstance(value, tuple):
            assert_same_registers(value, other, f"{name} {where}")
        else:
            assert np.array_equal(value, other), f"{name} {where}"


@settings(max_examples=150, phases=(Phase.generate,))
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    fill=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_sequences_agree(shape, fill, seed):
    rng = np.random.default_rng(seed)
    engine = random_engine(rng, shape, fill)
    for _ in range(8):
        work = random_sequence(rng, engine, int(rng.integers(1, 9)))
        assert_agreement(engine, work)
        assert_agreement(engine, work, random_earliest(rng, len(work.passes)))


@pytest.mark.parametrize("fill", [False, True], ids=["wide", "fill"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_sequences_agree_on_all_sizes(shape, fill):
    rng = np.random.default_rng([*shape, fill])
    for _ in range(25):
        engine = random_engine(rng, shape, fill, depth=1 << 14)
        assert_agreement(engine, random_sequence(rng, engine, int(rng.integers(1, 6))))


EVERY = convolutions(kernels=SMALL_KERNELS + LARGE_KERNELS, most_size=40, most_channels=20)


@settings(max_examples=150)
@given(
    EVERY | sparse(EVERY) | lists(),
    engines(most=64),
    st.integers(0, 1 << 30),
)
def test_layers_come_out_right(conv, engine, seed):
    """As programs of the dataflow, whose idle lanes and corners hold zeros."""
    x, w = operands(np.random.default_rng(seed), conv)
    for plan in plans_of(tap_serial, conv, engine):
        if any(limits(engine, p) for p in passes_of(plan.body)):
            continue
        program = tap_serial.program(conv, engine, plan)
        maps, taps = program.operands(x, w, engine)
        done = simulate(engine, program.commands, maps, taps)
        assert done.busy_cycles == depthwise.ENGINE.cycles(engine, plan.body)
        expected = depthwise.golden(engine, program.commands, maps, taps)
        assert np.array_equal(done.words, expected)


@settings(max_examples=25, phases=(Phase.generate,))
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 7)),
    fill=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_registers_are_those_of_a_plain_machine(shape, fill, seed):
    """At every clock of a sequence, and its results and clocks too."""
    rng = np.random.default_rng(seed)
    engine = random_engine(rng, shape, fill)
    work = small_sequence(rng, engine, 4)
    earliest = random_earliest(rng, 4)
    rows = work.commands, *work.memories
    done = simulate(engine, *rows, earliest=earliest)
    machine = plain.Machine(engine, *rows, earliest)
    for clock, expected in enumerate(plain.run(machine)):
        where = f"at clock {clock}\n{work}\n{earliest}"
        *numbers, registers = simulate(engine, *rows, clock, earliest)
        assert_same_registers(registers, expected, where)
        for number, other in zip(numbers, done[:-1], strict=True):
            assert np.array_equal(number, other), where
    assert np.array_equal(machine.words, done.words)
    assert machine.started == done.started.tolist()
    assert machine.retired == done.retired.tolist()


@pytest.mark.parametrize("fill", [0, 2], ids=["wide", "fill"])
def test_earliest_starts_that_are_past_change_nothing(fill):
    rng = np.random.default_rng(3)
    engine = DepthwiseEngine(2, 3, fill_port=fill)
    work = small_sequence(rng, engine, 6)
    rows = work.commands, *work.memories
    without = simulate(engine, *rows)
    assert without.started[0] == 0
    for earliest in (np.zeros(6, int), without.started):
        for value, other in zip(simulate(engine, *rows, None, earliest), without, strict=True):
            assert np.array_equal(value, other)


@pytest.mark.parametrize("fill", [0, 2], ids=["wide", "fill"])
def test_passes_that_wait_very_long(fill):
    """Each runs as if it were alone; nothing moves meanwhile, and no time is spent on that."""
    rng = np.random.default_rng(4)
    engine = DepthwiseEngine(2, 3, fill_port=fill)
    work = small_sequence(rng, engine, 5)
    earliest = 10**15 * np.arange(1, 6)
    done = simulate(engine, work.commands, *work.memories, 3 * 10**15 - 5, earliest)
    assert np.array_equal(done.started, earliest)
    alone = [depthwise.ENGINE.cycles(engine, (p,)) for p in work.passes]
    assert (done.retired - done.started).tolist() == alone
    assert done.busy_cycles == 4 * 10**15 + alone[-1]
    expected = depthwise.golden(engine, work.commands, *work.memories)
    assert np.array_equal(done.words, expected)
    counters = done.registers.counters
    assert not any((counters.generator_valid, counters.issue_valid, counters.words_left))
    assert not done.registers.tags.any()


@pytest.mark.parametrize(
    ("earliest", "reason"),
    [
        ([0, -1], r"the earliest start of pass 1 is a clock from 0 to 2\*\*60, not -1"),
        ([0], "every one of 2 passes has an earliest start, not 1 of them"),
    ],
)
def test_earliest_starts_that_cannot_be_are_refused(earliest, reason):
    engine = DepthwiseEngine(2, 3)
    work = small_sequence(np.random.default_rng(5), engine, 2)
    with pytest.raises(UnsupportedError, match=reason):
        simulate(engine, work.commands, *work.memories, None, earliest)


def test_registers_long_after_the_end():
    """Nothing moves any more; what was there stays."""
    rng = np.random.default_rng(1)
    engine = DepthwiseEngine(2, 3)
    work = sequence(rng, engine, (DepthwisePass(1, 2, 4, 4, 4, 4, 3, 3, pt=1, pl=1),))
    rows = work.commands, *work.memories
    clocks = simulate(engine, *rows).busy_cycles
    after, later = (simulate(engine, *rows, clock).registers for clock in (clocks, clocks + 1000))
    assert_same_registers(later, after, "later")
    assert not any(after.counters)
    assert after.total.any()


@pytest.mark.parametrize(
    ("x", "w", "total"), [(-256, -256, 31 * 31 * 65536), (-256, 255, -31 * 31 * 65280)]
)
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (32, 8)], ids=str)
def test_largest_operands(shape, x, w, total):
    engine = DepthwiseEngine(*shape)
    p = DepthwisePass(0, engine.lanes, 31, 31, 1, 1, 31, 31)
    work = sequence(np.random.default_rng(0), engine, (p,))
    maps, taps = work.memories
    taps = np.concatenate([taps[:, :2], np.full_like(taps[:, 2:], w)], axis=1)
    done = simulate(engine, work.commands, np.full_like(maps, x), taps)
    assert (done.words[:, 0] == total).all()
    assert not done.words[:, 1:].any()


def test_a_command_that_says_too_little_is_refused():
    """More outputs than its rows have tiles for never leave."""
    engine = DepthwiseEngine(2, 4)
    work = sequence(np.random.default_rng(2), engine, (DepthwisePass(0, 2, 5, 5, 5, 5),))
    commands = work.commands.copy()
    commands[0, ROW_TILES] = 1
    with pytest.raises(UnsupportedError, match="left 10 result words instead of 20"):
        simulate(engine, commands, *work.memories)


def test_a_command_that_says_too_much_is_refused():
    engine = DepthwiseEngine(2, 4)
    work = sequence(np.random.default_rng(2), engine, (DepthwisePass(0, 2, 5, 5, 5, 5),))
    commands = work.commands.copy()
    commands[0, ROW_TILES] = 3
    with pytest.raises(UnsupportedError, match="leaves more than 20 result words"):
        simulate(engine, commands, *work.memories)
