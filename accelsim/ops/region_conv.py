"""Convolution whose kernel differs from region to region of the map (DRConv, arXiv 2003.12243)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from accelsim.checks import show
from accelsim.errors import ShapeError
from accelsim.ir import Conv, Piece, Shape
from accelsim.numerics import Int8
from accelsim.ops.base import Convolution
from accelsim.ops.geometry import (
    Array,
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_padding,
    check_pair,
    check_whole,
    convolve,
    make_conv,
)
from accelsim.phrases import counted

MOST_REGIONS = 256
AUTO, EXPAND, BUCKET = WAYS = ("auto", "expand", "bucket")


@dataclass(frozen=True)
class RegionConv(Convolution):
    """out[:, y, x] = the kernel of region r[y, x] on what it sees of the map, as of conv2d.

    The region of an output pixel is the channel of the second input, the guide, that is the
    greatest there; of equal ones the first (eq. 2 of the paper). Guides of integers are compared as
    they are, which is the order of what they stand for. The kernels of all regions, one behind
    another, are the weights, or the values of a third input, in any shape.

    Two ways to compute it: `expand`, all kernels on all pixels, of whose results each pixel takes
    its own; or `bucket`, for each region the product of its kernel with the patches of its pixels,
    in the order of rows, so that clocks depend on how many pixels regions have. Not modelled: the
    comparison of the guide's channels and the lists of pixels, with which the host fills banks.

    regions : kernels, m, from 1 to 256; the guide is (m, oh, ow).
    kernel, stride, padding, dilation, groups : as of conv2d.
    by_pixel : whether the third input has a pixel for each region, and a channel for each value of
        its kernel, instead.
    way : expand, bucket or auto, which is the one that takes fewer clocks at most, whatever the
        regions are; of maps of more than 16,384 pixels expand.
    """

    name: ClassVar[str] = "region_conv"
    guided: ClassVar[bool] = True
    out_channels: int
    kernel: Pair
    regions: int
    stride: Pair = (1, 1)
    padding: Padding = 0
    dilation: Pair = (1, 1)
    groups: int = 1
    by_pixel: bool = False
    way: str = AUTO

    def __post_init__(self) -> None:
        check_whole("out_channels", self.out_channels)
        check_pair("kernel", self.kernel)
        check_whole("regions", self.regions)
        if self.regions > MOST_REGIONS:
            raise ShapeError(f"regions must be at most {MOST_REGIONS}, not {self.regions}")
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_pair("dilation", self.dilation)
        check_whole("groups", self.groups)
        check_bool("by_pixel", self.by_pixel)
        check_choice("way", self.way, WAYS)

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """The Conv of one kernel on all pixels: the work that is asked for, however it is done."""
        return (Piece(self._conv(*inputs)),)

    def _conv(self, *inputs: Shape) -> Conv:
        if len(inputs) not in (2, 3):
            raise ShapeError(
                f"inputs of {self.name}: it takes 2 inputs, a map and its guide, or 3 of which the "
                f"third is the kernels, not {len(inputs)}"
            )
        conv = make_conv(
            inputs[0],
            self.out_channels,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        if inputs[1] != (guide := (self.regions, conv.oh, conv.ow)):
            raise ShapeError(
                f"inputs of {self.name}: the second is the guide, {show(guide)}, a channel for "
                f"each region, not {show(inputs[1])}"
            )
        size = self.regions * prod(conv.kernel_shape)
        if len(inputs) > 2 and self.by_pixel and inputs[2][0] * self.regions != size:
            raise ShapeError(
                f"inputs of {self.name}: the third, by_pixel, is the kernels of "
                f"{size // self.regions} values for {counted(self.regions, 'pixel')}, not "
                f"{show(inputs[2])}"
            )
        if len(inputs) > 2 and prod(inputs[2]) != size:
            raise ShapeError(
                f"inputs of {self.name}: the third is the kernels of {size} values, not "
                f"{show(inputs[2])}"
            )
        return conv

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; ShapeError where shapes do not fit."""
        conv = self._conv(*inputs)
        return conv.k, conv.oh, conv.ow

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(m k, c / groups, fh, fw), region by region; () where the kernels are an input."""
        return () if len(inputs) > 2 else self._kernels(self._conv(*inputs))

    def _kernels(self, conv: Conv) -> tuple[int, ...]:
        k, *rest = conv.kernel_shape
        return self.regions * k, *rest

    def operands(self, inputs: Sequence[Int8], weights: Int8) -> tuple[Int8, Int8]:
        """The map, and the kernels of all regions."""
        if len(inputs) < 3:
            return inputs[0], weights
        conv = self._conv(*(each.shape for each in inputs))
        kernels = inputs[2]
        if self.by_pixel:
            kernels = np.ascontiguousarray(kernels.reshape(len(kernels), -1).T)
        return inputs[0], kernels.reshape(self._kernels(conv))

    def regions_of(self, guide: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """int64[oh, ow], the region of every output pixel, from the guide [m, oh, ow]."""
        return np.asarray(guide.argmax(axis=0))  # the first of equal ones

    def golden(self, weights: Int8, *inputs: Int8) -> Array:
        """int32[k, oh, ow], or float32 of reals: the convolution of every region, where it is."""
        conv = self._conv(*(each.shape for each in inputs))
        x, kernels = self.operands(inputs, weights)
        regions = self.regions_of(inputs[1])
        out = np.empty(conv.out_shape, np.float32 if x.dtype.kind == "f" else np.int32)
        for region, kernel in enumerate(kernels.reshape(self.regions, *conv.kernel_shape)):
            there = regions == region
            if there.any():
                out[:, there] = convolve(conv, kernel, x)[:, there]
        return out
