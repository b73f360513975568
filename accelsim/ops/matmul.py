"""Product of two maps, as attention multiplies queries by keys and weights by values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Piece, Shape
from accelsim.numerics import Int8
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import check_bool, check_whole, make_conv, take_inputs
from accelsim.phrases import counted


@dataclass(frozen=True)
class Matmul(Convolution):
    """A B or, with transpose_b, A B^T: a row of A and of B for every pixel of the two inputs.

    Each head has its own channels of both, one head's after another's. The result has the map size
    of the first input; the columns of a head's product are channels. Neither input is a parameter.

    heads : products side by side.
    transpose_b : the second input is (heads k, h, w), as the first: its n = h w pixels become
        channels, as in Q K^T. Else it has k pixels and heads n channels, as V has where the first
        input has a channel for every key.
    """

    name: ClassVar[str] = "matmul"
    heads: int = 1
    transpose_b: bool = False

    def __post_init__(self) -> None:
        check_whole("heads", self.heads)
        check_bool("transpose_b", self.transpose_b)

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """One Conv of 1 x 1, a group for every head; its kernel is the second input."""
        a, b = take_inputs(self.name, inputs, 2)
        for place, (channels, _, _) in (("first", a), ("second", b)):
            if channels % self.heads:
                raise ShapeError(
                    f"heads must divide the {channels} channels of the {place} input, "
                    f"not be {self.heads}"
                )
        pixels = b[1] * b[2]
        if self.transpose_b and a[0] != b[0]:
            raise ShapeError(
                f"inputs of {self.name}: the second must have the {counted(a[0], 'channel')} of "
                f"the first, not {show(b)}"
            )
        if not self.transpose_b and pixels * self.heads != a[0]:
            wanted = counted(a[0] // self.heads, "pixel")
            raise ShapeError(
                f"inputs of {self.name}: the second must have {wanted}, one for each channel of a "
                f"head of the first, not {show(b)}"
            )
        columns = self.heads * pixels if self.transpose_b else b[0]
        return (Piece(make_conv(a, columns, groups=self.heads)),)

    def operands(self, inputs: Sequence[Int8], weights: Int8) -> tuple[Int8, Int8]:
        """The first input, and the second as int8[heads n, k]."""
        a, b = inputs
        if not self.transpose_b:
            return a, b.reshape(len(b), -1)
        heads = b.reshape(self.heads, len(b) // self.heads, -1)
        return a, np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(-1, heads.shape[1])
