"""A layer as passes of an engine, and those passes on real data."""

from collections import abc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.dataflows import Dataflow, Plan, Program
from accelsim.dataflows.base import gather
from accelsim.engines.base import (
    Accesses,
    Bound,
    Engine,
    Registers,
    Run,
    Store,
    Times,
    Traffic,
)
from accelsim.errors import UnsupportedError
from accelsim.hls.nest import Loop
from accelsim.hls.reports import Resource
from accelsim.ir import Conv
from accelsim.lowering.allowed import public_name
from accelsim.numerics import Int8, Int32, Integers
from accelsim.passes import Body, Repeat, addresses, columns

MOST_VALUES = int(np.iinfo(np.int32).max)  # of a map and its kernel, and of a result


class Part(Protocol):
    """A part of a layer that is one Conv; ir.Piece is one."""

    @property
    def conv(self) -> Conv:
        """What the engine computes."""

    @property
    def exact(self) -> tuple[Conv, ...]:
        """What of it the layer asks for."""

    def take_input(self, x: Int8) -> Int8:
        """The map of the Conv, shaped as its in_shape, from the layer's."""

    def take_weights(self, weights: Int8) -> Int8:
        """The kernel of the Conv, shaped as its kernel_shape, from the layer's."""

    def put(self, result: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write the result, shaped as out_shape of the Conv, into the layer's output."""


class Sequence(NamedTuple):
    """One layer on real data: commands and memories for an engine.

    engine : its name.
    commands : int64[passes, fields], of the engine's command record.
    memories : what the commands point to, an array for every memory of the engine.
    parts : the layer's pieces with their programs, in order.
    out_shape : of the layer; of several images, their number stands in front.
    """

    engine: str
    commands: npt.NDArray[np.int64]
    memories: tuple[Integers, ...]
    parts: tuple[tuple[Part, Program], ...]
    out_shape: tuple[int, ...]

    def output(self, words: Int32) -> Int32:
        """The layer's int32[k, oh, ow] from the result words int32[result words, values].

        Of several images int32[n, k, oh, ow].
        """
        out = np.zeros(self.out_shape, np.int32)
        at = 0
        for piece, program in self.parts:
            shape, dest = piece.conv.out_shape, program.dest
            sums = gather(dest, words[at : at + len(dest)], prod(shape))
            piece.put(sums.reshape(shape), out)
            at += len(dest)
        return out

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """bool[result words, values], what is not thrown away of the widest program's values."""
        widest = max(program.dest.shape[1] for _, program in self.parts)
        return np.concatenate(
            [
                np.pad(program.dest >= 0, ((0, 0), (0, widest - program.dest.shape[1])))
                for _, program in self.parts
            ]
        )


def _check_indices(conv: Conv) -> None:
    """Refuse what has more values than the indices of a Program."""
    values = max(prod(conv.in_shape) + prod(conv.kernel_shape), prod(conv.out_shape))
    if values > MOST_VALUES:
        raise UnsupportedError(
            f"a layer with values needs index maps, of {MOST_VALUES:,} values at most, not "
            f"{values:,}; a smaller batch or input has fewer"
        )


def _lacking(piece: Part) -> int:
    """MACs of a Conv with taps that pieces which it joins do not have."""
    return piece.conv.macs - sum(conv.macs for conv in piece.exact)


def chain(
    engine: str,
    command: type,
    programs: list[tuple[Part, Program]],
    memories: list[tuple[Integers, ...]],
    out_shape: tuple[int, ...],
) -> Sequence:
    """Programs and their operands as one sequence, the memories of one behind those of another.

    command : the engine's record of commands, which says where addresses stand.
    """
    last = columns(command)["last"]
    commands = []
    used = [0] * len(addresses(command))
    for (_, program), contents in zip(programs, memories, strict=True):
        placed = program.commands.copy()
        placed[:, last] = 0
        for index, (column, content) in enumerate(zip(addresses(command), contents, strict=True)):
            placed[:, column] += used[index]
            used[index] += len(content)
        commands.append(placed)
    commands[-1][-1, last] = 1
    # One program's memories are not copied: they can be large.
    joined = (
        contents[0] if len(contents) == 1 else np.concatenate(contents)
        for contents in zip(*memories, strict=True)
    )
    return Sequence(engine, np.concatenate(commands), tuple(joined), tuple(programs), out_shape)


@dataclass(frozen=True)
class Lowered:
    """A layer as passes of an engine.

    mapping : the dataflow that cut it.
    pieces, plans : the Convs of the layer and how each is cut; they form one sequence, in order.
    out_shape : of the layer; of several images, their number stands in front.
    inserted_macs : with zeros between the values of the map, which no piece has.
    way : expand or bucket, where the kernel differs from region to region of the map; else None.
    extremes : the fewest and the most clocks, where they depend on the data; else None.
    """

    model: Engine
    sizes: Any
    mapping: Dataflow
    pieces: tuple[Part, ...]
    plans: tuple[Plan, ...]
    out_shape: tuple[int, ...]
    inserted_macs: int = 0
    way: str | None = None
    extremes: tuple[int, int] | None = None

    def on(self, images: abc.Sequence[abc.Sequence[npt.NDArray[Any]]]) -> "Lowered":
        """The layer for these inputs of every image: the same, where passes depend on no data."""
        return self

    @property
    def cycles_min(self) -> int:
        """The fewest clocks, whatever the data are."""
        return self.cycles if self.extremes is None else self.extremes[0]

    @property
    def cycles_max(self) -> int:
        """The most clocks, whatever the data are."""
        return self.cycles if self.extremes is None else self.extremes[1]

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.model.name

    @property
    def dataflow(self) -> str | None:
        """Name of the dataflow, where the engine has several."""
        return public_name(self.mapping)

    @property
    def multipliers(self) -> int:
        """Of the engine."""
        multipliers: int = self.sizes.multipliers
        return multipliers

    @property
    def body(self) -> Body:
        """All passes in execution order."""
        return sum((plan.body for plan in self.plans), ())

    @cached_property
    def cycles(self) -> int:
        """Busy clocks by the schedule of the engine."""
        return self.model.cycles(self.sizes, self.body)

    @property
    def live_macs(self) -> int:
        """Multiply-accumulates with a value of the map: no taps outside it."""
        return sum(conv.live_macs for conv in self._exact)

    @property
    def dense_macs(self) -> int:
        """Of the pieces, padded taps included, and with inserted zeros."""
        return sum(conv.macs for conv in self._exact) + self.inserted_macs

    @property
    def _exact(self) -> list[Conv]:
        """Convolutions without the taps that joined pieces lack."""
        return [conv for piece in self.pieces for conv in piece.exact]

    @property
    def skipped_macs(self) -> int:
        """Dense MACs on which the engine spends no multiplier.

        Their taps lie outside the map, or they are with inserted zeros. What joined pieces lack is
        no dense MAC, and is taken for the first that is left out.
        """
        skipped = self.model.skipped
        if skipped is None:
            return self.inserted_macs
        return self.inserted_macs + sum(
            max(0, skipped(self.sizes, piece.conv, plan.body) - _lacking(piece))
            for piece, plan in zip(self.pieces, self.plans, strict=True)
        )

    @cached_property
    def bound(self) -> Bound:
        """The least clocks that multipliers and ports allow for the products and results."""
        return self.model.bound(self.sizes, self._exact, self.body)

    @cached_property
    def traffic(self) -> Traffic | None:
        """What the sequence moves and does; None where that is not modelled."""
        of_pass = self.model.traffic
        return None if of_pass is None else Traffic(*self._sums(of_pass, self.body))

    @cached_property
    def accesses(self) -> dict[str, int] | None:
        """How often the sequence does what takes energy, by kind; None where that is not known."""
        of_pass, stores = self.model.accesses, self.stores
        if of_pass is None:
            return None
        counts = Accesses(*self._sums(of_pass, self.body))._asdict()
        return {kind: count for kind, count in counts.items() if kind in stores or count}

    @property
    def stores(self) -> Mapping[str, Store]:
        """What its accesses are accesses to, by kind."""
        return {} if self.model.stores is None else self.model.stores(self.sizes)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the engine consists of."""
        return self.model.resources(self.sizes)

    def nest(self, name: str) -> Loop:
        """The loop nest whose latency the cycles are."""
        return self.model.nest(self.sizes, self.body, name)

    def sequence(self, x: Int8, kernel: Int8) -> Sequence:
        """Commands and memories for the layer's map and its kernel, int8.

        Of several images, an axis of images stands in front of both [c, h, w], and of a kernel that
        is an input. UnsupportedError where index maps of 32 bits cannot tell their values apart.
        """
        for piece in self.pieces:
            _check_indices(piece.conv)
        command = self.registers.command
        programs, memories = [], []
        for piece, plan in zip(self.pieces, self.plans, strict=True):
            program = self.mapping.program(piece.conv, self.sizes, plan)
            values = piece.take_input(x), piece.take_weights(kernel)
            programs.append((piece, program))
            memories.append(program.operands(*values, self.sizes))
        return chain(self.engine, command, programs, memories, self.out_shape)

    def measure(self, sequence: Sequence, earliest: Times | None = None) -> Run:
        """Result words and clocks, from registers alone, where passes start no earlier than told.

        earliest : int64[passes], clocks from that at which the first pass could start.
        """
        commands, memories = sequence.commands, sequence.memories
        return self.registers.simulate(self.sizes, commands, *memories, earliest=earliest)

    @property
    def registers(self) -> Registers:
        """The levels of the engine that compute values; UnsupportedError where it has none."""
        if self.model.registers is None:
            raise UnsupportedError(f"{self.engine} is a model without registers and RTL")
        return self.model.registers

    def _sums(self, of_pass: Callable[[Any, Any], tuple[int, ...]], body: Body) -> Iterator[int]:
        """Of every field of what a function says of a pass, its sum over all of them."""
        counts = [
            [part.trips * each for each in self._sums(of_pass, part.body)]
            if isinstance(part, Repeat)
            else of_pass(self.sizes, part)
            for part in body
        ]
        return map(sum, zip(*counts, strict=True))
