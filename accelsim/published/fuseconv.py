"""FuSeConv's timing model: Selvam, Ganesan, Kumar, DATE 2021, arXiv 2105.13434.

An output-stationary array with a weight broadcast link along each row. Two versions of the
authors' code (github.com/iitm-sysdl/FuSeConv), each as its forward hook has it on hardware "FuSe":

fuseconv-2020  the code behind the paper's figures (ForwardHook of utils.py and of
               plotsForPaper/plot2.py); square arrays. Output sizes are not rounded, so that a 3x3
               convolution of 112 rows with stride 2 counts 56.5 rows; a layer is rounded down.
fuseconv-2021  the released code (ForwardHook, gemmCycles and FuSeCycles of
               analyticalLatencyModel.py); output sizes are rounded down.

Both ask in this order, of the padded map, whose zeros count on all sides:

one group      a product of all channels, a depthwise layer of a single channel too;
fh, fw both    depthwise: a product of every channel by itself, on one column;
above 1
fh = 1         depthwise along rows, a 1 x 1 layer too: lines;
fw = 1         depthwise along columns: lines of the transpose.

A product (i x t)(t x m) on R rows and C columns takes, over folds of r x c results,

    sum of t + r + c - 1 = ni nm (t - 1) + nm i + ni m,   ni = ceil(i / R), nm = ceil(m / C)

A line of one channel, with K taps, runs on each row and takes C + K cycles per fold:

    ceil(ceil(lines / R) / stride * ((C + K) * column folds))

with lines and stride of the padded map and, for the folds along a line, its own length in
fuseconv-2021, the other axis in fuseconv-2020. It is floating point as in the code, which makes
25 / 3 * 15 one cycle more than 125. Products are exact fractions; in fuseconv-2020 the authors'
floats equal them for strides 1, 2 and 4.

Not modelled by the publication: drain and result port, overlap of folds, memory, and pooling,
adding, scaling and activation. Its hardware "Systolic", without the broadcast link, is not
offered; it runs depthwise layers as products, which differs where they would be lines.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import ClassVar

from accelsim.errors import UnsupportedError
from accelsim.ir import Layer, Shape
from accelsim.published.convolutions import NOT_MODELLED, Cost, PaddedConv, padded_conv


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
        if _in_lines(item):
            across = item.padded_h if conv.fh == 1 else item.padded_w
            return _lines(item, across, self.rows, self.columns)
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
        if _in_lines(item):
            along = item.padded_w if conv.fh == 1 else item.padded_h
            return _lines(item, along, self.rows, self.columns)
        return _products(item, Fraction(conv.oh * conv.ow), self.rows, self.columns)


def _in_lines(item: PaddedConv) -> bool:
    """Whether the layer runs in lines; a product of one channel or of all otherwise."""
    return item.depthwise and 1 in (item.conv.fh, item.conv.fw)


def _products(item: PaddedConv, pixels: Fraction, rows: int, columns: int) -> Cost:
    """One product of all channels, or for depthwise one of each."""
    conv = item.conv
    if item.depthwise:
        return Cost(conv.c * gemm(pixels, conv.fh * conv.fw, 1, rows, columns), "os")
    return Cost(gemm(pixels, conv.fh * conv.fw * conv.c, conv.k, rows, columns), "os")


def gemm(i: Fraction, t: int, m: int, rows: int, columns: int) -> int:
    """Cycles of (i x t)(t x m), rounded down where i is no whole number."""
    folds_i, folds_m = ceil(i / rows), -(-m // columns)
    return floor(folds_i * folds_m * (t - 1) + folds_m * i + folds_i * m)


def _lines(item: PaddedConv, length: int, rows: int, columns: int) -> Cost:
    """One line of one channel per row; `length` gives the folds along a line."""
    conv = item.conv
    if conv.fh == 1:
        lines, taps, stride = item.padded_h * conv.c, conv.fw, conv.sw
    else:
        lines, taps, stride = item.padded_w * conv.c, conv.fh, conv.sh
    row_folds, column_folds = -(-lines // rows), -(-length // columns)
    return Cost(ceil(row_folds / stride * ((columns + taps) * column_folds)), "rows")
