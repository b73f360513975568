"""Passes of the depthwise engine that wait for units: what is the engine's own, and mutants."""

from typing import Any

import numpy as np
import pytest

from accelsim.engines.depthwise import ENGINE
from accelsim.errors import AccelsimError
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import times
from accelsim.passes import DepthwiseOpcode, DepthwisePass
from rtl.engines.depthwise import core, lanes
from tests.engines.depthwise import SUBJECT, sequence
from tests.rtl.agreement import check, levels_of
from tests.rtl.mutants import Mutant, load_last, planted
from tests.rtl.units import one_unit, random_units

SHAPES = ((3, 2), (2, 3), (8, 1))
SQUARE = DepthwisePass(DepthwiseOpcode.ROW, 2, 4, 6, 4, 6, 3, 3, 1, 1, 1, 1, 1, 1)
POINT = DepthwisePass(DepthwiseOpcode.ROW, 6, 1, 1, 1, 1)  # one tile of one tap


def started(
    engine: DepthwiseEngine, passes: tuple[DepthwisePass, ...], *waits: tuple[int, ...]
) -> list[int]:
    """Starts of passes that wait for counts of a unit, which are reached at these clocks."""
    work = sequence(np.random.default_rng(1), engine, passes)
    return check(SUBJECT, engine, [work], units=one_unit(*waits))[0].started.tolist()


def test_a_single_tap_waits_for_the_result_port_as_well():
    """Its only tap is the last one of its tile, and the tile before it leaves in six clocks."""
    engine = DepthwiseEngine(6, 2, 2)
    assert started(engine, (POINT,) * 4, (0, 1, 2, 3), (3, 12, 20)) == [0, 6, 12, 20]


def test_a_pass_is_filled_when_it_may_and_not_before_its_half_is_free():
    engine, passes = DepthwiseEngine(2, 3, 3, 1), (SQUARE, POINT._replace(channels=2), SQUARE)
    free = times(ENGINE.nest(engine, passes))[0].tolist()
    later = free[2] + 1
    assert started(engine, passes, (0, 1, 2), (1, later)) == [*free[:2], later]


CORE = (
    Mutant("nothing waits", "commands.valid.eq(head & ~closed)", "commands.valid.eq(head)"),
    Mutant("the head of the queue is lost", "& ~last & ~closed)", "& ~last)"),
    Mutant("a closed gate is a stall", "self.issue.empty & ~closed", "self.issue.empty"),
    Mutant("a gate of a clock before", "for n in range(self.engine.lead)",
           "for n in range(self.engine.lead - 1)"),
    Mutant("every tap is a start", "self.generator.extents, self.issue.begins",
           "self.generator.extents, self.issue.slot.valid"),
    Mutant("a start is that of the clock before", "self.started + starts",
           "self.started + (commands.valid & commands.ready)"),
)  # fmt: skip
LANES = (
    Mutant("every tile retires", "(self.beats_left == 1) & ends_pass", "self.beats_left == 1"),
    Mutant("a pass retires with its first word", "(self.beats_left == 1) & ends_pass",
           "(self.beats_left == summed.beats) & ends_pass"),
)  # fmt: skip


def verdict(made: Any) -> None:
    """AssertionError if a core is not in time with the schedule on random sequences."""
    levels = levels_of(SUBJECT)._replace(core=made)
    engine = DepthwiseEngine(2, 3)
    work = sequence(np.random.default_rng(1), engine, (SQUARE,) * 3)
    check(SUBJECT, engine, [work], units=one_unit((0, 1, 2), (300, 400)), levels=levels)
    banks, fill_port = SUBJECT.kinds.values()
    for seed in range(8):
        rng = np.random.default_rng((seed, 3))
        kind = fill_port if seed % 2 else banks
        engine = kind.sizes(rng, SHAPES[seed % 3])
        work = kind.small(rng, engine, int(rng.integers(1, 9)))
        units = random_units(rng, len(work.passes))
        check(SUBJECT, engine, [work], units=units, levels=levels)


PARTS = {lanes: LANES, core: CORE}


@planted(PARTS)
def test_error_in_waiting_is_caught(part, mutant, tmp_path, monkeypatch):
    changed = load_last(PARTS, part, mutant, tmp_path, monkeypatch).DepthwiseCore
    with pytest.raises((AssertionError, AccelsimError)):
        verdict(changed)


@pytest.mark.full
def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    verdict(load_last(PARTS, None, None, tmp_path, monkeypatch).DepthwiseCore)
