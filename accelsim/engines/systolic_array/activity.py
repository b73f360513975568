"""What every element of the array does at each clock, read from registers.

Control depends on no data, so that data can tell what meets what. The registers are simulated with
the address of every operand word in place of its value, each pass with words of its own. Where two
operands of one pass meet in a multiplier, their addresses say which product it is; whether it has
a use follows from what lies there, and from where its result goes. No formula of the schedule is
used.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from accelsim.engines.activity import Activity, Bits, ElementState, Int64
from accelsim.hardware import SystolicArray
from accelsim.passes import (
    STATIONARY,
    ArrayCommand,
    ArrayPass,
    Opcode,
    addresses,
    array_words,
    columns,
)

RECORDED_BYTES = 1 << 26  # of registers that are kept at a time
DIGIT = 14  # bits of an address that an operand register carries at a time
NONE = -1  # no operand

Int16 = npt.NDArray[np.int16]
LEFT, TOP = addresses(ArrayCommand)


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
    each = 40 * array.rows * max(array.columns, 8)  # bytes of registers at a clock
    step = max(1, RECORDED_BYTES // each)
    parts = [
        _of_window(sequence, range(start, min(start + step, clocks.stop)))
        for start in range(clocks.start, clocks.stop, step)
    ]
    states, drain = zip(*parts, strict=True)
    return Activity(np.concatenate(states), np.concatenate(drain))


# ---- addresses -----------------------------------------------------------------------------


class _Sequence:
    """A sequence whose passes have words of their own, numbered through both kinds of banks.

    placed : the commands with the new addresses; `start` and `stacked` are those of each pass in
        the left and in the top banks, the latter behind all of the left.
    owner : int64[words + 1], the pass of a word; NONE for the last, which stands for no word.
    results : int64[passes], the first result word of the pass that emits what this one adds to.
    """

    def __init__(
        self, array: SystolicArray, commands: Int64, left: Int16, top: Int16, used: Bits
    ) -> None:
        passes = ArrayPass(*commands.T[: len(ArrayPass._fields)])
        lefts, tops, results = array_words(passes)
        self.array, self.commands, self.used = array, commands, used
        self.words = int(lefts.sum())
        self.placed = commands.copy()
        self.placed[:, LEFT], self.placed[:, TOP] = _starts(lefts), _starts(tops)
        self.start, self.stacked = self.placed[:, LEFT], self.placed[:, TOP] + self.words
        place = np.arange(len(commands))
        self.owner = np.concatenate([np.repeat(place, lefts), np.repeat(place, tops), [NONE]])
        self.left = left[np.repeat(commands[:, LEFT] - self.start, lefts) + np.arange(self.words)]
        number = np.arange(int(tops.sum()))
        self.top = top[np.repeat(commands[:, TOP] - self.placed[:, TOP], tops) + number]
        # Sums wait in the accumulators for the next pass that emits.
        waits = np.isin(self.field("opcode"), STATIONARY)
        emits = np.flatnonzero(waits & (self.field("emit") == 1))
        self.results = _starts(results)
        self.results[waits] = self.results[emits[np.searchsorted(emits, place[waits])]]

    def field(self, name: str) -> Int64:
        """int64[passes], a field of every pass."""
        return self.commands[:, columns(ArrayCommand)[name]]

    @cached_property
    def is_tap(self) -> Bits:
        """bool[words of the left banks], whether a word holds taps of row streams."""
        owner = self.owner[: self.words]
        taps, values = self.field("taps")[owner], self.field("k")[owner]
        offset = np.arange(self.words) - self.start[owner]
        stream = offset // (taps + values)
        inside = stream < self.field("streams")[owner]
        rows = self.field("opcode")[owner] == Opcode.ROWS
        taps_here: Bits = rows & inside & (offset - stream * (taps + values) < taps)
        return taps_here

    def record(self, clocks: range) -> tuple[Int64, Int64, Int64, Int64]:
        """Addresses in the registers a, b and w, and control bits, at the start of the clocks."""
        from accelsim.engines.systolic_array import cycle  # loads Numba

        array = self.array
        number = np.arange(len(self.owner) - 1)[:, None]
        # The array does not mask columns that a pass has not: there the banks hold zeros.
        inside = np.arange(array.columns) < self.field("n")[self.owner[self.words : -1], None]
        registers = [np.full((len(clocks), array.rows, array.columns), NONE) for _ in range(3)]
        for low in range(0, max(1, len(number).bit_length()), DIGIT):
            digit = ((number >> low & (1 << DIGIT) - 1) + 1).astype(np.int16)
            left = np.repeat(digit[: self.words], array.rows, axis=1)
            state = cycle.record(array, self.placed, left, digit[self.words :] * inside, clocks)
            for register, digits in zip(registers, (state.a, state.b, state.w), strict=True):
                here = digits > 0
                register[here] += (digits[here].astype(np.int64) - 1 << low) + (low == 0)
        a, b, w = registers
        return a, b, w, state.f.astype(np.int64)


def _starts(sizes: Int64) -> Int64:
    return np.cumsum(sizes) - sizes


# ---- the array -----------------------------------------------------------------------------


def _of_window(sequence: _Sequence, clocks: range) -> Activity:
    """Activity at a few clocks."""
    from accelsim.engines.systolic_array import cycle

    # Results that are still in the shadows were captured at most so many clocks before.
    array = sequence.array
    since = max(0, clocks.start - 2 * array.rows - array.columns - 1)
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
    tap = slides & (other >= 0) & (other < sequence.words)
    tap[tap] = sequence.is_tap[other[tap]]
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
    # Operands multiply in the clock behind, and the product is added in the one behind that.
    late = np.zeros((2, *drain.shape[1:]), drain.dtype)
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
