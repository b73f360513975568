"""Average over the whole map."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs


@dataclass(frozen=True)
class GlobalPool(OnHost):
    """out[c, 0, 0] = the average of x[c], rounded half to even."""

    name: ClassVar[str] = "global_pool"

    def out_shape(self, *inputs: Shape) -> Shape:
        """(c, 1, 1)."""
        ((c, _, _),) = take_inputs(self.name, inputs, 1)
        return c, 1, 1

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("GlobalAveragePool", (0,)),)
