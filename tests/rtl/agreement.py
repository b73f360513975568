"""The contract between the four levels, as one check that the tests share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import systolic_array
from accelsim.engines.base import Run
from accelsim.engines.systolic_array import cycle as systolic_array_cycle
from accelsim.engines.systolic_array.cycle import State
from accelsim.hardware import SystolicArray
from rtl.engines.systolic_array.core import Core
from tests.engines.systolic_array import Sequence
from tests.rtl.bench import ELEMENT_REGISTERS, Bench, Outcome, Pace

CLOCKS = 4  # at which the registers of a traced sequence are compared


class Levels(NamedTuple):
    """Who answers at each level; tests of the check itself put wrong ones in place."""

    golden: Callable[..., npt.NDArray[np.int32]] = systolic_array.golden
    cycles: Callable[..., int] = systolic_array.ENGINE.cycles
    simulate: Callable[..., Run] = systolic_array_cycle.simulate
    core: Any = Core


class Tally(NamedTuple):
    """What a check has compared."""

    passes: int = 0
    stall_cycles: int = 0


def check(
    array: SystolicArray,
    sequences: list[Sequence],
    pace: Pace | None = None,
    state: State | None = None,
    trace: bool = False,
    levels: Levels | None = None,
) -> Tally:
    """AssertionError unless all levels agree on every sequence, run one after another.

    Values are equal in the used columns, cycles to the clock; without a pause nothing stalls.
    With `trace` the register-accurate simulation starts from the RTL's registers and must equal
    it in every column, used or not, and in every register at random clocks.
    """
    levels = levels or Levels()
    outcomes = Bench(array, levels.core).run(sequences, pace, state, trace)
    passes = 0
    for sequence, outcome in zip(sequences, outcomes, strict=True):
        about = f"{array}\n{sequence.passes}"
        passes += len(sequence.passes)
        _check_numbers(levels, array, sequence, outcome, about)
        if pace is None or not pace.pause:
            assert outcome.stall_cycles == 0, about
        if trace:
            _check_registers(levels, array, sequence, outcome, about)
    return Tally(passes, sum(outcome.stall_cycles for outcome in outcomes))


def _check_numbers(
    levels: Levels, array: SystolicArray, sequence: Sequence, outcome: Outcome, about: str
) -> None:
    _, commands, left, top, used = sequence
    run = levels.simulate(array, commands, left, top)
    schedule = levels.cycles(array, sequence.passes)
    assert (schedule, run.busy_cycles) == (outcome.busy_cycles,) * 2, f"cycles of {about}"
    assert outcome.clocks == outcome.busy_cycles + outcome.stall_cycles, f"clocks of {about}"
    golden = levels.golden(array, commands, left, top)
    assert np.array_equal(golden[used], outcome.words[used]), f"values of {about}"
    assert np.array_equal(run.words[used], outcome.words[used]), f"values of cycle, {about}"


def _check_registers(
    levels: Levels, array: SystolicArray, sequence: Sequence, outcome: Outcome, about: str
) -> None:
    """Compare from the first frame of each element on, element (i, j) being i + j clocks late."""
    assert outcome.trace is not None
    trace, clocks = outcome.trace, outcome.busy_cycles + 1
    rng = np.random.default_rng(clocks)
    row, column = np.indices((array.rows, array.columns))
    begins = np.minimum(row + column, clocks - 1)
    grids = [grid[begins, row, column] for grid in trace[: len(ELEMENT_REGISTERS)]]
    taps_begin = np.minimum(np.arange(array.rows), clocks - 1)
    begin = State(*grids, trace.taps[taps_begin, np.arange(array.rows)])
    for clock in sorted({0, clocks - 1, *rng.integers(clocks, size=CLOCKS).tolist()}):
        run = levels.simulate(array, sequence.commands, sequence.left, sequence.top, begin, clock)
        assert np.array_equal(run.words, outcome.words), f"words of {about}"
        assert run.registers is not None
        begun = row + column < clock
        for name in ELEMENT_REGISTERS:
            same = getattr(run.registers, name) == getattr(trace, name)[clock]
            assert (same | ~begun).all(), f"register {name} at clock {clock} of {about}"
        same = run.registers.taps == trace.taps[clock]
        assert same[:clock].all(), f"taps at clock {clock} of {about}"
