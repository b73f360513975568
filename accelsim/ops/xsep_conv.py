"""XSepConv: a K x K depthwise convolution replaced by 2 x 2, 1 x K and K x 1 (arXiv 2002.12046)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_pair,
    check_whole,
)

# Where the 2 x 2 kernel's row and column of zeros lie. Half a pixel of shift each, which the
# corners of four successive layers cancel (improved symmetric padding); in this order those of two
# cancel already. (Top, bottom, left, right.)
CORNERS: dict[str, Padding] = {
    "bottom_right": (0, 1, 0, 1),
    "top_left": (1, 0, 1, 0),
    "bottom_left": (0, 1, 1, 0),
    "top_right": (1, 0, 0, 1),
}


@dataclass(frozen=True)
class XSepConv:
    """2 x 2, 1 x K and K x 1 depthwise convolutions, one after the other.

    The 2 x 2 convolution runs at the full resolution, 1 x K takes the stride along the columns
    and K x 1 along the rows: at stride 2 that is (16 + 3 K) / K^2 of the original's products
    (eq. 4 of the paper), at stride 1 (4 + 2 K) / K^2 (eq. 3).

    kernel : K, odd.
    corner : bottom_right, top_left, bottom_left or top_right, where the 2 x 2 is padded.
    bias, norm, activation : of each of the three.
    final : whether the activation follows the last one too; not where it comes after the
        squeeze-excite that follows, as in the paper.
    """

    name: ClassVar[str] = "xsep_conv"
    kernel: int
    stride: Pair = (1, 1)
    corner: str = "bottom_right"
    bias: bool = False
    norm: bool = False
    activation: str = "none"
    final: bool = True

    def __post_init__(self) -> None:
        check_whole("kernel", self.kernel)
        if self.kernel % 2 == 0:
            raise ShapeError(f"kernel must be odd, not {self.kernel}")
        check_pair("stride", self.stride)
        check_choice("corner", self.corner, tuple(CORNERS))
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_bool("final", self.final)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_2x2, NAME_h (1 x K) and NAME (K x 1), on an input of any shape."""
        even, across = f"{name}_2x2", f"{name}_h"
        (sh, sw), last = self.stride, self.activation if self.final else "none"
        square = Depthwise((2, 2), padding=CORNERS[self.corner])
        row, column = Depthwise((1, self.kernel), (1, sw)), Depthwise((self.kernel, 1), (sh, 1))
        return (
            Layer(even, square, inputs, self.bias, self.norm, self.activation),
            Layer(across, row, (even,), self.bias, self.norm, self.activation),
            Layer(name, column, (across,), self.bias, self.norm, last),
        )
