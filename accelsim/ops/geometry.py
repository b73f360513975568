"""What operators share: checks of attributes, padding, a Conv with every size resolved.

Messages of the checks begin with the attribute that is wrong.
"""

from collections.abc import Iterator
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from accelsim.checks import FLAG, Requirement, check, is_tuple, one_of, show, whole
from accelsim.errors import ShapeError, UnsupportedError
from accelsim.ir import Conv, Shape, out_size

Array = npt.NDArray[Any]
Reals = npt.NDArray[np.floating[Any]]
Pair = tuple[int, int]
Padding = int | tuple[int, int, int, int] | Literal["same", "same_tf"]

PAIR = Requirement(
    "two whole numbers of at least 1, rows and columns",
    lambda value: is_tuple(value, whole(1), 2),
)
CHANNELS = Requirement(
    "two whole numbers, the first channel and the one after the last",
    lambda value: is_tuple(value, whole(0), 2),
)
PLACES = Requirement(
    "two whole numbers, the first place and the one after the last",
    lambda value: is_tuple(value, whole(0), 2),
)
PADDING = Requirement(
    "'same', 'same_tf', a whole number of at least 0 or four of them, top, bottom, left and right",
    lambda value: (
        is_tuple(value, whole(0), 4) or whole(0).allows(value) or value in ("same", "same_tf")
    ),
)


def check_whole(attribute: str, value: Any, least: int = 1) -> None:
    """ShapeError unless the value is a whole number of at least `least`."""
    check(attribute, value, whole(least), ShapeError)


def check_pair(attribute: str, value: Any) -> None:
    """ShapeError unless the value is (rows, columns), each at least 1."""
    check(attribute, value, PAIR, ShapeError)


def check_channels(value: Any) -> None:
    """ShapeError unless the value is (first, stop), channels counted from 0."""
    check("channels", value, CHANNELS, ShapeError)


def check_places(attribute: str, value: Any) -> None:
    """ShapeError unless the value is (first, stop), rows or columns counted from 0."""
    check(attribute, value, PLACES, ShapeError)


def take_part(attribute: str, part: Pair, count: int) -> Pair:
    """(first, stop); ShapeError unless they are some of `count` channels, rows or columns."""
    first, stop = part
    if not first < stop <= count:
        raise ShapeError(
            f"{attribute} must lie within the {count} of the input, not {[first, stop]}"
        )
    return part


def check_bool(attribute: str, value: Any) -> None:
    """ShapeError unless the value is True or False."""
    check(attribute, value, FLAG, ShapeError)


def check_choice(attribute: str, value: Any, allowed: tuple[str, ...]) -> None:
    """ShapeError unless the value is one of the allowed."""
    check(attribute, value, one_of(allowed), ShapeError)


def check_padding(value: Any) -> None:
    """ShapeError unless the value is a Padding."""
    check("padding", value, PADDING, ShapeError)


def take_inputs(op: str, inputs: tuple[Shape, ...], count: int) -> tuple[Shape, ...]:
    """The inputs; ShapeError unless there are `count` of them."""
    if len(inputs) != count:
        word = "input" if count == 1 else "inputs"
        raise ShapeError(f"inputs of {op}: it takes {count} {word}, not {len(inputs)}")
    return inputs


def take_map(op: str, inputs: tuple[Shape, ...]) -> Shape:
    """The map of a convolution; ShapeError unless it comes alone or with a kernel behind it."""
    if len(inputs) not in (1, 2):
        raise ShapeError(
            f"inputs of {op}: it takes 1 input, or 2 of which the second is its kernel, not "
            f"{len(inputs)}"
        )
    return inputs[0]


def check_kernel(op: str, kernel: Shape, size: int) -> None:
    """ShapeError unless a map that is a kernel has `size` values."""
    if prod(kernel) != size:
        raise ShapeError(
            f"inputs of {op}: the second is the kernel of {size} values, not {show(kernel)}"
        )


def resolve_padding(
    padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) in rows and columns of zeros.

    "same" pads d (k - 1) in total per axis whatever the stride; "same_tf" pads what ceil(in / s)
    outputs need, as TensorFlow does; both put the odd one at the bottom and the right.
    """
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if isinstance(padding, tuple):
        return padding
    sides: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = d * (k - 1)
        if padding == "same_tf":
            total = max((-(-n // s) - 1) * s + total + 1 - n, 0)
        sides += [total // 2, total - total // 2]
    top, bottom, left, right = sides
    return top, bottom, left, right


def check_groups(groups: int, channels: int, out_channels: int) -> None:
    """ShapeError unless the groups have whole numbers of channels."""
    for what, count in (("input", channels), ("output", out_channels)):
        if count % groups:
            raise ShapeError(f"groups must divide the {count} {what} channels, not be {groups}")


def make_conv(
    shape: Shape,
    out_channels: int,
    kernel: Pair = (1, 1),
    stride: Pair = (1, 1),
    padding: Padding = 0,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Conv:
    """The convolution on an input of `shape`; ShapeError where it does not fit."""
    c, h, w = shape
    check_groups(groups, c, out_channels)
    top, bottom, left, right = resolve_padding(padding, (h, w), kernel, stride, dilation)
    return Conv(
        c=c,
        h=h,
        w=w,
        k=out_channels,
        oh=out_size(h, kernel[0], stride[0], dilation[0], top, bottom),
        ow=out_size(w, kernel[1], stride[1], dilation[1], left, right),
        fh=kernel[0],
        fw=kernel[1],
        sh=stride[0],
        sw=stride[1],
        dh=dilation[0],
        dw=dilation[1],
        pt=top,
        pl=left,
        groups=groups,
    )


def largest_sum(weights: Array, x: Array, products: int) -> int:
    """A bound on the magnitude of sums of so many products of integers.

    weights : [k, c / groups, fh, fw]; a sum may have only a part of the products of a row.

    UnsupportedError where a sum could exceed int32.
    """
    greatest = _greatest(x), _greatest(weights)
    most = products * greatest[0] * greatest[1]
    if most > 1 << 24:  # else they are exact in any case, and it costs nothing to know
        rows = np.abs(weights.reshape(len(weights), -1), dtype=np.int64).sum(axis=1)
        most = min(most, greatest[0] * int(rows.max()))
    if most >= 1 << 31:
        raise UnsupportedError(
            f"a sum of {products} products up to {greatest[0] * greatest[1]} can exceed int32"
        )
    return most


def convolve(conv: Conv, weights: Array, x: Array) -> Array:
    """int32[k, oh, ow], or float32: a Conv on [c, h, w] with a kernel of its kernel_shape.

    One tap after the other on shifted views of the padded input. Operands of integers are exact in
    floating point, and with it BLAS: in float32 up to sums of 2**24, in float64 far beyond int32.
    A sum that could exceed int32 is refused. Of reals the sums are float32.
    """
    groups, depth = conv.groups, conv.c // conv.groups
    if conv.live is not None:
        weights = _with_zeros(conv, weights)
    of_reals = x.dtype.kind == "f"
    exact: type[np.floating[Any]] = np.float32
    if not of_reals:
        most = largest_sum(weights, x, conv.depth)
        exact = np.float32 if most <= 1 << 24 else np.float64
    made = np.float32 if of_reals else np.int32
    if depth == 1:
        return _convolve_each(conv, weights.astype(exact), x.astype(exact)).astype(made)
    pixels = conv.oh * conv.ow
    taps = weights.astype(exact).reshape(groups, -1, depth, conv.fh, conv.fw)
    total = np.zeros((groups, conv.k // groups, pixels), exact)
    for i, j, view in _views(conv, x.astype(exact)):
        inputs = view.reshape(pixels, groups, depth).transpose(1, 2, 0)
        total += taps[:, :, :, i, j] @ inputs
    return total.astype(made).reshape(conv.k, conv.oh, conv.ow)


def _with_zeros(conv: Conv, weights: Array) -> Array:
    """[k, c / groups, fh, fw] from the live taps [k, depth]."""
    dense = np.zeros((conv.k, conv.c // conv.groups * conv.fh * conv.fw), weights.dtype)
    dense[:, conv.places] = weights
    return dense.reshape(conv.k, -1, conv.fh, conv.fw)


def _greatest(operands: Array) -> int:
    """The greatest magnitude that operands have; of int8 what they can have, at no cost."""
    if operands.dtype == np.int8:
        return 128
    return max(int(operands.max(initial=0)), -int(operands.min(initial=0)), 1)


def _convolve_each(conv: Conv, weights: Reals, x: Reals) -> Reals:
    """[k, oh, ow]: every output channel sees one input channel; no BLAS, which is slow then.

    A tap multiplies all channels of a pixel, which lie together: several times faster for large
    kernels than a plane of pixels after the other.
    """
    taps = np.ascontiguousarray(weights.reshape(conv.k, conv.fh, conv.fw).transpose(1, 2, 0))
    total = np.zeros((conv.oh, conv.ow, conv.k), x.dtype)
    product = np.empty_like(total)
    for i, j, view in _views(conv, np.repeat(x, conv.k // conv.c, axis=0)):
        np.multiply(view, taps[i, j], out=product)
        total += product
    return np.ascontiguousarray(total.transpose(2, 0, 1))


def _views(conv: Conv, x: Reals) -> Iterator[tuple[int, int, Reals]]:
    """Every tap, row and column, with what it meets of the padded x[c, h, w]: [oh, ow, c]."""
    rows, columns = (conv.oh - 1) * conv.sh + 1, (conv.ow - 1) * conv.sw + 1  # from first to last
    bottom = max(rows + conv.dh * (conv.fh - 1) - conv.pt - conv.h, 0)
    right = max(columns + conv.dw * (conv.fw - 1) - conv.pl - conv.w, 0)
    padded = np.pad(x.transpose(1, 2, 0), ((conv.pt, bottom), (conv.pl, right), (0, 0)))
    for i in range(conv.fh):
        for j in range(conv.fw):
            top, left = i * conv.dh, j * conv.dw
            yield i, j, padded[top : top + rows : conv.sh, left : left + columns : conv.sw]
