"""Commands of the systolic array."""

from enum import IntEnum
from typing import Annotated, Any, NamedTuple

import numpy as np

from accelsim.errors import UnsupportedError
from accelsim.passes.base import Address, Bits


class Opcode(IntEnum):
    """Mode of the systolic array for one pass."""

    OS = 0  # output stationary
    WS = 1  # weight stationary
    IS = 2  # input stationary: the hardware of WS with the operands exchanged
    ROWS = 3  # row streams: one-dimensional convolutions along the rows


STATIONARY = (Opcode.WS, Opcode.IS)  # modes that stream past a tile of operands

_OPCODES = ", ".join(f"{opcode.value} {opcode.name.lower()}" for opcode in Opcode)


class ArrayPass(NamedTuple):
    """One command to the systolic array; everything that its timing depends on.

    os        m rows x n columns of results, k products each
    ws, is    k rows x n columns of stationary operands, m rows streamed past them; `accumulate`
              adds the accumulator memory to the results, `emit` sends them to the result port
              instead of writing them back
    rows      m rows, each running `streams` one-dimensional correlations with `taps` taps over
              k values (preceded by zeros), summed into n windows; with one stream, `fires`
              such groups of n windows follow each other on one long line

    Sums of os and rows may take several passes: with emit 0 a pass keeps them in the array, and the
    pass behind it, of the same mode, m and n and with accumulate 1, goes on with them.

    Legal are m rows (k in ws and is) and n columns that the array has, taps up to its max_taps.
    ws and is: m up to the accumulator depth where accumulate is 1 or emit is 0. rows: k at least 2
    and from n - 1 to n + taps - 1; more than one fire needs one stream, n >= m, n > taps, and sums
    of its own. All but taps and the two flags are at least 1.
    """

    opcode: Annotated[int, Bits(2), Opcode, _OPCODES]
    m: Annotated[
        int,
        Bits(16),
        "rows of results (os, rows); words streamed past the stationary tile (ws, is)",
    ]
    n: Annotated[int, Bits(16), "columns of results; windows per fire (rows)"]
    k: Annotated[
        int,
        Bits(16),
        "products per sum (os); rows of the tile (ws, is); values per stream (rows)",
    ]
    taps: Annotated[int, Bits(8), "taps of a stream (rows), else 0"] = 0
    streams: Annotated[int, Bits(8), "streams summed into one result (rows), else 1"] = 1
    fires: Annotated[int, Bits(16), "groups of n windows on one stream (rows), else 1"] = 1
    accumulate: Annotated[
        int,
        Bits(1),
        "1 adds word t of the accumulators to result t (ws, is), or goes on with the sums that the "
        "pass before it has kept (os, rows)",
    ] = 0
    emit: Annotated[
        int,
        Bits(1),
        "1 sends results to the result port, 0 writes them to the accumulators (ws, is) or keeps "
        "the sums in the array (os, rows)",
    ] = 1


class ArrayCommand(NamedTuple):
    """An ArrayPass and where its operands begin, as the sequencer of a core receives it.

    left, top : word addresses in the row banks and the column banks.
    last : 1 ends a sequence; the engine then waits for nothing more.
    """

    work: ArrayPass
    left: Annotated[int, Address(24), "address of the first word in the row banks"]
    top: Annotated[int, Address(24), "address of the first word in the column banks"]
    last: Annotated[int, Bits(1), "1 ends the sequence"]


class ArrayWords(NamedTuple):
    """Words that a pass reads from the row banks and the column banks, and words of its results."""

    left: Any
    top: Any
    results: Any


def array_words(p: ArrayPass) -> ArrayWords:
    """The words of a pass, whose fields may be numbers, or columns of a table as int64[passes]."""
    os, rows = p.opcode == Opcode.OS, p.opcode == Opcode.ROWS
    stationary = 1 - os - rows
    line = p.streams * (p.taps + p.k) + (p.fires - 1) * p.n
    return ArrayWords(
        left=os * p.k + rows * line + stationary * p.m,
        top=(1 - rows) * p.k,
        results=result_words(p),
    )


def result_words(p: ArrayPass) -> Any:
    """Words of the results of a pass, or of columns of a table as int64[passes]."""
    return p.m * p.fires * p.emit


_NOTHING = ArrayPass(Opcode.OS, 1, 1, 1)  # keeps no sums, and goes on with none


def misplaced(before: ArrayPass | None, after: ArrayPass | None) -> str | None:
    """Why a pass cannot follow another, in one sentence; None where it can.

    None stands for what is before the first pass of a sequence, and for what is behind the last.
    """
    kept, p = before or _NOTHING, after or _NOTHING
    if (kept.emit and not p.accumulate) or not _breaks_sums(kept, p):
        return None
    if before is not None and _keeps(before):
        return (
            "a pass that keeps its sums (emit 0) is followed by one of the same mode, m and n that "
            f"goes on with them (accumulate 1): {_said(before)} by {_said(after)}"
        )
    return (
        "a pass that goes on with sums (accumulate 1) follows one of the same mode, m and n that "
        f"keeps them (emit 0): {_said(after)} behind {_said(before)}"
    )


def check_sums(p: ArrayPass) -> None:
    """Raise UnsupportedError where a sequence, given as columns int64[passes], breaks off sums."""
    if np.all(p.emit) and not np.any(p.accumulate):
        return  # to look at every pair takes up to a fifth as long as to step an 8x8 array
    columns = (
        np.concatenate([[nothing], column, [nothing]])
        for nothing, column in zip(_NOTHING, p, strict=True)
    )
    table = np.stack(list(columns), axis=1)
    broken = _breaks_sums(ArrayPass(*table[:-1].T), ArrayPass(*table[1:].T))
    if broken.any():
        place = int(broken.argmax())
        before, after = (ArrayPass(*row) for row in table[place : place + 2].tolist())
        reason = misplaced(before if place else None, after if place < len(table) - 2 else None)
        raise UnsupportedError(str(reason))


def _keeps(p: ArrayPass) -> Any:
    return ((p.opcode == Opcode.OS) | (p.opcode == Opcode.ROWS)) & (p.emit == 0)


def _goes_on(p: ArrayPass) -> Any:
    return ((p.opcode == Opcode.OS) | (p.opcode == Opcode.ROWS)) & (p.accumulate == 1)


def _breaks_sums(before: ArrayPass, after: ArrayPass) -> Any:
    """Whether one of two neighbours, or of columns of them, breaks off the sums of the other."""
    other = (before.opcode != after.opcode) | (before.m != after.m) | (before.n != after.n)
    keeps = _keeps(before)
    return (keeps != _goes_on(after)) | (keeps & other)


def _said(p: ArrayPass | None) -> str:
    if p is None:
        return "no pass"
    name = Opcode(p.opcode).name.lower()
    return f"{name} m={p.m} n={p.n} accumulate={p.accumulate} emit={p.emit}"
