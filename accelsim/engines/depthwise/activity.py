"""What every multiplier of the depthwise engine does at each clock, read from registers."""

import numpy as np
import numpy.typing as npt

from accelsim.engines.activity import Activity, Bits, ElementState, Int64
from accelsim.hardware import DepthwiseEngine
from accelsim.numerics import Integers

Int16 = npt.NDArray[np.int16]


def activity(
    engine: DepthwiseEngine,
    commands: Int64,
    memories: tuple[Int16, Integers],
    used: Bits,
    clocks: range,
) -> Activity:
    """Activity of the depthwise engine, lanes as rows and pixels as columns.

    A multiplier with a pixel outside the map, or one that is no output, has a zero; in a lane
    without a channel it is idle. Shadows drain lane by lane, those behind moving up. Not told apart
    is the last row of a stripe that the map does not fill: its products count as BUSY.

    Parameters
    ----------
    commands : int64[passes, fields], of DepthwiseCommand.
    memories : the banks int16[words, P, L], anything but 0 where the layer has a value, and the
        tap memory integers[entries, 2 + L], weights likewise.
    used : bool[result words, values]; what is thrown away is masked as padding is.
    """
    from accelsim.engines.depthwise import cycle  # loads Numba

    lane = np.arange(engine.lanes)[:, None]
    shape = len(clocks), engine.lanes, engine.pixels
    states, drain = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    for at, clock in enumerate(clocks):
        registers = cycle.simulate(engine, commands, *memories, clock).registers
        assert registers is not None
        if registers.tags[cycle.MULTIPLIED - 1] & cycle.TAP:
            channels = registers.weights[-1][:, None] != 0
            operands = np.where(registers.operand.T != 0, ElementState.BUSY, ElementState.WASTE)
            states[at] = np.where(channels, operands, ElementState.IDLE)
        drain[at] = lane < registers.counters.beats_left * engine.result_lanes
    return Activity(states, drain)
