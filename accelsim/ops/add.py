"""Sum of maps."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals


@dataclass(frozen=True)
class Add(OnHost):
    """out = the sum of two or more inputs."""

    name: ClassVar[str] = "add"

    def out_shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        if len(inputs) < 2:
            raise ShapeError(f"inputs of add: it takes at least 2 inputs, not {len(inputs)}")
        shapes = list(dict.fromkeys(inputs))
        if len(shapes) > 1:
            raise ShapeError(
                f"inputs of add must have one shape, not {' and '.join(map(show, shapes))}"
            )
        return shapes[0]

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One sum after another."""
        count = len(inputs)
        first = Call("Add", (0, 1))
        return first, *(Call("Add", (count + i, i + 2)) for i in range(count - 2))
