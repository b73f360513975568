"""What no engine runs of a Graph, as an operator of a Network: it costs nothing and is listed."""

from dataclasses import dataclass

from accelsim.errors import UnsupportedError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost


@dataclass(frozen=True)
class HostNode(OnHost):
    """A node of a Graph on the host, where its values are computed by accelsim.graph.evaluate.

    name : what the table calls it.
    shape : of the map that it makes.
    parameters : trainable values that it has.
    """

    name: str  # type: ignore[misc]
    shape: Shape
    parameters: int = 0

    def out_shape(self, *inputs: Shape) -> Shape:
        """As it was told."""
        return self.shape

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(parameters,), or () where there are none."""
        return (self.parameters,) if self.parameters else ()

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """UnsupportedError: its values are those of the Graph."""
        raise UnsupportedError(f"{self.name} has its values in the graph that it comes from")
