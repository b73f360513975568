"""A map at another size, by its nearest pixels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, check_pair, take_inputs


@dataclass(frozen=True)
class Resize(OnHost):
    """out[c, y, x] = in[c, y h // oh, x w // ow], the nearest pixel above and on the left.

    As PyTorch's interpolate and ONNX' Resize (asymmetric, floor) have it.

    size : rows and columns of the result.
    """

    name: ClassVar[str] = "resize"
    size: Pair

    def __post_init__(self) -> None:
        check_pair("size", self.size)

    def out_shape(self, *inputs: Shape) -> Shape:
        """The channels of the input at the given size."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return c, *self.size

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, oh, ow] from int8[c, h, w]."""
        (x,) = inputs
        rows, columns = (
            np.arange(n) * old // n for n, old in zip(self.size, x.shape[1:], strict=True)
        )
        return x[:, rows[:, None], columns].astype(np.int32)
