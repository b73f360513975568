"""When passes start and retire: the schedule against plain machines that step every register.

With earliest starts of all kinds, for all engines that have registers.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from accelsim.hls.nest import Loop, Section, times
from tests.engines import depthwise, every_kind, systolic_array
from tests.engines.earliest import random_earliest

# With many rows or lanes a pass may wait for the results of the one before it.
SHAPES = st.sampled_from(((1, 1), (1, 4), (4, 1), (3, 2), (2, 3), (4, 4), (24, 1), (16, 2)))
SEEDS = st.integers(0, 2**32 - 1)


def assert_same_times(subject, sizes, work, earliest, change=lambda nest: nest):
    """Words and times of the machine are those of the golden model and of the schedule."""
    engine = subject.engine
    machine = subject.plain.Machine(sizes, work.commands, *work.memories, earliest)
    for _ in subject.plain.run(machine):
        pass
    nest = engine.nest(sizes, work.passes, "sequence")
    started, retired = times(change(nest), earliest)
    about = f"{sizes}\n{work.passes}\n{earliest}"
    assert machine.started == started.tolist(), about
    assert machine.retired == retired.tolist(), about
    expected = engine.registers.golden(sizes, work.commands, *work.memories)
    assert np.array_equal(machine.words * work.used, expected * work.used), about
    if earliest is None:
        assert retired[-1] - started[0] == nest.latency, about


@every_kind
@settings(max_examples=60, phases=(Phase.generate,))
@given(shape=SHAPES, seed=SEEDS)
def test_passes_start_and_retire_as_on_a_plain_machine(subject, kind, shape, seed):
    rng = np.random.default_rng(seed)
    sizes = kind.sizes(rng, shape)
    work = kind.small(rng, sizes, int(rng.integers(1, 7)))
    assert_same_times(subject, sizes, work, random_earliest(rng, len(work.passes)))


def rigid(loop):
    """The nest with nothing that runs ahead."""
    if isinstance(loop, Loop):
        return loop._replace(body=tuple(rigid(node) for node in loop.body))
    sections = tuple(Section(stages, after) for stages, after, _ in loop.sections)
    return type(loop)(loop.name, sections, loop.tail)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [(systolic_array, "rows"), (depthwise, "banks")],
    ids=["array", "depthwise"],
)
def test_a_schedule_in_which_nothing_runs_ahead_is_told_from_the_machine(subject, kind):
    told, make = 0, subject.SUBJECT.kinds[kind]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sizes = make.sizes(rng, (24, 2))
        case = subject.SUBJECT, sizes, make.small(rng, sizes, int(rng.integers(1, 7))), None
        assert_same_times(*case)
        try:
            assert_same_times(*case, rigid)
        except AssertionError:
            told += 1
    assert told > 3
