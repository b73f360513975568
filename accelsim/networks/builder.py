"""What the definitions of networks share, so that each reads like its paper's table."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from accelsim.errors import NetworkError, ShapeError
from accelsim.ir import INPUT, Layer, Network, Operator, Shape
from accelsim.ops import (
    Add,
    Conv2d,
    Depthwise,
    GlobalPool,
    Linear,
    MixConv,
    Pointwise,
    SqueezeExcite,
)
from accelsim.tensors import MOST_SIDE

Size = tuple[int, int]  # height, width


def check_size(size: Size) -> None:
    """NetworkError unless the size is two whole numbers from 1 to MOST_SIDE."""
    pair = isinstance(size, Sequence) and len(size) == 2
    if not pair or any(not isinstance(n, int) or n < 1 for n in size):
        raise NetworkError(f"input must be a height and a width of at least 1, not {size!r}")
    if max(size) > MOST_SIDE:
        raise NetworkError(f"input must be at most {MOST_SIDE} a side, not {size!r}")


class Macro(Protocol):
    """An operator of MACROS."""

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """The layers it stands for, the last of which has the name itself."""


class Builder:
    """Layers in order; each reads the one before it unless `sources` says otherwise.

    name : of the network.
    size, channels : of the image.
    """

    def __init__(self, name: str, size: Size, channels: int = 3) -> None:
        check_size(size)
        self.name = name
        self.last = INPUT
        self._layers: list[Layer] = []
        self._shapes: dict[str, Shape] = {INPUT: (channels, *size)}

    @property
    def channels(self) -> int:
        """Channels of the last layer."""
        return self._shapes[self.last][0]

    def shape(self, name: str) -> Shape:
        """Output shape of a layer."""
        return self._shapes[name]

    def append(self, layers: Iterable[Layer]) -> None:
        """Take layers that are complete."""
        for layer in layers:
            inputs = (self._shapes[source] for source in layer.inputs)
            try:
                self._shapes[layer.name] = layer.op.out_shape(*inputs)
            except ShapeError as error:
                raise ShapeError(f"{error} (layer {layer.name} of {self.name})") from None
            self._layers.append(layer)
            self.last = layer.name

    def add(
        self,
        name: str,
        op: Operator,
        *sources: str,
        bias: bool = False,
        norm: bool = False,
        activation: str = "none",
        prenorm: bool = False,
        layer_scale: bool = False,
    ) -> None:
        """Take one layer."""
        inputs = sources or (self.last,)
        self.append([Layer(name, op, inputs, bias, norm, activation, prenorm, layer_scale)])

    def expand(self, name: str, op: Macro) -> None:
        """Take the layers that an operator stands for."""
        self.append(op.expand(name, (self.last,), self._shapes[self.last]))

    def conv(
        self, name: str, out: int, kernel: int, stride: int, activation: str, source: str = ""
    ) -> None:
        """Take a KxK convolution with padding K // 2 and a batch norm."""
        pad = kernel // 2
        op = Conv2d(out, (kernel, kernel), (stride, stride), (pad, pad, pad, pad))
        self.add(name, op, source or self.last, norm=True, activation=activation)

    def depthwise(self, name: str, kernel: int, stride: int, activation: str) -> None:
        """Take a KxK depthwise convolution with a batch norm."""
        op = Depthwise((kernel, kernel), (stride, stride))
        self.add(name, op, norm=True, activation=activation)

    def pointwise(self, name: str, out: int, activation: str = "none", groups: int = 1) -> None:
        """Take a 1x1 convolution with a batch norm."""
        self.add(name, Pointwise(out, groups=groups), norm=True, activation=activation)

    def squeeze_excite(self, block: str, op: SqueezeExcite, activation: str = "none") -> None:
        """Take a squeeze-excite of the last layer, with an activation after it."""
        *inner, scale = op.expand(f"{block}.se", (self.last,), self._shapes[self.last])
        self.append([*inner, replace(scale, activation=activation)])

    def classifier(self, classes: int = 1000) -> None:
        """Take the global average pool and the fully connected layer."""
        self.add("pool", GlobalPool())
        self.add("fc", Linear(classes), bias=True)

    def network(self) -> Network:
        """The network of all layers taken."""
        return Network(self.name, self._shapes[INPUT], tuple(self._layers))


class Bottleneck(NamedTuple):
    """An inverted residual block: expand, depthwise, squeeze-excite, project, add.

    kernel : of the depthwise convolution, or those of a MixConv.
    squeeze : its squeeze-excite, if any.
    expand_groups, project_groups : of the 1x1 convolutions.
    """

    kernel: int | tuple[int, ...]
    expanded: int
    out: int
    stride: int
    activation: str
    squeeze: SqueezeExcite | None = None
    expand_groups: int = 1
    project_groups: int = 1


def inverted_residual(b: Builder, block: str, row: Bottleneck) -> None:
    """Add a block; one that does not widen its input has no expansion."""
    start, channels = b.last, b.channels
    if row.expanded != channels:
        b.pointwise(f"{block}.expand", row.expanded, row.activation, row.expand_groups)
    kernels = row.kernel if isinstance(row.kernel, tuple) else (row.kernel,)
    mixed = MixConv(kernels, (row.stride, row.stride), norm=True, activation=row.activation)
    b.expand(f"{block}.dw", mixed)
    if row.squeeze:
        b.squeeze_excite(block, row.squeeze)
    b.pointwise(f"{block}.project", row.out, groups=row.project_groups)
    if row.stride == 1 and row.out == channels:
        b.add(f"{block}.add", Add(), start, b.last)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor` that is not more than 10 % below `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor
