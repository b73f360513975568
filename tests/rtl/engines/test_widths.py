"""Accumulators that hold no more than a product wrap alike at all levels."""

from dataclasses import replace

import numpy as np

from accelsim.hardware import Operands
from tests.engines import every_way
from tests.rtl.agreement import check


def extreme_sequence(kind, rng, sizes):
    """One with operands at the ends of their range only."""
    high = 1 << (sizes.operands.bits - 1)
    while True:
        work = kind.small(rng, sizes, 4)
        if np.isin(work.memories[0], (-high, high - 1)).all():
            return work


@every_way
def test_sums_wrap_alike(subject, kind):
    """Results and registers; some sums do wrap: the golden model has others of 32 bits."""
    golden, wrap = subject.engine.registers.golden, False
    for bits in (8, 9, 12, 15):
        rng = np.random.default_rng(bits)
        sizes = replace(kind.sizes(rng, (2, 3)), operands=Operands(bits, 2 * bits))
        work = [extreme_sequence(kind, rng, sizes) for _ in range(3)]
        check(subject, sizes, work, trace=True)
        wide = replace(sizes, operands=Operands(bits, 32))
        narrow, exact = (
            [golden(each, sequence.commands, *sequence.memories) for sequence in work]
            for each in (sizes, wide)
        )
        wrap = wrap or not all(map(np.array_equal, narrow, exact))
    assert wrap
