"""Operators of products: convolutions, fully connected layers, matrix products.

Integer ones multiply (x - zero point) by (w - zero point), add an int32 bias, multiply by scale of
x times scale of w over scale of y, and clamp: kernels/internal/reference/integer_ops of TFLite for
int8, kernels/internal/reference for uint8.
"""

from collections.abc import Mapping
from math import prod

import numpy as np

from accelsim.errors import UnsupportedError
from accelsim.graph.types import Products, View
from accelsim.importers.tflite.build import Operation, Rule, channel_scales
from accelsim.importers.tflite.dilated import SIDES
from accelsim.importers.tflite.operators.activations import activate, bounds
from accelsim.ir import Operator
from accelsim.numerics import tflite_rules
from accelsim.numerics.programs import Program
from accelsim.ops import Conv2d, ConvTranspose2d, Depthwise, Linear, Matmul, Pointwise
from accelsim.tensors import MOST_SIDE

SAME, VALID = 0, 1  # padding, in the numbers of the schema
_IMAGES = (0, 3, 1, 2)  # (n, h, w, c) as (n, c, h, w); kernels (k, fh, fw, c) likewise


def padding(same: bool, size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and behind an axis; the odd one stands behind (ComputePaddingWithOffset)."""
    if not same:
        return 0, 0
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def window(
    operation: Operation, size: tuple[int, int], kernel: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
    """Stride, dilation, padding (top, bottom, left, right) and output of a sliding window."""
    options = operation.options
    stride = options["StrideH"], options["StrideW"]
    dilation = options.get("DilationHFactor", 1), options.get("DilationWFactor", 1)
    for what, pair in (("stride", stride), ("dilation", dilation), ("kernel", kernel)):
        if min(pair) < 1:
            raise UnsupportedError(f"its {what} must be at least 1, not {list(pair)}")
    if (said := options["Padding"]) not in (SAME, VALID):
        raise UnsupportedError(f"its padding must be SAME or VALID, not {said}")
    said_sides = options.get(SIDES, ())
    sides, made = [], []
    for place, (n, k, s, d) in enumerate(zip(size, kernel, stride, dilation, strict=True)):
        before, behind = said_sides[2 * place : 2 * place + 2] or padding(said == SAME, n, k, s, d)
        outputs = (n + before + behind - (k - 1) * d - 1) // s + 1
        if before + behind > MOST_SIDE:
            raise UnsupportedError(f"its padding of {before + behind} is more than {MOST_SIDE}")
        if outputs < 1:
            raise UnsupportedError(f"its kernel of {k} is larger than the {n} that it reads")
        sides += [before, behind]
        made.append(outputs)
    top, bottom, left, right = sides
    return stride, dilation, (top, bottom, left, right), (made[0], made[1])


def four_axes(operation: Operation, place: int = 0) -> tuple[int, int, int, int]:
    """Shape of an input of four axes."""
    shape = operation.shape(place)
    if len(shape) != 4:
        raise UnsupportedError(
            f"its input {operation.inputs[place]} must have 4 axes, not {len(shape)}"
        )
    n, h, w, c = shape
    return n, h, w, c


def conv_2d(operation: Operation) -> None:
    """Kernels are (k, fh, fw, c / groups); the number of groups follows from the channels."""
    n, h, w, c = four_axes(operation)
    k, fh, fw, depth = four_axes(operation, 1)
    stride, dilation, sides, (oh, ow) = window(operation, (h, w), (fh, fw))
    if c % depth or k % (c // depth):
        raise UnsupportedError(
            f"its kernel for {depth} channels and {k} outputs does not divide {c} channels"
        )
    groups = c // depth
    pointwise = (fh, fw) == (1, 1) and not any(sides)
    operator: Operator = (
        Pointwise(k, stride, groups)
        if pointwise
        else Conv2d(k, (fh, fw), stride, sides, dilation, groups)
    )
    work = Products(
        operator,
        View(_IMAGES, (n, c, h, w)),
        View(_IMAGES, operator.weight_shape((c, h, w))),
        View(_IMAGES, (n, k, oh, ow)),
    )
    _products(operation, work, (n, oh, ow, k), k, 0)


def depthwise_conv_2d(operation: Operation) -> None:
    """Kernels are (1, fh, fw, c multiplier); the multiplier follows from the channels."""
    n, h, w, c = four_axes(operation)
    one, fh, fw, k = four_axes(operation, 1)
    stride, dilation, sides, (oh, ow) = window(operation, (h, w), (fh, fw))
    if one != 1 or k % c:
        raise UnsupportedError(f"its kernel {[one, fh, fw, k]} does not fit {c} channels")
    work = Products(
        Depthwise((fh, fw), stride, sides, dilation, k // c),
        View(_IMAGES, (n, c, h, w)),
        View((3, 0, 1, 2), (k, 1, fh, fw)),
        View(_IMAGES, (n, k, oh, ow)),
    )
    _products(operation, work, (n, oh, ow, k), k, 3)


def transpose_conv(operation: Operation) -> None:
    """Inputs are the output's shape, kernels (k, fh, fw, c), the map and maybe a bias."""
    n, h, w, c = four_axes(operation, 2)
    k, fh, fw, depth = four_axes(operation, 1)
    shape = tuple(operation.integers(0))
    options = operation.options
    stride = options["StrideH"], options["StrideW"]
    if len(shape) != 4 or (shape[0], shape[3], depth) != (n, k, c) or min(*stride, *shape) < 1:
        raise UnsupportedError(
            f"it makes {list(shape)} of {[n, h, w, c]} by kernels {[k, fh, fw, depth]} and stride "
            f"{list(stride)}"
        )
    sides, extra = [], []
    same = options["Padding"] == SAME
    for size, made, reach, step in zip((h, w), shape[1:3], (fh, fw), stride, strict=True):
        before, _ = padding(same, made, reach, step)
        if -(-(made if same else made - reach + 1) // step) != size:
            raise UnsupportedError(f"it makes {made} of {size} by a kernel of {reach}")
        behind = (size - 1) * step + reach - before - made
        sides += [before, max(behind, 0)]
        extra.append(max(-behind, 0))
    top, bottom, left, right = sides
    operator = ConvTranspose2d(
        k, (fh, fw), stride, (top, bottom, left, right), (extra[0], extra[1])
    )
    work = Products(
        operator,
        View(_IMAGES, (n, c, h, w)),
        View((3, 0, 1, 2), (c, k, fh, fw)),
        View(_IMAGES, (n, k, *shape[1:3])),
    )
    _products(operation, work, shape, k, 0, (2, 1, 3))


def fully_connected(operation: Operation) -> None:
    """Weights are (k, i); all axes before the last i values are rows.

    Rows are pixels of one image, but where the first axis is as long as that of the graph's input:
    then they are images.
    """
    if operation.options["WeightsFormat"]:
        raise UnsupportedError("its weights are shuffled")
    x, weights = operation.shape(), operation.shape(1)
    if len(weights) != 2 or prod(x) % weights[1]:
        raise UnsupportedError(f"its weights {list(weights)} do not fit its input {list(x)}")
    k, depth = weights
    rows = prod(x) // depth
    keep = bool(operation.options["KeepNumDims"]) and x[-1] == depth
    shape = (*x[:-1], k) if keep else (rows, k)
    images = operation.images if x[0] == operation.images else 1
    if rows != images and shape[0] != images:
        images = 1
    if rows != images and x[-1] != depth:
        raise UnsupportedError(f"its weights {list(weights)} do not fit its input {list(x)}")
    work = Products(
        Linear(k) if rows == images else Pointwise(k),
        _rows(x, images, depth),
        View((0, 1), (k, depth, 1, 1)),
        _rows(shape, images, k),
    )
    _products(operation, work, shape, k, 0)


def _rows(shape: tuple[int, ...], images: int, depth: int) -> View:
    """Rows of `depth` values, the last axis, as the pixels of so many images, the first axis."""
    axes = tuple(range(len(shape)))
    pixels = prod(shape) // depth // images
    if pixels == 1:
        return View(axes, (images, depth, 1, 1))
    first = axes[:1] if images > 1 else ()
    return View((*first, axes[-1], *axes[len(first) : -1]), (images, depth, 1, pixels))


def batch_matmul(operation: Operation) -> None:
    """Products of the matrices in the last two axes, one for each index of those before."""
    a, b = operation.shape(), operation.shape(1)
    swap_a, swap_b = operation.options["AdjX"], operation.options["AdjY"]
    if min(len(a), len(b)) < 2:
        raise UnsupportedError(f"it multiplies {list(a)} by {list(b)}")
    rows, depth = a[:-3:-1] if swap_a else a[-2:]
    columns = b[-2] if swap_b else b[-1]
    if depth != (b[-1] if swap_b else b[-2]) or len(a) > 4:
        raise UnsupportedError(f"it multiplies {list(a)} by {list(b)}")
    constant = operation.inputs[1] in operation.build.constants
    shape = (*a[:-2], rows, columns)
    shared = constant and prod(b[:-2]) == 1
    if not shared and a[:-2] != b[:-2]:
        raise UnsupportedError(f"it multiplies {list(a)} by {list(b)}, which it would repeat")
    images = operation.images if len(a) > 2 and (shared or not constant) else 1
    images = images if a[0] == images else 1
    heads = 1 if shared else prod(a[:-2]) // images
    pixels = prod(a[:-2]) // images // heads * rows
    if shared and swap_a and pixels != rows:
        raise UnsupportedError(f"it multiplies {list(a)}, transposed, by {list(b)}")
    lead, last = tuple(range(len(a) - 2)), (len(a) - 2, len(a) - 1)
    turned = (*lead, *last[::-1])

    def view(swapped: bool, channels: int, size: int) -> View:
        return View((*lead, *last) if swapped else turned, (images, channels, 1, size))

    if shared and pixels != rows:  # rows of all matrices are pixels
        kept = lead[:1] if images > 1 else ()
        order = (*kept, last[1], *lead[len(kept) :], last[0])
        x, y = (View(order, (images, width, 1, pixels)) for width in (depth, columns))
    else:
        x = view(swap_a, heads * depth, rows)
        y = view(False, heads * columns, rows)
    if constant:
        wide = len(b)
        ends = (wide - 2, wide - 1) if swap_b else (wide - 1, wide - 2)
        weights = View((*range(wide - 2), *ends), (heads * columns, depth, 1, 1))
        operator: Operator = (
            Linear(columns) if pixels == heads == 1 else Pointwise(heads * columns, groups=heads)
        )
        work = Products(operator, x, weights, y)
    else:
        second = view(False, heads * b[-1], b[-2])
        work = Products(Matmul(heads, bool(swap_b)), x, second, y, second_map=True)
    _products(operation, work, shape, 1, None)


def _products(
    operation: Operation,
    work: Products,
    shape: tuple[int, ...],
    channels: int,
    axis: int | None,
    places: tuple[int, int, int] = (0, 1, 2),
) -> None:
    """Add the node of the products, with what follows the sums.

    axis : of the weights, along which they may have scales of their own.
    places : of the map, the weights and the bias among the inputs.
    """
    x, w, bias = places
    added = operation.inputs[bias] if operation.has(bias) else ""
    if added and prod(operation.shape(bias)) != channels:
        raise UnsupportedError(
            f"its bias must have {channels} values, not {list(operation.shape(bias))}"
        )
    maps = operation.inputs[x], operation.inputs[w]
    if operation.of_reals(x, w, *([bias] if added else [])):
        activate(operation, work, (*maps, added, "", ""), shape)
        return
    zeros = [_zero_point(operation, place) for place in (x, w)]
    program = _program(operation, places, channels, axis)
    operation.make(work, (*maps, "", *zeros), shape, program=program)


def _zero_point(operation: Operation, place: int) -> str:
    """The name of the zero point of an input, "" if it is 0."""
    kind = operation.type(place)
    said = kind.quantisation
    if said is None or not said.zero_point.any():
        return ""
    return operation.literal(operation.quantised(place).zero_point, kind.dtype)


def _program(
    operation: Operation, places: tuple[int, int, int], channels: int, axis: int | None
) -> Program:
    """What follows the sums of integers."""
    x, w, bias = places
    y = operation.quantised_result
    kind = operation.type(w)
    scales = channel_scales(kind, operation.inputs[w], axis).scale
    added = None
    if operation.has(bias):
        added = operation.values(bias).reshape(-1)
        if added.dtype != np.int32:
            raise UnsupportedError(f"its bias must be int32, not {added.dtype}")
    given = operation.quantised(x), scales, y, added, *bounds(operation, y)
    if operation.operator.kind != "FULLY_CONNECTED":
        return tflite_rules.convolution(*given)
    largest = 0 if added is None else int(np.abs(added.astype(np.int64)).max())
    reach = kind.shape[1] * _MOST_PRODUCT + largest
    return tflite_rules.fully_connected(*given, reach=min(reach, _MOST_SUM))


_MOST_PRODUCT, _MOST_SUM = 255 * 255, 2**31 - 1
RULES: Mapping[str, Rule] = {
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "TRANSPOSE_CONV": transpose_conv,
}
