"""Sequences of the systolic array in which something comes together."""

from accelsim.passes import ArrayPass, Opcode

OS, WS, IS, ROWS = Opcode
BANK_DEPTH = 4096  # holds all of them, one after another, twice


def os(m, n, k, accumulate=0, emit=1):
    return ArrayPass(OS, m, n, k, accumulate=accumulate, emit=emit)


def ws(m, n, k, accumulate=0, emit=1):
    return ArrayPass(WS, m, n, k, accumulate=accumulate, emit=emit)


def input_stationary(m, n, k, accumulate=0, emit=1):
    return ArrayPass(IS, m, n, k, accumulate=accumulate, emit=emit)


def rows(m, n, k, taps, streams=1, fires=1, accumulate=0, emit=1):
    return ArrayPass(ROWS, m, n, k, taps, streams, fires, accumulate, emit)


# Every transition between two modes, in one order and the other.
TOUR = (
    os(3, 4, 5), ws(4, 4, 3), rows(3, 4, 5, 3), input_stationary(4, 4, 3), os(3, 4, 2),
    rows(2, 4, 6, 3), ws(2, 4, 2), input_stationary(3, 2, 3), ws(1, 1, 1), os(1, 1, 1),
    input_stationary(1, 4, 3), rows(3, 4, 4, 2), os(3, 4, 4),
)  # fmt: skip

CASES = {
    "os, drain slot tight": (os(3, 4, 1), os(3, 4, 1), os(3, 4, 2), os(3, 4, 3), os(3, 4, 1)),
    "os, mixed heights": (os(3, 3, 3), os(2, 4, 4), os(3, 2, 1), os(1, 1, 1), os(1, 4, 1)),
    "os, one of everything": (os(1, 1, 1),) * 4,
    "os, one row": (os(1, 4, 1),) * 5,
    "os, sums kept behind a drain": (
        os(3, 4, 2), os(3, 4, 1, 0, 0), os(3, 4, 1, 1, 0), os(3, 4, 2, 1), os(2, 1, 1),
    ),
    "os, sums kept between other modes": (
        ws(3, 4, 2), os(2, 3, 3, 0, 0), os(2, 3, 1, 1), rows(3, 4, 4, 2), os(1, 1, 1, 0, 0),
        os(1, 1, 1, 1), input_stationary(3, 2, 3),
    ),
    "rows, sums kept": (
        rows(3, 4, 4, 3, 2, emit=0), rows(3, 4, 6, 5, accumulate=1, emit=0),
        rows(3, 4, 3, 1, 3, accumulate=1), rows(2, 1, 2, 2, emit=0), rows(2, 1, 2, 2, accumulate=1),
    ),
    "ws, one clock each": (ws(1, 4, 1),) * 5,
    "ws, k above m": (ws(1, 4, 3), ws(2, 4, 3), ws(1, 1, 3), ws(1, 4, 1)),
    "ws, m above k": (ws(9, 4, 1), ws(7, 3, 2), ws(5, 1, 3)),
    "is, one of everything": (input_stationary(1, 1, 1),) * 4,
    "ws, sums read in the clock in which they are written": (
        ws(1, 4, 1, 0, 0), ws(1, 4, 1, 1, 0), ws(1, 4, 1, 1, 0), ws(1, 4, 1, 1, 1),
    ),
    "ws, sums read in the clock after": (ws(2, 4, 1, 0, 0), ws(2, 4, 2, 1, 0), ws(2, 4, 1, 1, 1)),
    "is, sums as deep as the accumulator": (
        input_stationary(16, 4, 3, 0, 0), input_stationary(16, 4, 2, 1, 0),
        input_stationary(16, 4, 3, 1, 1),
    ),
    "sums kept while other modes work": (
        ws(3, 4, 3, 0, 0), os(3, 4, 2), rows(3, 4, 5, 3), ws(3, 4, 2, 1, 0), ws(9, 4, 2),
        input_stationary(3, 4, 1, 1, 1),
    ),
    "sums emitted twice": (ws(3, 4, 3, 0, 0), ws(3, 4, 3, 1, 1), ws(3, 4, 3, 1, 1)),
    "rows, one tap": (rows(3, 4, 3, 1), rows(3, 4, 4, 1), rows(1, 1, 2, 2), rows(3, 3, 2, 1)),
    "rows, fewest values": (rows(3, 4, 3, 5), rows(3, 3, 2, 8), rows(1, 2, 2, 8)),
    "rows, most values": (rows(3, 4, 6, 3), rows(3, 4, 11, 8), rows(2, 1, 8, 8)),
    "rows, streams": (rows(3, 4, 4, 3, streams=3), rows(1, 1, 2, 2, 5), rows(3, 2, 3, 3, 2)),
    "rows, fires": (rows(3, 4, 4, 3, fires=4), rows(2, 4, 3, 1, fires=3), rows(3, 3, 4, 2, 1, 5)),
    "rows, drain slot tight": (rows(3, 2, 2, 1), rows(3, 2, 2, 1), rows(3, 2, 2, 1), os(3, 1, 1)),
    "rows, its first tap behind ws": (ws(3, 4, 3), rows(3, 4, 3, 1), ws(1, 4, 1), rows(3, 2, 2, 1)),
    "all modes": TOUR,
    "all modes, reversed": TOUR[::-1],
}  # fmt: skip

# Six rows, two columns: drains that last longer than what follows needs to load.
TALL_CASES = {
    "a swap waits for the drain of os": (os(6, 2, 1), ws(1, 2, 1), ws(1, 2, 1), os(6, 1, 1)),
    "a swap waits for the drain of rows": (
        rows(6, 2, 2, 1), input_stationary(1, 2, 1), rows(5, 1, 2, 2), ws(2, 1, 1),
    ),
    "a stream waits for the drain": (os(6, 2, 3), rows(6, 2, 2, 1), rows(6, 2, 2, 1, 2)),
    "kept sums wait for the drain": (
        os(6, 2, 2), os(6, 2, 1, emit=0), os(6, 2, 1, 1), rows(6, 2, 2, 1, emit=0),
        rows(6, 2, 2, 1, 2, accumulate=1), os(6, 1, 1),
    ),
    "fires with as many rows as windows": (rows(2, 2, 2, 1, fires=5), os(6, 2, 1)),
}  # fmt: skip
