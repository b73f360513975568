"""Lowering to the systolic array: the fastest plan among the dataflows that the user allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows import Dataflow, Plan, Program
from accelsim.dataflows.base import UNBOUNDED, Body, Candidate, depth_of, make_plan
from accelsim.engines import systolic_array
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import Loop
from accelsim.hls.report import Resource
from accelsim.ir import Piece, Shape
from accelsim.lower.base import Traffic, bound, check_width
from accelsim.numerics import Int8, Int32
from accelsim.passes import Opcode, Repeat


class ArraySequence(NamedTuple):
    """One layer on real data: commands and banks for the array.

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

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return ArrayWork.engine

    @property
    def memories(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """What the commands point to."""
        return self.left, self.top

    def output(self, words: npt.NDArray[np.int32]) -> Int32:
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
class ArrayWork:
    """A layer as passes of the array.

    mapping : the dataflow that cut it.
    pieces, plans : the Convs of the layer and how each is cut; they form one sequence, in order.
    """

    engine: ClassVar[str] = "array"
    array: SystolicArray
    mapping: Dataflow
    pieces: tuple[Piece, ...]
    plans: tuple[Plan, ...]
    out_shape: Shape

    @property
    def dataflow(self) -> str:
        """Name of the dataflow."""
        return self.mapping.name

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

    @property
    def multipliers(self) -> int:
        """Of the array."""
        return self.array.multipliers

    @property
    def bound_cycles(self) -> int:
        """What multipliers and result port allow: dense MACs, and C results a clock."""
        return bound(self.pieces, self.array.multipliers, self.array.columns)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the array consists of."""
        return systolic_array.resources(self.array)

    def nest(self, name: str) -> Loop:
        """The loop nest whose latency the cycles are."""
        return systolic_array.nest(self.array, self.body, name)

    def measure(self, work: "ArraySequence") -> tuple[Int32, int]:
        """Result words and busy cycles, from registers alone."""
        from accelsim.engines.systolic_array import cycle as systolic_array_cycle  # loads Numba

        done = systolic_array_cycle.simulate(self.array, work.commands, work.left, work.top)
        return done.words, done.busy_cycles

    def sequence(self, x: Int8, weights: Int8) -> ArraySequence:
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
        return ArraySequence(
            np.concatenate(commands),
            np.concatenate(lefts) if len(lefts) > 1 else lefts[0],
            np.concatenate(tops) if len(tops) > 1 else tops[0],
            parts,
            self.out_shape,
        )

    def _programs(self) -> Iterator[Program]:
        for piece, plan in zip(self.pieces, self.plans, strict=True):
            yield self.mapping.program(piece.conv, self.array, plan)


@lru_cache(maxsize=1 << 12)
def lower_array(
    pieces: tuple[Piece, ...],
    out_shape: Shape,
    array: SystolicArray,
    dataflows: tuple[Dataflow, ...],
) -> ArrayWork:
    """The pieces in the fastest allowed dataflow, the same for all; UnsupportedError says why none.

    A layer whose sums could exceed the accumulators is refused as well.
    """
    for piece in pieces:
        check_width(depth_of(piece.conv), array.operands)
    refusals = []
    best: tuple[int, int] = UNBOUNDED, 0  # clocks, place in dataflows
    chosen: list[Candidate] = []
    # `rows` first: it wins most of the layers that it does not refuse at once, and what cannot be
    # as fast is then left out.
    for place, dataflow in sorted(enumerate(dataflows), key=lambda item: item[1].name != "rows"):
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
            elif not found:
                refusals.append(f"{dataflow.name}: it has no tiling of the layer")
    if not chosen:
        raise UnsupportedError(f"runs in none of the allowed dataflows ({'; '.join(refusals)})")
    dataflow = dataflows[best[1]]
    plans = _plans(pieces, dataflow, array, chosen)
    return ArrayWork(array, dataflow, pieces, plans, out_shape)


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
