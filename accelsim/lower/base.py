"""What both engines' lowering shares: what a layer's work is to everybody else."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from accelsim.errors import UnsupportedError
from accelsim.hardware import Operands
from accelsim.hls.nest import Loop
from accelsim.hls.report import Resource
from accelsim.ir import Piece
from accelsim.numerics import Int8, Int32

LARGEST_PRODUCT_BITS = 14  # of two int8 operands: -128 x -128


class Traffic(NamedTuple):
    """What a sequence moves and does.

    read_bytes : operands filled into the banks of the lanes, or rows and columns, that a pass
        uses, one byte each; what im2col or several passes repeat counts as often as it is filled.
    write_bytes : results at the result port, in the lanes or columns that a pass uses, thrown-away
        ones included, each as wide as an accumulator.
    macs : multiply-accumulates executed, those with padding and zero taps included.
    """

    read_bytes: int
    write_bytes: int
    macs: int


class Sequence(Protocol):
    """One layer on real data: commands and memories for an engine."""

    @property
    def engine(self) -> str:
        """Name of the engine: array or depthwise."""

    @property
    def commands(self) -> Any:
        """int64[passes, fields], the engine's commands."""

    @property
    def memories(self) -> tuple[Any, Any]:
        """What the commands point to."""

    def output(self, words: Int32) -> Int32:
        """The layer's int32[k, oh, ow] from the result words."""


class Lowered(Protocol):
    """A layer as passes of an engine."""

    @property
    def engine(self) -> str:
        """Name of the engine: array or depthwise."""

    @property
    def dataflow(self) -> str | None:
        """Mode of the array; None on other engines."""

    @property
    def multipliers(self) -> int:
        """Of the engine."""

    @property
    def cycles(self) -> int:
        """Busy clocks by the schedule of the engine."""

    @property
    def bound_cycles(self) -> int:
        """The least that multipliers and ports allow for the dense MACs."""

    @property
    def traffic(self) -> Traffic | None:
        """What the sequence moves and does; None where that is not modelled."""

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the engine consists of."""

    def nest(self, name: str) -> Loop:
        """The loop nest whose latency the cycles are."""

    def sequence(self, x: Int8, weights: Int8) -> Any:
        """Commands and memories for the layer's input int8[c, h, w] and its weights."""

    def measure(self, work: Any) -> tuple[Int32, int]:
        """Result words and busy cycles of a sequence, from registers alone."""


def bound(pieces: Iterable[Piece], multipliers: int, results: int) -> int:
    """Clocks for the dense MACs and the results of a layer, the larger of the two."""
    macs = sum(piece.conv.macs for piece in pieces)
    outputs = sum(piece.conv.k * piece.conv.oh * piece.conv.ow for piece in pieces)
    return max(-(-macs // multipliers), -(-outputs // results))


def check_width(depth: int, operands: Operands) -> None:
    """Raise UnsupportedError where a sum of `depth` int8 products could exceed accumulators."""
    bits = operands.accumulator_bits
    if depth << LARGEST_PRODUCT_BITS >= 1 << (bits - 1):
        raise UnsupportedError(
            f"adds up {depth} products of int8 values, which may exceed accumulators of {bits} "
            "bits (accumulator_bits)"
        )
