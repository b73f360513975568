"""What every processing element does at each clock, read from registers.

Control depends on no data, so that data can tell what meets what. The registers are simulated on
marked operands: the size of a mark names the pass that an operand belongs to (its columns, and
whether its number is odd) and whether it is a tap of a row; its sign is negative where the layer
has a zero there: padding, or a place that the mapping fills up. An element multiplies for a pass
where operands with marks of that pass meet in its multiplier. No formula of the schedule is used.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines import systolic_array
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import ArrayPass, Opcode

TAP = 1  # the lowest bit of a mark; above it odd or even pass, above that its columns
RECORDED_BYTES = 1 << 26  # of registers that are kept at a time

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


class Work(IntEnum):
    """What an element does in a clock."""

    IDLE = 0  # nothing comes in
    FILL = 1  # an operand comes in or passes by, and meets none to be multiplied with
    ZERO = 2  # multiplies, but one operand is a zero of padding or of the mapping
    BUSY = 3  # multiplies two operands of the layer


class Activity(NamedTuple):
    """What the elements of an engine do.

    work : uint8[clocks, rows, columns], of Work.
    drain : bool[clocks, rows, columns], a finished result leaves the element for the one below,
        or for the result port.
    """

    work: npt.NDArray[np.uint8]
    drain: npt.NDArray[np.bool_]

    @property
    def multiplies(self) -> Int64:
        """int64[clocks], elements that multiply, zeros of padding included."""
        found: Int64 = np.count_nonzero(self.work >= Work.ZERO, axis=(1, 2))
        return found


def of_array(
    array: SystolicArray, commands: Int64, left: Int16, top: Int16, clocks: range
) -> Activity:
    """Activity of the systolic array at consecutive clocks of a sequence.

    Parameters
    ----------
    commands : int64[passes, 12], the fields of ArrayCommand.
    left, top : int16[words, R], int16[words, C], operand banks that are 0 where the layer has a
        zero, and anything else elsewhere.
    """
    marked = _mark(array, commands, left, top)
    each = 20 * array.rows * max(array.columns, 8)  # bytes of registers at a clock
    step = max(1, RECORDED_BYTES // each)
    parts = [
        _of_window(array, marked, range(start, min(start + step, clocks.stop)))
        for start in range(clocks.start, clocks.stop, step)
    ]
    work, drain = zip(*parts, strict=True)
    return Activity(np.concatenate(work), np.concatenate(drain))


# ---- marks ---------------------------------------------------------------------------------


def _mark(
    array: SystolicArray, commands: Int64, left: Int16, top: Int16
) -> tuple[Int64, Int16, Int16]:
    """The sequence with its operands replaced by marks, every pass with words of its own."""
    placed = commands.copy()
    lefts, tops = [left[:0]], [top[:0]]
    left_at = top_at = 0
    for index, row in enumerate(commands.tolist()):
        p, at, above = ArrayPass(*row[:9]), row[9], row[10]
        read, stacked, _ = systolic_array.words(p)
        mark = 2 * (p.n << 1 | index % 2)
        marks = np.full((read, 1), mark)
        if p.opcode == Opcode.ROWS:
            for stream in range(p.streams):
                start = stream * (p.taps + p.k)
                marks[start : start + p.taps] += TAP
        lefts.append(_signed(left[at : at + read], marks))
        tops.append(_signed(top[above : above + stacked], mark))
        tops[-1][:, p.n :] = 0  # the array does not mask these columns: the banks hold zeros
        placed[index, 9:11] = left_at, top_at
        left_at, top_at = left_at + read, top_at + stacked
    return placed, np.concatenate(lefts), np.concatenate(tops)


def _signed(values: Int16, marks: npt.ArrayLike) -> Int16:
    return np.where(values != 0, marks, np.negative(marks)).astype(np.int16)


# ---- the array -----------------------------------------------------------------------------


def _of_window(array: SystolicArray, marked: tuple[Int64, Int16, Int16], clocks: range) -> Activity:
    """Activity at a few clocks."""
    from accelsim.engines import systolic_array_cycle as cycle  # loads Numba

    # Results that are still in the shadows were captured at most so many clocks before.
    since = max(0, clocks.start - 2 * array.rows - array.columns)
    state = cycle.record(array, *marked, range(since, clocks.stop + 1))
    # What came into an element during a clock is in its registers at the start of the next one;
    # only `w`, which a swap or a tap changes, multiplies as it was.
    a, b, flags, w = state.a[1:], state.b[1:], state.f[1:], state.w[:-1]
    streams, slides, shifts = (flags & bit != 0 for bit in (cycle.WSF, cycle.FZ, cycle.BSH))
    other = np.where(streams | slides, w, np.where(shifts, b, 0))
    # Row streams begin with zeros that are no words of the banks, so that `a` may have no mark; and
    # their taps run on through columns that the pass does not use.
    marks = np.abs(other)
    tapped = (marks & TAP != 0) & (np.arange(array.columns) < marks >> 2)
    products = np.where(slides, tapped, (a != 0) & (np.abs(a) == marks))
    comes = (a != 0) | (shifts & (b != 0)) | (slides & (other != 0))
    work = np.where(comes, Work.FILL, Work.IDLE)
    work[products] = np.where((a > 0) & (other > 0), Work.BUSY, Work.ZERO)[products]
    captures = flags & cycle.CAP != 0
    drain = _drains(products, streams, captures & ~streams, flags & cycle.SH != 0)
    first = clocks.start - since
    return Activity(work[first:].astype(np.uint8), drain[first:])


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
    without a channel it is idle. Shadows drain lane by lane, those behind moving up.

    Parameters
    ----------
    commands : int64[passes, 22], the fields of DepthwiseCommand.
    maps : int16[words, P, L], the banks: anything but 0 where the layer has a value.
    taps : int16[entries, 2 + L], the tap memory, weights likewise.
    """
    from accelsim.engines import depthwise_cycle as cycle  # loads Numba

    lane = np.arange(engine.lanes)[:, None]
    shape = len(clocks), engine.lanes, engine.pixels
    work, drain = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    for at, clock in enumerate(clocks):
        found = cycle.simulate(engine, commands, maps, taps, clock).registers
        assert found is not None
        if found.tags[2] & cycle.TAP:  # of the tap whose operands are at the multipliers
            channels = found.w2[:, None] != 0
            work[at] = np.where(channels, np.where(found.x.T != 0, Work.BUSY, Work.ZERO), Work.IDLE)
        drain[at] = lane < found.counters.beats * engine.result_lanes
    return Activity(work, drain)
