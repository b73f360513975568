"""A map as a sequence of tokens, as transformers take it (arXiv 2010.11929)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, check_whole, take_inputs


@dataclass(frozen=True)
class Tokens(OnHost):
    """The pixels of a map in one column, row by row, behind tokens that are learned.

    learned : tokens in front, such as a class token; in units of the input.
    """

    name: ClassVar[str] = "tokens"
    learned: int = 0

    def __post_init__(self) -> None:
        check_whole("learned", self.learned, 0)

    def out_shape(self, *inputs: Shape) -> Shape:
        """(c, learned + h w, 1)."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        return c, self.learned + h * w, 1

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(c, learned); () where nothing is learned."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return (c, self.learned) if self.learned else ()

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """Pixels in a column, behind what is learned."""
        c, h, w = inputs[0]
        column = Call("Reshape", (0, np.array([1, c, h * w, 1])))
        if not self.learned:
            return (column,)
        front = weights.reshape(1, c, self.learned, 1)
        return column, Call("Concat", (front, 1), {"axis": 2})
