"""Lowering to the depthwise engine: rows or the flattened map, whole or in stripes."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows import tap_serial
from accelsim.dataflows.tap_serial import Plan, Program
from accelsim.engines import depthwise
from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import Loop
from accelsim.hls.report import Resource
from accelsim.ir import Piece, Shape
from accelsim.lower.base import Traffic, bound, check_width
from accelsim.numerics import Int8, Int32
from accelsim.passes import DepthwiseCommand, DepthwisePass

MAP = len(DepthwisePass._fields) + DepthwiseCommand._fields.index("map") - 1
TAPS = MAP + 1
LAST = MAP + 2


class DepthwiseSequence(NamedTuple):
    """One layer on real data: commands and memories for the depthwise engine.

    commands : int64[passes, 22], the fields of DepthwiseCommand.
    maps : int16[words, P, L], the banks.
    taps : int16[entries, 2 + L], the tap memory.
    parts : the layer's pieces with their programs.
    out_shape : of the layer.
    """

    commands: npt.NDArray[np.int64]
    maps: npt.NDArray[np.int16]
    taps: npt.NDArray[np.int16]
    parts: tuple[tuple[Piece, Program], ...]
    out_shape: Shape

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return DepthwiseWork.engine

    @property
    def memories(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """What the commands point to."""
        return self.maps, self.taps

    def output(self, words: Int32) -> Int32:
        """The layer's int32[k, oh, ow] from int32[result words, results_per_clock]."""
        out = np.zeros(self.out_shape, np.int32)
        at = 0
        for piece, program in self.parts:
            conv = piece.conv
            found = program.gather(words[at : at + len(program.dest)], conv.k * conv.oh * conv.ow)
            piece.put(found.reshape(conv.k, conv.oh, conv.ow), out)
            at += len(program.dest)
        return out


@dataclass(frozen=True)
class DepthwiseWork:
    """A layer as passes of the depthwise engine; pieces of one kernel shape each, in order."""

    engine: ClassVar[str] = "depthwise"
    dataflow: ClassVar[None] = None
    design: DepthwiseEngine
    pieces: tuple[Piece, ...]
    plans: tuple[Plan, ...]
    out_shape: Shape

    @property
    def body(self) -> depthwise.Body:
        """All passes in execution order."""
        return sum((plan.body for plan in self.plans), ())

    @cached_property
    def cycles(self) -> int:
        """Busy clocks by the schedule of the engine."""
        return depthwise.cycles(self.design, self.body)

    @property
    def multipliers(self) -> int:
        """Of the engine."""
        return self.design.multipliers

    @property
    def bound_cycles(self) -> int:
        """What multipliers and ports allow: dense MACs, inputs through a fill port, results."""
        design = self.design
        results = design.results_per_clock or design.pixels
        fills = sum(trips * depthwise.fill_clocks(design, p) for trips, p in self.body)
        return max(bound(self.pieces, design.multipliers, results), fills)

    @cached_property
    def traffic(self) -> Traffic:
        """What the sequence moves and does."""
        read = write = macs = 0
        width = -(-self.design.operands.accumulator_bits // 8)
        for trips, p in self.body:
            values = depthwise.words(self.design, p) * self.design.pixels + p.fh * p.fw
            results = depthwise.tile_count(self.design, p) * self.design.pixels
            read += trips * p.channels * values
            write += trips * p.channels * results * width
            macs += trips * depthwise.macs(self.design, p)
        return Traffic(read, write, macs)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the engine consists of."""
        return depthwise.resources(self.design)

    def nest(self, name: str) -> Loop:
        """The loop nest whose latency the cycles are."""
        return depthwise.nest(self.design, self.body, name)

    def measure(self, work: DepthwiseSequence) -> tuple[Int32, int]:
        """Result words and busy cycles, from registers alone."""
        from accelsim.engines.depthwise import cycle as depthwise_cycle  # loads Numba

        done = depthwise_cycle.simulate(self.design, work.commands, work.maps, work.taps)
        return done.words, done.busy_cycles

    def sequence(self, x: Int8, weights: Int8) -> DepthwiseSequence:
        """Commands and memories for the layer's input int8[c, h, w] and its weights."""
        parts = []
        commands, maps, taps = [], [], []
        map_at = tap_at = 0
        for piece, plan in zip(self.pieces, self.plans, strict=True):
            program = tap_serial.program(piece.conv, self.design, plan)
            bank, table = program.operands(piece.take_input(x), piece.take_weights(weights))
            placed = program.commands.copy()
            placed[:, MAP] += map_at
            placed[:, TAPS] += tap_at
            placed[:, LAST] = 0
            map_at, tap_at = map_at + len(bank), tap_at + len(table)
            parts.append((piece, program))
            commands.append(placed)
            maps.append(bank)
            taps.append(table)
        commands[-1][-1, LAST] = 1
        return DepthwiseSequence(
            np.concatenate(commands),
            np.concatenate(maps),
            np.concatenate(taps),
            tuple(parts),
            self.out_shape,
        )


@lru_cache(maxsize=1 << 12)
def lower_depthwise(
    pieces: tuple[Piece, ...], out_shape: Shape, design: DepthwiseEngine
) -> DepthwiseWork:
    """The pieces in their fastest plans; UnsupportedError says what the engine cannot do."""
    plans = []
    for piece in pieces:
        check_width(piece.conv.fh * piece.conv.fw, design.operands)
        refusals = []
        best: tuple[int, Plan] | None = None
        for plan in tap_serial.plans(piece.conv, design):
            try:
                depthwise.check(design, plan.body)
            except UnsupportedError as error:
                refusals.append(str(error))
                continue
            clocks = depthwise.cycles(design, plan.body)
            if best is None or clocks < best[0]:
                best = clocks, plan
        if best is None:
            raise UnsupportedError(f"cannot run on the depthwise engine: {refusals[0]}")
        plans.append(best[1])
    return DepthwiseWork(design, pieces, tuple(plans), out_shape)
