"""What the systolic array can run: passes at every limit, and one beyond."""

import re

import numpy as np
import pytest

from accelsim.engines import systolic_array
from accelsim.engines.systolic_array.cycle import simulate
from accelsim.hardware import SystolicArray
from accelsim.limits.systolic_array import limits
from accelsim.passes import ArrayPass, Opcode
from tests.engines.systolic_array import sequence

OS, WS, IS, ROWS = Opcode


def array(rows=4, columns=3, **sizes):
    return SystolicArray(
        rows, columns, **{"max_taps": 6, "accumulator_depth": 8, "bank_depth": 1 << 18, **sizes}
    )


FIRED, STREAMED = array().most_fired, array().most_streamed

# An array, a pass at a limit of it, the same one beyond, and what is said of that.
EDGES = {
    "rows, os": (array(), ArrayPass(OS, 4, 3, 5), {"m": 5}, "at most 4 rows, not 5"),
    "rows, ws": (array(), ArrayPass(WS, 5, 3, 4), {"k": 5}, "at most 4 rows, not 5"),
    "rows, rows": (array(), ArrayPass(ROWS, 4, 3, 3, 2), {"m": 5}, "at most 4 rows, not 5"),
    "columns": (array(), ArrayPass(IS, 5, 3, 4), {"n": 4}, "at most 3 columns, not 4"),
    "many columns": (array(1, 1024), ArrayPass(OS, 1, 1024, 2), {"n": 1025}, "not 1025"),
    "taps": (array(), ArrayPass(ROWS, 2, 3, 7, 6), {"taps": 7}, "at most 6 taps, not 7"),
    "most taps": (
        array(max_taps=64), ArrayPass(ROWS, 2, 3, 66, 64), {"taps": 65}, "at most 64 taps, not 65",
    ),
    "no tap": (array(), ArrayPass(ROWS, 2, 1, 2, 2), {"taps": 0}, "at least one tap"),
    "kept rows": (
        array(), ArrayPass(WS, 8, 3, 2, accumulate=1), {"m": 9}, "accumulates at most 8 rows, not 9",
    ),
    "products": (array(), ArrayPass(OS, 2, 3, 65535), {"k": 65536}, "k of a pass .* 65535"),
    "most values": (
        array(), ArrayPass(ROWS, 2, 3, 5, 3), {"k": 6}, r"need max\(2, n - 1\) to n \+ taps - 1 .* 6",
    ),
    "fewest values": (array(), ArrayPass(ROWS, 2, 3, 2, 3), {"k": 1}, "values, not 1"),
    "streams": (
        array(), ArrayPass(ROWS, 2, 3, 2, 2, 255), {"streams": 256}, "streams of a pass .* 255",
    ),
    "windows of fires": (
        array(), ArrayPass(ROWS, 3, 3, 3, 2, fires=2), {"m": 4}, "has one stream, n >= m and n > taps",
    ),
    "taps of fires": (
        array(), ArrayPass(ROWS, 1, 3, 3, 2, fires=2), {"taps": 3}, "has one stream, n >= m and n > t",
    ),
    "a stream of fires": (
        array(), ArrayPass(ROWS, 1, 3, 3, 2, fires=2), {"streams": 2}, "has one stream, n >= m and",
    ),
    "half of a bank, os": (
        array(bank_depth=20), ArrayPass(OS, 2, 3, 10), {"k": 11}, "10 words of the row banks, .* 11",
    ),
    "half of an odd bank, ws": (
        array(bank_depth=21), ArrayPass(WS, 10, 3, 2), {"m": 11}, "10 words of the row banks, .* 11",
    ),
    "half of a bank, is": (
        array(bank_depth=6), ArrayPass(IS, 3, 3, 3), {"k": 4}, "3 words of the column banks, .* 4",
    ),
    "half of a bank, rows": (
        array(bank_depth=24), ArrayPass(ROWS, 2, 3, 4, 2, 2), {"k": 5, "taps": 3}, "12 words .* 16",
    ),
    "shallowest bank": (
        array(bank_depth=2), ArrayPass(OS, 4, 3, 1), {"k": 2}, "1 words of the row banks, .* 2",
    ),
    "results that are streamed": (
        array(), ArrayPass(WS, STREAMED, 3, 2), {"m": STREAMED + 1}, f"{STREAMED} result words",
    ),
    "results of fires": (
        array(), ArrayPass(ROWS, 1, 3, 3, 2, fires=FIRED), {"fires": FIRED + 1}, f"{FIRED} result wo",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_one_beyond_a_limit_is_refused(name):
    sizes, p, change, said = EDGES[name]
    assert limits(sizes, p) is None
    reason = limits(sizes, p._replace(**change))
    assert reason is not None
    assert re.search(said, reason)


@pytest.mark.parametrize("name", EDGES)
def test_a_pass_at_a_limit_runs(name):
    """Twice, the second time with other data: golden model, schedule and registers agree."""
    sizes, p, _, _ = EDGES[name]
    work = sequence(np.random.default_rng(1), sizes, (p, p))
    run = simulate(sizes, work.commands, *work.memories)
    words = systolic_array.golden(sizes, work.commands, *work.memories)
    assert np.array_equal(run.words[work.used], words[work.used])
    assert run.busy_cycles == systolic_array.ENGINE.cycles(sizes, work.passes)
