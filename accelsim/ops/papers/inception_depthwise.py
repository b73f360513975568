"""Inception depthwise convolution of InceptionNeXt (arXiv 2303.16900)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Pair, check_bool, check_whole
from accelsim.ops.slice import Slice


@dataclass(frozen=True)
class InceptionDepthwise:
    """Most channels as they are, then three groups: K x K, 1 x band and band x 1 depthwise.

    Each group has g = int(ratio c) of the c channels. The channels that nothing changes come
    first, as in the authors' code; they are an alias of the input.

    kernel : K of the K x K group.
    band : length of the one-dimensional kernels.
    bias : of each group; there if not said otherwise, as in the authors' code.
    """

    name: ClassVar[str] = "inception_depthwise"
    kernel: int = 3
    band: int = 11
    ratio: float = 0.125
    bias: bool = True

    def __post_init__(self) -> None:
        check_whole("kernel", self.kernel)
        check_whole("band", self.band)
        number = isinstance(self.ratio, int | float) and not isinstance(self.ratio, bool)
        if not number or not 0 < self.ratio <= 1 / 3:
            raise ShapeError(f"ratio must be above 0 and at most 1/3, not {show(self.ratio)}")
        check_bool("bias", self.bias)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_id, NAME_hw, NAME_w, NAME_h and NAME, their concatenation."""
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
        return (*layers, Layer(name, Concat(), tuple(layer.name for layer in layers)))
