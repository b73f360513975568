"""A map of weights times a map of the network, as dynamic convolutions scale their kernels."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import check, show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, take_inputs
from accelsim.ops.reshape import THREE


@dataclass(frozen=True)
class Modulate(OnHost):
    """out = weights times the input, value by value; an axis of size 1 of the input meets all.

    The weights are a map of `shape`, such as a kernel with the channels k, the rows c / groups and
    the columns fh fw; an input (k, 1, 1) then scales the kernel of every output channel,
    (1, 1, fh fw) every tap.

    shape : of the weights and of the result.
    """

    name: ClassVar[str] = "modulate"
    shape: Shape

    def __post_init__(self) -> None:
        check("shape", self.shape, THREE, ShapeError)

    def out_shape(self, *inputs: Shape) -> Shape:
        """That of the weights."""
        (x,) = take_inputs(self.name, inputs, 1)
        if any(size not in (1, whole) for size, whole in zip(x, self.shape, strict=True)):
            raise ShapeError(
                f"inputs of modulate must be 1 or as {show(self.shape)} along every axis, not "
                f"{show(x)}"
            )
        return self.shape

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """That of the result."""
        return self.shape

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("Mul", (weights[None], 0)),)
