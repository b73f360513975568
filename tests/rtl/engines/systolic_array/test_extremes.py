"""Fields at the ends of their range on the hardware, in passes that take few clocks.

A counter that is too narrow shows only there, and so does an address.
"""

import numpy as np
import pytest

from accelsim.hardware import SystolicArray
from accelsim.limits.systolic_array import limits
from accelsim.passes import ArrayPass, largest
from rtl.host.driver import Stalls
from tests.engines.base import at_most
from tests.engines.systolic_array import SUBJECT, sequence
from tests.rtl.agreement import check
from tests.rtl.engines.systolic_array.cases import input_stationary, os, rows, ws

SHORT = SystolicArray(2, 3, max_taps=2, accumulator_depth=300, bank_depth=1600)
TAPS = SystolicArray(1, 2, max_taps=64)
WIDE = SystolicArray(1, 69, max_taps=2, accumulator_depth=4, bank_depth=1 << 16)
HALF = SHORT.bank_depth // 2


def top(array, field, of):
    """The pass of(n) with the largest n that the array can run."""
    return at_most(limits, array, of, largest(ArrayPass, field))


def run(array, passes):
    """Words of some passes come only when those of others have been read, so that they wait."""
    check(SUBJECT, array, [sequence(np.random.default_rng(1), array, passes)], Stalls())


TOPS = {
    "os, a half of the banks": (os(2, 3, HALF),),
    "streams": (rows(2, 3, 2, 1, streams=255),),
    "streamed rows": (
        top(SHORT, "m", lambda m: ws(m, 3, 2)),
        top(SHORT, "m", lambda m: input_stationary(m, 1, 1)),
    ),
    "kept rows": (
        top(SHORT, "m", lambda m: ws(m, 3, 2, 0, 0)), top(SHORT, "m", lambda m: ws(m, 3, 1, 1, 1)),
    ),
    "fires": (top(SHORT, "fires", lambda n: rows(2, 3, 2, 1, fires=n)),),
}  # fmt: skip


@pytest.mark.parametrize("name", TOPS)
def test_fields_at_their_largest(name):
    run(SHORT, TOPS[name])


def test_most_taps():
    run(TAPS, (rows(1, 2, 2, 64), rows(1, 2, 65, 64), rows(1, 1, 2, 63), rows(1, 1, 2, 64)))


@pytest.mark.full
def test_more_fires_than_eight_bits_count():
    """Of one row they fill the result memory of an array with many columns."""
    p = top(WIDE, "fires", lambda n: rows(1, 2, 2, 1, fires=n))
    assert p.fires > 256
    run(WIDE, (p, os(1, 69, 1)))
