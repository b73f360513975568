"""What the dataflows of the systolic array share: clocks of its ports, sizes of tiles, programs."""

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

Cost = tuple[int, int, int, int, int]  # see port_clocks

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
        result port (drain), columns (n), clocks between the first and the last fire (held).
    """
    clock = drained = done = first = 0
    for trips, load, drain, n, held in costs:
        if not array.overlap:
            done += trips * (load + held + array.rows + drain + n - 2)
            continue
        first = first or load
        clock += max(load, drained) + (trips - 1) * max(load, drain) + trips * held
        done = max(done, clock + array.rows + drain + n - 2)
        drained = drain
    if not array.overlap:
        return groups * done
    return done + (groups - 1) * (clock - first + max(first, drained))


def split(total: int, most: int, other: int) -> tuple[Tiles, ...]:
    """Cut `total` into the fewest parts of at most `most`, so that sum(max(part, other)) is least.

    A pass costs the larger of its load and its drain; `other` is the side that does not depend on
    this cut. Where `other` dominates, the last part is the small one, because the last drain of a
    sequence is not hidden.
    """
    parts = ceil_div(total, most)
    if other >= ceil_div(total, parts):
        size = min(most, other)
        last = ((1, total - (parts - 1) * size),)
        return ((parts - 1, size), *last) if parts > 1 else last
    size, larger = divmod(total, parts)
    return ((larger, size + 1), (parts - larger, size)) if larger else ((parts, size),)


def repeat(count: int, body: Body, name: str) -> Body:
    """`count` times the body, without a loop around a single trip."""
    return body if count == 1 else (Repeat(count, body, name),)


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
