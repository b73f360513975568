"""The context module of SSH (arXiv 1708.03979) as RetinaFace has it."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.geometry import check_bool, check_choice, check_whole


@dataclass(frozen=True)
class SshContext:
    """Three branches of 3 x 3 convolutions that see 3 x 3, 5 x 5 and 7 x 7 pixels, concatenated.

    The last two share their first convolution.

    out_channels : a multiple of 4; half of them from the first branch, a quarter from the others.
    bias, norm : of every convolution.
    activation : of the convolutions that another one follows; the concatenation has ReLU.
    """

    name: ClassVar[str] = "ssh_context"
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
        """NAME_3x3; NAME_5x5_1, NAME_5x5; NAME_7x7_1, NAME_7x7; and NAME, on any input."""
        half, quarter = self.out_channels // 2, self.out_channels // 4
        three, five, seven = (f"{name}_{k}x{k}" for k in (3, 5, 7))
        shared = (f"{five}_1",)
        return (
            self._conv(three, half, inputs, "none"),
            self._conv(f"{five}_1", quarter, inputs, self.activation),
            self._conv(five, quarter, shared, "none"),
            self._conv(f"{seven}_1", quarter, shared, self.activation),
            self._conv(seven, quarter, (f"{seven}_1",), "none"),
            Layer(name, Concat(), (three, five, seven), activation="relu"),
        )

    def _conv(self, name: str, out: int, inputs: tuple[str, ...], activation: str) -> Layer:
        op = Conv2d(out, (3, 3), padding=1)
        return Layer(name, op, inputs, self.bias, self.norm, activation)


def check_quarters(out_channels: int) -> None:
    """ShapeError unless the channels can be cut into a half and two quarters."""
    check_whole("out_channels", out_channels, 4)
    if out_channels % 4:
        raise ShapeError(f"out_channels must be a multiple of 4, not {out_channels}")
