"""FuSeConv: a K x K depthwise convolution replaced by 1 x K and K x 1 (arXiv 2105.13434)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Network, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_pair,
    check_whole,
)
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    Cost,
    Paper,
    PaperOperator,
    Reported,
)
from accelsim.ops.papers.convolutions import square_depthwise


@dataclass(frozen=True)
class FusePair(PaperOperator):
    """Horizontal and vertical one-dimensional depthwise convolutions, concatenated.

    kernel : K of 1 x K and K x 1.
    full : every channel goes through both, which doubles the channels; otherwise the first half
        of the channels (the extra one of an odd count included) goes through the horizontal
        branch and the rest through the vertical one.
    padding : "same" or "same_tf".
    bias, norm, activation : of each branch.
    """

    name: ClassVar[str] = "fuse_pair"
    paper: ClassVar[Paper] = Paper(
        "Selvam, Ganesan, Kumar",
        "FuSeConv: Fully Separable Convolutions for Fast Inference on Systolic Arrays",
        "DATE 2021",
        "2105.13434",
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = "square depthwise layers"
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    cost: ClassVar[Mapping[str, Cost]] = {INFERENCE: Cost("(1 + full)*Ci*k", "(1 + full)*Ci*k*HWo")}
    reported: ClassVar[tuple[Reported, ...]] = tuple(
        Reported(network, variant, "ImageNet", top1, gain, "table 1 of the paper")
        for network, variant, top1, gain in (
            ("mobilenet_v1", "fuse_full", 72.86, 2.26),
            ("mobilenet_v1", "fuse_half", 72.00, 1.40),
            ("mobilenet_v2", "fuse_full", 72.49, 0.49),
            ("mobilenet_v2", "fuse_half", 70.80, -1.20),
            ("mobilenet_v3_large_fuseconv", "fuse_full", 74.40, -0.80),
            ("mobilenet_v3_large_fuseconv", "fuse_half", 73.02, -2.18),
        )
    )
    kernel: int
    stride: Pair = (1, 1)
    full: bool = False
    padding: Padding = "same"
    bias: bool = False
    norm: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        check_whole("kernel", self.kernel)
        check_pair("stride", self.stride)
        check_bool("full", self.full)
        check_choice("padding", self.padding, ("same", "same_tf"))
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_h, NAME_v and NAME, their concatenation, on an input of `shape`."""
        channels, half = shape[0], (shape[0] + 1) // 2
        horizontal = self._branch(f"{name}_h", inputs, (1, self.kernel), (0, half))
        if not self.full and half == channels:  # one channel: nothing is left for the vertical
            return horizontal, Layer(name, Concat(), (horizontal.name,))
        vertical = self._branch(f"{name}_v", inputs, (self.kernel, 1), (half, channels))
        return horizontal, vertical, Layer(name, Concat(), (horizontal.name, vertical.name))

    def _branch(self, name: str, inputs: tuple[str, ...], kernel: Pair, channels: Pair) -> Layer:
        op = Depthwise(
            kernel,
            stride=self.stride,
            padding=self.padding,
            channels=None if self.full else channels,
        )
        return Layer(name, op, inputs, self.bias, self.norm, self.activation)

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise with one square kernel."""
        return square_depthwise(network, layer) is not None

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The pair in its place; which layers a variant gives one is for the whole network."""
        op = square_depthwise(network, layer)
        assert op is not None
        assert op.kernel is not None
        if op.dilation != (1, 1) or op.multiplier != 1:
            raise ShapeError("the layer must have no dilation and one output a channel")
        if op.padding not in ("same", "same_tf"):
            raise ShapeError(f"padding must be same or same_tf, not {show(op.padding)}")
        full = keys.get("full", False)
        bias, norm, activation = layer.bias, layer.norm, layer.activation
        return cls(op.kernel[0], op.stride, full, op.padding, bias, norm, activation)
