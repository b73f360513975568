"""The kinds of operators: sums of products for an engine, what runs on the host, aliases."""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import ClassVar, Protocol

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError, UnsupportedError
from accelsim.ir import Call, Operator, Piece, Shape, Source
from accelsim.numerics import Int8
from accelsim.ops.geometry import Array, Reals, check_kernel, convolve, take_inputs


class Convolution(Protocol):
    """An operator that is one or several Convs; a file of ops/ adds attributes and `lower`.

    Its kernel is its weights or, where it has two inputs, the second of them: what another layer
    makes for every image, with the values of the weights in their order, in any shape. Such a
    kernel is no parameter.

    depthwise : whether a single channel is a depthwise layer too, which shapes cannot say.
    guided : whether the second input says which kernel each pixel takes. A kernel that is an input
        is then the third.
    """

    name: ClassVar[str]
    depthwise: ClassVar[bool] = False
    guided: ClassVar[bool] = False

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
        if len(inputs) > 1:
            check_kernel(self.name, inputs[1], sum(map(_kernel_size, pieces)))
        return (sum(piece.conv.k for piece in pieces), *maps.pop())

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(k, c / groups, fh, fw), or (weights,) where kernels differ or have only some taps.

        () where the kernel is an input.
        """
        pieces = self.lower(*inputs)
        if len(inputs) > 1:
            return ()
        return _packed(pieces)

    def macs(self, *inputs: Shape) -> int:
        """Dense multiply-accumulates, padded taps included."""
        return sum(piece.conv.macs for piece in self.lower(*inputs))

    def alias(self, *inputs: Shape) -> tuple[Source, ...] | None:
        """None: it computes values."""
        return None

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """None: it is sums of products."""
        return ()

    def with_zeros(self, *inputs: Shape) -> tuple[Operator, Shape] | None:
        """None: no zeros are inserted."""
        return None

    def operands(self, inputs: Sequence[Int8], weights: Int8) -> tuple[Int8, Int8]:
        """The first input, and the weights or, shaped as they would be, the second."""
        if len(inputs) == 1:
            return inputs[0], weights
        shapes = [each.shape for each in inputs]
        return inputs[0], inputs[1].reshape(_packed(self.lower(*shapes)))

    def golden(self, weights: Int8, *inputs: Int8) -> Array:
        """int32[c, h, w], or float32 of reals: every piece by itself."""
        x, kernel = self.operands(inputs, weights)
        shapes = [each.shape for each in inputs]
        out = np.empty(self.out_shape(*shapes), np.float32 if x.dtype.kind == "f" else np.int32)
        for piece in self.lower(*shapes):
            result = convolve(piece.conv, piece.take_weights(kernel), piece.take_input(x))
            piece.put(result, out)
        return out


def _packed(pieces: tuple[Piece, ...]) -> tuple[int, ...]:
    """The shape of a kernel that pieces take theirs from."""
    if pieces[0].weights is None:
        return pieces[0].conv.kernel_shape
    return (sum(map(_kernel_size, pieces)),)


def _kernel_size(piece: Piece) -> int:
    return prod(piece.conv.kernel_shape)


class OnHost(Protocol):
    """An operator that no engine runs; a file of ops/ adds `out_shape` and `golden`."""

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

    def golden(self, weights: Reals, *inputs: Reals) -> Reals:
        """UnsupportedError: what it computes are its calls."""
        raise UnsupportedError(f"{self.name} runs on no engine, so that it has no sums of products")

    def with_zeros(self, *inputs: Shape) -> tuple[Operator, Shape] | None:
        """None: no zeros are inserted."""
        return None

    def operands(self, inputs: Sequence[Int8], weights: Int8) -> tuple[Int8, Int8]:
        """UnsupportedError: there are none."""
        raise UnsupportedError(f"{self.name} runs on no engine, so that it has no operands")

    def alias(self, *inputs: Shape) -> tuple[Source, ...] | None:
        """None: it computes values."""
        return None


class Affine(OnHost, Protocol):
    """An operator on a single map, with a gamma and a beta for every channel; adds `golden`."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        return shape

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(2, c): gamma and beta."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return 2, c


class Alias(OnHost, Protocol):
    """An operator that moves nothing: its channels lie in its inputs, and it says where."""

    @abstractmethod
    def alias(self, *inputs: Shape) -> tuple[Source, ...]:
        """The place of an input, and the channel in it, of every output channel."""

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """The inputs side by side, and the channels of them that `alias` says."""
        firsts = [0, *accumulate(shape[0] for shape in inputs)]
        sources = [firsts[place] + channel for place, channel in self.alias(*inputs)]
        whole = Call("Concat", tuple(range(len(inputs))), {"axis": 1})
        if sources == list(range(firsts[-1])):
            return (whole,)
        return whole, Call("Gather", (len(inputs), np.array(sources)), {"axis": 1})
