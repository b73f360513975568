"""Sequences made for the systolic array, at all levels."""

import numpy as np
import pytest

from accelsim.hardware import Operands, SystolicArray
from accelsim.passes import ArrayPass, Opcode
from rtl.host.driver import Stalls
from tests.engines.base import Sequence
from tests.engines.systolic_array import SUBJECT, first_registers, random_sequence, sequence
from tests.rtl.agreement import check, stall_cycles
from tests.rtl.engines.systolic_array.cases import (
    BANK_DEPTH,
    CASES,
    TALL_CASES,
    input_stationary,
    os,
    rows,
    ws,
)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree_on_a_tall_array(overlap):
    rng = np.random.default_rng(4)
    array = SystolicArray(6, 2, max_taps=4, overlap=overlap, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in TALL_CASES.values()]
    check(SUBJECT, array, work, trace=True)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree(overlap):
    rng = np.random.default_rng(5)
    array = SystolicArray(3, 4, accumulator_depth=16, overlap=overlap, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in CASES.values()]
    check(SUBJECT, array, work, trace=True)


@pytest.mark.parametrize("overlap", [True, False], ids=["overlapped", "plain"])
def test_explicit_cases_agree_at_any_pace(overlap):
    rng = np.random.default_rng(6)
    array = SystolicArray(3, 4, accumulator_depth=16, overlap=overlap, bank_depth=BANK_DEPTH)
    work = [sequence(rng, array, passes) for passes in CASES.values()]
    stalls, first = Stalls(0.97, 0.1, 0.1, 0.9, seed=1), first_registers(rng, array)
    outcomes = check(SUBJECT, array, work, stalls, trace=True, first=first)
    assert stall_cycles(outcomes) > 0


def constant(passes: tuple[ArrayPass, ...], array: SystolicArray, a: int, b: int) -> Sequence:
    """The passes with operand a on the left and b on top everywhere, taps included."""
    made = sequence(np.random.default_rng(0), array, passes)
    left, top = made.memories
    return made._replace(memories=(np.full_like(left, a), np.full_like(top, b)))


@pytest.mark.parametrize(("a", "b"), [(-256, -256), (-256, 255), (255, -256), (255, 255)])
def test_extreme_operands_agree(a, b):
    """The widest sums that the operands and a narrow accumulator allow: 7 products of 2^16."""
    array = SystolicArray(3, 4, bank_depth=BANK_DEPTH, operands=Operands(9, 20))
    passes = (os(3, 4, 7), ws(4, 4, 3, 0, 0), ws(4, 4, 3, 1, 0), ws(4, 4, 1, 1, 1), os(1, 1, 1))
    streams = (rows(3, 4, 9, 7), rows(3, 4, 4, 2, streams=3), input_stationary(5, 4, 3))
    work = [constant(passes, array, a, b), constant(streams, array, a, b)]
    check(SUBJECT, array, work, trace=True)


@pytest.mark.full
@pytest.mark.parametrize(("a", "b", "k"), [(-256, -256, 32767), (-256, 255, 32896)])
def test_longest_sums_agree(a, b, k):
    """One more product would wrap."""
    array = SystolicArray(1, 1, bank_depth=1 << 17)
    check(SUBJECT, array, [constant((os(1, 1, k), os(1, 1, 1)), array, a, b)])


@pytest.mark.parametrize("state", ["zero", "ones", "random"])
def test_first_registers_do_not_matter(state):
    rng = np.random.default_rng(8)
    array = SystolicArray(3, 3, accumulator_depth=8, bank_depth=BANK_DEPTH)
    first = first_registers(rng, array)
    if state != "random":
        bits = {name: first[name] for name in ("f", "g")}
        first = {name: np.full_like(values, -(state == "ones")) for name, values in first.items()}
        first |= bits
    for mode in Opcode:
        work = [random_sequence(rng, array, 3, (mode,))]
        check(SUBJECT, array, work, first=first)
