"""The two kinds of operators: sums of products for an engine, and what runs on the host."""

from abc import abstractmethod
from typing import ClassVar, Protocol

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Piece, Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.geometry import convolve


class Convolution(Protocol):
    """An operator that is one or several Convs; a file of ops/ adds attributes and `lower`."""

    name: ClassVar[str]

    @abstractmethod
    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """Primitive work for an engine; ShapeError where shapes do not fit."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; ShapeError where shapes do not fit."""
        pieces = self.lower(*inputs)
        maps = {(piece.conv.oh, piece.conv.ow) for piece in pieces}
        if len(maps) > 1:
            raise ShapeError(
                f"kernels must give one output size, not {', '.join(map(show, sorted(maps)))}"
            )
        return (sum(piece.conv.k for piece in pieces), *maps.pop())

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(k, c / groups, fh, fw), or (weights,) where kernel shapes differ between channels."""
        pieces = self.lower(*inputs)
        shapes = [(p.conv.k, p.conv.c // p.conv.groups, p.conv.fh, p.conv.fw) for p in pieces]
        if pieces[0].weights is None:
            return shapes[0]
        return (sum(int(np.prod(shape)) for shape in shapes),)

    def macs(self, *inputs: Shape) -> int:
        """Dense multiply-accumulates, padded taps included."""
        return sum(piece.conv.macs for piece in self.lower(*inputs))

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w]: every piece by itself."""
        (x,) = inputs
        out = np.empty(self.out_shape(x.shape), np.int32)
        for piece in self.lower(x.shape):
            result = convolve(piece.conv, piece.take_weights(weights), piece.take_input(x))
            piece.put(result, out)
        return out


class OnHost(Protocol):
    """An operator that no engine runs."""

    name: ClassVar[str]

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """No weights, for most."""
        return ()

    def macs(self, *inputs: Shape) -> int:
        """Counted for convolution and FC only."""
        return 0

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """Nothing for an engine."""
        return ()
