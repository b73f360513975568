"""Engines whose levels are compared, and what they do where something is missing.

Random sequences are in test_campaign.py; sequences made for one engine are in its folder.
"""

import numpy as np

from accelsim import engines
from rtl.engines import ENGINES as CORES
from rtl.host.driver import Stalls
from tests.engines import SUBJECTS, every_kind_of_core
from tests.rtl.agreement import check, stall_cycles


def test_every_engine_with_registers_is_tested():
    with_registers = [engine for engine in engines.ENGINES if engine.registers]
    assert [subject.engine for subject in SUBJECTS] == with_registers
    assert [subject.core for subject in SUBJECTS] == list(CORES)


@every_kind_of_core
def test_what_is_missing_stalls_a_core(subject, kind):
    """Values do not change, and clocks as the levels say."""
    rng = np.random.default_rng(7)
    sizes = kind.sizes(rng, (4, 2))
    work = [kind.small(rng, sizes, 5) for _ in range(3)]
    assert stall_cycles(check(subject, sizes, work)) == 0
    assert stall_cycles(check(subject, sizes, work, Stalls(commands=0.97))) > 20
    check(subject, sizes, work, Stalls(results=0.97))
