"""A table of clocks made by hand, in place of what was measured."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from accelsim.hardware import DepthwiseEngine, SystolicArray, clock

# Periods of arrays in ns on a line, 4 + log2(R C) / 2, apart from the largest; of engines all 5.
ARRAYS = {(1, 1): 4.0, (2, 2): 5.0, (2, 4): 5.5, (8, 8): 8.0}
ENGINES = {(1, 2): 5.0, (2, 2): 5.0, (2, 4): 5.0}
BOTH = (SystolicArray(8, 4), DepthwiseEngine(4, 4))
BOTH_MHZ = 123.45


@contextmanager
def handmade(folder: Path) -> Iterator[None]:
    """The table, as long as the block runs; its file stands in that folder."""
    points = [clock.record([SystolicArray(*size)], 1e3 / ns) for size, ns in ARRAYS.items()]
    points += [clock.record([DepthwiseEngine(*size)], 1e3 / ns) for size, ns in ENGINES.items()]
    points.append(clock.record(BOTH, BOTH_MHZ))
    file = folder / "clock.json"
    file.write_text(json.dumps({"device": "LFE5U-85F", "speed": 6, "points": points}))
    with mock.patch.object(clock, "FILE", file):
        clock.table.cache_clear()
        yield
    clock.table.cache_clear()
