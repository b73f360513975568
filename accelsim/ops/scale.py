"""Channels multiplied by gates, as squeeze-excite does."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs


@dataclass(frozen=True)
class Scale(OnHost):
    """out[c] = x[c] gates[c], a factor for every channel."""

    name: ClassVar[str] = "scale"

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the first input; the second is (c, 1, 1)."""
        x, gates = take_inputs(self.name, inputs, 2)
        if gates != (x[0], 1, 1):
            raise ShapeError(
                f"inputs of scale: the second must have the shape {[x[0], 1, 1]}, not {show(gates)}"
            )
        return x

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One product."""
        return (Call("Mul", (0, 1)),)
