"""A campaign of random sequences on the memories and widths that are configured, at all levels.

Golden model, schedule, register-accurate simulation and RTL give the same values and clocks, for
20,000 sequences on all small engines under `full`, and a part of them by default. A core works off
some sequences one after another, most of them short, on a host of any pace, from any registers.
"""

from dataclasses import replace

import numpy as np
import pytest

from rtl.host.driver import Stalls
from tests.engines import SUBJECTS
from tests.rtl.agreement import check

SEQUENCES = 18  # of one core
PACES = (
    None,  # nothing waits
    None,
    Stalls(),
    Stalls(0.1, 0.1, 0.1, 0.1),
    Stalls(commands=0.95),
    Stalls(first_fill=0.5, second_fill=0.7),
    Stalls(results=0.9),
    Stalls(0.5, 0.5, 0.5, 0.5),
)

LARGEST = {"array": (11, 7), "depthwise": (8, 8)}
TALL = (16, 2)
DEFAULT = ((1, 1), (1, 2), (2, 1), (2, 5), (3, 2), (3, 7), (4, 4), (5, 3), (7, 2), (8, 1))


def shapes(subject):
    """Every shape up to the largest."""
    high, wide = LARGEST[subject.name]
    every = [(one, other) for one in range(1, high + 1) for other in range(1, wide + 1)]
    return [*every, TALL] if subject.name == "array" else every


def cases(of_shape, runs):
    """Engine, shape and seed, so many of every shape."""
    return pytest.mark.parametrize(
        ("subject", "shape", "seed"),
        [
            pytest.param(subject, shape, seed, id=f"{subject.name} {shape} {seed}")
            for subject in SUBJECTS
            for shape in of_shape(subject)
            for seed in range(runs)
        ],
    )


def random_work(rng, subject, kind, sizes):
    """A sequence: of few clocks, of any, or with a field at its end."""
    length = int(rng.integers(1, 7))
    if rng.random() < 0.05:
        return kind.sequence(rng, sizes, length)
    work = kind.small(rng, sizes, length)
    if rng.random() < 0.8:
        return work
    passes = list(work.passes)
    place = int(rng.integers(len(passes)))
    passes[place] = subject.extreme(rng, sizes, passes[place])
    return subject.sequence(rng, sizes, tuple(passes))


def campaign(subject, shape, seed, sequences):
    """Random sequences on a random engine of a shape."""
    rng = np.random.default_rng((*shape, seed))
    kinds = [*subject.kinds.values()]
    kind = kinds[int(rng.integers(len(kinds)))]
    pace = PACES[int(rng.integers(len(PACES)))]
    sizes = subject.memories(rng, kind.sizes(rng, shape))
    work = [random_work(rng, subject, kind, sizes) for _ in range(sequences)]
    first = subject.first_registers and subject.first_registers(rng, sizes)
    if pace is None:
        sizes = replace(sizes, **subject.deep)
    check(subject, sizes, work, pace, trace=bool(rng.random() < 0.1), first=first)


@cases(lambda subject: DEFAULT, runs=2)
def test_some_sequences_agree(subject, shape, seed):
    campaign(subject, shape, seed, SEQUENCES)


@pytest.mark.full
@cases(shapes, runs=8)
def test_twenty_thousand_sequences_agree(subject, shape, seed):
    campaign(subject, shape, seed + 1, SEQUENCES)
