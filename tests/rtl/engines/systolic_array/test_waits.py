"""Passes of the systolic array that wait for other units: what is the array's own, and mutants."""

from typing import Any

import numpy as np
import pytest

import rtl.lib.waits
from accelsim.engines.systolic_array import ENGINE
from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode
from rtl.engines.systolic_array import accumulators, core, retirement
from tests.engines.systolic_array import SUBJECT, random_array, random_sequence, sequence
from tests.rtl.agreement import check, levels_of
from tests.rtl.bench import Outcome
from tests.rtl.mutants import Mutant, load_last, planted
from tests.rtl.units import one_unit, random_units

OS, WS, *_ = Opcode


def outcome(
    array: SystolicArray, passes: tuple[ArrayPass, ...], *waits: tuple[int, ...]
) -> Outcome:
    """Of passes that wait for counts of a unit, which are reached at these clocks."""
    work = sequence(np.random.default_rng(1), array, passes)
    return check(SUBJECT, array, [work], units=one_unit(*waits))[0]


def test_a_stationary_tile_waits_and_the_stream_before_it_goes_on():
    array, passes = SystolicArray(3, 2), (ArrayPass(WS, 9, 2, 3),) * 3
    seen = outcome(array, passes, (0, 1, 2), (8, 200))
    assert seen.started.tolist() == [0, 8, 200]
    assert seen.retired[0] == ENGINE.cycles(array, passes[:1])


def test_passes_retire_with_a_wider_one_in_front_of_them():
    """One that is one column narrower ends a clock later in its first column: all in one clock."""
    array, passes = SystolicArray(1, 6), tuple(ArrayPass(OS, 1, n, 1) for n in range(6, 0, -1))
    seen = outcome(array, passes, (0,) * 6, (1,))
    assert seen.started.tolist() == [0, 1, 2, 3, 4, 5]
    assert set(seen.retired.tolist()) == {ENGINE.cycles(array, passes[:1])}


def test_passes_of_one_clock_start_one_behind_another():
    array, passes = SystolicArray(1, 1), (ArrayPass(OS, 1, 1, 1),) * 4
    seen = outcome(array, passes, (1, 0, 3, 4), (10, 20, 30, 40))
    assert seen.started.tolist() == [10, 11, 30, 40]


WAITS = (
    Mutant("a count is one too many", "(ahead >= 0)", "(ahead > 0)"),
    Mutant("counts end at their largest value", "ahead = Signal(signed(COUNT_BITS))",
           "ahead = Signal(signed(COUNT_BITS + 1))"),
    Mutant("0 is waited for", "(self.wait.retired == 0) | ", ""),
    Mutant("always the first unit", "self.progress[self.wait.unit]", "self.progress[0]"),
)  # fmt: skip

RETIREMENT = (
    Mutant("a pass retires with its first column", "self.tail == clocks", "clocks == 0"),
    Mutant("one pass retires in a clock", "self.passes.eq(due[0])", "self.passes.eq(due[0] != 0)"),
)

CORE = (
    Mutant("nothing waits", 'gates["staying"] & ~(', "~("),
    Mutant(
        "a closed gate is a stall",
        "Mux(head.valid, ~queue.has_room",
        'Mux(head.valid & gates["staying"], ~queue.has_room',
    ),
    Mutant(
        "a start is seen early", "self.started + begins", "self.started + self.sequencer.starting"
    ),
)

ACCUMULATORS = (
    Mutant("kept sums do not end", "drain.end, beat.end)", "drain.end, beat.beat & beat.end)"),
    Mutant("kept sums end at column 0", "draining | beat.beat | beat.end", "draining | beat.beat"),
)

PARTS = {rtl.lib.waits: WAITS, accumulators: ACCUMULATORS, retirement: RETIREMENT, core: CORE}


def verdict(made: Any) -> None:
    """AssertionError if a core is not in time with the schedule on random sequences."""
    levels = levels_of(SUBJECT)._replace(core=made)
    for seed in range(12):
        rng = np.random.default_rng((seed, 3))
        array = random_array(rng, ((1, 6), (3, 2), (5, 3))[seed % 3], overlap=seed != 0)
        work = random_sequence(rng, array, int(rng.integers(1, 12)))
        units = random_units(rng, len(work.passes))
        check(SUBJECT, array, [work], units=units, levels=levels)


@planted(PARTS)
def test_error_in_waiting_is_caught(part, mutant, tmp_path, monkeypatch):
    changed = load_last(PARTS, part, mutant, tmp_path, monkeypatch).Core
    with pytest.raises((AssertionError, AccelsimError)):
        verdict(changed)


@pytest.mark.full
def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    verdict(load_last(PARTS, None, None, tmp_path, monkeypatch).Core)
