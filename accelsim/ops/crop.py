"""Some rows and columns of a map."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, check_places, take_inputs, take_part


@dataclass(frozen=True)
class Crop(OnHost):
    """out = the rows and columns from the first to the one before the last; values do not change.

    One of them picks a token of a sequence, or one pixel.

    rows, columns : (first, stop); all of them if not given.
    """

    name: ClassVar[str] = "crop"
    rows: Pair | None = None
    columns: Pair | None = None

    def __post_init__(self) -> None:
        for attribute, value in (("rows", self.rows), ("columns", self.columns)):
            if value is not None:
                check_places(attribute, value)

    def out_shape(self, *inputs: Shape) -> Shape:
        """The channels of the input on the chosen rows and columns."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        rows = take_part("rows", self.rows or (0, h), h)
        columns = take_part("columns", self.columns or (0, w), w)
        return c, len(range(*rows)), len(range(*columns))

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, oh, ow] from int8[c, h, w]."""
        (x,) = inputs
        _, h, w = x.shape
        rows, columns = self.rows or (0, h), self.columns or (0, w)
        return x[:, slice(*rows), slice(*columns)].astype(np.int32)
