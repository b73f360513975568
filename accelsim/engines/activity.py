"""What every processing element does at each clock, read from registers.

Every engine says in its own `activity` how it is read. No formula of a schedule is used.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


class ElementState(IntEnum):
    """What an element does in a clock."""

    IDLE = 0  # nothing comes in
    FILL = 1  # an operand comes in or passes by, and meets none to be multiplied with
    WASTE = 2  # multiplies a zero of padding or of the mapping, or for a result thrown away
    BUSY = 3  # multiplies two operands of the layer for one of its results


class Activity(NamedTuple):
    """What the elements of an engine do.

    states : uint8[clocks, rows, columns], of ElementState.
    drain : bool[clocks, rows, columns], a finished result leaves the element for the one below,
        or for the result port.
    """

    states: npt.NDArray[np.uint8]
    drain: Bits

    @property
    def multiplies(self) -> Int64:
        """int64[clocks], elements that multiply, those that waste it included."""
        elements: Int64 = np.count_nonzero(self.states >= ElementState.WASTE, axis=(1, 2))
        return elements
