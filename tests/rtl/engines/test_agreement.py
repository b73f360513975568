"""Golden, schedule, register-accurate simulation and RTL give the same answer, to the clock.

For every engine, on random sequences; sequences made for one engine are in its folder.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim import engines
from rtl.engines import ENGINES as CORES
from rtl.host.driver import Stalls
from tests.engines import SUBJECTS
from tests.rtl.agreement import check, stall_cycles

PACES = (
    None,
    Stalls(0.1, 0.1, 0.1, 0.1),
    Stalls(commands=0.95),
    Stalls(first_fill=0.5, second_fill=0.7),
    Stalls(results=0.9),
    Stalls(0.5, 0.5, 0.5, 0.5),
)
# A failure names its engine and passes; nothing smaller is found by drawing other seeds.
PHASES = (Phase.explicit, Phase.generate)

# One row or lane, one column or pixel, primes, not square either way; larger ones are for `full`
# and for the generated Verilog.
SHAPES = (
    (1, 1), (1, 2), (2, 1), (1, 8), (8, 1), (2, 2), (2, 5), (3, 2), (3, 7), (4, 4), (5, 3), (7, 2),
)  # fmt: skip
EVERY_SHAPE = tuple((one, other) for one in range(1, 9) for other in range(1, 9))

every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


def test_every_engine_with_registers_is_tested():
    with_registers = [engine for engine in engines.ENGINES if engine.registers]
    assert [subject.engine for subject in SUBJECTS] == with_registers
    assert [subject.core for subject in SUBJECTS] == list(CORES)


def random_check(subject, shape, kind, seed, pace, trace, sequences):
    """Random sequences on a random engine of the given shape, its registers random at first."""
    rng = np.random.default_rng((*shape, seed))
    sizes = kind.sizes(rng, shape)
    work = [kind.sequence(rng, sizes, int(rng.integers(1, 7))) for _ in range(sequences)]
    first = subject.first_registers and subject.first_registers(rng, sizes)
    check(subject, sizes, work, pace, trace=trace, first=first)


def options(subject):
    """Kind of the sequences, seed, pace of the host, whether registers are compared."""
    kinds = st.sampled_from([*subject.kinds.values()])
    return st.tuples(kinds, st.integers(0, 2**32 - 1), st.sampled_from(PACES), st.booleans())


@every_subject
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@settings(max_examples=3, phases=PHASES)
@given(data=st.data())
def test_random_sequences_agree(subject, shape, data):
    random_check(subject, shape, *data.draw(options(subject)), sequences=2)


@pytest.mark.full
@every_subject
@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=str)
@settings(max_examples=8, phases=PHASES)
@given(data=st.data())
def test_many_random_sequences_agree(subject, shape, data):
    random_check(subject, shape, *data.draw(options(subject)), sequences=6)


ONE_OF_EACH = [
    pytest.param(subject, kind, id=f"{subject.name} {name}")
    for subject in SUBJECTS
    for name, kind in subject.kinds.items()
]


@pytest.mark.parametrize(("subject", "kind"), ONE_OF_EACH)
def test_what_is_missing_stalls_a_core(subject, kind):
    """Values do not change, and clocks as the levels say."""
    rng = np.random.default_rng(7)
    sizes = kind.sizes(rng, (4, 2))
    work = [kind.small(rng, sizes, 8) for _ in range(3)]
    assert stall_cycles(check(subject, sizes, work)) == 0
    assert stall_cycles(check(subject, sizes, work, Stalls(commands=0.97))) > 20
    check(subject, sizes, work, Stalls(results=0.97))
