"""Averages of a map in so many rows and columns, whatever its size."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, Reals, check_pair, take_inputs


@dataclass(frozen=True)
class AdaptivePool(OnHost):
    """out[c, y, x] = the average of rows y h / oh to (y + 1) h / oh of x[c], columns likewise.

    The first row is rounded down and the one behind the last rounded up, as PyTorch has it, so that
    windows may overlap, and those of a map with fewer rows repeat it. Rounded half to even.

    size : rows and columns of the result, oh and ow.
    """

    name: ClassVar[str] = "adaptive_pool"
    size: Pair

    def __post_init__(self) -> None:
        check_pair("size", self.size)

    def out_shape(self, *inputs: Shape) -> Shape:
        """The channels of the input at the size of the result."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return c, *self.size

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("AdaptiveAveragePool", (0,), {"output_size": self.size}),)
