"""The values of passes of the systolic array, one by one from the meaning of a pass."""

from itertools import product

import numpy as np

from accelsim.passes import ArrayCommand, ArrayPass, Opcode, addresses

LEFT, TOP = addresses(ArrayCommand)


def result_words(array, commands, left, top):
    """int64[result words, C] of a sequence, in two's complement of the accumulators' width."""
    rows, columns = array.rows, array.columns
    accumulator = np.zeros((array.accumulator_depth, columns), np.int64)
    words, kept = [], []
    for row in commands.tolist():
        p, at, above = ArrayPass(*row[:9]), row[LEFT], row[TOP]
        if p.opcode == Opcode.OS:
            sums = []
            for r in reversed(range(p.m)):
                word = np.zeros(columns, np.int64)
                for b in range(p.k):
                    word[: p.n] += left[at + b, rows - p.m + r] * top[above + b, : p.n]
                sums.append(word)
        elif p.opcode == Opcode.ROWS:
            sums = _rows(array, p, left[at:])
        else:
            for t in range(p.m):
                word = np.zeros(columns, np.int64)
                for i in range(p.k):
                    word[: p.n] += left[at + t, i] * top[above + p.k - 1 - i, : p.n]
                if p.accumulate:
                    word += accumulator[t]
                if p.emit:
                    words.append(word)
                else:
                    accumulator[t] = word
            continue
        if p.accumulate:
            sums = [word + before for word, before in zip(sums, kept, strict=True)]
        if p.emit:
            words += sums
        else:
            kept = sums
    half = 1 << (array.operands.accumulator_bits - 1)
    return (np.array(words) + half) % (2 * half) - half


def _rows(array, p, left):
    words = []
    span = p.taps + p.k
    for f, r in product(range(p.fires), reversed(range(p.m))):
        word = np.zeros(array.columns, np.int64)
        for s in range(p.streams):
            signal = left[s * span :, array.rows - p.m + r]
            for o in range(p.n):
                for t in range(p.taps):
                    i = p.k - p.n - p.taps + 1 + f * p.n + o + t
                    value = signal[p.taps + i] if i >= 0 else 0
                    word[p.n - 1 - o] += signal[t] * value
        words.append(word)
    return words
