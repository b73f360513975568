"""Other units, whose progress the passes of an engine wait for."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.passes import Wait, earliest_starts, largest

COUNTS = largest(Wait, "retired") + 1  # counters of units go on modulo this
GAPS = (0, 1, 10, 40, 500)  # clocks that a unit takes at most between two passes
NUMBERS = (1, 3, 16)  # of units
BEFORE = (0, 1, 32767, 32768, 65530, 65535)  # passes that units have retired before


class Units(NamedTuple):
    """What every pass waits for, and when that comes.

    waits : one for every pass.
    reached : of every unit, the clocks at which it has retired 1, 2, ... passes, in order.
    before : passes that every unit has retired before; all counts go on from there.
    """

    waits: tuple[Wait, ...]
    reached: tuple[tuple[int, ...], ...]
    before: tuple[int, ...]

    @property
    def earliest(self) -> npt.NDArray[np.int64]:
        """int64[passes], the clocks before which passes do not start."""
        from_zero = [
            Wait(unit, (count - self.before[unit]) % COUNTS if count else 0)
            for unit, count in self.waits
        ]
        return earliest_starts(from_zero, self.reached)

    def progress(self, clock: int) -> list[int]:
        """Counters of the units at a clock of the sequence."""
        return [
            (before + sum(at <= clock for at in clocks)) % COUNTS
            for before, clocks in zip(self.before, self.reached, strict=True)
        ]


def one_unit(counts: tuple[int, ...], reached: tuple[int, ...], before: int = 0) -> Units:
    """Passes that wait for these counts of the only unit."""
    return Units(tuple(Wait(0, count) for count in counts), (reached,), (before,))


def random_units(rng: np.random.Generator, passes: int) -> Units:
    """Two of three passes wait, for any count of any unit; units have counted far before.

    A count that is a multiple of 2**16 is 0, which waits for nothing.
    """
    before = tuple(rng.choice(BEFORE, int(rng.choice(NUMBERS))).tolist())
    gap = int(rng.choice(GAPS))
    reached = tuple(
        tuple(np.cumsum(rng.integers(0, gap + 1, int(rng.integers(1, passes + 2)))).tolist())
        for _ in before
    )
    waits = []
    for _ in range(passes):
        unit = int(rng.integers(len(before)))
        count = (before[unit] + int(rng.integers(1, len(reached[unit]) + 1))) % COUNTS
        waits.append(Wait(unit, count if rng.random() < 2 / 3 else 0))
    return Units(tuple(waits), reached, before)
