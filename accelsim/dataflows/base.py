"""What every dataflow shares: plans, programs, tile sizes and index maps.

A Plan says which passes run, in which order; it costs nothing to make, so that many can be
compared. A Program says what every operand word and every result word of those passes holds. Both
depend on sizes only, never on data.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Opcode, Repeat

Body = tuple[ArrayPass | Repeat, ...]
Run = tuple[int, int]  # (count, size): so many tiles of that size, one after another
Indices = npt.NDArray[np.int32]

FIELD_LIMIT = 65535  # the largest value of a 16-bit field of a pass


class Plan(NamedTuple):
    """How one Conv is cut into passes.

    body : the passes in execution order, as a nest of repetitions.
    tiling : what the dataflow's `program` needs besides; its own record.
    """

    dataflow: str
    body: Body
    tiling: Hashable


@dataclass(frozen=True)
class Program:
    """The passes of a Plan with the place of every operand and result.

    commands : int64[passes, 12], the fields of ArrayPass, then left, top and last as in
        ArrayCommand.
    left, top : int32[words, R] and int32[words, C], the content of the row banks and the column
        banks as indices into the vector (0, x.ravel(), w.ravel()); 0 means the value zero.
    dest : int32[result words, C], the flat index of each result in the output (k, oh, ow); -1
        where it is thrown away.
    """

    commands: npt.NDArray[np.int64]
    left: Indices
    top: Indices
    dest: Indices

    def operands(
        self, x: npt.NDArray[np.int8], w: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
        """The content of the banks, int8[words, R] and int8[words, C], for input x, weights w."""
        values = np.concatenate([np.zeros(1, np.int8), x.ravel(), w.ravel()])
        return values[self.left], values[self.top]

    def gather(self, results: npt.NDArray[np.int32], size: int) -> npt.NDArray[np.int32]:
        """The output, int32[size], from the result words int32[result words, C]."""
        out = np.zeros(size + 1, np.int32)  # index -1 is the last element: what is thrown away
        out[self.dest] = results
        return out[:-1]


class Dataflow(Protocol):
    """What every file of this folder defines."""

    @property
    def name(self) -> str:
        """The name in `--dataflow` and in reports."""

    def plans(self, conv: Conv, array: SystolicArray) -> tuple[Plan, ...]:
        """Candidates, at least one; raises UnsupportedError with the reason where none is."""

    def program(self, conv: Conv, array: SystolicArray, plan: Plan) -> Program:
        """The index maps of a plan."""


def ceil_div(a: int, b: int) -> int:
    """Quotient rounded up."""
    return -(-a // b)


def split(total: int, most: int, other: int) -> tuple[Run, ...]:
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


def repeat(count: int, body: Body) -> Body:
    """`count` times the body, without a loop around a single trip."""
    return body if count == 1 else (Repeat(count, body),)


def expand(body: Body) -> npt.NDArray[np.int64]:
    """Every pass of a body in execution order, int64[passes, 9]."""
    parts = [
        np.tile(expand(step.body), (step.count, 1))
        if isinstance(step, Repeat)
        else np.array([step], np.int64)
        for step in body
    ]
    return np.concatenate(parts)


def operand_words(passes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Words that each pass reads from the row banks and from the column banks."""
    opcode, m, n, k, taps, streams, fires = passes.T[:7]
    rows = opcode == Opcode.ROWS
    streamed = np.where(opcode == Opcode.OS, k, m)
    left = np.where(rows, streams * (taps + k) + (fires - 1) * n, streamed)
    return left, np.where(rows, 0, k)


def address(passes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Commands, int64[passes, 12], that read the banks from address 0 on without gaps."""
    commands = np.zeros((len(passes), 12), np.int64)
    commands[:, :9] = passes
    for column, words in zip((9, 10), operand_words(passes), strict=True):
        commands[1:, column] = np.cumsum(words[:-1])
    commands[-1, 11] = 1
    return commands


class Gemm(NamedTuple):
    """A Conv as matrix products by im2col, one per group; index maps.

    pixels : int32[groups, oh*ow, K] into (0, x, w), with K = c/groups * fh * fw; 0 is padding.
    weights : int32[groups, k/groups, K] into (0, x, w).
    dest : int32[groups, oh*ow, k/groups], flat index in the output.
    """

    pixels: Indices
    weights: Indices
    dest: Indices


def gemm(conv: Conv) -> Gemm:
    """The index maps of a Conv's im2col."""
    channels, outputs, pixels = conv.c // conv.groups, conv.k // conv.groups, conv.oh * conv.ow
    iy = np.add.outer(np.arange(conv.oh) * conv.sh - conv.pt, np.arange(conv.fh) * conv.dh)
    ix = np.add.outer(np.arange(conv.ow) * conv.sw - conv.pl, np.arange(conv.fw) * conv.dw)
    inside_y, inside_x = (iy >= 0) & (iy < conv.h), (ix >= 0) & (ix < conv.w)
    plane = (iy[:, None, :, None] * conv.w + ix[None, :, None, :] + 1).astype(np.int32)
    channel = (np.arange(conv.c, dtype=np.int32) * conv.h * conv.w).reshape(conv.groups, -1)
    found = plane[None, :, :, None] + channel[:, None, None, :, None, None]
    if not (inside_y.all() and inside_x.all()):
        inside = inside_y[:, None, :, None] & inside_x[None, :, None, :]
        found *= inside[None, :, :, None]
    depth = channels * conv.fh * conv.fw
    first = 1 + conv.c * conv.h * conv.w
    weights = np.arange(first, first + conv.k * depth, dtype=np.int32)
    dest = np.arange(conv.k * pixels, dtype=np.int32).reshape(conv.groups, outputs, pixels)
    return Gemm(
        found.reshape(conv.groups, pixels, depth),
        weights.reshape(conv.groups, outputs, depth),
        dest.swapaxes(1, 2),
    )


def depth_of(conv: Conv) -> int:
    """Products per output, K = c/groups * fh * fw."""
    return conv.c // conv.groups * conv.fh * conv.fw
