"""Parallel depthwise convolutions, summed: re-parameterised large kernels (arXiv 2203.06717).

RepLKNet trains a K x K kernel beside a small one and merges them for inference; SLaK
(arXiv 2207.03620) keeps a k x 5, a 5 x k and a 5 x 5 kernel.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.checks import Requirement, check, is_tuple, show
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Shape
from accelsim.ops.add import Add
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import PAIR, Pair, check_bool, check_choice, check_pair

Integers = npt.NDArray[np.integer[Any]]

KERNELS = Requirement(
    "a list of two whole numbers of at least 1 for every branch, no two the same",
    lambda value: is_tuple(value, PAIR) and 0 < len(value) == len(set(value)),
)


class Branch(NamedTuple):
    """A depthwise convolution and its batch norm: y[c] = scale[c] sum(kernel[c] x[c]) + offset[c].

    kernel : integers[c, 1, fh, fw].
    scale, offset : integers[c].
    """

    kernel: Integers
    scale: Integers
    offset: Integers


@dataclass(frozen=True)
class ParallelDepthwise:
    """Depthwise convolutions of one input, each with a batch norm, and their sum.

    kernels : one shape a branch, all different; "same" padding aligns their centres.
    merged : the form for inference, one convolution with a bias, as `fold` makes it.
    activation : after the sum.
    """

    name: ClassVar[str] = "parallel_depthwise"
    kernels: tuple[Pair, ...]
    stride: Pair = (1, 1)
    merged: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_bool("merged", self.merged)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    @property
    def merged_kernel(self) -> Pair:
        """Rows and columns of the kernel that holds all branches."""
        return max(fh for fh, _ in self.kernels), max(fw for _, fw in self.kernels)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME alone where merged; else NAME_fhxfw of each branch, and NAME, their sum."""
        if self.merged:
            op = Depthwise(self.merged_kernel, self.stride)
            return (Layer(name, op, inputs, bias=True, activation=self.activation),)
        branches = [
            Layer(f"{name}_{fh}x{fw}", Depthwise((fh, fw), self.stride), inputs, norm=True)
            for fh, fw in self.kernels
        ]
        if len(branches) == 1:
            op = Depthwise(self.kernels[0], self.stride)
            return (Layer(name, op, inputs, norm=True, activation=self.activation),)
        total = Layer(name, Add(), tuple(x.name for x in branches), activation=self.activation)
        return (*branches, total)

    def fold(self, branches: tuple[Branch, ...]) -> tuple[Integers, Integers]:
        """Kernel int64[c, 1, fh, fw] and bias int64[c] of the merged convolution.

        Smaller kernels are added where "same" padding places them, each times its scale: exact in
        integers. Quantisation comes after it, since rounded parts do not add up to a rounded sum.
        """
        shapes = tuple(branch.kernel.shape[2:] for branch in branches)
        if shapes != self.kernels:
            raise ShapeError(f"kernels must be those to fold, {show(shapes)}, not {self.kernels}")
        rows, columns = self.merged_kernel
        kernel = np.zeros((len(branches[0].kernel), 1, rows, columns), np.int64)
        for (fh, fw), branch in zip(self.kernels, branches, strict=True):
            top, left = (rows - 1) // 2 - (fh - 1) // 2, (columns - 1) // 2 - (fw - 1) // 2
            scaled = branch.kernel.astype(np.int64) * branch.scale[:, None, None, None]
            kernel[:, :, top : top + fh, left : left + fw] += scaled
        bias = sum(branch.offset.astype(np.int64) for branch in branches)
        return kernel, np.asarray(bias)
