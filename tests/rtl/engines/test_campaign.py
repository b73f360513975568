"""A campaign of random sequences on the memories and widths that are configured, at all levels.

Golden model, schedule, register-accurate simulation and RTL give the same values and clocks, for
20,000 sequences on all small engines under `full`, and a part of them by default. A core works off
some sequences one after another, most of them short, on a host of any pace, from any registers.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from rtl.host.driver import Stalls
from tests.engines import SUBJECTS
from tests.rtl.agreement import check

FEW = 9  # of one core by default
SEQUENCES = 18  # of every shape at least
MOST = 150  # of one core
# Sequences of a shape times its elements, so that small and large shapes take equally long; those
# of depthwise engines, which have more beside their elements, take twice as long to simulate.
SHARE = {"array": 1900, "depthwise": 700}
PACES = (
    None,  # nothing waits
    None,
    Stalls(),
    Stalls(0.1, 0.1, 0.1, 0.1),
    Stalls(commands=0.9),
    Stalls(first_fill=0.3, second_fill=0.5),
    Stalls(results=0.8),
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


def runs(subject):
    """Shape, seed and sequences of every core of the campaign."""
    for shape in shapes(subject):
        sequences = max(SEQUENCES, math.ceil(SHARE[subject.name] / math.prod(shape)))
        cores = math.ceil(sequences / MOST)
        for seed in range(1, 1 + cores):
            yield shape, seed, math.ceil(sequences / cores)


def some(subject):
    for shape in DEFAULT:
        yield shape, 0, FEW


def cases(of_subject):
    """Engine, shape, seed and sequences of cores."""
    return pytest.mark.parametrize(
        ("subject", "shape", "seed", "sequences"),
        [
            pytest.param(subject, shape, seed, sequences, id=f"{subject.name} {shape} {seed}")
            for subject in SUBJECTS
            for shape, seed, sequences in of_subject(subject)
        ],
    )


def random_work(rng, subject, kind, sizes):
    """A sequence: of few clocks, of any, or with a field at its end."""
    length = int(rng.integers(1, 4))
    if rng.random() < 0.02:
        return kind.sequence(rng, sizes, length)
    work = kind.small(rng, sizes, length)
    if rng.random() < 0.95:
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


@cases(some)
def test_some_sequences_agree(subject, shape, seed, sequences):
    campaign(subject, shape, seed, sequences)


def test_there_are_twenty_thousand():
    assert sum(count for subject in SUBJECTS for _, _, count in runs(subject)) >= 20_000


@pytest.mark.full
@cases(runs)
def test_twenty_thousand_sequences_agree(subject, shape, seed, sequences):
    campaign(subject, shape, seed, sequences)
