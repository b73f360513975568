"""What the dataflows of the systolic array share: clocks of its ports, sizes of tiles, programs."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.base import Indices, Tiles, ceil_div
from accelsim.hardware import SystolicArray
from accelsim.passes import (
    ArrayCommand,
    ArrayPass,
    Body,
    Repeat,
    addresses,
    array_words,
    columns,
    largest,
)

Cost = tuple[int, int, int, int, int, int]  # see port_clocks

FIELD_LIMIT = min(largest(ArrayPass, field) for field in ("m", "n", "k", "fires"))
PASS_FIELDS = len(ArrayPass._fields)


@dataclass(frozen=True)
class ArrayProgram:
    """The passes of a Plan with the place of every operand and result.

    commands : int64[passes, fields], of ArrayCommand.
    left, top : int32[words, R] and int32[words, columns], the content of the row banks and the
        column banks as indices into the vector (0, x.ravel(), w.ravel()); 0 means the value zero.
    dest : int32[result words, columns], the flat index of each result in the output (k, oh, ow);
        -1 where it is thrown away.

    Columns that no pass uses are left out of `top` and `dest`: often all but one of them.
    """

    commands: npt.NDArray[np.int64]
    left: Indices
    top: Indices
    dest: Indices

    def operands(
        self, x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], sizes: SystolicArray
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """The content of the banks, int16[words, R] and int16[words, C], for input and weights."""
        values = np.concatenate([np.zeros(1, np.int8), x.ravel(), w.ravel()], dtype=np.int16)
        top = np.zeros((len(self.top), sizes.columns), np.int16)
        top[:, : self.top.shape[1]] = values[self.top]
        return values[self.left], top


def port_clocks(array: SystolicArray, costs: Iterable[Cost], groups: int = 1) -> int:
    """Clocks of `groups` times the passes of os or rows, first operand to last result.

    A pass loads while the one before it drains; column n - 1 is n - 1 clocks behind column 0.

    Parameters
    ----------
    costs : of equal passes each: how many (trips), clocks of the operand ports (load) and of the
        result port (drain), columns (n), clocks between the first and the last fire (held), and
        passes (kept) that keep their sums for the one behind them. Then the load is that of the
        first, and those of the others are clocks held.
    """
    clock = drained = done = first = 0
    for trips, load, drain, n, held, kept in costs:
        if not array.overlap:
            done += trips * (load + held + drain - 1 + (kept + 1) * (array.result_latency + n - 1))
            continue
        first = first or load
        clock += max(load, drained) + (trips - 1) * max(load, drain) + trips * held
        done = max(done, clock + array.result_latency + drain + n - 2)
        drained = drain
    if not array.overlap:
        return groups * done
    return done + (groups - 1) * (clock - first + max(first, drained))


def split(total: int, most: int, other: int) -> tuple[Tiles, ...]:
    """Cut `total` into the fewest parts of at most `most`, so that sum(max(part, other)) is least.

    A pass costs the larger of its load and its drain; `other` is the side that does not depend on
    this cut. Where `other` dominates, the last part is as small as it can be without making another
    larger than `other`, because the last drain of a sequence is not hidden.
    """
    parts = ceil_div(total, most)
    if other >= ceil_div(total, parts):
        size = min(most, other)
        last = ((1, total - (parts - 1) * size),)
        return ((parts - 1, size), *last) if parts > 1 else last
    return equal(total, parts)


def equal(total: int, parts: int) -> tuple[Tiles, ...]:
    """Parts as equal as possible, the larger ones first."""
    size, larger = divmod(total, parts)
    return ((larger, size + 1), (parts - larger, size)) if larger else ((parts, size),)


def skewed(columns: int, total: int, every: int, each: int) -> tuple[int, tuple[Tiles, ...]]:
    """Column tiles of at most `columns` for a result of `total` columns, and their skew.

    Column n - 1 of a tile ends n - 1 clocks behind column 0. Tile t from the end, of n columns,
    ends t `each` clocks before the last one, so that a sequence waits for the most of n - t `each`:
    the skew. Where passes are very short, one more tile, which costs `every` clocks, may save more
    of it; of equally fast ways the one with the fewest tiles is taken.
    """
    fewest = ceil_div(total, columns)
    best = _skew(columns, total, fewest, each), fewest
    across = fewest + 1
    while across <= total and every * (across - fewest) < best[0]:
        clocks = every * (across - fewest) + _skew(columns, total, across, each)
        best = min(best, (clocks, across))
        across += 1
    across = best[1]
    skew = best[0] - every * (across - fewest)
    ends: list[Tiles] = []
    left = total
    for tile in range(_short(columns, across, each, skew)):
        size = min(skew + tile * each, left - (across - 1 - tile))
        ends.append((1, size))
        left -= size
    full = across - len(ends)
    return skew, (*(equal(left, full) if full else ()), *reversed(ends))


def _skew(columns: int, total: int, across: int, each: int) -> int:
    """The least skew s of so many tiles: tile t from the end has at most s + t `each` columns."""

    def room(skew: int) -> int:
        short = _short(columns, across, each, skew)
        return short * skew + each * short * (short - 1) // 2 + (across - short) * columns

    return 1 + bisect_left(range(1, columns + 1), total, key=room)


def _short(columns: int, across: int, each: int, skew: int) -> int:
    """Tiles at the end that the skew keeps from having all columns."""
    return min(across, max(0, ceil_div(columns - skew, each)))


def in_chunks(p: ArrayPass, field: str, most: int) -> Body:
    """A pass of os or rows as passes of which no field is larger than `most`, adding up its sums.

    The first are as large as they can be: only the first one's load hides what drains before it.
    """
    total = getattr(p, field)
    if total <= most:
        return (p,)
    chunks = ceil_div(total, most)
    first = p._replace(emit=0, **{field: most})
    middle = repeat(chunks - 2, (first._replace(accumulate=1),), "depth tiles")
    return first, *middle, p._replace(accumulate=1, **{field: total - (chunks - 1) * most})


def repeat(count: int, body: Body, name: str) -> Body:
    """`count` times the body, without a loop around a single trip, or none."""
    return body * count if count < 2 else (Repeat(count, body, name),)


def expand(body: Body) -> npt.NDArray[np.int64]:
    """Every pass of a body in execution order, int64[passes, fields of ArrayPass]."""
    parts = [
        np.tile(expand(step.body), (step.trips, 1))
        if isinstance(step, Repeat)
        else np.array([step], np.int64)
        for step in body
    ]
    return np.concatenate(parts)


def address(passes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Commands of the passes, int64[passes, fields], that read the banks from 0 on without gaps."""
    commands = np.zeros((len(passes), len(columns(ArrayCommand))), np.int64)
    commands[:, :PASS_FIELDS] = passes
    used = array_words(ArrayPass(*passes.T))
    for column, words in zip(addresses(ArrayCommand), (used.left, used.top), strict=True):
        commands[1:, column] = np.cumsum(words[:-1])
    commands[-1, columns(ArrayCommand)["last"]] = 1
    return commands
