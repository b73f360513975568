"""Inception depthwise convolution of InceptionNeXt (arXiv 2303.16900)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from accelsim.checks import Requirement, check, show
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Network, Shape
from accelsim.ops.batch_norm import BatchNorm
from accelsim.ops.concat import Concat
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Pair, check_bool, check_choice, check_whole
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    Cost,
    Key,
    Paper,
    PaperOperator,
    read_share,
    read_whole,
)
from accelsim.ops.papers.convolutions import square_depthwise
from accelsim.ops.papers.mix_conv import mixable
from accelsim.ops.slice import Slice

RATIO = Requirement(
    "above 0 and at most 1/3",
    lambda ratio: (
        isinstance(ratio, int | float) and not isinstance(ratio, bool) and 0 < ratio <= 1 / 3
    ),
)
LENGTH = Requirement("a number from 1 to 99", lambda length: length in range(1, 100))


@dataclass(frozen=True)
class InceptionDepthwise(PaperOperator):
    """Most channels as they are, then three groups: K x K, 1 x band and band x 1 depthwise.

    Each group has g = int(ratio c) of the c channels. The channels that nothing changes come
    first, as in the authors' code; they are an alias of the input.

    kernel : K of the K x K group.
    band : length of the one-dimensional kernels.
    bias : of each group; there if not said otherwise, as in the authors' code.
    norm, activation : of all channels, those that nothing else changes too. The authors' blocks
        have a batch norm there, which folds into the 1 x 1 convolution that follows it.
    """

    name: ClassVar[str] = "inception_depthwise"
    paper: ClassVar[Paper] = Paper(
        "Yu, Zhou, Yan, Wang",
        "InceptionNeXt: When Inception Meets ConvNeXt",
        "CVPR 2024",
        "2303.16900",
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = "square depthwise layers"
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    keys: ClassVar[Mapping[str, Key]] = {
        "kernel": Key(read_whole, LENGTH),
        "band": Key(read_whole, LENGTH),
        "ratio": Key(read_share, RATIO),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        INFERENCE: Cost(
            "int(ratio*Ci)*(kernel^2 + 2*band + 3)", "int(ratio*Ci)*(kernel^2 + 2*band)*HW"
        )
    }
    kernel: int = 3
    band: int = 11
    ratio: float = 0.125
    bias: bool = True
    norm: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        check_whole("kernel", self.kernel)
        check_whole("band", self.band)
        check("ratio", self.ratio, RATIO, ShapeError)
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_id, NAME_hw, NAME_w, NAME_h and NAME, their concatenation.

        With a batch norm NAME is that, of NAME_cat.
        """
        channels = shape[0]
        group = int(self.ratio * channels)
        if group < 1:
            raise ShapeError(f"ratio {self.ratio} leaves no channel of {channels} for a group")
        rest = channels - 3 * group
        square, line = self.kernel, self.band
        layers = [Layer(f"{name}_id", Slice((0, rest)), inputs)] if rest else []
        groups: tuple[tuple[str, Pair], ...] = (
            ("hw", (square, square)),
            ("w", (1, line)),
            ("h", (line, 1)),
        )
        for i, (suffix, kernel) in enumerate(groups):
            first = rest + i * group
            op = Depthwise(kernel, channels=(first, first + group))
            layers.append(Layer(f"{name}_{suffix}", op, inputs, self.bias))
        joined, parts = f"{name}_cat" if self.norm else name, tuple(x.name for x in layers)
        if not self.norm:
            return (*layers, Layer(joined, Concat(), parts, activation=self.activation))
        norm = Layer(name, BatchNorm(), (joined,), activation=self.activation)
        return (*layers, Layer(joined, Concat(), parts), norm)

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise with one square kernel."""
        return square_depthwise(network, layer) is not None

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The mixer in its place; ShapeError where the layer has a stride or changes the size."""
        conv, _ = mixable(network, layer)
        if conv.stride != (1, 1) or conv.dilation != (1, 1):
            what = "stride" if conv.stride != (1, 1) else "dilation"
            raise ShapeError(f"{what} must be [1, 1], not {show(getattr(conv, what))}")
        return cls(norm=layer.norm, activation=layer.activation, **keys)
