"""What no engine runs of a Graph, as an operator of a Network: it costs nothing and is listed."""

from dataclasses import dataclass

from accelsim.checks import show
from accelsim.errors import ShapeError, UnsupportedError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals

# What engines never see, by the names that files have for it.
PRODUCTS_OF_MAPS = ("Mul", "com.microsoft.QLinearMul", "MUL")
_OF_EVERY_CHANNEL = (
    *("Add", "Mul", "Sub", "Div", "Min", "Max", "Pow", "Sqrt", "Erf", "Exp", "Clip", "Cast"),
    *("Relu", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish"),
    *("Gelu", "Tanh", "Elu", "Softplus", "BatchNormalization", "QuantizeLinear"),
    *("DequantizeLinear", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
    *("Resize", "InstanceNormalization"),
)


@dataclass(frozen=True)
class HostNode(OnHost):
    """A node of a Graph on the host, where its values are computed by accelsim.graph.evaluate.

    name : what the table calls it.
    shape : of the map that it makes.
    parameters : trainable values that it has.
    reads : shapes of the maps that it makes it of; () where that is not said. Of others, which
        variants of a network give it, it makes as many channels as the one with the most has, if
        it is one that works on every channel by itself, or all together, if it joins channels.
    """

    name: str  # type: ignore[misc]
    shape: Shape
    parameters: int = 0
    reads: tuple[Shape, ...] = ()

    def out_shape(self, *inputs: Shape) -> Shape:
        """As it was told; ShapeError where it is not known what it makes of these inputs."""
        if not self.reads or inputs == self.reads:
            return self.shape
        channels, before = [c for c, _, _ in inputs], [c for c, _, _ in self.reads]
        sizes_are_kept = [each[1:] for each in inputs] == [each[1:] for each in self.reads]
        if sizes_are_kept and self.shape[0] == max(before) and self._keeps_channels:
            return max(channels), *self.shape[1:]
        if sizes_are_kept and self.shape[0] == sum(before) and self._joins:
            return sum(channels), *self.shape[1:]
        raise ShapeError(
            f"inputs of {self.name}: it makes {show(self.shape)} of {show(self.reads)}, and what "
            f"of {show(inputs)} is not known"
        )

    @property
    def _keeps_channels(self) -> bool:
        return _plain(self.name) in _OF_EVERY_CHANNEL

    @property
    def _joins(self) -> bool:
        return _plain(self.name) == "Concat"

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(parameters,), or () where there are none; of more channels there are more."""
        if not self.parameters:
            return ()
        return (self.parameters * self.out_shape(*inputs)[0] // self.shape[0],)

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """UnsupportedError: what it computes is in the Graph."""
        raise UnsupportedError(
            f"{self.name} has its values in the graph that it comes from; a variant of a network "
            "from a file has costs only"
        )


def _plain(kind: str) -> str:
    """The operator without domain and without how it is quantised."""
    return kind.rpartition(".")[2].removeprefix("QLinear")
