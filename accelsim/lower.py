"""Lowering: the fastest plan for each layer among the dataflows that the user allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows import DATAFLOWS, Dataflow, Plan, Program
from accelsim.dataflows.base import UNBOUNDED, Body, Candidate, depth_of, make_plan
from accelsim.engines import systolic_array
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv, Layer, Piece, Shape
from accelsim.passes import Opcode, Repeat

AUTO = "auto"
NAMES = tuple(dataflow.name for dataflow in DATAFLOWS)

# The order of the search: `rows` wins most of the layers that it does not refuse at once, and `os`
# most others; what cannot be as fast is then left out.
SEARCH = sorted(enumerate(DATAFLOWS), key=lambda place: place[1].name != "rows")

LARGEST_PRODUCT_BITS = 14  # of two int8 operands: -128 x -128


class Traffic(NamedTuple):
    """What a sequence moves and does.

    read_bytes : operands filled into the banks of the rows and columns that a pass uses, one byte
        each; what im2col or several passes repeat counts as often as it is filled.
    write_bytes : results at the result port, in the columns that a pass uses, thrown-away ones
        included, each as wide as an accumulator.
    macs : multiply-accumulates executed, those with padding and zero taps included.
    """

    read_bytes: int
    write_bytes: int
    macs: int


class Sequence(NamedTuple):
    """One layer on real data: commands and banks for an engine.

    commands : int64[passes, 12], the fields of ArrayCommand.
    left, top : int16[words, R], int16[words, C], the operand banks.
    parts : the layer's pieces with their programs.
    out_shape : of the layer.
    """

    commands: npt.NDArray[np.int64]
    left: npt.NDArray[np.int16]
    top: npt.NDArray[np.int16]
    parts: tuple[tuple[Piece, Program], ...]
    out_shape: Shape

    def output(self, words: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The layer's int32[k, oh, ow] from the result words int32[result words, C]."""
        out = np.zeros(self.out_shape, np.int32)
        at = 0
        for piece, program in self.parts:
            conv = piece.conv
            found = program.gather(words[at : at + len(program.dest)], conv.k * conv.oh * conv.ow)
            piece.put(found.reshape(conv.k, conv.oh, conv.ow), out)
            at += len(program.dest)
        return out


@dataclass(frozen=True)
class Lowered:
    """A layer as passes of the array.

    pieces, plans : the Convs of the layer and how each is cut; they form one sequence, in order.
    """

    array: SystolicArray
    dataflow: str
    pieces: tuple[Piece, ...]
    plans: tuple[Plan, ...]
    out_shape: Shape

    @property
    def body(self) -> Body:
        """All passes in execution order."""
        return sum((plan.body for plan in self.plans), ())

    @cached_property
    def cycles(self) -> int:
        """Busy clocks by the schedule of the engine."""
        return systolic_array.cycles(self.array, self.body)

    @cached_property
    def traffic(self) -> Traffic:
        """What the sequence moves and does."""
        return _traffic(self.array, self.body)

    def sequence(self, x: npt.NDArray[np.int8], weights: npt.NDArray[np.int8]) -> Sequence:
        """Commands and operand banks for the layer's input int8[c, h, w] and its weights."""
        parts = tuple(zip(self.pieces, self._programs(), strict=True))
        commands, lefts, tops = [], [], []
        left_at = top_at = 0
        for piece, program in parts:
            inputs, taps = piece.take_input(x), piece.take_weights(weights)
            left, top = program.operands(inputs, taps, self.array)
            placed = program.commands.copy()
            placed[:, 9] += left_at
            placed[:, 10] += top_at
            placed[:, 11] = 0
            left_at, top_at = left_at + len(left), top_at + len(top)
            commands.append(placed)
            lefts.append(left)
            tops.append(top)
        commands[-1][-1, 11] = 1
        return Sequence(
            np.concatenate(commands),
            np.concatenate(lefts) if len(lefts) > 1 else lefts[0],
            np.concatenate(tops) if len(tops) > 1 else tops[0],
            parts,
            self.out_shape,
        )

    def _programs(self) -> Iterator[Program]:
        dataflow = DATAFLOWS[NAMES.index(self.dataflow)]
        for piece, plan in zip(self.pieces, self.plans, strict=True):
            yield dataflow.program(piece.conv, self.array, plan)


def parse_dataflows(text: str) -> tuple[str, ...]:
    """The dataflows that `auto` or a list such as os,ws allows."""
    if text.strip() == AUTO:
        return NAMES
    chosen = [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in NAMES:
            raise UnsupportedError(
                f"dataflow must be {AUTO} or some of {', '.join(NAMES)} with commas, not {name!r}"
            )
    return tuple(name for name in NAMES if name in chosen)


def lower(
    layer: Layer,
    in_shapes: tuple[Shape, ...],
    array: SystolicArray,
    dataflows: tuple[str, ...] = NAMES,
) -> Lowered | None:
    """The layer in the fastest allowed dataflow; None where it runs on the host.

    All pieces of a layer take the same dataflow. UnsupportedError names the layer and why each
    allowed dataflow refuses it, or that its sums could exceed the accumulators.
    """
    pieces, out_shape = _work(layer, in_shapes)
    if not pieces:
        return None
    try:
        return _lower(pieces, out_shape, array, dataflows)
    except UnsupportedError as error:
        raise UnsupportedError(f"layer {layer.name} {error}") from None


@lru_cache(maxsize=1 << 12)
def _work(layer: Layer, in_shapes: tuple[Shape, ...]) -> tuple[tuple[Piece, ...], Shape]:
    return layer.op.lower(*in_shapes), layer.op.out_shape(*in_shapes)


@lru_cache(maxsize=1 << 12)
def _lower(
    pieces: tuple[Piece, ...],
    out_shape: Shape,
    array: SystolicArray,
    dataflows: tuple[str, ...],
) -> Lowered:
    for piece in pieces:
        _check_width(piece.conv, array)
    refusals = []
    best: tuple[int, int] = UNBOUNDED, 0  # clocks, place in DATAFLOWS
    chosen: list[Candidate] = []
    for place, dataflow in SEARCH:
        if dataflow.name in dataflows:
            try:
                # Pieces overlap, so that only a single one can be too slow by itself.
                most = best[0] if len(pieces) == 1 else UNBOUNDED
                found = _fastest(pieces, dataflow, array, most)
            except UnsupportedError as error:
                refusals.append(f"{dataflow.name}: {error}")
            else:
                ranked = _clocks(pieces, dataflow, array, found) if found else UNBOUNDED, place
                if ranked < best:
                    best, chosen = ranked, found
    if not chosen:
        raise UnsupportedError(f"runs in none of the allowed dataflows ({'; '.join(refusals)})")
    dataflow = DATAFLOWS[best[1]]
    plans = _plans(pieces, dataflow, array, chosen)
    return Lowered(array, dataflow.name, pieces, plans, out_shape)


def _plans(
    pieces: tuple[Piece, ...], dataflow: Dataflow, array: SystolicArray, chosen: list[Candidate]
) -> tuple[Plan, ...]:
    return tuple(
        make_plan(dataflow, piece.conv, array, candidate)
        for piece, candidate in zip(pieces, chosen, strict=True)
    )


def _clocks(
    pieces: tuple[Piece, ...], dataflow: Dataflow, array: SystolicArray, chosen: list[Candidate]
) -> int:
    """Clocks of the candidates as one sequence; those of several pieces overlap.

    To choose a plan may take its loop nest; what fidelity cycle reports never does.
    """
    if len(chosen) == 1:
        return chosen[0][0]
    body: Body = sum((plan.body for plan in _plans(pieces, dataflow, array, chosen)), ())
    return systolic_array.nest(array, body).latency


def _fastest(
    pieces: tuple[Piece, ...], dataflow: Dataflow, array: SystolicArray, most: int
) -> list[Candidate]:
    """The fastest candidate of every piece; none where a piece takes more than `most` clocks."""
    chosen = []
    for piece in pieces:
        candidates = dataflow.tilings(piece.conv, array, most)
        found = min(candidates, key=itemgetter(0), default=None)
        if found is None:
            return []
        chosen.append(found)
    return chosen


def _check_width(conv: Conv, array: SystolicArray) -> None:
    """Raise UnsupportedError where a sum of int8 products could exceed the accumulators."""
    bits, depth = array.operands.accumulator_bits, depth_of(conv)
    if depth << LARGEST_PRODUCT_BITS >= 1 << (bits - 1):
        raise UnsupportedError(
            f"adds up {depth} products of int8 values, which may exceed accumulators of {bits} "
            "bits (accumulator_bits)"
        )


def _traffic(array: SystolicArray, body: Body) -> Traffic:
    read = write = macs = 0
    width = -(-array.operands.accumulator_bits // 8)
    for step in body:
        if isinstance(step, Repeat):
            part = _traffic(array, step.body)
            read += step.trips * part.read_bytes
            write += step.trips * part.write_bytes
            macs += step.trips * part.macs
            continue
        left, top, results = systolic_array.words(step)
        rows = step.k if step.opcode in systolic_array.STATIONARY else step.m
        rowwise = step.opcode == Opcode.ROWS
        depth = step.taps * step.streams * step.fires if rowwise else step.k
        read += left * rows + top * step.n
        write += results * step.n * width
        macs += step.m * step.n * depth
    return Traffic(read, write, macs)
