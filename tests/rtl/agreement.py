"""The contract between the four levels, as one check for all engines."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.base import Run
from accelsim.hls.nest import Loop, times
from rtl.host.driver import Stalls
from tests.engines.base import Ints, Registers, Sequence, Subject
from tests.rtl import bench
from tests.rtl.bench import NOBODY, Outcome
from tests.rtl.units import Units

CLOCKS = 4  # at which registers are compared, beside the first and the last


class Levels(NamedTuple):
    """Who answers at each level; tests of the check itself put wrong ones in place."""

    nest: Callable[..., Loop]
    golden: Callable[..., npt.NDArray[np.int32]]
    simulate: Callable[..., Run]
    core: Callable[..., Any]


def levels_of(subject: Subject) -> Levels:
    """Those of an engine."""
    engine = subject.engine
    return Levels(
        engine.nest, engine.registers.golden, engine.registers.simulate, subject.core.core
    )


def check(
    subject: Subject,
    sizes: Any,
    sequences: list[Sequence],
    stalls: Stalls | None = None,
    units: Units = NOBODY,
    trace: bool = False,
    first: Registers | None = None,
    levels: Levels | None = None,
) -> list[Outcome]:
    """AssertionError unless all levels agree on every sequence, run one after another.

    Values are equal where they mean something, clocks everywhere, where passes start no earlier
    than the host's commands and its taking of results allow; without stalls of the host, nothing
    stalls. Where with stalls more than starts depends on the host, counters are those of the plain
    machine. With `units`, passes start and retire at the same clocks at all levels. With
    `trace` the registers of the first sequences are equal at random clocks. Parameters are those of
    `bench.run`.
    """
    levels = levels or levels_of(subject)
    outcomes = bench.run(subject, sizes, sequences, stalls, units, trace, first, made=levels.core)
    for sequence, outcome in zip(sequences, outcomes, strict=True):
        about = f"{sizes}\n{sequence.passes}\n{units}"
        if stalls and subject.counted:
            _check_values(levels, sizes, sequence, outcome, about)
            continue
        earliest = _earliest(units, outcome)
        _check_numbers(levels, sizes, sequence, earliest, units, outcome, about)
        nest = levels.nest(sizes, sequence.passes, "sequence")
        started, retired = times(nest, units.earliest if units.waits else None)
        alone = int(retired[-1] - started[0])
        _check_counters(stalls, alone, outcome, about)
        if outcome.trace:
            _check_registers(subject, levels, sizes, sequence, earliest, outcome, about)
    if stalls and subject.counted:
        counters = [(outcome.busy_cycles, outcome.stall_cycles) for outcome in outcomes]
        counted = subject.counted(sizes, sequences, outcomes[0].log)
        assert counters == counted, f"counters of {sizes}\n{sequences}"
    return outcomes


def stall_cycles(outcomes: list[Outcome]) -> int:
    """Of all sequences."""
    return sum(outcome.stall_cycles for outcome in outcomes)


def _earliest(units: Units, outcome: Outcome) -> Any:
    """Clocks before which passes do not start, for units, or for what the host had not done."""
    starts = [outcome.earliest, *([units.earliest] if units.waits else [])]
    return np.max(starts, axis=0)


def _check_numbers(
    levels: Levels,
    sizes: Any,
    sequence: Sequence,
    earliest: Ints,
    units: Units,
    outcome: Outcome,
    about: str,
) -> None:
    """Clocks and values."""
    _, commands, memories, used = sequence
    started, retired = times(levels.nest(sizes, sequence.passes, "sequence"), earliest)
    run = levels.simulate(sizes, commands, *memories, earliest=earliest)
    busy = int(retired[-1] - started[0])
    assert (busy, run.busy_cycles) == (outcome.busy_cycles,) * 2, f"cycles of {about}"
    levels_with_times = (run, outcome) if units.waits else (run,)
    for level in levels_with_times:
        assert np.array_equal(level.started, started), f"starts of {about}"
        assert np.array_equal(level.retired, retired), f"ends of {about}"
    assert (started >= earliest).all(), f"starts of {about}"
    assert np.array_equal(run.words[used], outcome.words[used]), f"values of cycle, {about}"
    _check_values(levels, sizes, sequence, outcome, about)


def _check_values(
    levels: Levels, sizes: Any, sequence: Sequence, outcome: Outcome, about: str
) -> None:
    """Those of the golden model."""
    _, commands, memories, used = sequence
    golden = levels.golden(sizes, commands, *memories)
    assert np.array_equal(golden[used], outcome.words[used]), f"values of {about}"


def _check_counters(stalls: Stalls | None, undisturbed: int, outcome: Outcome, about: str) -> None:
    """A sequence that takes longer than alone and `undisturbed` stalls."""
    if stalls is None:
        assert outcome.stall_cycles == 0, f"stalls of {about}"
    assert outcome.stall_cycles > 0 or outcome.busy_cycles == undisturbed, f"stalls of {about}"


def _check_registers(
    subject: Subject,
    levels: Levels,
    sizes: Any,
    sequence: Sequence,
    earliest: Ints,
    outcome: Outcome,
    about: str,
) -> None:
    """At random clocks, the first and the last."""
    simulate = partial(levels.simulate, earliest=earliest)
    busy = outcome.busy_cycles
    some = np.random.default_rng(busy).integers(busy, size=CLOCKS).tolist()
    for clock in sorted({0, busy - 1, *some}):
        try:
            subject.check_registers(simulate, sizes, sequence, outcome.words, outcome.trace, clock)
        except AssertionError as error:
            raise AssertionError(f"{error} of {about}") from error
