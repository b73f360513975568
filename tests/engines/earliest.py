"""Earliest starts of the passes of a sequence."""

import numpy as np
import numpy.typing as npt


def random_earliest(rng: np.random.Generator, passes: int) -> npt.NDArray[np.int64] | None:
    """None, or clocks for some passes: much too early, in the middle of things, long after."""
    if rng.random() < 0.2:
        return None
    earliest = rng.integers(0, rng.choice((4, 40, 200)), passes)
    earliest[rng.random(passes) < 0.4] = 0
    return earliest
