"""The context module of depthwise dilated convolutions, DDC (arXiv 2104.14125)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import check_bool, check_choice
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.ssh_context import check_quarters

DILATIONS = (1, 2, 3)


@dataclass(frozen=True)
class DdcContext:
    """Three branches that see 3 x 3, 5 x 5 and 7 x 7 pixels, concatenated.

    Branch d is a 3 x 3 depthwise convolution of dilation d and a 1 x 1 convolution. The paper gives
    sizes and costs of the module; this is the structure that has them.

    out_channels : a multiple of 4; half of them from the first branch, a quarter from the others.
    bias, norm : of every convolution.
    activation : of the depthwise convolutions; the concatenation has ReLU.
    """

    name: ClassVar[str] = "ddc_context"
    out_channels: int
    bias: bool = False
    norm: bool = False
    activation: str = "leaky_relu"

    def __post_init__(self) -> None:
        check_quarters(self.out_channels)
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_dw1, NAME_d1, ..., NAME_dw3, NAME_d3 and NAME, on an input of any shape."""
        half, quarter = self.out_channels // 2, self.out_channels // 4
        layers = []
        for d, out in zip(DILATIONS, (half, quarter, quarter), strict=True):
            dilated, mixed = f"{name}_dw{d}", f"{name}_d{d}"
            op = Depthwise((3, 3), dilation=(d, d))
            layers += [
                Layer(dilated, op, inputs, self.bias, self.norm, self.activation),
                Layer(mixed, Pointwise(out), (dilated,), self.bias, self.norm),
            ]
        branches = tuple(f"{name}_d{d}" for d in DILATIONS)
        return (*layers, Layer(name, Concat(), branches, activation="relu"))
