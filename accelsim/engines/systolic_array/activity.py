"""What every element of the array does at each clock, read from registers.

Control depends on no data, so that data can tell what meets what. The registers are simulated with
the address of every operand word in place of its value, each pass with words of its own. Where two
operands of one pass meet in a multiplier, their addresses say which product it is; whether it has
a use follows from what lies there, and from where its result goes. No formula of the schedule is
used.
"""

import numpy as np
import numpy.typing as npt

from accelsim.engines.activity import Activity, Bits, ElementState, Int64
from accelsim.engines.systolic_array.addressed import LEFT, NONE, TOP, Addressed, starts
from accelsim.hardware import SystolicArray
from accelsim.hardware.systolic_array import PRODUCT_REGISTERS
from accelsim.passes import STATIONARY, ArrayPass, Opcode, array_words

RECORDED_BYTES = 1 << 26  # of registers that are kept at a time

Int16 = npt.NDArray[np.int16]


def activity(
    array: SystolicArray,
    commands: Int64,
    memories: tuple[Int16, Int16],
    used: Bits,
    clocks: range,
) -> Activity:
    """Activity of the systolic array at consecutive clocks of a sequence.

    Parameters
    ----------
    commands : int64[passes, fields], of ArrayCommand.
    memories : int16[words, R], int16[words, C], operand banks that are 0 where the layer has a
        zero, and anything else elsewhere.
    used : bool[result words, values], results that are not thrown away; none in further columns.
    """
    used = np.pad(used, ((0, 0), (0, array.columns - used.shape[1])))
    sequence = _Sequence(array, commands, *memories, used)
    each = 48 * array.rows * max(array.columns, 8)  # bytes of registers at a clock
    step = max(1, RECORDED_BYTES // each)
    parts = [
        _of_window(sequence, range(start, min(start + step, clocks.stop)))
        for start in range(clocks.start, clocks.stop, step)
    ]
    states, drain = zip(*parts, strict=True)
    return Activity(np.concatenate(states), np.concatenate(drain))


class _Sequence(Addressed):
    """A sequence whose operands and results are known to be used or not.

    left, top : int16[words, R], int16[words, C], what lies at the new addresses.
    results : int64[passes], the first result word of the pass that emits what this one adds to.
    """

    def __init__(
        self, array: SystolicArray, commands: Int64, left: Int16, top: Int16, used: Bits
    ) -> None:
        super().__init__(array, commands)
        self.used = used
        lefts, tops, results = array_words(self.passes)
        self.left = left[np.repeat(commands[:, LEFT] - self.start, lefts) + np.arange(self.words)]
        number = np.arange(int(tops.sum()))
        self.top = top[np.repeat(commands[:, TOP] - self.placed[:, TOP], tops) + number]
        # Sums wait in the accumulators for the next pass that emits.
        place = np.arange(len(commands))
        waits = np.isin(self.field("opcode"), STATIONARY)
        emits = np.flatnonzero(waits & (self.field("emit") == 1))
        self.results = starts(results)
        self.results[waits] = self.results[emits[np.searchsorted(emits, place[waits])]]


# ---- the array -----------------------------------------------------------------------------


def _of_window(sequence: _Sequence, clocks: range) -> Activity:
    """Activity at a few clocks."""
    from accelsim.engines.systolic_array import cycle

    # Results that are still in the shadows were captured at most so many clocks before.
    array = sequence.array
    since = max(0, clocks.start - 2 * array.rows - array.columns - PRODUCT_REGISTERS + 1)
    a, b, w, flags = sequence.record(range(since, clocks.stop + 1))
    # What came into an element during a clock is in its registers at the start of the next one;
    # only `w`, which a swap or a tap changes, multiplies as it was.
    a, b, w, flags = a[1:], b[1:], w[:-1], flags[1:]
    bits = cycle.STATIONARY, cycle.HALF_SPEED, cycle.SHIFT_OPERANDS
    streams, slides, shifts = (flags & bit != 0 for bit in bits)
    other = np.where(streams | slides, w, np.where(shifts, b, NONE))
    owner = sequence.owner
    # Taps of row streams run on through columns that their pass does not use; and the streams
    # begin with zeros that are no words.
    tap = slides & sequence.is_tap[other]
    tap &= np.arange(array.columns) < sequence.field("n")[owner[other]]
    products = np.where(slides, tap, (a >= 0) & (other >= 0) & (owner[a] == owner[other]))
    comes = (a >= 0) | (shifts & (b >= 0)) | (slides & (w >= 0))
    states = np.where(comes, ElementState.FILL, ElementState.IDLE).astype(np.uint8)
    at = np.nonzero(products)
    states[at] = np.where(
        _useful(sequence, a[at], other[at], *at[1:]), ElementState.BUSY, ElementState.WASTE
    )
    captures = flags & cycle.CAPTURE != 0
    drain = _drains(products, streams, captures & ~streams, flags & cycle.SHIFT_SHADOW != 0)
    late = np.zeros((PRODUCT_REGISTERS, *drain.shape[1:]), drain.dtype)
    drain = np.concatenate([late, drain])[: len(drain)]
    first = clocks.start - since
    return Activity(states[first:], drain[first:])


def _useful(sequence: _Sequence, a: Int64, other: Int64, i: Int64, j: Int64) -> Bits:
    """Of products, bool[products], whether both operands are real and the result is used.

    Parameters
    ----------
    a, other : int64[products], addresses of the operands; `a` may be NONE in row streams.
    i, j : int64[products], row and column of the element.
    """
    p = sequence.owner[other]
    opcode, m, n, k, taps = (sequence.field(name)[p] for name in ArrayPass._fields[:5])
    from_left = other < sequence.words
    real = (a >= 0) & (sequence.left[a, i] != 0)
    real[from_left] &= sequence.left[other[from_left], i[from_left]] != 0
    above = ~from_left
    real[above] &= sequence.top[other[above] - sequence.words, j[above]] != 0
    # Results leave from the bottom row upwards; in ws and is, in the order of their operands.
    stationary = (opcode == Opcode.WS) | (opcode == Opcode.IS)
    offset = a - sequence.start[p]
    word = np.where(stationary, offset, sequence.array.rows - 1 - i)
    # Row streams: column j meets tap t with the value that lies j + taps - 1 - t before the last
    # value of the fire. More than one fire has one stream only.
    many = (sequence.field("fires")[p] > 1) & (a >= 0)
    ahead = j + taps - 1 - (other - sequence.start[p])
    fire = (offset - taps + ahead - (k - 1)) // n
    word = sequence.results[p] + word + np.where(many, fire * m, 0)
    useful: Bits = real & sequence.used[word, j]
    return useful


def _drains(products: Bits, streams: Bits, captures: Bits, shifts: Bits) -> Bits:
    """Where finished results leave, of bool[clocks, R, C] what elements do.

    Each shadow register is followed: it holds a result where the element that captured it, or that
    added to it as it streamed by, had multiplied.
    """
    drains = np.zeros_like(products)
    holds, taken = np.zeros_like(products[0]), np.zeros_like(products[0])
    for clock, (product, stream, capture, shift) in enumerate(
        zip(products, streams, captures, shifts, strict=True)
    ):
        above = np.zeros_like(holds)
        above[1:] = holds[:-1]
        passes = np.where(stream, ~product, shift & ~capture)  # takes what it adds nothing to
        drains[clock, :-1] = passes[1:] & holds[:-1]
        drains[clock, -1] = taken[-1] & holds[-1]
        holds = np.where(stream, product | above, np.where(capture, product, holds))
        holds = np.where(~stream & passes, above, holds)
        taken = stream | capture | passes
    return drains
