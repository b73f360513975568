"""A map at another size, by its nearest pixels or between them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, Reals, check_bool, check_choice, check_pair, take_inputs

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

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        sizes = np.array([1, *self.out_shape(*inputs)])
        if self.mode == "nearest":
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            how["nearest_mode"] = "floor"
        else:
            places = "align_corners" if self.align_corners else "half_pixel"
            how = {"mode": "linear", "coordinate_transformation_mode": places}
        return (Call("Resize", (0, None, None, sizes), how),)
