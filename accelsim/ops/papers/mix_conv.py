"""MixConv: depthwise convolution with kernels of several sizes (arXiv 1907.09595)."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.checks import Requirement, check, is_tuple, whole
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import (
    Pair,
    check_bool,
    check_choice,
    check_pair,
)

KERNELS = Requirement(
    "a list of whole numbers of at least 1",
    lambda value: is_tuple(value, whole(1)) and len(value) > 0,
)


@dataclass(frozen=True)
class MixConv:
    """Channels split into as many equal groups as there are kernels, each with its K x K.

    The remainder goes to the first group, as in the re-implementations of MixNet.

    kernels : K of each group.
    padding : "same" or "same_tf".
    """

    name: ClassVar[str] = "mix_conv"
    kernels: tuple[int, ...]
    stride: Pair = (1, 1)
    padding: str = "same"
    dilation: Pair = (1, 1)
    bias: bool = False
    norm: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_choice("padding", self.padding, ("same", "same_tf"))
        check_pair("dilation", self.dilation)
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME, one depthwise layer, on an input of `shape`."""
        channels, groups = shape[0], len(self.kernels)
        if groups > channels:
            raise ShapeError(
                f"kernels must be at most one for each of the {channels} channels, not {groups}"
            )
        counts = [channels // groups + channels % groups, *[channels // groups] * (groups - 1)]
        each = tuple(
            (kernel, kernel)
            for kernel, count in zip(self.kernels, counts, strict=True)
            for _ in range(count)
        )
        alike = len(set(each)) == 1
        op = Depthwise(
            each[0] if alike else None,
            self.stride,
            "same_tf" if self.padding == "same_tf" else "same",
            self.dilation,
            kernels=None if alike else each,
        )
        return (Layer(name, op, inputs, self.bias, self.norm, self.activation),)
