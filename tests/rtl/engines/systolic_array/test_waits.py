"""Passes of the systolic array that wait for other units: RTL against schedule and golden."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import rtl.lib.waits
from accelsim.engines.systolic_array import ENGINE, golden
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import times
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, Wait, earliest_starts
from rtl.engines.systolic_array import core, retirement
from rtl.engines.systolic_array.core import Core
from tests.engines.systolic_array import Sequence, random_array, random_sequence, sequence
from tests.rtl.mutants import Mutant, load
from tests.rtl.waits_bench import COUNTS, Outcome, Reached, WaitsBench, Work, random_waits

OS, WS, IS, ROWS = Opcode
MODES = {opcode.name.lower(): (opcode,) for opcode in Opcode} | {"mixed": tuple(Opcode)}
# In tall arrays, streams of rows run ahead of the results of the pass before them.
SHAPES = ((1, 1), (1, 6), (6, 1), (2, 5), (5, 3), (4, 4), (12, 2))
UNITS = (1, 3, 16)
FIRST = 1  # clocks from a command to the first operand
BEFORE = (0, 1, 32767, 32768, 65530, 65535)  # passes that units have retired before


def work(q: Sequence, waits: list[Wait], reached: Reached, before: tuple[int, ...]) -> Work:
    """A sequence as the bench takes it."""
    commands = [ArrayCommand(ArrayPass(*row[:9]), *row[9:]) for row in q.commands.tolist()]
    fills = {
        name: [{"address": at, "data": word} for at, word in enumerate(words.tolist())]
        for name, words in (("left_fill", q.left), ("top_fill", q.top))
    }
    return Work(fills, commands, waits, reached, before, len(q.used))


def words_of(array: SystolicArray, outcome: Outcome) -> npt.NDArray[np.int64]:
    """int64[result words, C]."""
    bits = array.operands.accumulator_bits
    fields = [
        [word >> bits * j & (1 << bits) - 1 for j in range(array.columns)] for word in outcome.words
    ]
    table = np.array(fields, np.int64).reshape(-1, array.columns)
    return table - ((table >> bits - 1) << bits)


def check(
    array: SystolicArray,
    q: Sequence,
    waits: list[Wait],
    reached: Reached,
    before: tuple[int, ...] = (),
    core: Any = Core,
) -> Outcome:
    """AssertionError unless the core starts and retires every pass when the schedule does.

    before : as in Work; none if not given.
    """
    before = before or (0,) * len(reached)
    behind = [Wait(unit, (count - before[unit]) % COUNTS if count else 0) for unit, count in waits]
    earliest = earliest_starts(behind, reached)
    started, retired = times(ENGINE.nest(array, q.passes), earliest)
    bench = WaitsBench(core(array, units=len(reached)), FIRST)
    outcome = bench.run(work(q, waits, reached, before), int(retired[-1]) + 100)
    about = f"{array}\n{q.passes}\n{earliest}"
    assert np.array_equal(outcome.started, started), f"starts of {about}"
    assert np.array_equal(outcome.retired, retired), f"ends of {about}"
    assert outcome.busy_cycles == retired[-1] - started[0], f"busy cycles of {about}"
    assert outcome.stall_cycles == 0, f"stalls of {about}"
    expected = golden(array, q.commands, q.left, q.top)
    assert np.array_equal(words_of(array, outcome)[q.used], expected[q.used]), f"values of {about}"
    return outcome


def random_check(
    rng: np.random.Generator,
    shape: tuple[int, int],
    modes: tuple[Opcode, ...],
    overlap: bool,
    core: Any = Core,
) -> None:
    """A random sequence on a random array of a shape; units that have counted far before."""
    array = random_array(rng, shape, overlap)
    q = random_sequence(rng, array, int(rng.integers(1, 12)), modes)
    before = tuple(rng.choice(BEFORE, int(rng.choice(UNITS))).tolist())
    check(array, q, *random_waits(rng, len(q.passes), before), before, core)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@pytest.mark.parametrize("modes", MODES.values(), ids=MODES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_passes_start_and_retire_as_in_the_schedule(shape, modes, overlap):
    random_check(np.random.default_rng((*shape, *modes, overlap)), shape, modes, overlap)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_many_passes_start_and_retire_as_in_the_schedule(shape, seed):
    rng = np.random.default_rng((*shape, seed))
    random_check(rng, shape, tuple(Opcode), bool(rng.integers(4)))


def fixed(shape: tuple[int, int], passes: tuple[ArrayPass, ...]) -> tuple[SystolicArray, Sequence]:
    array = SystolicArray(*shape, bank_depth=256)
    return array, sequence(np.random.default_rng(1), array, passes)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_units_that_nobody_waits_for_change_nothing(overlap):
    rng = np.random.default_rng(2)
    array = random_array(rng, (4, 3), overlap)
    q = random_sequence(rng, array, 12)
    outcome = check(array, q, [Wait(1, 0)] * len(q.passes), ((), (5, 6)))
    assert outcome.started[0] == 0
    assert outcome.busy_cycles == ENGINE.cycles(array, q.passes)


def test_a_pass_that_waits_blocks_the_ones_behind_it_and_not_those_before_it():
    """Nor is it a stall: the results of the pass before it are out long before it starts."""
    array, q = fixed(
        (2, 3), (ArrayPass(OS, 2, 3, 4), ArrayPass(WS, 5, 3, 2), ArrayPass(OS, 1, 1, 1))
    )
    outcome = check(array, q, [Wait(0, 0), Wait(0, 1), Wait(0, 0)], ((5000,),))
    assert outcome.retired[0] == ENGINE.cycles(array, q.passes[:1])
    assert outcome.started[1] == 5000
    assert outcome.started[2] > 5000


def test_a_stationary_tile_waits_and_the_stream_before_it_goes_on():
    array, q = fixed((3, 2), (ArrayPass(WS, 9, 2, 3),) * 3)
    alone = ENGINE.cycles(array, q.passes[:1])
    outcome = check(array, q, [Wait(0, 0), Wait(0, 1), Wait(0, 2)], ((8, 200),))
    assert outcome.started.tolist() == [0, 8, 200]
    assert outcome.retired[0] == alone


def test_passes_retire_with_a_wider_one_in_front_of_them():
    """One that is one column narrower ends a clock later in its first column: all in one clock."""
    array, q = fixed((1, 6), tuple(ArrayPass(OS, 1, n, 1) for n in range(6, 0, -1)))
    outcome = check(array, q, [Wait(0, 0)] * 6, ((),))
    assert outcome.started.tolist() == [0, 1, 2, 3, 4, 5]
    assert set(outcome.retired.tolist()) == {ENGINE.cycles(array, q.passes[:1])}


def test_counts_go_on_behind_their_largest_value():
    array, q = fixed((1, 1), (ArrayPass(OS, 1, 1, 1),) * 4)
    waits = [Wait(0, 65535), Wait(0, 0), Wait(0, 1), Wait(0, 2)]
    outcome = check(array, q, waits, ((10, 20, 30, 40),), (65534,))
    assert outcome.started.tolist() == [10, 11, 30, 40]


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
    Mutant("nothing waits", "valid & self._gate_open(m)", "valid"),
    Mutant(
        "a closed gate is a stall",
        "sequencer.needs & ~self.commands.valid",
        "sequencer.needs & ~valid",
    ),
    Mutant(
        "a start is seen early", "self.started + begins", "self.started + self.sequencer.starting"
    ),
)

PARTS = {rtl.lib.waits: WAITS, retirement: RETIREMENT, core: CORE}


def load_core(part: ModuleType | None, mutant: Mutant | None, path: Path, patch: Any) -> Any:
    """The class Core of copies of the parts, one of them changed; the core comes last."""
    for module in PARTS:
        twin = load(module, mutant if module is part else None, path, patch)
    return twin.Core


def verdict(core: Any) -> None:
    """AssertionError if a core is not in time with the schedule on random sequences."""
    for seed in range(12):
        rng = np.random.default_rng((seed, 3))
        random_check(rng, ((1, 6), (3, 2), (5, 3))[seed % 3], tuple(Opcode), seed != 0, core)


@pytest.mark.parametrize(
    ("part", "mutant"),
    [
        pytest.param(part, mutant, id=mutant.about)
        for part, mutants in PARTS.items()
        for mutant in mutants
    ],
)
def test_error_in_waiting_is_caught(part, mutant, tmp_path, monkeypatch):
    changed = load_core(part, mutant, tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        verdict(changed)


def test_without_an_error_nothing_is_caught(tmp_path, monkeypatch):
    verdict(load_core(None, None, tmp_path, monkeypatch))
