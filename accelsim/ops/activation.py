"""An activation as a layer of its own."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import ACTIVATIONS, Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, check_choice, take_inputs


@dataclass(frozen=True)
class Activation(OnHost):
    """out = function(x), one of ir.ACTIVATIONS."""

    name: ClassVar[str] = "activation"
    function: str

    def __post_init__(self) -> None:
        check_choice("function", self.function, tuple(ACTIVATIONS))

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        return shape

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """The function."""
        call = ACTIVATIONS[self.function]
        return (call or Call("Identity", (0,)),)
