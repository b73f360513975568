"""The contract between the four levels of the depthwise engine, as one check for all tests."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import depthwise
from accelsim.engines.base import Run
from accelsim.engines.depthwise import cycle as depthwise_cycle
from accelsim.engines.depthwise.cycle import FIRST, LAST, TAP
from accelsim.hardware import DepthwiseEngine
from rtl.engines.depthwise.core import DepthwiseCore
from rtl.host.driver import Stalls
from tests.engines.depthwise import Sequence
from tests.rtl.depthwise_bench import Bench, Outcome

CLOCKS = 4  # at which the registers of a traced sequence are compared


class Levels(NamedTuple):
    """Who answers at each level; tests of the check itself put wrong ones in place."""

    golden: Callable[..., npt.NDArray[np.int32]] = depthwise.golden
    cycles: Callable[..., int] = depthwise.ENGINE.cycles
    simulate: Callable[..., Run] = depthwise_cycle.simulate
    core: Any = DepthwiseCore


class Tally(NamedTuple):
    """What a check has compared."""

    passes: int = 0
    stall_cycles: int = 0


def check(
    engine: DepthwiseEngine,
    sequences: list[Sequence],
    stalls: Stalls | None = None,
    trace: bool = False,
    levels: Levels | None = None,
) -> Tally:
    """AssertionError unless all levels agree on every sequence, run one after another.

    Values and cycles are equal; without a pause nothing stalls. With `trace`, the registers of
    the first sequence, which begins at reset, are compared at random clocks.
    """
    levels = levels or Levels()
    outcomes = Bench(engine, levels.core).run(sequences, stalls, trace)
    passes = 0
    for sequence, outcome in zip(sequences, outcomes, strict=True):
        about = f"{engine}\n{sequence.passes}"
        passes += len(sequence.passes)
        _check_numbers(levels, engine, sequence, outcome, about)
        if stalls is None:
            assert outcome.stall_cycles == 0, about
            # Without a fill port, a command is taken one clock before its first tap.
            assert outcome.clocks == outcome.busy_cycles + (not engine.fill_port), about
    if trace:
        about = f"{engine}\n{sequences[0].passes}"
        _check_registers(levels, engine, sequences[0], outcomes[0], about)
    return Tally(passes, sum(outcome.stall_cycles for outcome in outcomes))


def _check_numbers(
    levels: Levels, engine: DepthwiseEngine, sequence: Sequence, outcome: Outcome, about: str
) -> None:
    _, commands, maps, taps = sequence
    run = levels.simulate(engine, commands, maps, taps)
    schedule = levels.cycles(engine, sequence.body)
    assert (schedule, run.busy_cycles) == (outcome.busy_cycles,) * 2, f"cycles of {about}"
    least = outcome.busy_cycles + outcome.stall_cycles
    assert outcome.clocks == least if engine.fill_port else outcome.clocks > least, about
    golden = levels.golden(engine, commands, maps, taps)
    assert np.array_equal(golden, outcome.words), f"values of {about}"
    assert np.array_equal(run.words, outcome.words), f"values of cycle, {about}"


def _check_registers(
    levels: Levels, engine: DepthwiseEngine, sequence: Sequence, outcome: Outcome, about: str
) -> None:
    """Compare what belongs to a tap or a tile; what belongs to none is anything in hardware.

    Behind a fill port, lanes that have no channel keep what was there before, and maps lie where
    there is room for them: there, and where a sequence does not fit into half of the memories,
    places in the banks are not the same.
    """
    assert outcome.trace is not None
    clocks, trace = outcome.busy_cycles, outcome.trace
    rng = np.random.default_rng(clocks)
    used = min(p.channels for p in sequence.passes) if engine.fill_port else engine.lanes
    fits = 2 * len(sequence.maps) <= engine.bank_depth, 2 * len(sequence.taps) <= engine.tap_depth
    placed = all(fits) and not engine.fill_port
    for clock in sorted({0, clocks - 1, *rng.integers(clocks, size=CLOCKS).tolist()}):
        run = levels.simulate(engine, sequence.commands, sequence.maps, sequence.taps, clock)
        model = run.registers
        assert model is not None
        where = f"at clock {clock} of {about}"
        taps = model.tags & TAP != 0
        for name, theirs in (("x", model.operand), ("product", model.product)):
            ours = getattr(trace, name)[clock]
            assert np.array_equal(ours[:, :used], theirs[:, :used]), f"register {name} {where}"
        for name, theirs in (("acc", model.total), ("s", model.shadow)):
            ours = getattr(trace, name)[clock]
            assert np.array_equal(ours[:, :used], theirs[:, :used]), f"register {name} {where}"
        for name, there, theirs in (
            ("w1", taps[1], model.weight1), ("w2", taps[2], model.weight2),
            ("shift2", taps[1], model.shift2), ("odd2", taps[1] and placed, model.odd2),
        ):  # fmt: skip
            same = not there or np.array_equal(getattr(trace, name)[clock], theirs)
            assert same, f"register {name} {where}"
        assert np.array_equal(trace.mask1[clock], model.mask1), f"register mask1 {where}"
        assert np.array_equal(trace.mask2[clock], model.mask2), f"register mask2 {where}"
        assert np.array_equal(trace.first[clock] != 0, model.tags & FIRST != 0), f"first {where}"
        assert np.array_equal(trace.last[clock] != 0, model.tags & LAST != 0), f"last {where}"
        for name, tile, there in (
            ("made", model.next, model.counters.generator_valid),
            ("issued", model.tile, model.counters.issue_valid),
        ):
            valid, word, *ours = getattr(trace, name)[clock].tolist()
            assert valid == there, f"{name} {where}"
            assert not there or ours == [*tile.y, *tile.x], f"pixels {name} {where}"
            assert not (there and placed) or word == tile.word, f"word {name} {where}"
