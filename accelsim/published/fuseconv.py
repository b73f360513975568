"""FuSeConv's timing model: Selvam, Ganesan, Kumar, DATE 2021, arXiv 2105.13434.

An output-stationary array with a weight broadcast link along each row. Two versions:

fuseconv-2020  the figures of the paper; square arrays. Output sizes are not rounded, so that a
               3x3 convolution of 112 rows with stride 2 counts 56.5 rows.
fuseconv-2021  the authors' released code; output sizes are floored.

A product (i x t)(t x m) on R rows and C columns takes, over folds of r x c results,

    sum of t + r + c - 1 = ni nm (t - 1) + nm i + ni m,   ni = ceil(i / R), nm = ceil(m / C)

K x K depthwise runs one such product per channel, on one column. A 1 x K depthwise layer runs one
line of one channel per row and takes C + K cycles per fold:

    ceil(ceil(lines / R) / stride * (C + K) * column folds)

and K x 1 is its transpose. Sums are exact fractions, which the authors' floats
equal for strides 1, 2 and 4.

Not modelled by the publication: drain and result port, overlap of folds, memory, and pooling,
adding, scaling and activation.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import ClassVar

from accelsim.errors import UnsupportedError
from accelsim.ir import Layer, Shape
from accelsim.published.convolutions import NOT_MODELLED, Cost, Kind, PaddedConv, padded_conv


@dataclass(frozen=True)
class Fuseconv2020:
    """The version behind the paper's figures, on a square array."""

    rows: int
    columns: int
    name: ClassVar[str] = "fuseconv-2020"
    dataflows: ClassVar[tuple[str, ...]] = ("auto",)

    def __post_init__(self) -> None:
        if self.rows != self.columns:
            raise UnsupportedError(
                f"timing {self.name} takes square arrays, not {self.rows}x{self.columns}"
            )

    def cost(self, layer: Layer, in_shapes: tuple[Shape, ...]) -> Cost:
        """Cycles of a layer."""
        item = padded_conv(layer, in_shapes, self.name)
        if item is None:
            return NOT_MODELLED
        conv = item.conv
        if conv.sh != conv.sw:
            raise UnsupportedError(
                f"timing {self.name} takes one stride for both axes, not {conv.sh}x{conv.sw} "
                f"(layer {layer.name})"
            )
        if item.kind is Kind.ONE_DIMENSIONAL:
            # The folds along a line are counted from the other, unpadded axis.
            along = conv.h if conv.fh == 1 else conv.w
            return _lines(item, along, self.rows, self.columns)
        oh = Fraction(item.padded_h - conv.fh + conv.sh, conv.sh)
        ow = Fraction(item.padded_w - conv.fw + conv.sw, conv.sw)
        return _products(item, oh * ow, self.rows, self.columns)


@dataclass(frozen=True)
class Fuseconv2021:
    """The released version."""

    rows: int
    columns: int
    name: ClassVar[str] = "fuseconv-2021"
    dataflows: ClassVar[tuple[str, ...]] = ("auto",)

    def cost(self, layer: Layer, in_shapes: tuple[Shape, ...]) -> Cost:
        """Cycles of a layer."""
        item = padded_conv(layer, in_shapes, self.name)
        if item is None:
            return NOT_MODELLED
        conv = item.conv
        if item.kind is Kind.ONE_DIMENSIONAL:
            along = item.padded_w if conv.fh == 1 else item.padded_h
            return _lines(item, along, self.rows, self.columns)
        return _products(item, Fraction(conv.oh * conv.ow), self.rows, self.columns)


def _products(item: PaddedConv, pixels: Fraction, rows: int, columns: int) -> Cost:
    """One product of all channels, or for depthwise one of each."""
    conv = item.conv
    if item.kind is Kind.DENSE:
        return Cost(gemm(pixels, conv.fh * conv.fw * conv.c, conv.k, rows, columns), "os")
    return Cost(conv.c * gemm(pixels, conv.fh * conv.fw, 1, rows, columns), "os")


def gemm(i: Fraction, t: int, m: int, rows: int, columns: int) -> int:
    """Cycles of (i x t)(t x m), rounded down where i is no whole number."""
    folds_i, folds_m = ceil(i / rows), -(-m // columns)
    return floor(folds_i * folds_m * (t - 1) + folds_m * i + folds_i * m)


def _lines(item: PaddedConv, along: int, rows: int, columns: int) -> Cost:
    """One line of one channel per row; `along` gives the folds along a line."""
    conv = item.conv
    if conv.fh == 1:
        lines, taps, stride = conv.h * conv.c, conv.fw, conv.sw
    else:
        lines, taps, stride = conv.w * conv.c, conv.fh, conv.sh
    row_folds, column_folds = -(-lines // rows), -(-along // columns)
    return Cost(ceil(Fraction(row_folds, stride) * (columns + taps) * column_folds), "rows")
