"""Passes that the systolic array can run."""

from accelsim.hardware import SystolicArray
from accelsim.passes import STATIONARY, ArrayPass, Opcode, array_words, outside


def limits(array: SystolicArray, p: ArrayPass) -> str | None:
    """Why the array cannot run a pass, in one sentence; None where it can."""
    for name, value, most in (
        ("rows", p.k if p.opcode in STATIONARY else p.m, array.rows),
        ("columns", p.n, array.columns),
        ("taps", p.taps, array.max_taps),
    ):
        if value > most:
            return f"a pass uses at most {most} {name}, not {value}"
    if reason := outside(p, ("opcode", "taps", "accumulate", "emit")):
        return reason
    depth = array.accumulator_depth
    if p.opcode in STATIONARY and (p.accumulate or not p.emit) and p.m > depth:
        return f"a pass accumulates at most {depth} rows, not {p.m}"
    if p.opcode == Opcode.ROWS:
        return _row_limits(p) or _memory_limits(array, p)
    if p.taps or p.streams != 1 or p.fires != 1:
        return "only rows has taps, streams and fires"
    return _memory_limits(array, p)


def _memory_limits(array: SystolicArray, p: ArrayPass) -> str | None:
    """Banks, whose other half is filled meanwhile, and room for results."""
    words = array_words(p)
    for side, read in (("row", words.left), ("column", words.top)):
        if read > array.most_read:
            return (
                f"a pass reads at most {array.most_read} words of the {side} banks, half of "
                f"bank_depth, not {read}"
            )
    most = array.most_streamed if p.opcode in STATIONARY else array.most_fired
    if words.results > most:
        return f"a pass has at most {most} result words, so that all have room, not {words.results}"
    return None


def _row_limits(p: ArrayPass) -> str | None:
    if p.taps < 1:
        return "rows needs at least one tap"
    if p.k < 2 or not p.n - 1 <= p.k <= p.n + p.taps - 1:
        return (
            f"{p.n} windows of {p.taps} taps need max(2, n - 1) to n + taps - 1 values, not {p.k}"
        )
    if p.fires > 1 and (p.streams > 1 or p.n < p.m or p.n <= p.taps):
        return "a pass that fires more than once has one stream, n >= m and n > taps"
    if p.fires > 1 and (p.accumulate or not p.emit):
        return "a pass that fires more than once has sums of its own (accumulate 0, emit 1)"
    return None
