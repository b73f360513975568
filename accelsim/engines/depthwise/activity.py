"""What every multiplier of the depthwise engine does at each clock, read from registers."""

import numpy as np
import numpy.typing as npt

from accelsim.engines.activity import Activity, Bits, ElementState, Int64
from accelsim.hardware import DepthwiseEngine
from accelsim.numerics import Integers
from accelsim.passes import DepthwiseCommand, columns

Int16 = npt.NDArray[np.int16]
WEIGHT, NO_WEIGHT = 1, 2  # marks in lanes with a channel


def activity(
    engine: DepthwiseEngine,
    commands: Int64,
    memories: tuple[Int16, Integers],
    used: Bits,
    clocks: range,
) -> Activity:
    """Activity of the depthwise engine, lanes as rows and pixels as columns.

    A multiplier with a pixel outside the map, or one that is no output, has a zero, and so has one
    with an entry that is no tap; in a lane without a channel it is idle. Shadows drain lane by
    lane, those behind moving up. Not told apart is the last row of a stripe that the map does not
    fill: its products count as BUSY.

    Parameters
    ----------
    commands : int64[passes, fields], of DepthwiseCommand.
    memories : the banks int16[words, P, L], anything but 0 where the layer has a value, and the
        tap memory integers[entries, 2 + L], weights likewise.
    used : bool[result words, values]; what is thrown away is masked as padding is.
    """
    from accelsim.engines.depthwise import cycle  # loads Numba

    lane = np.arange(engine.lanes)[:, None]
    maps, taps = memories
    taps = _marked(commands, taps)
    shape = len(clocks), engine.lanes, engine.pixels
    states, drain = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    for at, clock in enumerate(clocks):
        registers = cycle.simulate(engine, commands, maps, taps, clock).registers
        assert registers is not None
        if registers.tags[cycle.MULTIPLIED - 1] & cycle.TAP:
            weights = registers.weights[-1][:, None]
            busy = (weights == WEIGHT) & (registers.operand.T != 0)
            multiplies = np.where(busy, ElementState.BUSY, ElementState.WASTE)
            states[at] = np.where(weights != 0, multiplies, ElementState.IDLE)
        drain[at] = lane < registers.counters.beats_left * engine.result_lanes
    return Activity(states, drain)


def _marked(commands: Int64, taps: Integers) -> Integers:
    """The tap memory with a mark for every weight of a lane with a channel."""
    at = columns(DepthwiseCommand)
    marked = np.array(taps, np.int64)
    marked[:, 2:] = 0
    for entry, entries, channels in commands[
        :, [at["taps"], at["entries"], at["channels"]]
    ].tolist():
        of_pass = slice(entry, entry + entries), slice(2, 2 + channels)
        marked[of_pass] = np.where(taps[of_pass] != 0, WEIGHT, NO_WEIGHT)
    return marked
