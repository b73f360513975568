"""Golden, schedule and register-accurate simulation agree; formulas and tables from outside."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.engines.base import passes_of
from accelsim.engines.systolic_array import ENGINE, golden
from accelsim.engines.systolic_array.cycle import CAPTURE, SHIFT_SHADOW, simulate
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.limits.systolic_array import limits
from accelsim.passes import ArrayPass, Opcode, Repeat, array_words, misplaced
from tests.engines.systolic_array import (
    random_array,
    random_pass,
    random_sequence,
    random_state,
    sequence,
)
from tests.naive import array_passes

OS, WS, IS, ROWS = Opcode
MODES = ((OS,), (WS,), (IS,), (ROWS,), (WS, IS), (OS, ROWS), tuple(Opcode), tuple(Opcode))
ADDED = 8  # where the control bits of the product that is added are in g
LARGE = ((16, 16), (17, 32), (32, 16), (64, 64), (64, 48), (128, 128), (1, 128), (128, 1), (100, 3))


def assert_agreement(array, work, state=None):
    """The three levels on one sequence, golden in the used columns."""
    about = f"{array}\n{work.passes}"
    run = simulate(array, work.commands, *work.memories, state)
    assert run.busy_cycles == ENGINE.cycles(array, work.passes), about
    expected = golden(array, work.commands, *work.memories)
    assert np.array_equal(run.words[work.used], expected[work.used]), about


@settings(max_examples=200, phases=(Phase.generate,))
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    overlap=st.sampled_from((True, True, True, False)),
    modes=st.sampled_from(MODES),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_sequences_agree(shape, overlap, modes, seed):
    """From any registers: what a sequence leaves behind does not reach the next one."""
    rng = np.random.default_rng(seed)
    array = random_array(rng, shape, overlap)
    for _ in range(20):
        work = random_sequence(rng, array, int(rng.integers(1, 12)), modes)
        assert_agreement(array, work, random_state(array, rng))


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_random_sequences_agree_on_large_arrays(shape):
    rng = np.random.default_rng(shape)
    for modes in MODES:
        array = random_array(rng, shape)
        assert_agreement(array, random_sequence(rng, array, 12, modes), random_state(array, rng))


def small_passes(array):
    """Every pass that an array can run, as far as its numbers are small."""
    for opcode, m, n, k in product(Opcode, (1, 2), (1, 2), (1, 2, 3)):
        for taps, streams, fires in product((0, 1, 2), (1, 2), (1, 2, 3)):
            for accumulate, emit in product((0, 1), (0, 1)):
                p = ArrayPass(opcode, m, n, k, taps, streams, fires, accumulate, emit)
                if limits(array, p) is None:
                    yield p


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 2), *(pytest.param(each, marks=pytest.mark.full) for each in ((2, 1), (2, 2)))],
    ids=str,
)
def test_every_pair_of_small_passes_agrees(shape, overlap):
    """Whatever `limits` lets pass, alone or behind any other pass."""
    array = SystolicArray(*shape, max_taps=2, accumulator_depth=2, overlap=overlap)
    rng = np.random.default_rng(1)
    passes = list(small_passes(array))
    # Sums that no pass has written, or only in a column it does not use, mean nothing.
    first = ArrayPass(WS, array.accumulator_depth, array.columns, 1, emit=0)
    for one, two in product(passes, passes):
        work = (first, *closed(one), *closed(two))
        if keeps(one) and goes_on(two):
            work = (first, *closed(one)[:-1], *closed(two)[1:])
        elif two.accumulate and not one.emit and one.n < two.n:
            continue
        if all(misplaced(*pair) is None for pair in pairwise((*work, None))):
            assert_agreement(array, sequence(rng, array, work))


def keeps(p):
    return p.opcode in (OS, ROWS) and not p.emit


def goes_on(p):
    return p.opcode in (OS, ROWS) and p.accumulate == 1


def closed(p):
    """A pass with one before it and one behind it, where it goes on with sums or keeps them."""
    before = (p._replace(accumulate=0, emit=0),) if goes_on(p) else ()
    behind = (p._replace(accumulate=1, emit=1),) if keeps(p) else ()
    return (*before, p, *behind)


def test_golden_is_what_the_passes_mean():
    """Against loops over single values."""
    rng = np.random.default_rng(2)
    for _ in range(60):
        array = random_array(rng, tuple(rng.integers(1, 6, 2).tolist()))
        work = random_sequence(rng, array, 3)
        operands = (memory.astype(int) for memory in work.memories)
        meaning = array_passes.result_words(array, work.commands, *operands)
        words = golden(array, work.commands, *work.memories)
        assert np.array_equal(words[work.used], meaning.reshape(words.shape)[work.used])


@pytest.mark.parametrize(
    ("a", "b", "k", "total"),
    [
        (-256, -256, 32767, 2**31 - 65536),
        (-256, 255, 32896, -(2**31) + 32768),
        (255, 255, 33025, 2147450625),
    ],
)
def test_longest_sums_do_not_wrap(a, b, k, total):
    """One more product would."""
    assert not -(2**31) <= total + a * b < 2**31
    array = SystolicArray(1, 1)
    left, top = np.full((k, 1), a, np.int16), np.full((k, 1), b, np.int16)
    command = np.array([[*ArrayPass(OS, 1, 1, k), 0, 0, 1]], np.int64)
    assert simulate(array, command, left, top).words.tolist() == [[total]]
    assert golden(array, command, left, top).tolist() == [[total]]
    assert simulate(array, command, left, top).busy_cycles == k + 1 + 1 + 1 + 2


# ---- clocks --------------------------------------------------------------------------------


def load_clocks(p):
    """Clocks of the left port until the results of a pass (of its first fire) are captured."""
    return p.k if p.opcode == OS else p.streams * (p.taps + p.k)


def recursion(array, passes):
    """Busy clocks by the law of the ports: e' = e + max(load', drain), and its like for tiles.

    `e` is the clock at which the results of the last pass are captured, or its stream begins.
    """
    e, drain, streaming, total = 0, 0, False, 0
    for p in passes:
        if p.opcode in (WS, IS):
            # Behind a stream the tile loads meanwhile; behind os and rows the port is taken.
            e = e + max(drain, p.k) if streaming else max(e + p.k + 1, e - 1 + drain)
            drain, streaming = p.m, True
            end = e + array.rows + p.m + p.n + 3
        else:
            e = e + drain + load_clocks(p) if streaming else e + max(load_clocks(p), drain)
            e += (p.fires - 1) * p.n
            # Sums that stay in the array have a clock of the result port.
            drain, streaming = p.m if p.emit else 1, False
            end = e + array.rows + drain + p.n + 2
        total = max(total, end)
    return total


@settings(max_examples=200)
@given(
    shape=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    modes=st.sampled_from(MODES),
    seed=st.integers(0, 2**32 - 1),
)
def test_schedule_is_the_law_of_the_ports(shape, modes, seed):
    rng = np.random.default_rng(seed)
    array = SystolicArray(*shape)
    plain = SystolicArray(*shape, overlap=False)
    passes = random_sequence(rng, array, int(rng.integers(1, 20)), modes).passes
    assert ENGINE.cycles(array, passes) == recursion(array, passes)
    assert ENGINE.cycles(plain, passes) == sum(recursion(plain, (p,)) for p in passes)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (ArrayPass(OS, 5, 3, 7), lambda R: 7 + R + 5 + 3 + 2),
        (ArrayPass(WS, 9, 3, 4), lambda R: 4 + R + 9 + 3 + 4),
        (ArrayPass(IS, 1, 3, 6), lambda R: 6 + R + 1 + 3 + 4),
        (ArrayPass(ROWS, 5, 4, 6, taps=3), lambda R: (3 + 6) + R + 5 + 4 + 2),
        (ArrayPass(ROWS, 5, 4, 6, taps=3, streams=3), lambda R: 3 * (3 + 6) + R + 5 + 4 + 2),
        (ArrayPass(ROWS, 3, 4, 6, taps=3, fires=4), lambda R: (3 + 6) + 3 * 4 + R + 3 + 4 + 2),
    ],
)
@pytest.mark.parametrize("overlap", [True, False])
def test_clocks_of_a_single_pass(p, expected, overlap):
    for rows in (6, 7, 31):
        array = SystolicArray(rows, 4, overlap=overlap)
        assert ENGINE.cycles(array, (p,)) == expected(rows)


@pytest.mark.parametrize(("rows", "columns", "k"), [(4, 4, 9), (8, 3, 1), (16, 16, 100)])
def test_full_os_pass_takes_the_published_clocks(rows, columns, k):
    """2 R + C + T - 2, SCALE-Sim's formula for an output-stationary fold, and four for the product.

    Its elements multiply and add in one clock.
    """
    expected = 2 * rows + columns + k - 2 + 4
    assert (
        ENGINE.cycles(SystolicArray(rows, columns), (ArrayPass(OS, rows, columns, k),)) == expected
    )


@pytest.mark.parametrize(
    ("p", "interval"),
    [
        (ArrayPass(OS, 6, 4, 3), 6),
        (ArrayPass(OS, 3, 4, 9), 9),
        (ArrayPass(WS, 9, 4, 2), 9),
        (ArrayPass(IS, 2, 4, 6), 6),
        (ArrayPass(ROWS, 6, 4, 4, taps=3), 7),
        (ArrayPass(ROWS, 6, 1, 2, taps=2), 6),
    ],
)
def test_equal_passes_follow_at_the_bound_of_the_ports(p, interval):
    array = SystolicArray(6, 4)
    one = ENGINE.cycles(array, (p,))
    assert [ENGINE.cycles(array, (p,) * count) for count in (2, 3, 7)] == [
        one + interval,
        one + 2 * interval,
        one + 6 * interval,
    ]


def test_repeated_passes_cost_what_they_cost_one_by_one():
    rng = np.random.default_rng(3)
    for overlap in (True, False):
        array = SystolicArray(5, 4, overlap=overlap)
        for _ in range(50):
            a, b, c, d = (random_pass(rng, array, Opcode(int(rng.integers(4)))) for _ in range(4))
            inner = Repeat(int(rng.integers(1, 9)), (b, c))
            body = (a, Repeat(int(rng.integers(1, 9)), (inner, d, a)), b)
            assert ENGINE.cycles(array, body) == ENGINE.cycles(array, tuple(passes_of(body)))


# Four os passes (m, k) on three rows, clock by clock, from the proof of the drain: who captures
# (clock, row), which rows shift their shadows, and whose row of which pass is at the bottom. There
# an element multiplies and adds in one clock; here all of it is four clocks later.
DRAIN_PASSES = ((3, 3), (2, 4), (3, 1), (1, 1))
DRAIN_CAPTURES = ((2, 0), (3, 1), (4, 2), (7, 1), (8, 2), (8, 0), (9, 1), (10, 2), (13, 2))
DRAIN_SHIFTS = {5: {1, 2}, 6: {2}, 9: {2}, 11: {1, 2}, 12: {2}}
DRAIN_BOTTOM = {
    5: (0, 2), 6: (0, 1), 7: (0, 0), 9: (1, 1), 10: (1, 0), 11: (2, 2), 12: (2, 1), 13: (2, 0),
    14: (3, 0),
}  # fmt: skip


def test_drain_goes_as_in_its_proof():
    array = SystolicArray(3, 2)
    work = sequence(
        np.random.default_rng(4), array, tuple(ArrayPass(OS, m, 2, k) for m, k in DRAIN_PASSES)
    )
    left, top = work.memories
    results = {}
    for number, (m, k) in enumerate(DRAIN_PASSES):
        a_at, b_at = work.commands[number, 9:11]
        a = left[a_at : a_at + k, array.rows - m :].astype(int)
        b = top[b_at : b_at + k, 0].astype(int)
        results |= {(number, row): a[:, row] @ b for row in range(m)}
    captures, shifts = set(), {}
    for clock in range(15):
        state = simulate(array, work.commands, *work.memories, None, clock + 4).registers
        if clock in DRAIN_BOTTOM:
            assert state.s[2, 0] == results[DRAIN_BOTTOM[clock]], clock
        captures |= {(clock, row) for row in range(3) if state.g[row, 0] >> ADDED & CAPTURE}
        moving = {row for row in range(3) if state.g[row, 0] >> ADDED & SHIFT_SHADOW}
        shifts |= {clock: moving} if moving else {}
    assert captures >= set(DRAIN_CAPTURES)
    assert {clock for clock, row in captures if row == 2} == {4, 8, 10, 13}
    assert shifts == DRAIN_SHIFTS


# ---- limits --------------------------------------------------------------------------------

LIMITS = (
    (ArrayPass(OS, 5, 1, 1), "a pass uses at most 4 rows, not 5"),
    (ArrayPass(WS, 1, 1, 5), "a pass uses at most 4 rows, not 5"),
    (ArrayPass(IS, 1, 4, 1), "a pass uses at most 3 columns, not 4"),
    (ArrayPass(ROWS, 1, 1, 7, taps=7), "a pass uses at most 6 taps, not 7"),
    (ArrayPass(OS, 0, 1, 1), "m of a pass is from 1 to 65535, not 0"),
    (ArrayPass(OS, 1, -1, 1), "n of a pass is from 1 to 65535, not -1"),
    (ArrayPass(OS, 1, 1, 65536), "k of a pass is from 1 to 65535, not 65536"),
    (ArrayPass(WS, 65536, 1, 1), "m of a pass is from 1 to 65535, not 65536"),
    (ArrayPass(4, 1, 1, 1), "opcode of a pass is from 0 to 3, not 4"),
    (ArrayPass(ROWS, 1, 1, 2, 1, 0), "streams of a pass is from 1 to 255, not 0"),
    (ArrayPass(ROWS, 1, 1, 2, 1, 1, 65536), "fires of a pass is from 1 to 65535, not 65536"),
    (ArrayPass(WS, 1, 1, 1, accumulate=2), "accumulate of a pass is from 0 to 1, not 2"),
    (ArrayPass(WS, 9, 1, 1, emit=0), "a pass accumulates at most 8 rows, not 9"),
    (ArrayPass(IS, 9, 1, 1, accumulate=1), "a pass accumulates at most 8 rows, not 9"),
    (ArrayPass(OS, 1, 1, 1, taps=1), "only rows has taps, streams and fires"),
    (ArrayPass(WS, 1, 1, 1, streams=2), "only rows has taps, streams and fires"),
    (ArrayPass(IS, 1, 1, 1, fires=2), "only rows has taps, streams and fires"),
    (ArrayPass(ROWS, 1, 1, 2), "rows needs at least one tap"),
    (
        ArrayPass(ROWS, 1, 1, 1, taps=3),
        "1 windows of 3 taps need max(2, n - 1) to n + taps - 1 values, not 1",
    ),
    (
        ArrayPass(ROWS, 1, 3, 6, taps=3),
        "3 windows of 3 taps need max(2, n - 1) to n + taps - 1 values, not 6",
    ),
    (
        ArrayPass(ROWS, 1, 3, 3, 2, streams=2, fires=2),
        "a pass that fires more than once has one stream, n >= m and n > taps",
    ),
    (
        ArrayPass(ROWS, 4, 3, 3, 2, fires=2),
        "a pass that fires more than once has one stream, n >= m and n > taps",
    ),
    (
        ArrayPass(ROWS, 1, 3, 3, 3, fires=2),
        "a pass that fires more than once has one stream, n >= m and n > taps",
    ),
    *(
        (
            ArrayPass(ROWS, 1, 3, 3, 2, fires=2, accumulate=accumulate, emit=emit),
            "a pass that fires more than once has sums of its own (accumulate 0, emit 1)",
        )
        for accumulate, emit in ((1, 1), (0, 0))
    ),
    (
        ArrayPass(OS, 1, 1, 513),
        "a pass reads at most 512 words of the row banks, half of bank_depth, not 513",
    ),
    (
        ArrayPass(WS, 513, 1, 1),
        "a pass reads at most 512 words of the row banks, half of bank_depth, not 513",
    ),
    (
        ArrayPass(ROWS, 1, 3, 6, 5, streams=47),
        "a pass reads at most 512 words of the row banks, half of bank_depth, not 517",
    ),
    # 4 rows, 3 columns and 16 registers on the way, of 128 words.
    (ArrayPass(WS, 53, 1, 1), "a pass has at most 52 result words, so that all have room, not 53"),
    (
        ArrayPass(ROWS, 1, 3, 3, 2, fires=102),
        "a pass has at most 101 result words, so that all have room, not 102",
    ),
)


@pytest.mark.parametrize(("p", "reason"), LIMITS)
def test_limits_are_said_in_one_sentence(p, reason):
    array = SystolicArray(4, 3, max_taps=6, accumulator_depth=8)
    assert limits(array, p) == reason
    with pytest.raises(UnsupportedError) as caught:
        ENGINE.check(array, (ArrayPass(OS, 1, 1, 1), Repeat(3, (p,))))
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("p", "bank_depth"),
    [
        (ArrayPass(OS, 4, 3, 65535), 131070),
        (ArrayPass(OS, 4, 3, 512), 1024),
        (ArrayPass(WS, 52, 3, 4), 104),
        (ArrayPass(IS, 8, 3, 4, accumulate=1), 16),
        (ArrayPass(ROWS, 4, 3, 8, 6, streams=255), 7140),
        (ArrayPass(ROWS, 1, 3, 4, 2, fires=101), 612),
        (ArrayPass(ROWS, 3, 3, 4, 2, fires=33), 204),
        (ArrayPass(ROWS, 4, 1, 2, 2), 8),
        (ArrayPass(ROWS, 4, 3, 2, 1), 6),
    ],
)
def test_limits_are_reached(p, bank_depth):
    array = SystolicArray(4, 3, max_taps=6, accumulator_depth=8, bank_depth=bank_depth)
    assert limits(array, p) is None
    ENGINE.check(array, (p,))
    if array_words(p)[0] < 4000:
        assert_agreement(array, sequence(np.random.default_rng(5), array, (p,)))


def test_sums_broken_off_are_refused_wherever_they_are_in_a_body():
    """Also across the ends of loops, and between one trip and the next."""
    array = SystolicArray(4, 3)
    kept, last = ArrayPass(OS, 2, 3, 4, emit=0), ArrayPass(OS, 2, 3, 5, accumulate=1)
    more = ArrayPass(OS, 2, 3, 4, accumulate=1, emit=0)
    ENGINE.check(array, (Repeat(3, (kept, Repeat(2, (more,)), last)), kept, Repeat(1, (last,))))
    for body in (
        (kept,),
        (last,),
        (kept, kept, last),
        (Repeat(2, (kept,)), last),
        (kept, Repeat(2, (last,))),
        (Repeat(2, (more, last, kept)), last),
        (kept, Repeat(2, (last, more)), last),
    ):
        with pytest.raises(UnsupportedError, match="sums"):
            ENGINE.check(array, body)
