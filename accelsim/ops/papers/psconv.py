"""PSConv (arXiv 2007.06191): dilations that differ from block to block of a kernel, in a lattice.

Input and output channels, of every group of PSGConv, are cut into four blocks. The kernel of output
block i and input block j is dilated by d where i = j, by 2 d where they are two apart, by 1
elsewhere, and padded by as much, so that all taps lie around the same pixels: in rows of blocks
d 1 2d 1, 1 d 1 2d, 2d 1 d 1, 1 2d 1 d. Run it is one convolution, whose kernel reaches as far as
the widest and has, for every pair of channels, the taps of its own dilation alone. Trained, as in
the authors' code, are three convolutions, summed: a dense one, whose kernel is times a mask that
leaves the other two their blocks and is stored with its zeros, one in groups dilated by d, and one
dilated by 2 d, which sees the blocks of channels two further on. That code counts the mask of
PSGConv in groups where blocks are meant; here the lattice defines both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Operator, Shape
from accelsim.ops.add import Add
from accelsim.ops.batch_norm import BatchNorm
from accelsim.ops.concat import Concat
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.geometry import Array, Padding, check_groups
from accelsim.ops.masks import Mask
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Trained,
    check_square,
    read_whole,
    wide,
)
from accelsim.ops.papers.convolutions import as_convolution, convolution
from accelsim.ops.slice import Slice

PARTS = 4  # blocks of channels
_MOST = 64  # pixels between taps


@dataclass(frozen=True)
class PsConv(ConvolutionOperator):
    """A convolution of four blocks of channels, dilated by 1, d or 2 d for each two of them.

    d : dilation of a block of outputs and that of inputs with its number.
    """

    name: ClassVar[str] = "psconv"
    paper: ClassVar[Paper] = Paper(
        "Li, Yao, Chen",
        "PSConv: Squeezing Feature Pyramid into One Compact Poly-Scale Convolutional Layer",
        "ECCV 2020",
        "2007.06191",
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = "dense 3 x 3 convolutions"
    keys: ClassVar[Mapping[str, Key]] = {"d": Key(read_whole, whole(1, _MOST))}
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("3*Co*(Ci/g)*k^2/2", "3*Co*(Ci/g)*k^2*HWo/2"),
        INFERENCE: Cost("Co*(Ci/g)*k^2", "Co*(Ci/g)*k^2*HWo"),
    }
    d: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_square(self.kernel)
        if self.dilation != (1, 1):
            raise ShapeError(f"dilation must be [1, 1], which d is of, not {list(self.dilation)}")

    @property
    def lattice(self) -> Array:
        """int[4, 4], the dilation for every block of outputs and of inputs of a group."""
        ahead = np.subtract.outer(np.arange(PARTS), np.arange(PARTS)) % PARTS
        return np.select([ahead == 0, ahead == PARTS // 2], [self.d, 2 * self.d], 1)

    def taps(self, dilation: int) -> Array:
        """bool[rows, columns] of the kernel as it is run: those of a dilation up to 2 d."""
        reach = 2 * self.d * (self.kernel[0] - 1) + 1
        near = dilation * (self.kernel[0] // 2)
        along = np.arange(reach // 2 - near, reach // 2 + near + 1, dilation)
        taps = np.zeros((reach, reach), np.bool_)
        taps[np.ix_(along, along)] = True
        return taps

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME; or NAME_dense, NAME_near, NAME_far on NAME_turned, and their sum, then the norm."""
        self._check_blocks(shape[0])
        if self.form == INFERENCE:
            op = self._run(shape)
            return (Layer(name, op, inputs, self.bias, self.norm, self.activation),)
        turned = self._turned(name, inputs, shape[0])
        branches = {"dense": (1, 1), "near": (self.d, PARTS), "far": (2 * self.d, PARTS)}
        layers = [
            Layer(
                f"{name}_{branch}",
                self._branch(shape, dilation, parts * self.groups),
                (turned[-1].name,) if branch == "far" else inputs,
                self.bias,
            )
            for branch, (dilation, parts) in branches.items()
        ]
        ends = tuple(layer.name for layer in layers)
        if not self.norm:
            return (*turned, *layers, Layer(name, Add(), ends, activation=self.activation))
        total = Layer(f"{name}_sum", Add(), ends)
        norm = Layer(name, BatchNorm(), (total.name,), activation=self.activation)
        return (*turned, *layers, total, norm)

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The kernels of the blocks, each from the convolution that has its dilation.

        ShapeError where the dense one is not 0 in blocks of the others.
        """
        dense, near, far = (trained[f"{name}_{each}"] for each in ("dense", "near", "far"))
        ahead = np.subtract.outer(np.arange(PARTS), np.arange(PARTS)) % PARTS
        kernel = self._blocks(dense.kernel, PARTS)
        if kernel[:, ahead % 2 == 0].any():
            raise ShapeError("kernel must be 0 in the dense convolution where others have blocks")
        for part, distance in ((near, 0), (far, PARTS // 2)):
            kernel[:, ahead == distance] = self._blocks(part.kernel, 1)[:, :, 0]
        values = kernel.swapaxes(2, 3).ravel()
        biases = [each.offset for each in (dense, near, far) if each.offset is not None]
        bias = np.sum([wide(each) for each in biases], axis=0) if biases else None
        norm = trained.get(name, Trained(values))
        made = Trained(values, norm.scale, norm.offset)
        if bias is None:
            return {name: made}
        scaled = bias if norm.scale is None else bias * wide(norm.scale)
        return {name: made._replace(offset=scaled + (0 if norm.offset is None else norm.offset))}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a dense convolution of 3 x 3."""
        conv = as_convolution(network, layer)
        return conv is not None and conv.kernel == (3, 3) and conv.groups == 1

    def _check_blocks(self, channels: int) -> None:
        check_groups(self.groups, channels, self.out_channels)
        for what, count in (("input", channels), ("output", self.out_channels)):
            if count // self.groups % PARTS:
                of = " of a group" if self.groups > 1 else ""
                raise ShapeError(
                    f"{PARTS} must divide the {count // self.groups} {what} channels{of}"
                )

    def _padding(self, shape: Shape, dilation: int) -> Padding:
        """With which taps of a dilation lie around the pixels that those of none lie around."""
        more = (dilation - 1) * (self.kernel[0] // 2)
        top, bottom, left, right = (side + more for side in self.sides(shape))
        return top, bottom, left, right

    def _run(self, shape: Shape) -> Conv2d:
        of = {dilation: self.taps(dilation) for dilation in (1, self.d, 2 * self.d)}
        blocks = [[of[int(dilation)] for dilation in row] for row in self.lattice]
        outputs, inputs = (count // self.groups // PARTS for count in (self.out_channels, shape[0]))
        mask = Mask.of_blocks(np.array(blocks * self.groups), outputs, inputs)
        padding = self._padding(shape, 2 * self.d)
        attributes = self.stride, padding, (1, 1), self.groups
        return Conv2d(self.out_channels, mask.kernel, *attributes, mask)

    def _branch(self, shape: Shape, dilation: int, groups: int) -> Operator:
        padding = self._padding(shape, dilation)
        attributes = self.kernel, self.stride, padding, (dilation, dilation), groups
        return convolution(shape[0], self.out_channels, *attributes)

    def _turned(self, name: str, inputs: tuple[str, ...], channels: int) -> list[Layer]:
        """NAME_turned: the halves of the channels of every group in exchange; no value moves."""
        half = channels // self.groups // 2
        order = [2 * group + other for group in range(self.groups) for other in (1, 0)]
        halves = [
            Layer(f"{name}_half{each}", Slice((each * half, (each + 1) * half)), inputs)
            for each in order
        ]
        return [*halves, Layer(f"{name}_turned", Concat(), tuple(each.name for each in halves))]

    def _blocks(self, kernel: Array, parts: int) -> Array:
        """int64[groups, PARTS, parts, outputs, inputs, k, k] of [k, inputs of a group, k, k]."""
        values = wide(kernel)
        rows = values.reshape(self.groups, PARTS, -1, parts, values.shape[1] // parts, *self.kernel)
        return rows.swapaxes(2, 3).copy()


@dataclass(frozen=True)
class PsgConv(PsConv):
    """A grouped convolution, each group of which is a PSConv."""

    name: ClassVar[str] = "psgconv"
    target: ClassVar[str] = "grouped 3 x 3 convolutions, depthwise ones left out"

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution of 3 x 3 in groups of several channels."""
        conv = as_convolution(network, layer)
        if conv is None or conv.kernel != (3, 3):
            return False
        return 1 < conv.groups < network.in_shapes(layer)[0][0]
