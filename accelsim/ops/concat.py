"""Maps behind one another along the channels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost


@dataclass(frozen=True)
class Concat(OnHost):
    """out = the channels of the first input, then those of the next."""

    name: ClassVar[str] = "concat"

    def out_shape(self, *inputs: Shape) -> Shape:
        """All channels, on the inputs' common map."""
        if not inputs:
            raise ShapeError("inputs of concat: it takes at least 1 input, not 0")
        maps = list(dict.fromkeys(shape[1:] for shape in inputs))
        if len(maps) > 1:
            raise ShapeError(
                f"inputs of concat must have one map size, not {' and '.join(map(show, maps))}"
            )
        return sum(shape[0] for shape in inputs), *maps[0]

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, h, w] from any number of int8[ci, h, w]."""
        return np.concatenate(inputs).astype(np.int32)
