"""Passes of the depthwise engine that wait for other units: RTL against schedule and golden."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accelsim.engines.depthwise import ENGINE, golden
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import times
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass, Wait, earliest_starts
from rtl.engines.depthwise import core, lanes
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.engines.depthwise.job import memories, of_sequence, used
from rtl.flow.cosim import result_bits
from rtl.host.driver import Bytes
from rtl.host.job import sums
from tests.engines.depthwise import Sequence, random_engine, sequence, small_sequence
from tests.rtl.mutants import Mutant, load, named
from tests.rtl.waits_bench import Outcome, Reached, WaitsBench, Work, random_waits

# In the last ones the results of a tile may take longer than the taps of the next.
SHAPES = ((1, 1), (1, 4), (4, 1), (3, 2), (2, 3), (8, 1), (12, 2))
UNITS = (1, 3, 16)


def work(core: Any, q: Sequence, waits: list[Wait], reached: Reached) -> Work:
    """A sequence as the bench takes it, all words where the host puts them."""
    held = memories(core.engine, q.commands, q.maps, q.taps)
    job = of_sequence(core.engine, core, np.hstack([q.commands, waits]), held)
    assert not any(fill.after.any() for fill in job.fills)  # the memories hold all of them
    return Work(
        {fill.stream: payloads(core, fill.stream, fill.words) for fill in job.fills},
        [record(command) for command in payloads(core, "commands", job.commands)],
        waits,
        reached,
        before=[0] * len(reached),
        results=job.results,
    )


def payloads(core: Any, stream: str, words: Bytes) -> list[Any]:
    """Words of a stream, by their fields."""
    shape = getattr(core, stream).payload.shape()
    return [shape.from_bits(int.from_bytes(word.tobytes(), "little")) for word in words]


def record(payload: Any) -> DepthwiseCommand:
    """The command of a payload, without its Wait."""
    work = DepthwisePass(*(payload.work[name] for name in DepthwisePass._fields))
    return DepthwiseCommand(work, *(payload[name] for name in DepthwiseCommand._fields[1:]))


def check(
    engine: DepthwiseEngine,
    q: Sequence,
    waits: list[Wait],
    reached: Reached,
    made: Any = DepthwiseCore,
) -> Outcome:
    """AssertionError unless the core starts and retires every pass when the schedule does."""
    earliest = earliest_starts(waits, reached)
    started, retired = times(ENGINE.nest(engine, q.body), earliest)
    component = made(engine, units=len(reached))
    bench = WaitsBench(component, 1 if engine.fill_port else 2)
    patience = len(q.maps) + len(q.taps) + int(retired[-1]) + 100
    outcome = bench.run(work(component, q, waits, reached), patience)
    about = f"{engine}\n{q.passes}\n{earliest}"
    assert np.array_equal(outcome.started, started), f"starts of {about}"
    assert np.array_equal(outcome.retired, retired), f"ends of {about}"
    assert (outcome.started >= earliest).all(), f"starts of {about}"
    assert outcome.busy_cycles == retired[-1] - started[0], f"busy cycles of {about}"
    assert outcome.stall_cycles == 0, f"stalls of {about}"
    bits = result_bits(component, outcome.words)
    words = sums(component, used(engine, q.commands), bits)
    expected = golden(engine, q.commands, q.maps, q.taps)
    assert np.array_equal(words, expected), f"values of {about}"
    return outcome


def random_check(
    rng: np.random.Generator, shape: tuple[int, int], fill: bool, made: Any = DepthwiseCore
) -> None:
    """A random sequence on a random engine of a shape, its results one lane at a time or more."""
    engine = random_engine(rng, shape, fill)
    if rng.random() < 0.5:
        engine = replace(engine, results_per_clock=engine.pixels)
    q = small_sequence(rng, engine, int(rng.integers(1, 9)))
    units = int(rng.choice(UNITS))
    check(engine, q, *random_waits(rng, len(q.passes), (0,) * units), made)


@pytest.mark.parametrize("fill", [False, True], ids=["banks", "fill port"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_passes_start_and_retire_as_in_the_schedule(shape, fill):
    rng = np.random.default_rng((*shape, fill))
    for _ in range(3):
        random_check(rng, shape, fill)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_many_passes_start_and_retire_as_in_the_schedule(shape, seed):
    rng = np.random.default_rng((*shape, seed))
    random_check(rng, shape, bool(rng.integers(2)))


def fixed(
    engine: DepthwiseEngine, *passes: DepthwisePass
) -> tuple[DepthwiseEngine, Sequence, list[int]]:
    """A sequence, and the clocks of each of its passes alone."""
    alone = [ENGINE.cycles(engine, (p,)) for p in passes]
    return engine, sequence(np.random.default_rng(1), engine, passes), alone


SQUARE = DepthwisePass(DepthwiseOpcode.ROW, 2, 4, 6, 4, 6, 3, 3, 1, 1, 1, 1, 1, 1)
POINT = DepthwisePass(DepthwiseOpcode.ROW, 6, 1, 1, 1, 1)  # one tile of one tap


@pytest.mark.parametrize("fill", [0, 5])
def test_units_that_nobody_waits_for_change_nothing(fill):
    rng = np.random.default_rng(2)
    engine = DepthwiseEngine(3, 4, 8, fill)
    q = small_sequence(rng, engine, 8)
    outcome = check(engine, q, [Wait(1, 0)] * 8, ((), (5, 6)))
    assert outcome.started[0] == 0
    assert outcome.busy_cycles == ENGINE.cycles(engine, q.body)


@pytest.mark.parametrize("fill", [0, 5])
def test_a_pass_that_waits_blocks_the_ones_behind_it_and_not_those_before_it(fill):
    """Nor is it a stall: the results of the pass before it are out long before it starts."""
    engine, q, alone = fixed(DepthwiseEngine(3, 4, 8, fill), SQUARE, SQUARE, SQUARE)
    outcome = check(engine, q, [Wait(0, 0), Wait(0, 1), Wait(0, 0)], ((900,),))
    assert outcome.started[:2].tolist() == [0, 900]
    assert outcome.retired[0] == alone[0]
    assert outcome.started[2] > 900


@pytest.mark.parametrize("fill", [0, 5])
def test_clocks_before_the_first_pass_starts_are_not_busy(fill):
    engine, q, alone = fixed(DepthwiseEngine(2, 3, 3, fill), SQUARE)
    outcome = check(engine, q, [Wait(0, 2)], ((7, 1000),))
    assert outcome.started.tolist() == [1000]
    assert outcome.busy_cycles == alone[0]


@pytest.mark.parametrize("gap", range(-3, 4))
def test_a_pass_starts_in_the_clock_in_which_it_may(gap):
    """Clocks around the one in which it would have started anyway, behind the taps before it."""
    engine, q, _ = fixed(DepthwiseEngine(2, 3), SQUARE, SQUARE)
    free = int(times(ENGINE.nest(engine, q.body))[0][1])
    outcome = check(engine, q, [Wait(0, 0), Wait(0, 1)], ((free + gap,),))
    assert outcome.started.tolist() == [0, free + max(gap, 0)]


def test_a_single_tap_waits_for_the_result_port_as_well():
    """Its only tap is the last one of its tile, and the tile before it leaves in six clocks."""
    engine, q, _ = fixed(DepthwiseEngine(6, 2, 2), POINT, POINT, POINT, POINT)
    waits = [Wait(0, 0), Wait(0, 1), Wait(0, 2), Wait(0, 3)]
    outcome = check(engine, q, waits, ((3, 12, 20),))
    assert outcome.started.tolist() == [0, 6, 12, 20]


def test_a_pass_is_filled_when_it_may_and_not_before_its_half_is_free():
    engine, q, _ = fixed(DepthwiseEngine(2, 3, 3, 1), SQUARE, POINT._replace(channels=2), SQUARE)
    free = times(ENGINE.nest(engine, q.body))[0]
    later = int(free[2]) + 1
    outcome = check(engine, q, [Wait(0, 0), Wait(0, 1), Wait(0, 2)], ((1, later),))
    assert outcome.started.tolist() == [*free[:2].tolist(), later]


CORE = (
    Mutant("nothing waits", "valid & is_open, ready & is_open", "valid, ready"),
    Mutant("the head of the queue is lost", "ready & is_open", "ready"),
    Mutant(
        "a closed gate is a stall",
        "commands.ready & ~self.commands.valid",
        "commands.ready & ~commands.valid",
    ),
    Mutant("every tap is a start", "slot.valid & pass_begins", "slot.valid"),
    Mutant("the first word of a fill is no start", "starts.eq(taken)", "starts.eq(0)"),
)
LANES = (
    Mutant("every tile retires", "(self.beats_left == 1) & ends_pass", "self.beats_left == 1"),
    Mutant("a pass retires with its first word", "(self.beats_left == 1) & ends_pass",
           "(self.beats_left == summed.beats) & ends_pass"),
)  # fmt: skip


def verdict(made: Any) -> None:
    """AssertionError if a core is not in time with the schedule on random sequences."""
    for seed in range(8):
        rng = np.random.default_rng((seed, 3))
        random_check(rng, SHAPES[3 + seed % 3], bool(seed % 2), made)


@named(CORE)
def test_error_in_the_core_is_caught(mutant, tmp_path, monkeypatch):
    with pytest.raises(AssertionError):
        verdict(load(core, mutant, tmp_path, monkeypatch).DepthwiseCore)


@named(LANES)
def test_error_in_the_lanes_is_caught(mutant, tmp_path, monkeypatch):
    load(lanes, mutant, tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        verdict(load(core, None, tmp_path, monkeypatch).DepthwiseCore)


def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    load(lanes, None, tmp_path, monkeypatch)
    verdict(load(core, None, tmp_path, monkeypatch).DepthwiseCore)
