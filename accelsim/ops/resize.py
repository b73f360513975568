"""A map at another size, by its nearest pixels or between them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32, divide_half_even
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, check_bool, check_choice, check_pair, take_inputs

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Resize(OnHost):
    """A map of rows and columns (oh, ow) from one of (h, w), every channel by itself.

    nearest : out[c, y, x] = in[c, y h // oh, x w // ow], the nearest pixel above and on the left,
        as PyTorch's interpolate and ONNX' Resize (asymmetric, floor) have it.
    bilinear : between the four pixels around row (y + 1/2) h / oh - 1/2, and the column likewise,
        as interpolate and Resize (linear, half_pixel) have it; or, with `align_corners`, around
        row y (h - 1) / (oh - 1). Positions beyond the map are those of its edge. Rounded half to
        even to the scale of the input.

    size : rows and columns of the result.
    factor : rows and columns of the result for each of the input; whole numbers. Either size or
        factor is given.
    mode : nearest or bilinear.
    """

    name: ClassVar[str] = "resize"
    size: Pair | None = None
    factor: Pair | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        if (self.size is None) == (self.factor is None):
            raise ShapeError("size or factor must be given, one of the two")
        if self.size is not None:
            check_pair("size", self.size)
        if self.factor is not None:
            check_pair("factor", self.factor)
        check_choice("mode", self.mode, ("nearest", "bilinear"))
        check_bool("align_corners", self.align_corners)
        if self.align_corners and self.mode == "nearest":
            raise ShapeError("align_corners is of mode bilinear, not of nearest")

    def out_shape(self, *inputs: Shape) -> Shape:
        """The channels of the input at the size of the result."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        if self.factor is not None:
            return c, h * self.factor[0], w * self.factor[1]
        assert self.size is not None
        return c, *self.size

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, oh, ow] from int8[c, h, w]."""
        (x,) = inputs
        _, oh, ow = self.out_shape(x.shape)
        _, h, w = x.shape
        if self.mode == "nearest":
            rows, columns = np.arange(oh) * h // oh, np.arange(ow) * w // ow
            return x[:, rows[:, None], columns].astype(np.int32)
        lines, down = self._between(x.astype(np.int64), 1, oh)
        total, across = self._between(lines, 2, ow)
        return divide_half_even(total, down * across).astype(np.int32)

    def _between(self, x: Int64, axis: int, count: int) -> tuple[Int64, int]:
        """`count` values along an axis, between two neighbours each, times the second result."""
        size = x.shape[axis]
        numbers = np.arange(count)
        if self.align_corners:
            parts = max(count - 1, 1)
            places = numbers * (size - 1)
        else:
            parts = 2 * count
            places = np.maximum((2 * numbers + 1) * size - count, 0)
        first, rest = np.divmod(places, parts)
        second = np.minimum(first + 1, size - 1)  # beyond the edge both are its value
        shape = [1, 1, 1]
        shape[axis] = count
        rest = rest.reshape(shape)
        return x.take(first, axis) * (parts - rest) + x.take(second, axis) * rest, parts
