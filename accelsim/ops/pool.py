"""Maximum and average pooling."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Call, Shape, out_size
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import (
    Padding,
    Pair,
    Reals,
    check_bool,
    check_choice,
    check_padding,
    check_pair,
    resolve_padding,
    take_inputs,
)


@dataclass(frozen=True)
class Pool(OnHost):
    """The maximum or the average of the input values under each window.

    Padding is never the maximum, and counts in no average unless told; averages are rounded half
    to even.

    kind : max or average.
    stride : rows and columns from one window to the next; the kernel's if not given, so that
        windows touch and do not overlap.
    padding : smaller than the kernel.
    ceil_mode : whether a last window may reach beyond the padding; it begins in the map or in the
        padding above and on the left, as PyTorch and ONNX have it.
    count_include_pad : whether an average divides by the padding under a window too, but never by
        what lies beyond it.
    """

    name: ClassVar[str] = "pool"
    kind: str
    kernel: Pair
    stride: Pair | None = None  # the kernel's, as soon as it is made
    padding: Padding = 0
    ceil_mode: bool = False
    count_include_pad: bool = False

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("max", "average"))
        check_pair("kernel", self.kernel)
        if self.stride is None:
            object.__setattr__(self, "stride", self.kernel)
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_bool("ceil_mode", self.ceil_mode)
        check_bool("count_include_pad", self.count_include_pad)
        if self.count_include_pad and self.kind == "max":
            raise ShapeError("count_include_pad is of kind average, not of max")

    @property
    def _steps(self) -> Pair:
        return self.stride or self.kernel

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; ShapeError where the kernel is too large or a window sees no input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        rows, columns = self._axes(shape)
        return shape[0], rows.windows, columns.windows

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """One call."""
        sides = resolve_padding(self.padding, inputs[0][1:], self.kernel, self._steps, (1, 1))
        top, bottom, left, right = sides
        attributes: dict[str, Any] = {
            "kernel_shape": self.kernel,
            "strides": self._steps,
            "pads": (top, left, bottom, right),
            "ceil_mode": int(self.ceil_mode),
        }
        if self.kind == "max":
            return (Call("MaxPool", (0,), attributes),)
        attributes["count_include_pad"] = int(self.count_include_pad)
        return (Call("AveragePool", (0,), attributes),)

    def _axes(self, shape: tuple[int, ...]) -> tuple["_Axis", "_Axis"]:
        """Rows and columns of a map; ShapeError where the padding reaches the kernel."""
        size = shape[1], shape[2]
        sides = resolve_padding(self.padding, size, self.kernel, self._steps, (1, 1))
        if max(sides[:2]) >= self.kernel[0] or max(sides[2:]) >= self.kernel[1]:
            raise ShapeError(
                f"padding must be smaller than the kernel {show(self.kernel)}, not {show(sides)}"
            )
        numbers = zip(size, sides[::2], sides[1::2], self.kernel, self._steps, strict=True)
        rows, columns = (_Axis(*each, self.ceil_mode) for each in numbers)
        return rows, columns


class _Axis(NamedTuple):
    """Windows along the rows or the columns of a map of `size`, with zeros before and after."""

    size: int
    before: int
    after: int
    kernel: int
    stride: int
    ceil_mode: bool

    @property
    def windows(self) -> int:
        """How many there are; ShapeError where there is none."""
        if not self.ceil_mode:
            return out_size(self.size, self.kernel, self.stride, 1, self.before, self.after)
        padded = self.size + self.before + self.after
        count = -(-(padded - self.kernel) // self.stride) + 1
        if count < 1:
            raise ShapeError(
                f"kernel reach {self.kernel} is larger than the padded input {padded} and a stride"
            )
        beyond = (count - 1) * self.stride >= self.before + self.size
        return count - beyond

    @property
    def around(self) -> Pair:
        """Zeros before the map, and after it to the end of the last window."""
        end = (self.windows - 1) * self.stride + self.kernel
        return self.before, max(end - self.before - self.size, 0)

    def under(self, tap: int) -> slice:
        """Where the values under one tap of all windows lie in the padded map."""
        return slice(tap, tap + (self.windows - 1) * self.stride + 1, self.stride)

    def counts(self, padding: bool) -> npt.NDArray[np.int64]:
        """int64[windows]: positions under each, in the map or in the padding too."""
        first, end = (-self.before, self.size + self.after) if padding else (0, self.size)
        begins = np.arange(self.windows, dtype=np.int64) * self.stride - self.before
        return np.minimum(begins + self.kernel, end) - np.maximum(begins, first)
