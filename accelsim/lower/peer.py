"""Lowering to the engines of other people, which are loop nests and nothing else."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NoReturn

from accelsim.engines import third_party as peers
from accelsim.errors import UnsupportedError
from accelsim.hardware import ThirdPartyEngine
from accelsim.hls.nest import Loop
from accelsim.hls.report import Resource
from accelsim.ir import Piece
from accelsim.lower.base import bound
from accelsim.numerics import Int8


@dataclass(frozen=True)
class PeerWork:
    """A layer as loop nests, one after another for every kernel shape."""

    dataflow: ClassVar[None] = None
    traffic: ClassVar[None] = None  # not modelled
    design: ThirdPartyEngine
    pieces: tuple[Piece, ...]

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.design.name

    @property
    def multipliers(self) -> int:
        """Of the engine."""
        return self.design.multipliers

    @cached_property
    def cycles(self) -> int:
        """Clocks of the nests."""
        return self.nest("").latency

    @property
    def bound_cycles(self) -> int:
        """What the multipliers allow; ports are as wide as they need."""
        return bound(self.pieces, self.multipliers, self.multipliers)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Multipliers."""
        return peers.resources(self.design)

    def nest(self, name: str) -> Loop:
        """The loop nest whose latency the cycles are."""
        return Loop(name, 1, tuple(peers.nest(self.design, piece.conv) for piece in self.pieces))

    def sequence(self, x: Int8, weights: Int8) -> NoReturn:
        """Refused: there are no passes."""
        raise UnsupportedError(f"{self.engine} is a model without registers and RTL")

    def measure(self, work: object) -> NoReturn:
        """Refused: there are no registers."""
        raise UnsupportedError(f"{self.engine} is a model without registers and RTL")
