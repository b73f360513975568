"""What every processing element does at each clock, read from registers.

Control depends on no data, so that data can tell what meets what. The registers are simulated with
the address of every operand word in place of its value, each pass with words of its own. Where two
operands of one pass meet in a multiplier, their addresses say which product it is; whether it has
a use follows from what lies there, and from where its result goes. No formula of the schedule is
used.
"""

from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import systolic_array
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import ArrayPass, Opcode

RECORDED_BYTES = 1 << 26  # of registers that are kept at a time
DIGIT = 14  # bits of an address that an operand register carries at a time
NONE = -1  # no operand

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


class Work(IntEnum):
    """What an element does in a clock."""

    IDLE = 0  # nothing comes in
    FILL = 1  # an operand comes in or passes by, and meets none to be multiplied with
    WASTE = 2  # multiplies a zero of padding or of the mapping, or for a result thrown away
    BUSY = 3  # multiplies two operands of the layer for one of its results


class Activity(NamedTuple):
    """What the elements of an engine do.

    work : uint8[clocks, rows, columns], of Work.
    drain : bool[clocks, rows, columns], a finished result leaves the element for the one below,
        or for the result port.
    """

    work: npt.NDArray[np.uint8]
    drain: Bits

    @property
    def multiplies(self) -> Int64:
        """int64[clocks], elements that multiply, those that waste it included."""
        found: Int64 = np.count_nonzero(self.work >= Work.WASTE, axis=(1, 2))
        return found


def of_array(
    array: SystolicArray, commands: Int64, left: Int16, top: Int16, used: Bits, clocks: range
) -> Activity:
    """Activity of the systolic array at consecutive clocks of a sequence.

    Parameters
    ----------
    commands : int64[passes, 12], the fields of ArrayCommand.
    left, top : int16[words, R], int16[words, C], operand banks that are 0 where the layer has a
        zero, and anything else elsewhere.
    used : bool[result words, C], results that are not thrown away.
    """
    sequence = _Sequence(array, commands, left, top, used)
    each = 40 * array.rows * max(array.columns, 8)  # bytes of registers at a clock
    step = max(1, RECORDED_BYTES // each)
    parts = [
        _of_window(sequence, range(start, min(start + step, clocks.stop)))
        for start in range(clocks.start, clocks.stop, step)
    ]
    work, drain = zip(*parts, strict=True)
    return Activity(np.concatenate(work), np.concatenate(drain))


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
        sizes = np.array([systolic_array.words(ArrayPass(*row[:9])) for row in commands.tolist()])
        lefts, tops, results = sizes.T
        self.array, self.commands, self.used = array, commands, used
        self.words = int(lefts.sum())
        self.placed = commands.copy()
        self.placed[:, 9], self.placed[:, 10] = _starts(lefts), _starts(tops)
        self.start, self.stacked = self.placed[:, 9], self.placed[:, 10] + self.words
        passes = np.arange(len(commands))
        self.owner = np.concatenate([np.repeat(passes, lefts), np.repeat(passes, tops), [NONE]])
        self.left = left[np.repeat(commands[:, 9] - self.start, lefts) + np.arange(self.words)]
        number = np.arange(int(tops.sum()))
        self.top = top[np.repeat(commands[:, 10] - self.placed[:, 10], tops) + number]
        # Sums wait in the accumulators for the next pass that emits.
        waits = np.isin(self.field("opcode"), systolic_array.STATIONARY)
        emits = np.flatnonzero(waits & (self.field("emit") == 1))
        self.results = _starts(results)
        self.results[waits] = self.results[emits[np.searchsorted(emits, passes[waits])]]

    def field(self, name: str) -> Int64:
        """int64[passes], a field of every pass."""
        return self.commands[:, ArrayPass._fields.index(name)]

    @cached_property
    def is_tap(self) -> Bits:
        """bool[words of the left banks], whether a word holds taps of row streams."""
        owner = self.owner[: self.words]
        taps, values = self.field("taps")[owner], self.field("k")[owner]
        offset = np.arange(self.words) - self.start[owner]
        stream = offset // (taps + values)
        inside = stream < self.field("streams")[owner]
        rows = self.field("opcode")[owner] == Opcode.ROWS
        found: Bits = rows & inside & (offset - stream * (taps + values) < taps)
        return found

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
            for addresses, found in zip(registers, (state.a, state.b, state.w), strict=True):
                here = found > 0
                addresses[here] += (found[here].astype(np.int64) - 1 << low) + (low == 0)
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
    since = max(0, clocks.start - 2 * array.rows - array.columns)
    a, b, w, flags = sequence.record(range(since, clocks.stop + 1))
    # What came into an element during a clock is in its registers at the start of the next one;
    # only `w`, which a swap or a tap changes, multiplies as it was.
    a, b, w, flags = a[1:], b[1:], w[:-1], flags[1:]
    streams, slides, shifts = (flags & bit != 0 for bit in (cycle.WSF, cycle.FZ, cycle.BSH))
    other = np.where(streams | slides, w, np.where(shifts, b, NONE))
    owner = sequence.owner
    # Taps of row streams run on through columns that their pass does not use; and the streams
    # begin with zeros that are no words.
    tap = slides & (other >= 0) & (other < sequence.words)
    tap[tap] = sequence.is_tap[other[tap]]
    tap &= np.arange(array.columns) < sequence.field("n")[owner[other]]
    products = np.where(slides, tap, (a >= 0) & (other >= 0) & (owner[a] == owner[other]))
    comes = (a >= 0) | (shifts & (b >= 0)) | (slides & (w >= 0))
    work = np.where(comes, Work.FILL, Work.IDLE).astype(np.uint8)
    at = np.nonzero(products)
    work[at] = np.where(_useful(sequence, a[at], other[at], *at[1:]), Work.BUSY, Work.WASTE)
    captures = flags & cycle.CAP != 0
    drain = _drains(products, streams, captures & ~streams, flags & cycle.SH != 0)
    first = clocks.start - since
    return Activity(work[first:], drain[first:])


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


# ---- the depthwise engine ------------------------------------------------------------------


def of_depthwise(
    engine: DepthwiseEngine, commands: Int64, maps: Int16, taps: Int16, clocks: range
) -> Activity:
    """Activity of the depthwise engine, lanes as rows and pixels as columns.

    A multiplier with a pixel outside the map, or one that is no output, has a zero; in a lane
    without a channel it is idle. Shadows drain lane by lane, those behind moving up. Not told apart
    is the last row of a stripe that the map does not fill: its products count as BUSY.

    Parameters
    ----------
    commands : int64[passes, 22], the fields of DepthwiseCommand.
    maps : int16[words, P, L], the banks: anything but 0 where the layer has a value.
    taps : int16[entries, 2 + L], the tap memory, weights likewise.
    """
    from accelsim.engines.depthwise import cycle  # loads Numba

    lane = np.arange(engine.lanes)[:, None]
    shape = len(clocks), engine.lanes, engine.pixels
    work, drain = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    for at, clock in enumerate(clocks):
        found = cycle.simulate(engine, commands, maps, taps, clock).registers
        assert found is not None
        if found.tags[2] & cycle.TAP:  # of the tap whose operands are at the multipliers
            channels = found.weight2[:, None] != 0
            operands = np.where(found.operand.T != 0, Work.BUSY, Work.WASTE)
            work[at] = np.where(channels, operands, Work.IDLE)
        drain[at] = lane < found.counters.beats_left * engine.result_lanes
    return Activity(work, drain)
