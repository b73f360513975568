"""Channels to pixels: a larger map of fewer channels (arXiv 1609.05158)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, check_choice, check_whole, take_inputs


@dataclass(frozen=True)
class PixelShuffle(OnHost):
    """out[c, y f + i, x f + j] = in[(c f + i) f + j, y, x], for a factor f; values do not change.

    As PyTorch's pixel_shuffle and ONNX' DepthToSpace have it.

    factor : whose square divides the channels.
    order : of what a channel's number counts, slowest first: "crd" has the result's channel, then
        row and column of the pixel, as above; "dcr", which DepthToSpace takes if not told
        otherwise, has row and column first: in[(i f + j) channels + c, y, x].
    """

    name: ClassVar[str] = "pixel_shuffle"
    factor: int
    order: str = "crd"

    def __post_init__(self) -> None:
        check_whole("factor", self.factor)
        check_choice("order", self.order, ("crd", "dcr"))

    def out_shape(self, *inputs: Shape) -> Shape:
        """(c / factor^2, h factor, w factor)."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        pixels = self.factor**2
        if c % pixels:
            raise ShapeError(
                f"factor must have a square that divides the {c} channels, not be {self.factor}"
            )
        return c // pixels, h * self.factor, w * self.factor

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        return (Call("DepthToSpace", (0,), {"blocksize": self.factor, "mode": self.order.upper()}),)
