"""Maximum and average pooling."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32, divide_half_even
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_choice,
    check_padding,
    check_pair,
    make_conv,
    resolve_padding,
    take_inputs,
)


@dataclass(frozen=True)
class Pool(OnHost):
    """The maximum or the average of the input values under each window.

    Padding does not count: it is never the maximum, and the average divides by the number of
    input values, rounded half to even.

    kind : max or average.
    stride : rows and columns from one window to the next; the kernel's if not given, so that
        windows touch and do not overlap.
    padding : smaller than the kernel.
    """

    name: ClassVar[str] = "pool"
    kind: str
    kernel: Pair
    stride: Pair | None = None  # the kernel's, as soon as it is made
    padding: Padding = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("max", "average"))
        check_pair("kernel", self.kernel)
        if self.stride is None:
            object.__setattr__(self, "stride", self.kernel)
        check_pair("stride", self.stride)
        check_padding(self.padding)

    @property
    def _steps(self) -> Pair:
        return self.stride or self.kernel

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; ShapeError where the kernel is too large or a window sees no input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        sides = resolve_padding(self.padding, shape[1:], self.kernel, self._steps, (1, 1))
        if max(sides[:2]) >= self.kernel[0] or max(sides[2:]) >= self.kernel[1]:
            raise ShapeError(
                f"padding must be smaller than the kernel {show(self.kernel)}, not {show(sides)}"
            )
        conv = make_conv(shape, shape[0], self.kernel, self._steps, self.padding)
        return conv.k, conv.oh, conv.ow

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[c, oh, ow] from int8[c, h, w]."""
        (x,) = inputs
        if self.kind == "max":
            return self._reduce(x, np.maximum, -128)
        ones = np.ones((1, *x.shape[1:]), np.int8)
        counts = self._reduce(ones, np.add, 0).astype(np.int64)
        sums = self._reduce(x, np.add, 0).astype(np.int64)
        return divide_half_even(sums, counts).astype(np.int32)

    def _reduce(self, x: Int8, combine: np.ufunc, neutral: int) -> Int32:
        """int32[c, oh, ow]: the values under each window combined, the padding neutral."""
        c, oh, ow = self.out_shape(x.shape)
        (fh, fw), (sh, sw) = self.kernel, self._steps
        top, bottom, left, right = resolve_padding(
            self.padding, x.shape[1:], self.kernel, self._steps, (1, 1)
        )
        padded = np.pad(
            x.astype(np.int32), ((0, 0), (top, bottom), (left, right)), constant_values=neutral
        )
        total = np.full((c, oh, ow), neutral, np.int32)
        for i in range(fh):
            for j in range(fw):
                view = padded[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]
                combine(total, view, out=total)
        return total
