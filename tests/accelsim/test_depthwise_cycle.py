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
from accelsim.passes import DepthwisePass
from tests.depthwise import LARGE_KERNELS, SMALL_KERNELS, convolutions, engines, operands, plans_of
from tests.depthwise_sequences import random_engine, random_sequence, sequence, small_sequence
from tests.naive import depthwise as plain

SHAPES = (
    *((1, 1), (1, 8), (8, 1), (3, 5), (8, 8), (32, 8), (8, 64), (9, 28), (9, 56)),
    *((16, 16), (17, 33), (5, 64), (64, 5), (1, 64), (64, 1), (64, 64)),
)


def assert_agreement(engine, work):
    """Values of the golden model, clocks of the schedule."""
    about = f"{engine}\n{work.passes}"
    done = simulate(engine, work.commands, work.maps, work.taps)
    assert done.busy_cycles == depthwise.ENGINE.cycles(engine, work.body), about
    expected = depthwise.golden(engine, work.commands, work.maps, work.taps)
    assert np.array_equal(done.words, expected), about


def assert_same_registers(found, expected, where):
    for name, value in found._asdict().items():
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
        assert_agreement(engine, random_sequence(rng, engine, int(rng.integers(1, 9))))


@pytest.mark.parametrize("fill", [False, True], ids=["wide", "fill"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_sequences_agree_on_all_sizes(shape, fill):
    rng = np.random.default_rng([*shape, fill])
    for _ in range(25):
        engine = random_engine(rng, shape, fill, depth=1 << 14)
        assert_agreement(engine, random_sequence(rng, engine, int(rng.integers(1, 6))))


@settings(max_examples=150)
@given(
    convolutions(kernels=SMALL_KERNELS + LARGE_KERNELS, most_size=40, most_channels=20),
    engines(most=64),
    st.integers(0, 1 << 30),
)
def test_layers_come_out_right(conv, engine, seed):
    """As programs of the dataflow, whose idle lanes and corners hold zeros."""
    x, w = operands(np.random.default_rng(seed), conv)
    for plan in plans_of(tap_serial, conv, engine):
        if any(depthwise.schedule.limits(engine, p) for p in passes_of(plan.body)):
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
    rows = work.commands, work.maps, work.taps
    done = simulate(engine, *rows)
    machine = plain.Machine(engine, *rows)
    for clock, expected in enumerate(plain.run(machine)):
        found = simulate(engine, *rows, clock)
        assert_same_registers(found.registers, expected, f"at clock {clock}\n{work}")
        assert np.array_equal(found.words, done.words)
        assert found.busy_cycles == done.busy_cycles
    assert np.array_equal(machine.words, done.words)
    assert machine.retired[-1] == done.busy_cycles


def test_registers_long_after_the_end():
    """Nothing moves any more; what was there stays."""
    rng = np.random.default_rng(1)
    engine = DepthwiseEngine(2, 3)
    work = sequence(rng, engine, (DepthwisePass(1, 2, 4, 4, 4, 4, 3, 3, pt=1, pl=1),))
    rows = work.commands, work.maps, work.taps
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
    taps = np.concatenate([work.taps[:, :2], np.full_like(work.taps[:, 2:], w)], axis=1)
    done = simulate(engine, work.commands, np.full_like(work.maps, x), taps)
    assert (done.words[:, 0] == total).all()
    assert not done.words[:, 1:].any()


def test_a_command_that_says_too_little_is_refused():
    """More outputs than its last row and column allow never leave."""
    engine = DepthwiseEngine(2, 4)
    work = sequence(np.random.default_rng(2), engine, (DepthwisePass(0, 2, 5, 5, 5, 5),))
    commands = work.commands.copy()
    commands[0, 15] = 2
    with pytest.raises(UnsupportedError, match="left 12 result words instead of 20"):
        simulate(engine, commands, work.maps, work.taps)
