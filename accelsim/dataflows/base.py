"""What every dataflow shares: plans, programs, tile sizes and index maps.

A Plan says which passes run, in which order; it costs nothing to make, so that many can be
compared. A Program says what every operand word and every result word of those passes holds. Both
depend on sizes only, never on data.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Opcode, Repeat

Body = tuple[ArrayPass | Repeat, ...]
Run = tuple[int, int]  # (count, size): so many tiles of that size, one after another
Candidate = tuple[int, Hashable]  # (clocks, tiling)
Cost = tuple[int, int, int, int, int]  # see port_clocks
Indices = npt.NDArray[np.int32]

FIELD_LIMIT = 65535  # the largest value of a 16-bit field of a pass
UNBOUNDED = 1 << 200  # more clocks than anything takes


class Plan(NamedTuple):
    """How one Conv is cut into passes.

    clocks : of the busier port, pass after pass; by it plans are chosen.
    body : the passes in execution order, as a nest of repetitions.
    tiling : what the dataflow's `program` needs besides; its own record.
    """

    dataflow: str
    clocks: int
    body: Body
    tiling: Hashable


@dataclass(frozen=True)
class Program:
    """The passes of a Plan with the place of every operand and result.

    commands : int64[passes, 12], the fields of ArrayPass, then left, top and last as in
        ArrayCommand.
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
        self, x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], array: SystolicArray
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """The content of the banks, int16[words, R] and int16[words, C], for input and weights."""
        values = np.concatenate([np.zeros(1, np.int8), x.ravel(), w.ravel()], dtype=np.int16)
        top = np.zeros((len(self.top), array.columns), np.int16)
        top[:, : self.top.shape[1]] = values[self.top]
        return values[self.left], top

    def gather(self, results: npt.NDArray[np.int32], size: int) -> npt.NDArray[np.int32]:
        """The output, int32[size], from the result words int32[result words, C]."""
        out = np.zeros(size + 1, np.int32)  # index -1 is the last element: what is thrown away
        out[self.dest] = results[:, : self.dest.shape[1]]
        return out[:-1]


class Dataflow(Protocol):
    """What every file of this folder defines."""

    @property
    def name(self) -> str:
        """The name in `--dataflow` and in reports."""

    def tilings(
        self, conv: Conv, array: SystolicArray, most: int = UNBOUNDED
    ) -> Iterator[Candidate]:
        """Candidates with their clocks, at least one, or UnsupportedError with the reason.

        Those that take more than `most` clocks may be left out, so that none may be left.
        """

    def body(self, conv: Conv, array: SystolicArray, tiling: Hashable) -> Body:
        """The passes of a tiling, in order."""

    def program(self, conv: Conv, array: SystolicArray, plan: Plan) -> Program:
        """The index maps of a plan."""


def make_plan(dataflow: Dataflow, conv: Conv, array: SystolicArray, candidate: Candidate) -> Plan:
    """The plan of a candidate."""
    clocks, tiling = candidate
    return Plan(dataflow.name, clocks, dataflow.body(conv, array, tiling), tiling)


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


def repeat(count: int, body: Body, name: str) -> Body:
    """`count` times the body, without a loop around a single trip."""
    return body if count == 1 else (Repeat(count, body, name),)


def expand(body: Body) -> npt.NDArray[np.int64]:
    """Every pass of a body in execution order, int64[passes, 9]."""
    parts = [
        np.tile(expand(step.body), (step.trips, 1))
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
    """A Conv as matrix products, one per group; index maps.

    One row of `pixels` holds the inputs of a block of outputs, and `weights` has a row for every
    output of a block: zero where that output does not see an input. Blocks of one output are
    im2col.

    pixels : int32[groups, blocks, K] into (0, x, w); 0 is padding.
    weights : int32[groups, outputs per block, K] into (0, x, w).
    dest : int32[groups, blocks, outputs per block], index in the output; -1 beyond its edge.
    """

    pixels: Indices
    weights: Indices
    dest: Indices


class Window(NamedTuple):
    """Blocks of outputs along one axis.

    source : int[blocks, inputs], coordinates in the map, which may lie outside.
    tap : int[outputs of a block, inputs], the tap by which an output sees an input, or -1.
    """

    source: npt.NDArray[np.int64]
    tap: npt.NDArray[np.int64]


def reach(block: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """Offsets of the inputs that `block` neighbouring outputs see along one axis."""
    return sorted({i * stride + t * dilation for i in range(block) for t in range(kernel)})


def seen(block: int, kernel: int, stride: int, dilation: int) -> int:
    """How many inputs `block` neighbouring outputs see along one axis.

    Of the pairs (output, tap), those that see the same input differ by multiples of
    (dilation, -stride) / gcd(stride, dilation).
    """
    common = gcd(stride, dilation)
    twice = max(0, block - dilation // common) * max(0, kernel - stride // common)
    return block * kernel - twice


def _window(
    block: int, outputs: int, kernel: int, stride: int, dilation: int, padding: int
) -> Window:
    inputs = np.array(reach(block, kernel, stride, dilation))
    start = np.arange(ceil_div(outputs, block)) * block * stride - padding
    tap, rest = np.divmod(inputs - np.arange(block)[:, None] * stride, dilation)
    return Window(
        start[:, None] + inputs, np.where((rest == 0) & (tap >= 0) & (tap < kernel), tap, -1)
    )


def gemm(conv: Conv, block: tuple[int, int] = (1, 1)) -> Gemm:
    """The index maps of a Conv for blocks of (rows, columns) outputs."""
    groups, channels, outputs = conv.groups, conv.c // conv.groups, conv.k // conv.groups
    y = _window(block[0], conv.oh, conv.fh, conv.sh, conv.dh, conv.pt)
    x = _window(block[1], conv.ow, conv.fw, conv.sw, conv.dw, conv.pl)
    plane = y.source[:, None, :, None] * conv.w + x.source[None, :, None, :] + 1
    channel = (np.arange(conv.c) * conv.h * conv.w).astype(np.int32).reshape(groups, channels)
    pixels = plane.astype(np.int32)[None, :, :, None] + channel[:, None, None, :, None, None]
    inside_y = (y.source >= 0) & (y.source < conv.h)
    inside_x = (x.source >= 0) & (x.source < conv.w)
    if not (inside_y.all() and inside_x.all()):
        pixels *= (inside_y[:, None, :, None] & inside_x[None, :, None, :])[None, :, :, None]

    seen = (y.tap >= 0)[:, None, :, None] & (x.tap >= 0)[None, :, None, :]
    kernel = (y.tap[:, None, :, None] * conv.fw + x.tap[None, :, None, :]).astype(np.int32)
    first = 1 + conv.c * conv.h * conv.w
    filters = np.arange(conv.k * channels, dtype=np.int32) * (conv.fh * conv.fw) + first
    shape = (groups, outputs, 1, 1, channels, 1, 1)
    weights = filters.reshape(shape) + kernel[:, :, None]
    weights *= seen[:, :, None]

    oy, ox = np.arange(len(y.source) * block[0]), np.arange(len(x.source) * block[1])
    place = np.where((oy < conv.oh)[:, None] & (ox < conv.ow), oy[:, None] * conv.ow + ox, -1)
    tiles = place.reshape(len(y.source), block[0], -1, block[1]).swapaxes(1, 2)
    tiles = tiles.astype(np.int32).reshape(1, -1, 1, block[0] * block[1])
    output = (np.arange(conv.k, dtype=np.int32) * (conv.oh * conv.ow)).reshape(groups, 1, -1, 1)
    dest = np.where(tiles < 0, np.int32(-1), tiles + output)
    blocks, depth = tiles.shape[1], channels * pixels.shape[-2] * pixels.shape[-1]
    return Gemm(
        pixels.reshape(groups, blocks, depth),
        weights.reshape(groups, -1, depth),
        dest.reshape(groups, blocks, -1),
    )


def depth_of(conv: Conv) -> int:
    """Products per output, K = c/groups * fh * fw."""
    return conv.c // conv.groups * conv.fh * conv.fw
