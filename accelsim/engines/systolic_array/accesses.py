"""What passes of the array do that takes energy, counted clock by clock from registers and control.

As in activity.py the registers are simulated with the address of every operand word in place of
its value, so that they say which operand is where; here every sum carries the pass that it belongs
to. Banks, tap buffers, accumulators and the result port are counted from what the sequencer sends
to them. No formula of the schedule is used.
"""

from typing import NamedTuple

import numpy as np

from accelsim.engines.activity import Bits, Int64
from accelsim.engines.base import Accesses
from accelsim.engines.systolic_array.addressed import NONE, Addressed
from accelsim.hardware import SystolicArray

Counts = dict[str, Int64]  # int64[passes] of every kind


def accesses(array: SystolicArray, commands: Int64) -> list[Accesses]:
    """The Accesses of every pass of a sequence.

    commands : int64[passes, fields], of ArrayCommand.
    """
    sequence = Addressed(array, commands)
    counts = {name: np.zeros(len(commands), np.int64) for name in Accesses._fields}
    grid = _grid(sequence)
    _count_operands(sequence, grid, counts)
    _count_sums(sequence, grid, counts)
    _count_memories(sequence, counts)
    return [Accesses(*each) for each in np.transpose([*counts.values()]).tolist()]


def _add(counts: Int64, passes: Int64, times: int | Int64 = 1) -> None:
    """Add to the counts of passes, of which there may be equal ones."""
    np.add.at(counts, passes, times)


# ---- elements ------------------------------------------------------------------------------


class _Grid(NamedTuple):
    """Elements in frames: element (i, j) is i + j clocks behind element (0, 0).

    a, b, w : int64[frames, R, C], address of what each register took or held in the frame.
    before : int64[frames, R, C], what w held before it.
    streams, slides, shifts, swaps, captures, drains : bool[frames, R, C], control bits.
    """

    a: Int64
    b: Int64
    w: Int64
    before: Int64
    streams: Bits
    slides: Bits
    shifts: Bits
    swaps: Bits
    captures: Bits
    drains: Bits


def _grid(sequence: Addressed) -> _Grid:
    from accelsim.engines.systolic_array import cycle  # loads Numba

    array = sequence.array
    frames = _clocks(sequence)
    clocks = range(frames + array.rows + array.columns)
    number, i, j = np.ogrid[:frames, : array.rows, : array.columns]
    at = number + i + j
    a, b, w, flags = sequence.record(clocks)
    # What comes into a register during a clock is there at the start of the next one.
    a, b, w, before, flags = (
        register[place, i, j]
        for register, place in ((a, at + 1), (b, at + 1), (w, at + 1), (w, at), (flags, at + 1))
    )
    bits = (
        cycle.STATIONARY, cycle.HALF_SPEED, cycle.SHIFT_OPERANDS,
        cycle.SWAP, cycle.CAPTURE, cycle.SHIFT_SHADOW,
    )  # fmt: skip
    return _Grid(a, b, w, before, *(flags & bit != 0 for bit in bits))


def _clocks(sequence: Addressed) -> int:
    """Clocks in which the sequencer sends anything, and some behind them."""
    from accelsim.engines.systolic_array import cycle

    array = sequence.array
    zeros = (
        np.zeros((sequence.words, array.rows), np.int16),
        np.zeros((len(sequence.owner) - 1 - sequence.words, array.columns), np.int16),
    )
    run = cycle.simulate(array, sequence.placed, *zeros)
    return int(run.retired[-1])


def _count_operands(sequence: Addressed, grid: _Grid, counts: Counts) -> None:
    """Products, and what operand registers take."""
    owner, moves = sequence.owner, counts["operand_move"]
    products = _products(sequence, grid)
    for name in ("multiply", "add"):
        _add(counts[name], products[products != NONE])
    # Values go on behind their line, with the pass or stream that follows it, and meet no tap.
    lines = sequence.line[grid.a], sequence.line[grid.b]
    along = [(line != NONE) & (line == lines[0][:, :, :1]) for line in lines]
    for register, comes, slides in ((grid.a, True, along[0]), (grid.b, grid.shifts, along[1])):
        taken = (register != NONE) & np.where(grid.slides, slides, comes)
        _add(moves, owner[register[taken]])
    taps = grid.slides & sequence.is_tap[grid.w]
    # A swap also takes what lies below the tile, which is of no pass.
    swapped = grid.swaps & (grid.w != NONE) & (owner[grid.w] == owner[grid.w[:, :1]])
    _add(moves, owner[grid.w[taps | swapped]])


def _products(sequence: Addressed, grid: _Grid) -> Int64:
    """int64[frames, R, C], the pass whose operands an element multiplies, else NONE."""
    owner, columns = sequence.owner, np.arange(sequence.array.columns)
    held = grid.streams | grid.slides
    other = np.where(held, grid.before, np.where(grid.shifts, grid.b, NONE))
    tap = sequence.is_tap[other] & (columns < sequence.field("n")[owner[other]])
    meets = (grid.a != NONE) & (other != NONE) & (owner[grid.a] == owner[other])
    return np.where(np.where(grid.slides, tap, meets), owner[other], NONE)


def _count_sums(sequence: Addressed, grid: _Grid, counts: Counts) -> None:
    """Sums that come to registers, each followed by the pass that it belongs to."""
    array, owner, moves = sequence.array, sequence.owner, counts["sum_move"]
    # Partial sums of a stream pass through all rows, also below its tile.
    first = owner[grid.a[:, :1]]
    inside = np.arange(array.columns) < sequence.field("n")[first]
    passing = np.where(inside, first, NONE)
    shadow = np.full((array.rows, array.columns), NONE)
    for number, product in enumerate(_products(sequence, grid)):
        streams, captures = grid.streams[number], grid.captures[number]
        drains = grid.drains[number]
        _add(moves, product[(product != NONE) & ~streams])
        above = np.full(array.columns, NONE)
        for i in range(array.rows):
            moved = np.where(captures[i], product[i], np.where(drains[i], above, shadow[i]))
            moved = np.where(streams[i], passing[number, 0], moved)
            _add(moves, moved[(streams[i] | captures[i] | drains[i]) & (moved != NONE)])
            shadow[i] = above = moved


# ---- memories ------------------------------------------------------------------------------


def _count_memories(sequence: Addressed, counts: Counts) -> None:
    """Accesses to banks, tap buffers, accumulators and result memory, and what is filled in."""
    from accelsim.engines.systolic_array import cycle

    frames = cycle.sent(sequence.array, sequence.placed, range(_clocks(sequence)))
    filled: set[tuple[int, int]] = set()
    value_bytes = sequence.array.operands.value_bytes
    for frame in frames:
        left, top = int(frame["left_at"]), int(frame["top_at"])
        rows, columns = int(frame["high"] - frame["low"]), int(frame["columns"])
        reads = []
        if left != NONE:
            p = sequence.owner[left]
            reads.append(("row", left, p, rows))
            counts["tap_write"][p] += rows * (frame["tap_in"] != NONE)
            counts["tap_read"][p] += rows * (frame["tap_out"] != NONE)
            _count_results(frame, p, columns, counts)
        if top != NONE:
            top += sequence.words
            p = sequence.owner[top]
            reads.append(("column", top, p, int(sequence.field("n")[p])))
        for side, word, p, values in reads:
            counts[f"{side}_bank_read"][p] += values
            if (word, p) not in filled:
                filled.add((word, p))
                counts[f"{side}_bank_write"][p] += values
                counts["fill"][p] += values * value_bytes


def _count_results(frame: np.void, p: int, columns: int, counts: Counts) -> None:
    """What a frame of a pass tells the result port to do."""
    from accelsim.engines.systolic_array import cycle

    token, results = int(frame["token"]), int(frame["drain"]) * columns
    if token & cycle.BEAT:
        results = columns if token & cycle.EMIT else 0
        counts["accumulator_write"][p] += columns - results
        if token & cycle.ACCUMULATE:
            counts["accumulator_read"][p] += columns
            counts["add"][p] += columns
    for name in ("result_write", "result_read"):
        counts[name][p] += results
