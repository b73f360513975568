"""What passes wait for, and what records say of themselves."""

from itertools import pairwise

import numpy as np
import pytest

from accelsim.errors import UnsupportedError
from accelsim.passes import (
    ArrayCommand,
    ArrayPass,
    DepthwiseCommand,
    DepthwisePass,
    Opcode,
    PostChannel,
    PostLayer,
    PostPair,
    Wait,
    addresses,
    check_sums,
    columns,
    earliest_starts,
    largest,
    meanings,
    misplaced,
    widths,
)


def test_waits_become_the_clocks_at_which_counts_are_reached():
    waits = [Wait(0, 0), Wait(1, 2), Wait(0, 1), Wait(1, 1)]
    starts = earliest_starts(waits, [[7], [3, 40]])
    assert starts.dtype == np.int64
    assert starts.tolist() == [0, 40, 7, 3]


@pytest.mark.parametrize(
    ("wait", "reached", "said"),
    [
        (Wait(0, 3), [[1, 2]], "pass 0 waits until unit 0 has retired 3 passes, and it retires 2"),
        (Wait(2, 1), [[1], [2]], "pass 0 waits for unit 2, and the units are 0 to 1"),
        (Wait(0, 1), [[-1]], "the earliest start of pass 0 is a clock from 0 to 2**60, not -1"),
        (Wait(0, 1), [[9, 3]], "unit 0 retires passes in order, not at clocks [9, 3]"),
    ],
)
def test_what_is_never_reached_is_refused(wait, reached, said):
    with pytest.raises(UnsupportedError) as caught:
        earliest_starts([wait], reached)
    assert str(caught.value) == said


@pytest.mark.parametrize("record", [ArrayCommand, DepthwiseCommand])
def test_a_record_says_all_of_its_fields(record):
    """Columns in the order of the fields, nested ones in place; every field has its words."""
    work, *others = record._fields
    flat = (*record.__annotations__[work]._fields, *others)
    assert len(columns(record)) == len(set(flat))
    assert max(columns(record).values()) == len(flat) - 1
    assert list(meanings(record)) == [
        *(f"{work}.{name}" for name in record.__annotations__[work]._fields),
        *others,
    ]
    assert all(meanings(record).values())
    assert all(flat[column] in others for column in addresses(record))
    for name in others:
        assert largest(record, name) == (1 << widths(record)[name]) - 1


# Bits of the fields of what a host sends, which programs that pack its words have been written for.
FORMATS = {
    ArrayPass: (2, 16, 16, 16, 8, 8, 16, 1, 1),
    ArrayCommand: (None, 24, 24, 1),
    DepthwisePass: (1, 10, 14, 14, 14, 14, 8, 8, 4, 4, 6, 6, 12, 12),
    DepthwiseCommand: (None, 15, 12, 12, 15, 15, 14, 28, 10, 24, 18, 16, 24, 16, 1),
    Wait: (4, 16),
    PostChannel: (32, 31, 6),
    PostPair: (2, 1, 1, 9, 9, 36, 36, 46, 6, 6, 1, 1, 2, 31, 6, 9, 9, 9),
    PostLayer: (2, 9, 9, 9, 1, 3, None),
}


@pytest.mark.parametrize("record", FORMATS)
def test_words_that_hosts_pack_stay_as_they_are(record):
    bits = (None if isinstance(each, dict) else each for each in widths(record).values())
    assert tuple(bits) == FORMATS[record]


OS, WS, IS, ROWS = Opcode
KEPT = ArrayPass(OS, 2, 3, 4, emit=0)
LAST = ArrayPass(OS, 2, 3, 5, accumulate=1)


@pytest.mark.parametrize(
    ("passes", "reason"),
    [
        ((KEPT, LAST, KEPT, LAST._replace(emit=0), LAST), None),
        ((ArrayPass(ROWS, 2, 3, 4, 2, emit=0), ArrayPass(ROWS, 2, 3, 3, 1, 2, accumulate=1)), None),
        # The accumulators keep sums of ws and is, whatever comes between.
        ((ArrayPass(WS, 2, 3, 4, emit=0), KEPT, LAST, ArrayPass(IS, 2, 3, 1, accumulate=1)), None),
        ((KEPT,), "(accumulate 1): os m=2 n=3 accumulate=0 emit=0 by no pass"),
        ((KEPT, KEPT, LAST), "emit=0 by os m=2 n=3 accumulate=0 emit=0"),
        ((KEPT, LAST._replace(m=1)), "emit=0 by os m=1 n=3 accumulate=1 emit=1"),
        ((KEPT, LAST._replace(n=2)), "emit=0 by os m=2 n=2 accumulate=1 emit=1"),
        ((KEPT, ArrayPass(ROWS, 2, 3, 4, 2, accumulate=1)), "emit=0 by rows m=2 n=3"),
        ((KEPT, ArrayPass(WS, 2, 3, 4, accumulate=1)), "emit=0 by ws m=2 n=3"),
        ((LAST,), "(emit 0): os m=2 n=3 accumulate=1 emit=1 behind no pass"),
        ((KEPT, LAST, LAST), "behind os m=2 n=3 accumulate=1 emit=1"),
    ],
)
def test_sums_that_are_broken_off_are_refused(passes, reason):
    neighbours = pairwise((None, *passes, None))
    reasons = [said for pair in neighbours if (said := misplaced(*pair)) is not None]
    columns = ArrayPass(*np.array(passes, np.int64).T)
    if reason is None:
        assert reasons == []
        check_sums(columns)
        return
    assert reason in reasons[0]
    with pytest.raises(UnsupportedError) as caught:
        check_sums(columns)
    assert str(caught.value) == reasons[0]
