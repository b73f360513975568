"""Some rows and columns of a map."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, Reals, check_places, take_inputs, take_part


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

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        _, h, w = inputs[0]
        rows, columns = self.rows or (0, h), self.columns or (0, w)
        starts, ends = np.transpose((rows, columns))
        return (Call("Slice", (0, starts, ends, np.array([2, 3]))),)
