"""Sequences of the array whose registers say which operand they hold: addresses in place of values.

Control depends on no data, so that the registers can be simulated with the address of every operand
word in place of its value, each pass with words of its own.
"""

from functools import cached_property

import numpy as np

from accelsim.engines.activity import Bits, Int64
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, addresses, array_words

DIGIT = 14  # bits of an address that an operand register carries at a time
NONE = -1  # no operand
LEFT, TOP = addresses(ArrayCommand)


class Addressed:
    """A sequence whose passes have words of their own, numbered through both kinds of banks.

    passes : ArrayPass of int64[passes], the fields of all of them.
    words : how many lie in the left banks; those of the top banks are numbered behind them.
    placed : the commands with the new addresses; `start` and `stacked` are those of each pass in
        the left and in the top banks, the latter behind all of the left.
    owner : int64[words + 1], the pass of a word; NONE for the last, which stands for no word.
    """

    def __init__(self, array: SystolicArray, commands: Int64) -> None:
        self.array = array
        self.passes = ArrayPass(*commands.T[: len(ArrayPass._fields)])
        lefts, tops, _ = array_words(self.passes)
        self.words = int(lefts.sum())
        self.placed = commands.copy()
        self.placed[:, LEFT], self.placed[:, TOP] = starts(lefts), starts(tops)
        self.start, self.stacked = self.placed[:, LEFT], self.placed[:, TOP] + self.words
        place = np.arange(len(commands))
        self.owner = np.concatenate([np.repeat(place, lefts), np.repeat(place, tops), [NONE]])

    def field(self, name: str) -> Int64:
        """int64[passes], a field of every pass."""
        column: Int64 = getattr(self.passes, name)
        return column

    @cached_property
    def line(self) -> Int64:
        """int64[words + 1], the line of row streams that a word is of, all numbered; else NONE."""
        p = self.owner[: self.words]
        offset = np.arange(self.words) - self.start[p]
        length = self.field("taps")[p] + self.field("k")[p]
        stream = np.minimum(offset // length, self.field("streams")[p] - 1)
        rows = self.field("opcode")[p] == Opcode.ROWS
        lines = np.full(len(self.owner), NONE)
        lines[: self.words] = np.where(rows, starts(self.field("streams"))[p] + stream, NONE)
        return lines

    @cached_property
    def is_tap(self) -> Bits:
        """bool[words + 1], whether a word holds taps of row streams."""
        p = self.owner[: self.words]
        offset = np.arange(self.words) - self.start[p]
        length = self.field("taps")[p] + self.field("k")[p]
        inside = offset // length < self.field("streams")[p]
        rows = self.field("opcode")[p] == Opcode.ROWS
        taps = np.zeros(len(self.owner), np.bool_)
        taps[: self.words] = rows & inside & (offset % length < self.field("taps")[p])
        return taps

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


def starts(sizes: Int64) -> Int64:
    """int64[parts], where each of some parts begins, one behind the other."""
    return np.cumsum(sizes) - sizes
