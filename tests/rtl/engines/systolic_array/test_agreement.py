"""Golden, schedule, register-accurate simulation and RTL give the same answer, to the clock."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines.systolic_array.cycle import State, random_state
from accelsim.hardware import Operands, SystolicArray
from accelsim.passes import ArrayPass, Opcode
from tests.engines.systolic_array import Sequence, random_array, random_sequence, sequence
from tests.rtl.agreement import Tally, check
from tests.rtl.bench import Pace

OS, WS, IS, ROWS = Opcode
MODES = ((OS,), (WS,), (IS,), (ROWS,), (WS, IS), (OS, ROWS), tuple(Opcode), tuple(Opcode))
PACES = (None, Pace(0.05, 5), Pace(0.05, 60), Pace(0.5, 2))
# A failure names its array and passes; nothing smaller is found by drawing other seeds.
PHASES = (Phase.explicit, Phase.generate)
BANK_DEPTH = 4096  # holds two of the longest sequences

# One row, one column, primes, not square either way; the largest costs most.
SHAPES = (
    (1, 1), (1, 2), (2, 1), (1, 8), (8, 1), (2, 2), (2, 5), (3, 2), (3, 7), (4, 4), (5, 3), (5, 7),
    (7, 2), (7, 5), (8, 4), (8, 8),
)  # fmt: skip
EVERY_SHAPE = tuple((rows, columns) for rows in range(1, 9) for columns in range(1, 9))


def random_check(
    shape: tuple[int, int],
    seed: int,
    modes: tuple[Opcode, ...],
    pace: Pace | None,
    trace: bool,
    overlap: bool,
    sequences: int,
) -> Tally:
    """Random sequences on a random array of the given shape, its registers random at first."""
    rng = np.random.default_rng((*shape, seed))
    array = random_array(rng, shape, overlap, BANK_DEPTH)
    work = [random_sequence(rng, array, int(rng.integers(1, 9)), modes) for _ in range(sequences)]
    state = random_state(array, rng)
    flags = rng.integers(0, 128, shape).astype(np.int32)
    return check(array, work, pace and pace._replace(seed=seed), state._replace(f=flags), trace)


@st.composite
def options(draw: st.DrawFn) -> tuple[int, tuple[Opcode, ...], Pace | None, bool, bool]:
    """Seed, modes, pace of the host, whether registers are compared, whether passes overlap."""
    return (
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(MODES)),
        draw(st.sampled_from(PACES)),
        draw(st.booleans()),
        draw(st.sampled_from((True, True, True, False))),
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@settings(max_examples=6, phases=PHASES)
@given(case=options())
def test_random_sequences_agree(shape, case):
    random_check(shape, *case, sequences=6)


@pytest.mark.full
@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=str)
@settings(max_examples=8, phases=PHASES)
@given(case=options())
def test_many_random_sequences_agree(shape, case):
    random_check(shape, *case, sequences=8)


def os(m, n, k):
    return ArrayPass(OS, m, n, k)


def ws(m, n, k, accumulate=0, emit=1):
    return ArrayPass(WS, m, n, k, accumulate=accumulate, emit=emit)


def input_stationary(m, n, k, accumulate=0, emit=1):
    return ArrayPass(IS, m, n, k, accumulate=accumulate, emit=emit)


def rows(m, n, k, taps, streams=1, fires=1):
    return ArrayPass(ROWS, m, n, k, taps, streams, fires)


# Every transition between two modes, in one order and the other.
TOUR = (
    os(3, 4, 5), ws(4, 4, 3), rows(3, 4, 5, 3), input_stationary(4, 4, 3), os(3, 4, 2),
    rows(2, 4, 6, 3), ws(2, 4, 2), input_stationary(3, 2, 3), ws(1, 1, 1), os(1, 1, 1),
    input_stationary(1, 4, 3), rows(3, 4, 4, 2), os(3, 4, 4),
)  # fmt: skip

CASES = {
    "os, drain slot tight": (os(3, 4, 1), os(3, 4, 1), os(3, 4, 2), os(3, 4, 3), os(3, 4, 1)),
    "os, mixed heights": (os(3, 3, 3), os(2, 4, 4), os(3, 2, 1), os(1, 1, 1), os(1, 4, 1)),
    "os, one of everything": (os(1, 1, 1),) * 4,
    "os, one row": (os(1, 4, 1),) * 5,
    "ws, one clock each": (ws(1, 4, 1),) * 5,
    "ws, k above m": (ws(1, 4, 3), ws(2, 4, 3), ws(1, 1, 3), ws(1, 4, 1)),
    "ws, m above k": (ws(9, 4, 1), ws(7, 3, 2), ws(5, 1, 3)),
    "is, one of everything": (input_stationary(1, 1, 1),) * 4,
    "ws, sums read in the clock in which they are written": (
        ws(1, 4, 1, 0, 0), ws(1, 4, 1, 1, 0), ws(1, 4, 1, 1, 0), ws(1, 4, 1, 1, 1),
    ),
    "ws, sums read in the clock after": (ws(2, 4, 1, 0, 0), ws(2, 4, 2, 1, 0), ws(2, 4, 1, 1, 1)),
    "is, sums as deep as the accumulator": (
        input_stationary(16, 4, 3, 0, 0), input_stationary(16, 4, 2, 1, 0),
        input_stationary(16, 4, 3, 1, 1),
    ),
    "sums kept while other modes work": (
        ws(3, 4, 3, 0, 0), os(3, 4, 2), rows(3, 4, 5, 3), ws(3, 4, 2, 1, 0), ws(9, 4, 2),
        input_stationary(3, 4, 1, 1, 1),
    ),
    "sums emitted twice": (ws(3, 4, 3, 0, 0), ws(3, 4, 3, 1, 1), ws(3, 4, 3, 1, 1)),
    "rows, one tap": (rows(3, 4, 3, 1), rows(3, 4, 4, 1), rows(1, 1, 2, 2), rows(3, 3, 2, 1)),
    "rows, fewest values": (rows(3, 4, 3, 5), rows(3, 3, 2, 8), rows(1, 2, 2, 8)),
    "rows, most values": (rows(3, 4, 6, 3), rows(3, 4, 11, 8), rows(2, 1, 8, 8)),
    "rows, streams": (rows(3, 4, 4, 3, streams=3), rows(1, 1, 2, 2, 5), rows(3, 2, 3, 3, 2)),
    "rows, fires": (rows(3, 4, 4, 3, fires=4), rows(2, 4, 3, 1, fires=3), rows(3, 3, 4, 2, 1, 5)),
    "rows, drain slot tight": (rows(3, 1, 2, 1), rows(3, 1, 2, 1), rows(3, 2, 2, 1), os(3, 1, 1)),
    "rows, its first tap behind ws": (ws(3, 4, 3), rows(3, 4, 3, 1), ws(1, 4, 1), rows(3, 2, 2, 1)),
    "all modes": TOUR,
    "all modes, reversed": TOUR[::-1],
}  # fmt: skip

# Six rows, two columns: drains that last longer than what follows needs to load.
TALL_CASES = {
    "a swap waits for the drain of os": (os(6, 2, 1), ws(1, 2, 1), ws(1, 2, 1), os(6, 1, 1)),
    "a swap waits for the drain of rows": (
        rows(6, 2, 2, 1), input_stationary(1, 2, 1), rows(5, 1, 2, 2), ws(2, 1, 1),
    ),
    "a stream waits for the drain": (os(6, 2, 3), rows(6, 1, 2, 1), rows(6, 2, 2, 1, 2)),
    "fires with as many rows as windows": (rows(2, 2, 2, 1, fires=5), os(6, 2, 1)),
}  # fmt: skip


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree_on_a_tall_array(overlap):
    rng = np.random.default_rng(4)
    array = SystolicArray(6, 2, max_taps=4, overlap=overlap, bank_depth=BANK_DEPTH)
    check(array, [sequence(rng, array, passes) for passes in TALL_CASES.values()], trace=True)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree(overlap):
    rng = np.random.default_rng(5)
    array = SystolicArray(3, 4, accumulator_depth=16, overlap=overlap, bank_depth=BANK_DEPTH)
    check(array, [sequence(rng, array, passes) for passes in CASES.values()], trace=True)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree_at_any_pace(overlap):
    rng = np.random.default_rng(6)
    array = SystolicArray(3, 4, accumulator_depth=16, overlap=overlap, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in CASES.values()]
    tally = check(array, work, Pace(0.1, 30, seed=1), random_state(array, rng), trace=True)
    assert tally.stall_cycles > 0


def constant(passes: tuple[ArrayPass, ...], array: SystolicArray, a: int, b: int) -> Sequence:
    """The passes with operand a on the left and b on top everywhere, taps included."""
    made = sequence(np.random.default_rng(0), array, passes)
    return made._replace(left=np.full_like(made.left, a), top=np.full_like(made.top, b))


@pytest.mark.parametrize(("a", "b"), [(-256, -256), (-256, 255), (255, -256), (255, 255)])
def test_extreme_operands_agree(a, b):
    """The widest sums that the operands and a narrow accumulator allow: 7 products of 2^16."""
    array = SystolicArray(3, 4, bank_depth=BANK_DEPTH, operands=Operands(9, 20))
    passes = (os(3, 4, 7), ws(4, 4, 3, 0, 0), ws(4, 4, 3, 1, 0), ws(4, 4, 1, 1, 1), os(1, 1, 1))
    streams = (rows(3, 4, 9, 7), rows(3, 4, 4, 2, streams=3), input_stationary(5, 4, 3))
    work = [constant(passes, array, a, b), constant(streams, array, a, b)]
    check(array, work, trace=True)


@pytest.mark.full
@pytest.mark.parametrize(("a", "b", "k"), [(-256, -256, 32767), (-256, 255, 32896)])
def test_longest_sums_agree(a, b, k):
    """One more product would wrap."""
    array = SystolicArray(1, 1, bank_depth=1 << 17)
    check(array, [constant((os(1, 1, k), os(1, 1, 1)), array, a, b)])


def test_a_core_is_frozen_by_a_missing_command_and_by_a_full_result_memory():
    """Values and busy cycles do not change, every frozen clock is counted."""
    rng = np.random.default_rng(7)
    array = SystolicArray(4, 2, accumulator_depth=16, bank_depth=BANK_DEPTH)
    work = [random_sequence(rng, array, 8) for _ in range(3)]
    assert check(array, work).stall_cycles == 0
    assert check(array, work, Pace(0.02, 100, seed=2)).stall_cycles > 50


@pytest.mark.parametrize("state", ["zero", "ones", "random"])
def test_first_registers_do_not_matter(state):
    rng = np.random.default_rng(8)
    array = SystolicArray(3, 3, accumulator_depth=8, bank_depth=BANK_DEPTH)
    begin = random_state(array, rng)
    if state != "random":
        begin = State(*(np.full_like(register, -(state == "ones")) for register in begin))
    begin = begin._replace(f=rng.integers(0, 128, (3, 3)).astype(np.int32))
    for mode in Opcode:
        check(array, [random_sequence(rng, array, 3, (mode,))], state=begin)
