"""Fields at the ends of their range on the hardware, in passes that take few clocks.

A counter that is too narrow shows only there, and so does an address.
"""

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine
from accelsim.limits.depthwise import MOST_REACH, limits
from rtl.host.driver import Stalls
from tests.engines.base import at_most
from tests.engines.depthwise import SUBJECT, sequence
from tests.rtl.agreement import check
from tests.rtl.engines.depthwise.cases import flat, row

LARGEST = DepthwiseEngine(
    1, 24, bank_depth=1500, tap_depth=2048,
    max_kernel=255, max_stride=15, max_dilation=63, max_padding=4095,
)  # fmt: skip


def run(engine, passes):
    """Words of some passes come only when those of others have been read, so that they wait."""
    check(SUBJECT, engine, [sequence(np.random.default_rng(1), engine, passes)], Stalls())


def top(of, engine=LARGEST, highest=MOST_REACH):
    """The pass of(n) with the largest n that the engine can run."""
    return at_most(limits, engine, of, highest)


# fh, fw, sh, sw, dh, dw, pt, pl
TOPS = {
    "columns of the map": (top(lambda w: row(1, 1, w, 1, 1)), top(lambda w: flat(1, 1, w, 1, 1))),
    "columns": (top(lambda n: row(1, 1, 15 * n, 1, n, 1, 1, 1, 15, 1, 1, 0, 4095)),
                top(lambda n: flat(1, 1, 15 * n, 1, n, 1, 1, 1, 15))),
    "rows": (top(lambda n: flat(1, 15 * n, 1, n, 1, 1, 1, 15, 1)),
             top(lambda n: flat(1, 15 * n, 1, n, 1, 1, 1, 15, 1, 1, 1, 4095))),
    # More than half of the largest number: one by one, each takes a clock.
    "rows one by one": (row(1, 1, 1, 8200, 1),),
    "columns of a kernel": (row(1, 1, 255, 1, 1, 1, 255), row(1, 3, 4, 3, 4, 1, 255, 1, 1, 1, 1, 0,
                                                               127)),
    "rows of a kernel": (flat(1, 255, 1, 1, 1, 255, 1), flat(1, 4, 3, 4, 3, 255, 1, 1, 1, 1, 1,
                                                             127, 0)),
    "area of a kernel": (row(1, 1, 1, 1, 1, 32, 32), row(1, 31, 33, 1, 1, 31, 33)),
    "dilation": (row(1, 1, 64 * 8, 1, 8, 1, 9, 1, 1, 1, 63), flat(1, 127, 1, 2, 1, 3, 1, 1, 1, 63),
                 row(1, 3, 5, 3, 5, 5, 3, 1, 1, 63, 63, 126, 63)),
    "dilated kernel": (flat(1, 16003, 1, 1, 1, 255, 1, 1, 1, 63), row(1, 1, 16003, 1, 1, 1, 255,
                                                                     1, 1, 1, 63)),
    "dilation and stride": (row(1, 40, 40, 2, 2, 2, 2, 15, 15, 63, 63, 30, 30),),
    "padding": (row(1, 1, 9, 1, 9, 1, 66, 1, 1, 1, 63, 0, 4095),
                flat(1, 9, 1, 9, 1, 66, 1, 1, 1, 63, 1, 4095, 0),
                row(1, 1, 9, 1, 2, 1, 1, 1, 1, 1, 1, 0, 4095)),
    "padding beyond the reach": (flat(1, 3, 3, 2, 2, 255, 2, 1, 1, 63, 1, 4095, 1),),
}  # fmt: skip


LONG = ("rows one by one", "area of a kernel", "columns of a kernel")


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=[pytest.mark.full] if x in LONG else []) for x in TOPS]
)
def test_fields_at_their_largest(name):
    run(LARGEST, TOPS[name])


# Kernel times dilation is all ones in binary, or a power of two: reach just holds it.
SMALL = ((1, 1, 1, 0), (1, 2, 1, 1), (2, 1, 2, 5), (3, 2, 1, 5), (4, 3, 3, 4), (5, 4, 5, 7))


@pytest.mark.parametrize("fill", [0, 3])
@pytest.mark.parametrize("most", SMALL, ids=str)
def test_small_limits(most, fill):
    """Registers are as narrow as kernel, stride, dilation and padding allow: at both ends."""
    kernel, stride, dilation, padding = most
    engine = DepthwiseEngine(2, 3, fill_port=fill, bank_depth=256, tap_depth=64,
                             max_kernel=kernel, max_stride=stride, max_dilation=dilation,
                             max_padding=padding)  # fmt: skip
    shape = kernel, kernel, stride, stride, dilation, dilation, padding, padding
    passes = (
        row(2, 7, 8, 3, 4, *shape[:7], 0),  # its first tiles lie above the map
        row(2, 7, 8, 3, 4, *shape), flat(2, 7, 8, 3, 4, *shape), row(1, 1, 1, 1, 1),
        flat(2, 5, 3, 2, 5, 1, kernel, 1, stride, 1, dilation, 0, padding),
        row(2, 5, 3, 2, 5, kernel, 1, stride, 1, dilation, 1, padding, 0),
    )  # fmt: skip
    run(engine, passes)
