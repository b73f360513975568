"""Sequences made for the depthwise engine, at all levels."""

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine, Operands
from accelsim.passes import depthwise_words
from rtl.host.driver import Stalls
from tests.engines.base import Sequence
from tests.engines.depthwise import SUBJECT, sequence
from tests.rtl.agreement import check, stall_cycles
from tests.rtl.engines.depthwise.cases import CASES, flat, row


@pytest.mark.parametrize(
    ("results", "fill"),
    [
        (4, 0),
        (8, 5),
        *(pytest.param(*x, marks=pytest.mark.full) for x in ((8, 0), (12, 0), (4, 1), (12, 12))),
    ],
)
def test_explicit_cases_agree(results, fill):
    rng = np.random.default_rng(fill)
    engine = DepthwiseEngine(3, 4, results, fill, bank_depth=1 << 12, tap_depth=1 << 13)
    work = [sequence(rng, engine, passes) for passes in CASES.values()]
    if fill == 1:
        work = work[:7]  # the others take long to fill
    stalls = Stalls(0.1, 0.1, 0.1, 0.1, seed=1) if results == 8 else None
    check(SUBJECT, engine, work, stalls)


@pytest.mark.full
def test_registers_of_explicit_cases_agree():
    rng = np.random.default_rng(6)
    for index, passes in enumerate(CASES.values()):
        engine = DepthwiseEngine(3, 4, 8, fill_port=7 * (index % 2))
        work = [sequence(rng, engine, passes)]
        check(SUBJECT, engine, work, Stalls(0.1, 0.1, 0.1, 0.3), trace=True)


def test_memories_are_filled_again_while_passes_run():
    """As shallow as they may be; both halves many times, and nobody waits for each other."""
    rng = np.random.default_rng(4)
    refills = []
    for length in (1, 2, 3, 30):
        passes = tuple(row(2, 3, 7, 1, 4, 1 + n % 3, 1 + n % 2) for n in range(length))
        words = [depthwise_words(p, pixels=3, result_lanes=1) for p in passes]
        maps, taps = max(each.map for each in words), max(each.taps for each in words)
        least = DepthwiseEngine(2, 3, bank_depth=2 * maps, tap_depth=2 * taps)
        made = sequence(rng, least, passes)
        for pace in (Stalls(), Stalls(0.0, 0.0, 0.8, 0.0), Stalls(0.1, 0.2, 0.3, 0.4)):
            check(SUBJECT, least, [made], pace)
        refills.append(len(made.memories[0]) / least.bank_depth)
    assert max(refills) > 2


def test_a_pass_waits_for_missing_words():
    """Of a fill port; values do not change, and every clock in which one is missing is counted."""
    rng = np.random.default_rng(7)
    engine = DepthwiseEngine(2, 3, fill_port=3)
    work = [sequence(rng, engine, (row(2, 1, 3, 1, 3), flat(1, 2, 2, 1, 2)) * 5) for _ in range(2)]
    for stalls in (Stalls(first_fill=0.9), Stalls(second_fill=0.9)):
        assert stall_cycles(check(SUBJECT, engine, work, stalls)) > 10, stalls


def constant(made: Sequence, a: int, b: int) -> Sequence:
    """The sequence with value a in all maps and b in all weights."""
    maps, taps = made.memories
    weights = np.concatenate([taps[:, :2], np.full_like(taps[:, 2:], b)], axis=1)
    return made._replace(memories=(np.full_like(maps, a), weights))


@pytest.mark.parametrize(("a", "b"), [(-256, -256), (-256, 255), (255, -256), (255, 255)])
def test_extreme_operands_agree(a, b):
    """The widest sums that the operands and a narrow accumulator allow: 7 products of 2^16."""
    engine = DepthwiseEngine(2, 3, operands=Operands(9, 20))
    passes = (row(2, 3, 7, 3, 7, 1, 7, 1, 1, 1, 1, 0, 3), flat(2, 3, 4, 3, 4, 7, 1))
    check(SUBJECT, engine, [constant(sequence(np.random.default_rng(0), engine, passes), a, b)])


def test_taps_further_away_than_a_bank_is_deep():
    """Words of taps need more than 16 bits; the core takes them modulo the addresses of a bank."""
    engine = DepthwiseEngine(
        1, 1, bank_depth=64, tap_depth=512, max_kernel=255, max_dilation=63, max_padding=4095
    )
    p = row(1, 2, 5, 2, 5, 255, 1, 1, 1, 63, 1, 4095, 0)
    work = sequence(np.random.default_rng(3), engine, (p,))
    assert np.ptp(work.memories[1][:, 0]) > 1 << 16
    check(SUBJECT, engine, [work])


def test_shallow_and_odd_memories():
    """Depths that are no powers of two; words below the map and beyond the bank are never used."""
    rng = np.random.default_rng(2)
    passes = (
        row(2, 3, 4, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1),
        flat(2, 3, 4, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1),
    )
    for depth, taps in ((6, 18), (7, 19), (9, 27)):
        for fill in (0, 4):
            engine = DepthwiseEngine(2, 4, fill_port=fill, bank_depth=depth, tap_depth=taps)
            for p in passes:
                check(SUBJECT, engine, [sequence(rng, engine, (p,))], trace=True)
