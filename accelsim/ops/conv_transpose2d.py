"""Transposed convolution in two dimensions, grouped, strided, dilated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from accelsim.checks import Requirement, check, is_tuple, show, whole
from accelsim.errors import ShapeError
from accelsim.ir import Area, Conv, Piece, Shape
from accelsim.numerics import Int8
from accelsim.ops.base import Convolution
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.geometry import (
    Array,
    Pair,
    check_groups,
    check_kernel,
    check_pair,
    check_whole,
    convolve,
    largest_sum,
    take_map,
)
from accelsim.ops.polyphase import Axis

SIDES = Requirement(
    "a whole number of at least 0 or four of them, top, bottom, left and right",
    lambda value: is_tuple(value, whole(0), 4) or whole(0).allows(value),
)
EXTRA = Requirement(
    "two whole numbers of at least 0, rows and columns",
    lambda value: is_tuple(value, whole(0), 2),
)


@dataclass(frozen=True)
class ConvTranspose2d(Convolution):
    """out[k, y sh + i dh - pt, x sw + j dw - pl] = sum of w[c, k, i, j] x[c, y, x].

    As in PyTorch and ONNX: weights are int8[c, k / groups, fh, fw], and an axis of n values gives
    (n - 1) stride + dilation (kernel - 1) + 1 + output_padding outputs, less the padding.

    Engines see no zeros between the values: a polyphase decomposition (Bellanger, Bonnerot,
    Coudreuse, IEEE Trans. ASSP 24(2), 1976) leaves plain convolutions of the map, one for each
    residue of the output's rows and columns modulo the stride, with the taps that meet them.

    padding : outputs that are cut off, a number for all sides or (top, bottom, left, right).
    output_padding : rows at the bottom and columns at the right in addition, of which there are
        fewer than the stride or the dilation.
    """

    name: ClassVar[str] = "conv_transpose2d"
    out_channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: int | tuple[int, int, int, int] = 0
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        check_whole("out_channels", self.out_channels)
        check_pair("kernel", self.kernel)
        check_pair("stride", self.stride)
        check("padding", self.padding, SIDES, ShapeError)
        check("output_padding", self.output_padding, EXTRA, ShapeError)
        check_pair("dilation", self.dilation)
        check_whole("groups", self.groups)
        steps = map(max, self.stride, self.dilation)
        if any(extra >= step for extra, step in zip(self.output_padding, steps, strict=True)):
            raise ShapeError(
                f"output_padding must be smaller than the stride {show(self.stride)} or the "
                f"dilation {show(self.dilation)}, not {show(self.output_padding)}"
            )

    def out_shape(self, *inputs: Shape) -> Shape:
        """(k, oh, ow); ShapeError where the padding leaves nothing, or shapes do not fit."""
        shape = take_map(self.name, inputs)
        check_groups(self.groups, shape[0], self.out_channels)
        if len(inputs) > 1:
            check_kernel(self.name, inputs[1], prod(self.weight_shape(shape)))
        rows, columns = (axis.outputs for axis in self._axes(shape))
        if min(rows, columns) < 1:
            top, bottom, left, right = self._sides
            raise ShapeError(
                f"padding must leave a row of {rows + top + bottom} and a column of "
                f"{columns + left + right}, not cut off {top + bottom} and {left + right}"
            )
        return self.out_channels, rows, columns

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(c, k / groups, fh, fw); () where the kernel is an input."""
        if len(inputs) > 1:
            return ()
        return inputs[0][0], self.out_channels // self.groups, *self.kernel

    def macs(self, *inputs: Shape) -> int:
        """Values times taps: with what the padding cuts off, without inserted zeros."""
        (c, h, w), (fh, fw) = inputs[0], self.kernel
        return c * h * w * fh * fw * (self.out_channels // self.groups)

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """A Conv of stride 1 for every phase of the rows and of the columns that has taps."""
        k, oh, ow = self.out_shape(*inputs)
        c, h, w = inputs[0]
        down, across = (axis.phases() for axis in self._axes(inputs[0]))
        return tuple(
            Piece(
                Conv(
                    c=c,
                    h=len(y.reads),
                    w=len(x.reads),
                    k=k,
                    oh=len(y.writes),
                    ow=len(x.writes),
                    fh=len(y.taps),
                    fw=len(x.taps),
                    dh=y.dilation,
                    dw=x.dilation,
                    pt=y.padding,
                    pl=x.padding,
                    groups=self.groups,
                ),
                reads=_part((y.reads, x.reads), (h, w)),
                taps=_part((y.taps, x.taps), self.kernel),
                writes=_part((y.writes, x.writes), (oh, ow)),
            )
            for y in down
            for x in across
        )

    def operands(self, inputs: Sequence[Int8], weights: Int8) -> tuple[Int8, Int8]:
        """The map, and the kernel of a convolution: int8[k, c / groups, fh, fw], mirrored."""
        weights = inputs[1] if len(inputs) > 1 else weights
        groups = self.groups
        by_group = weights.reshape(groups, -1, self.out_channels // groups, *self.kernel)
        kernel = by_group.swapaxes(1, 2).reshape(self.out_channels, -1, *self.kernel)
        return inputs[0], kernel[:, :, ::-1, ::-1]

    def golden(self, weights: Int8, *inputs: Int8) -> Array:
        """int32[k, oh, ow], or float32 of reals: products of every tap, added where they belong."""
        x = inputs[0]
        (c, h, w), k = x.shape, self.out_channels
        _, oh, ow = self.out_shape(x.shape)
        of_reals = x.dtype.kind == "f"
        if not of_reals:
            products = max(c // self.groups * p.conv.fh * p.conv.fw for p in self.lower(x.shape))
            largest_sum(self.operands(inputs, weights)[1], x, products)
        top, bottom, left, right = self._sides
        size = k, top + oh + bottom, left + ow + right
        whole = np.zeros(size, np.float32 if of_reals else np.int32)
        (sh, sw), (dh, dw) = self.stride, self.dilation
        _, mirrored = self.operands(inputs, weights)
        one = Conv(c=c, h=h, w=w, k=k, oh=h, ow=w, groups=self.groups)
        for i, j in np.ndindex(self.kernel):
            rows = slice(i * dh, i * dh + (h - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (w - 1) * sw + 1, sw)
            whole[:, rows, columns] += convolve(one, mirrored[:, :, -1 - i, -1 - j], x)
        return whole[:, top : top + oh, left : left + ow]

    def with_zeros(self, *inputs: Shape) -> tuple[Conv2d, Shape]:
        """The same outputs by one convolution of the map with zeros inserted, and its shape."""
        y, x = self._axes(inputs[0])
        (top, h, bottom), (left, w, right) = y.with_zeros(), x.with_zeros()
        padding = top, bottom, left, right
        op = Conv2d(self.out_channels, self.kernel, (1, 1), padding, self.dilation, self.groups)
        return op, (inputs[0][0], h, w)

    @property
    def _sides(self) -> tuple[int, int, int, int]:
        """Top, bottom, left, right."""
        return self.padding if isinstance(self.padding, tuple) else (self.padding,) * 4

    def _axes(self, shape: Shape) -> tuple[Axis, Axis]:
        """Rows and columns."""
        sizes, before, after = shape[1:], self._sides[::2], self._sides[1::2]
        attributes = self.kernel, self.stride, self.dilation, before, after, self.output_padding
        rows, columns = (Axis(*each) for each in zip(sizes, *attributes, strict=True))
        return rows, columns


def _part(area: Area, whole: Pair) -> Area | None:
    """The area; None where it is all."""
    return None if area == tuple(map(range, whole)) else area
