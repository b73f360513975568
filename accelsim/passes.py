"""The commands of the engines: one immutable record per piece of work.

A record is a NamedTuple whose fields are Annotated with their width, so the same definition is
hashable (cost tables), goes into Numba kernels, and becomes the command word of the RTL.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple, get_type_hints


class Bits(int):
    """Width in bits of an unsigned field."""


class Opcode(IntEnum):
    """Mode of the systolic array for one pass."""

    OS = 0  # output stationary
    WS = 1  # weight stationary
    IS = 2  # input stationary: the hardware of WS with the operands exchanged
    ROWS = 3  # row streams: one-dimensional convolutions along the rows


class ArrayPass(NamedTuple):
    """One command to the systolic array; everything that its timing depends on.

    os        m rows x n columns of results, k products each
    ws, is    k rows x n columns of stationary operands, m rows streamed past them; `accumulate`
              adds the accumulator memory to the results, `emit` sends them to the result port
              instead of writing them back
    rows      m rows, each running `streams` one-dimensional correlations with `taps` taps over
              k values (preceded by zeros), summed into n windows; with one stream, `fires`
              such groups of n windows follow each other on one long line

    Legal are m rows (k in ws and is) and n columns that the array has, taps up to its max_taps.
    ws and is: m up to the accumulator depth where accumulate is 1 or emit is 0; os and rows:
    accumulate 0, emit 1. rows: k at least 2 and from n - 1 to n + taps - 1; more than one fire
    needs one stream, n >= m and n > taps. All but taps and the two flags are at least 1.
    """

    opcode: Annotated[int, Bits(2)]
    m: Annotated[int, Bits(16)]
    n: Annotated[int, Bits(16)]
    k: Annotated[int, Bits(16)]
    taps: Annotated[int, Bits(8)] = 0
    streams: Annotated[int, Bits(8)] = 1
    fires: Annotated[int, Bits(16)] = 1
    accumulate: Annotated[int, Bits(1)] = 0
    emit: Annotated[int, Bits(1)] = 1


class ArrayCommand(NamedTuple):
    """An ArrayPass and where its operands begin, as the sequencer of a core receives it.

    left, top : word addresses in the row banks and the column banks.
    last : 1 ends a sequence; the engine then waits for nothing more.
    """

    work: ArrayPass
    left: Annotated[int, Bits(24)]
    top: Annotated[int, Bits(24)]
    last: Annotated[int, Bits(1)]


class Repeat(NamedTuple):
    """`trips` times the passes of `body`, in order; `name` is for reports."""

    trips: int
    body: tuple["ArrayPass | Repeat", ...]
    name: str = "tiles"


def widths(record: type) -> dict[str, int | dict[str, int]]:
    """Width of every field of a pass record, nested records as nested dicts."""
    found: dict[str, int | dict[str, int]] = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        bits = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Bits)]
        found[name] = int(bits[0]) if bits else widths(hint)  # type: ignore[assignment]
    return found
