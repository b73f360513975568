"""Golden model of the systolic array: results of a sequence by plain NumPy."""

import numpy as np
import numpy.typing as npt

from accelsim.hardware import SystolicArray
from accelsim.numerics import wrap
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, addresses, array_words, check_sums

Int = npt.NDArray[np.int64]
FIELDS = len(ArrayPass._fields)
LEFT, TOP = addresses(ArrayCommand)


def golden(array: SystolicArray, commands: Int, left: Int, top: Int) -> npt.NDArray[np.int32]:
    """Results of a sequence in the order in which they leave, by plain NumPy.

    Parameters
    ----------
    commands : int64[passes, fields], of ArrayCommand.
    left, top : integers[words, R], integers[words, C], the operand banks.

    Returns
    -------
    int32[result words, C], wrapped to the accumulators' width; columns that a pass does not use are
    zero. UnsupportedError where a pass breaks off the sums that another keeps.
    """
    check_sums(ArrayPass(*commands.T[:FIELDS]))
    accumulator = np.zeros((array.accumulator_depth, array.columns), np.int64)
    results = []
    kept: Int | int = 0  # sums in the array
    for row in commands.tolist():
        p, at, above = ArrayPass(*row[:FIELDS]), row[LEFT], row[TOP]
        if p.opcode == Opcode.OS:
            a = left[at : at + p.k, array.rows - p.m :].astype(np.int64)
            words = (a.T @ top[above : above + p.k, : p.n].astype(np.int64))[::-1]
        elif p.opcode == Opcode.ROWS:
            words = _golden_rows(p, left[at : at + array_words(p).left, array.rows - p.m :])
        else:
            tile = top[above : above + p.k, : p.n][::-1].astype(np.int64)
            words = left[at : at + p.m, : p.k].astype(np.int64) @ tile
            if p.accumulate:
                words += accumulator[: p.m, : p.n]
            if not p.emit:
                accumulator[: p.m, : p.n] = words
                continue
        if p.opcode not in (Opcode.WS, Opcode.IS):
            words = words + kept if p.accumulate else words
            if not p.emit:
                kept = words
                continue
        results.append(np.pad(words, ((0, 0), (0, array.columns - p.n))))
    if not results:
        return np.zeros((0, array.columns), np.int32)
    return wrap(np.concatenate(results), array.operands.accumulator_bits)


def _golden_rows(p: ArrayPass, stream: Int) -> Int:
    """Result words of one rows pass; `stream` holds the left words of its m rows."""
    out = np.zeros((p.fires, p.m, p.n), np.int64)
    at = 0
    for _ in range(p.streams):
        taps = stream[at : at + p.taps].astype(np.int64)
        more = (p.fires - 1) * p.n
        values = stream[at + p.taps : at + p.taps + p.k + more].astype(np.int64)
        signal = np.concatenate([np.zeros_like(taps), values])
        at += p.taps + p.k + more
        for fire in range(p.fires):
            # The last of n windows ends at value k - 1 + fire n of the stream.
            for window in range(p.n):
                start = p.k - p.n + 1 + fire * p.n + window
                out[fire, :, window] += (taps * signal[start : start + p.taps]).sum(axis=0)
    return out[:, ::-1, ::-1].reshape(p.fires * p.m, p.n)
