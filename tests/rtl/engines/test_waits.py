"""Passes that wait for other units start and retire at the same clocks at all levels.

For every engine, on random sequences; sequences made for one engine are in its folder.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.hls.nest import times
from accelsim.passes import Wait
from tests.engines import every_kind_of_core
from tests.rtl.agreement import check
from tests.rtl.units import Units, one_unit, random_units

# In tall arrays, streams of rows run ahead of the results of the pass before them; with many
# lanes, the results of a tile may take longer than the taps of the next.
SHAPES = ((1, 1), (1, 4), (1, 6), (4, 1), (6, 1), (3, 2), (2, 5), (5, 3), (4, 4), (8, 1), (12, 2))
SEEDS = st.integers(0, 2**32 - 1)
PHASES = (Phase.explicit, Phase.generate)


def made(subject, kind, rng, shape, passes):
    """Sizes of an engine, and a sequence that fits into its memories."""
    sizes = kind.sizes(rng, shape)
    sequence = kind.small(rng, sizes, passes)
    return sizes, sequence


def random_check(subject, kind, shape, seed):
    rng = np.random.default_rng((*shape, seed))
    sizes, sequence = made(subject, kind, rng, shape, int(rng.integers(1, 12)))
    check(subject, sizes, [sequence], units=random_units(rng, len(sequence.passes)))


@every_kind_of_core
@settings(max_examples=3, phases=PHASES)
@given(shape=st.sampled_from(SHAPES), seed=SEEDS)
def test_passes_start_and_retire_at_the_same_clocks(subject, kind, shape, seed):
    random_check(subject, kind, shape, seed)


@pytest.mark.full
@every_kind_of_core
@settings(max_examples=8, phases=PHASES)
@given(shape=st.sampled_from(SHAPES), seed=SEEDS)
def test_many_passes_start_and_retire_at_the_same_clocks(subject, kind, shape, seed):
    random_check(subject, kind, shape, seed)


@every_kind_of_core
def test_units_that_nobody_waits_for_change_nothing(subject, kind):
    sizes, sequence = made(subject, kind, np.random.default_rng(2), (4, 3), 8)
    waits = (Wait(1, 0),) * len(sequence.passes)
    (outcome,) = check(subject, sizes, [sequence], units=Units(waits, ((), (5, 6)), (0, 0)))
    assert outcome.started[0] == 0
    assert outcome.busy_cycles == subject.engine.cycles(sizes, sequence.passes)


@every_kind_of_core
def test_a_pass_that_waits_blocks_the_ones_behind_it_and_not_those_before_it(subject, kind):
    """Nor is it a stall: the results of the pass before it are out long before it starts."""
    sizes, sequence = made(subject, kind, np.random.default_rng(3), (3, 3), 3)
    waiting = len(sequence.passes) - 2
    counts = tuple(int(place == waiting) for place in range(waiting + 2))
    (outcome,) = check(subject, sizes, [sequence], units=one_unit(counts, (1000,)))
    before = sequence.passes[:waiting]
    assert outcome.retired[waiting - 1] == subject.engine.cycles(sizes, before)
    assert outcome.started[waiting] == 1000
    assert outcome.started[waiting + 1] > 1000


@every_kind_of_core
def test_clocks_before_the_first_pass_starts_are_not_busy(subject, kind):
    sizes, sequence = made(subject, kind, np.random.default_rng(4), (2, 3), 1)
    others = (0,) * (len(sequence.passes) - 1)
    (outcome,) = check(subject, sizes, [sequence], units=one_unit((2, *others), (7, 1000)))
    assert outcome.started[0] == 1000
    assert outcome.busy_cycles == subject.engine.cycles(sizes, sequence.passes)


@every_kind_of_core
@pytest.mark.parametrize("gap", [-1, 0, 1])
def test_a_pass_starts_in_the_clock_in_which_it_may(subject, kind, gap):
    """Clocks around the one in which it would have started anyway."""
    sizes, sequence = made(subject, kind, np.random.default_rng(5), (2, 3), 2)
    free = int(times(subject.engine.nest(sizes, sequence.passes, ""))[0][1])
    counts = (0, 1, *(0 for _ in sequence.passes[2:]))
    may = max(0, free + gap)
    (outcome,) = check(subject, sizes, [sequence], units=one_unit(counts, (may,)))
    assert outcome.started[1] == max(free, may)


@every_kind_of_core
def test_counts_go_on_behind_their_largest_value(subject, kind):
    sizes, sequence = made(subject, kind, np.random.default_rng(6), (1, 2), 4)
    counts = (65535, 0, 1, 2, *(0 for _ in sequence.passes[4:]))
    units = one_unit(counts, (100, 200, 600, 900), before=65534)
    (outcome,) = check(subject, sizes, [sequence], units=units)
    assert outcome.started[[0, 2, 3]].tolist() == [100, 600, 900]
