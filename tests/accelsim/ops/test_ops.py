"""Operators against naive loops, onnxruntime and published counts."""

import json
from dataclasses import fields
from math import prod
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim.errors import NetworkError, ShapeError, UnsupportedError
from accelsim.importers import load
from accelsim.ir import Conv, Layer, Network, Operator, Piece, Shape
from accelsim.ops import (
    MACROS,
    OPS,
    Activation,
    AdaptivePool,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Crop,
    Depthwise,
    DynamicDepthwise,
    FusePair,
    GlobalPool,
    GlobalResponseNorm,
    LayerNorm,
    Linear,
    Matmul,
    Modulate,
    Multiply,
    PadChannels,
    PixelShuffle,
    Pointwise,
    Pool,
    PositionEmbedding,
    RegionConv,
    Reshape,
    Resize,
    Scale,
    Slice,
    Softmax,
    SqueezeExcite,
    Subtract,
    Tokens,
)
from accelsim.ops.base import Alias
from accelsim.ops.geometry import convolve
from tests.accelsim import onnx_oracle
from tests.accelsim.ops.reals import close, golden
from tests.naive import operators as naive

NO_WEIGHTS = np.empty(0, np.int8)


def ints(seed, *shape):
    """int8 over its whole range, with both ends often."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, shape, np.int8)
    ends = rng.choice(np.array([-128, 127], np.int8), shape)
    return np.where(rng.random(shape) < 0.25, ends, values)


class Case(NamedTuple):
    """An operator, its inputs, and the output shape worked out by hand."""

    op: Operator
    inputs: tuple[Shape, ...]
    out: Shape


CASES = (
    Case(Conv2d(5, (3, 3)), ((3, 6, 7),), (5, 4, 5)),
    Case(Conv2d(5, (3, 3), (2, 1), (1, 1, 0, 2), (1, 2)), ((3, 17, 19),), (5, 9, 17)),
    Case(Conv2d(4, (2, 4), padding="same"), ((2, 5, 6),), (4, 5, 6)),
    Case(Conv2d(4, (3, 3), (2, 2), 1), ((2, 8, 8),), (4, 4, 4)),
    Case(Conv2d(4, (3, 3), (2, 2), "same"), ((2, 7, 8),), (4, 4, 4)),
    Case(Conv2d(4, (3, 2), (2, 3), "same_tf"), ((2, 7, 8),), (4, 4, 3)),
    Case(Conv2d(6, (3, 3), padding=2, dilation=(2, 2), groups=2), ((4, 5, 5),), (6, 5, 5)),
    Case(Conv2d(3, (1, 1), (5, 4)), ((2, 7, 9),), (3, 2, 3)),
    Case(Conv2d(1, (1, 1)), ((1, 1, 1),), (1, 1, 1)),
    Case(Conv2d(1, (3, 3), padding=(1, 1, 1, 1)), ((1, 1, 1),), (1, 1, 1)),
    Case(ConvTranspose2d(5, (2, 2), (2, 2)), ((3, 3, 4),), (5, 6, 8)),
    Case(ConvTranspose2d(4, (3, 3), (2, 2), 1, (1, 1)), ((2, 4, 3),), (4, 8, 6)),
    Case(
        ConvTranspose2d(4, (3, 4), (3, 1), (1, 0, 2, 1), (2, 0), (2, 1), 2),
        ((6, 3, 4),),
        (4, 12, 4),
    ),
    Case(ConvTranspose2d(6, (2, 3), (4, 2), groups=3), ((3, 2, 3),), (6, 6, 7)),
    Case(ConvTranspose2d(1, (1, 1)), ((1, 1, 1),), (1, 1, 1)),
    Case(Depthwise((3, 3)), ((4, 5, 6),), (4, 5, 6)),
    Case(Depthwise((3, 3), (2, 2)), ((3, 6, 7),), (3, 3, 4)),
    Case(Depthwise((31, 31)), ((2, 7, 7),), (2, 7, 7)),
    Case(Depthwise((4, 2), (1, 3), dilation=(2, 1)), ((2, 5, 8),), (2, 5, 3)),
    Case(Depthwise((5, 3), (2, 2), "same_tf"), ((2, 6, 7),), (2, 3, 4)),
    Case(Depthwise((3, 1), (4, 4), padding=0), ((2, 9, 9),), (2, 2, 3)),
    Case(Depthwise((3, 3), multiplier=3), ((2, 4, 4),), (6, 4, 4)),
    Case(Depthwise((1, 3), channels=(1, 3)), ((5, 3, 4),), (2, 3, 4)),
    Case(Depthwise(kernels=((3, 3), (1, 5), (3, 3), (2, 2))), ((4, 5, 6),), (4, 5, 6)),
    Case(Depthwise(kernels=((3, 1), (2, 2), (3, 1)), stride=(2, 1)), ((3, 5, 4),), (3, 3, 4)),
    Case(
        Depthwise(kernels=((1, 3), (5, 1)), multiplier=2, channels=(1, 3)), ((4, 5, 4),), (4, 5, 4)
    ),
    Case(
        Depthwise(kernels=((7, 3), (4, 4)), padding="same_tf", stride=(2, 2)),
        ((2, 5, 4),),
        (2, 3, 2),
    ),
    Case(DynamicDepthwise((3, 2)), ((4, 5, 6), (4, 3, 2)), (4, 5, 6)),
    Case(
        DynamicDepthwise((3, 2), (2, 1), (1, 0, 2, 0), (1, 2)), ((2, 6, 5), (12, 1, 1)), (2, 3, 5)
    ),
    # Kernels that other layers make, of as many values as the weights would be.
    Case(Conv2d(6, (3, 2), (2, 1), 1, groups=2), ((4, 5, 6), (6, 2, 6)), (6, 3, 7)),
    Case(Depthwise((3, 3), multiplier=2, channels=(1, 3)), ((4, 4, 5), (36, 1, 1)), (4, 4, 5)),
    Case(
        Depthwise(kernels=((3, 1), (2, 2), (3, 1)), multiplier=2), ((3, 5, 4), (4, 1, 5)), (6, 5, 4)
    ),
    Case(ConvTranspose2d(4, (3, 2), (2, 3), 1, groups=2), ((6, 3, 4), (6, 2, 6)), (4, 5, 9)),
    Case(Pointwise(6, (2, 1), groups=3), ((6, 3, 4), (2, 3, 2)), (6, 2, 4)),
    Case(Linear(4, flatten=True), ((2, 3, 1), (1, 6, 4)), (4, 1, 1)),
    # A kernel for every region of the map: weights, or made by other layers.
    Case(RegionConv(4, (3, 2), 3, (2, 1), 1), ((2, 5, 4), (3, 3, 5)), (4, 3, 5)),
    Case(
        RegionConv(6, (1, 3), 2, padding="same", groups=2, dilation=(1, 2)),
        ((4, 3, 5), (2, 3, 5), (6, 6, 2)),
        (6, 3, 5),
    ),
    Case(RegionConv(3, (1, 1), 1), ((2, 4, 4), (1, 4, 4)), (3, 4, 4)),
    Case(RegionConv(3, (3, 3), 5, padding=1), ((2, 1, 1), (5, 1, 1)), (3, 1, 1)),
    Case(Pointwise(7), ((5, 3, 4),), (7, 3, 4)),
    Case(Pointwise(4, (2, 3), groups=2), ((6, 5, 7),), (4, 3, 3)),
    Case(Linear(9, flatten=True), ((4, 2, 3),), (9, 1, 1)),
    Case(Linear(1), ((1, 1, 1),), (1, 1, 1)),
    Case(Matmul(), ((3, 5, 1), (4, 3, 1)), (4, 5, 1)),
    Case(Matmul(2), ((6, 5, 2), (8, 1, 3)), (8, 5, 2)),
    Case(Matmul(transpose_b=True), ((3, 5, 1), (3, 4, 2)), (8, 5, 1)),
    Case(Matmul(3, transpose_b=True), ((6, 7, 1), (6, 5, 1)), (15, 7, 1)),
    Case(Matmul(4, transpose_b=True), ((4, 3, 1), (4, 1, 2)), (8, 3, 1)),
    Case(Matmul(), ((1, 1, 1), (1, 1, 1)), (1, 1, 1)),
    Case(Pool("max", (3, 3), (2, 2), 1), ((3, 7, 8),), (3, 4, 4)),
    Case(Pool("max", (2, 2), (3, 3)), ((2, 8, 7),), (2, 3, 2)),
    Case(Pool("average", (3, 2), (2, 1), (1, 0, 1, 0)), ((3, 6, 5),), (3, 3, 5)),
    Case(Pool("average", (3, 3), (2, 2), "same_tf"), ((2, 6, 6),), (2, 3, 3)),
    Case(Pool("max", (3, 3), (2, 2), ceil_mode=True), ((2, 6, 7),), (2, 3, 3)),
    Case(AdaptivePool((3, 3)), ((2, 8, 7),), (2, 3, 3)),
    Case(AdaptivePool((3, 1)), ((2, 2, 5),), (2, 3, 1)),
    Case(AdaptivePool((2, 4)), ((3, 4, 4),), (3, 2, 4)),
    Case(Pool("max", (2, 3), (3, 3), (1, 0, 1, 2), True), ((2, 6, 6),), (2, 3, 3)),
    Case(Pool("max", (3, 3), (3, 3), ceil_mode=True), ((2, 1, 1),), (2, 1, 1)),
    Case(Pool("average", (3, 3), (2, 2), 1, ceil_mode=True), ((2, 6, 5),), (2, 4, 3)),
    Case(Pool("average", (3, 2), (2, 3), (1, 2, 0, 1), True, True), ((2, 6, 8),), (2, 4, 3)),
    Case(Pool("average", (3, 3), padding=1, count_include_pad=True), ((2, 5, 4),), (2, 2, 2)),
    Case(GlobalPool(), ((5, 3, 4),), (5, 1, 1)),
    Case(Add(), ((3, 4, 5), (3, 4, 5)), (3, 4, 5)),
    Case(Add(), ((3, 4, 5),) * 3, (3, 4, 5)),
    Case(Multiply(), ((3, 4, 5), (3, 4, 5)), (3, 4, 5)),
    Case(Multiply(), ((3, 4, 5), (3, 1, 1)), (3, 4, 5)),
    Case(Multiply(), ((1, 4, 5), (3, 4, 5)), (3, 4, 5)),
    Case(Multiply(), ((3, 1, 1), (1, 4, 1)), (3, 4, 1)),
    Case(Subtract(), ((3, 4, 5), (3, 4, 5)), (3, 4, 5)),
    Case(Modulate((3, 4, 5)), ((3, 1, 1),), (3, 4, 5)),
    Case(Modulate((3, 4, 5)), ((1, 4, 5),), (3, 4, 5)),
    Case(Modulate((3, 1, 5)), ((3, 1, 5),), (3, 1, 5)),
    Case(Reshape((2, 5, 6)), ((3, 4, 5),), (2, 5, 6)),
    Case(Reshape((3, 4, 2), (0, 2, 1)), ((24, 1, 1),), (3, 2, 4)),
    Case(Reshape((3, 4, 2), (2, 0, 1)), ((4, 3, 2),), (2, 3, 4)),
    Case(Concat(), ((3, 4, 5), (1, 4, 5), (2, 4, 5)), (6, 4, 5)),
    Case(PadChannels(2, 1), ((3, 4, 2),), (6, 4, 2)),
    Case(PadChannels(after=4), ((1, 2, 3),), (5, 2, 3)),
    Case(PadChannels(), ((3, 1, 2),), (3, 1, 2)),
    Case(Slice((1, 3)), ((5, 3, 4),), (2, 3, 4)),
    Case(ChannelShuffle(2), ((6, 3, 4),), (6, 3, 4)),
    Case(ChannelShuffle(3), ((6, 2, 1),), (6, 2, 1)),
    Case(ChannelShuffle(1), ((5, 1, 1),), (5, 1, 1)),
    Case(PixelShuffle(2), ((8, 3, 2),), (2, 6, 4)),
    Case(PixelShuffle(3, "dcr"), ((18, 2, 1),), (2, 6, 3)),
    Case(Crop((1, 3)), ((2, 4, 3),), (2, 2, 3)),
    Case(Crop(None, (0, 1)), ((2, 4, 3),), (2, 4, 1)),
    Case(Crop((2, 4), (1, 2)), ((2, 4, 3),), (2, 2, 1)),
    Case(Tokens(), ((3, 4, 2),), (3, 8, 1)),
    Case(Tokens(2), ((3, 2, 3),), (3, 8, 1)),
    Case(PositionEmbedding(), ((3, 5, 2),), (3, 5, 2)),
    Case(GlobalResponseNorm(), ((5, 3, 4),), (5, 3, 4)),
    Case(GlobalResponseNorm(), ((300, 1, 2),), (300, 1, 2)),
    Case(BatchNorm(), ((5, 3, 4),), (5, 3, 4)),
    Case(LayerNorm(), ((5, 3, 4),), (5, 3, 4)),
    Case(LayerNorm(), ((64, 1, 1),), (64, 1, 1)),
    Case(Softmax(), ((7, 3, 2),), (7, 3, 2)),
    Case(Softmax(heads=3), ((12, 5, 1),), (12, 5, 1)),
    Case(Resize((7, 3)), ((2, 3, 5),), (2, 7, 3)),
    Case(Resize(factor=(2, 3)), ((2, 3, 1),), (2, 6, 3)),
    Case(Resize((7, 3), mode="bilinear"), ((2, 3, 5),), (2, 7, 3)),
    Case(Resize((7, 1), None, "bilinear", True), ((2, 3, 5),), (2, 7, 1)),
    Case(Resize(None, (2, 4), "bilinear"), ((2, 5, 1),), (2, 10, 4)),
    Case(Scale(), ((3, 4, 5), (3, 1, 1)), (3, 4, 5)),
    Case(Activation("relu"), ((3, 4, 5),), (3, 4, 5)),
)


def tensors(case, seed=1):
    shape = case.op.weight_shape(*case.inputs)
    weights = ints(seed, *shape) if shape else NO_WEIGHTS
    return weights, [ints(seed + 1 + i, *shape) for i, shape in enumerate(case.inputs)]


def sides(padding, size, kernel, stride, dilation):
    """Top, bottom, left, right, restated: zeros before and after each axis."""
    if isinstance(padding, int):
        return (padding,) * 4
    if not isinstance(padding, str):
        return padding
    before_and_after = []
    for axis in (0, 1):
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        total = reach - 1
        if padding == "same_tf":
            outputs = (size[axis] + stride[axis] - 1) // stride[axis]
            total = max(0, (outputs - 1) * stride[axis] + reach - size[axis])
        before_and_after += [total // 2, (total + 1) // 2]
    return tuple(before_and_after)


def split_kernels(op, weights, channels):
    """The kernels of a Depthwise, one per output channel, from its packed weights."""
    shapes = op.kernels or (op.kernel,) * channels
    rest, kernels = weights.ravel(), []
    for fh, fw in shapes:
        for _ in range(op.multiplier):
            kernels.append(rest[: fh * fw].reshape(fh, fw))
            rest = rest[fh * fw :]
    assert rest.size == 0
    return kernels


def by_hand(op, weights, inputs):
    """What an operator must give, from nested loops and the words of its docstring."""
    x = inputs[0]
    may_read_kernels = Conv2d, ConvTranspose2d, Depthwise, Pointwise, Linear
    if isinstance(op, may_read_kernels) and len(inputs) == 2:
        weights = inputs[1].reshape(op.weight_shape(x.shape))
    match op:
        case Conv2d(kernel=kernel, stride=stride, padding=padding, dilation=dilation):
            around = sides(padding, x.shape[1:], kernel, stride, dilation)
            return naive.conv2d(x, weights, stride, around, dilation, op.groups)
        case RegionConv(kernel=kernel, stride=stride, dilation=dilation):
            around = sides(op.padding, x.shape[1:], kernel, stride, dilation)
            weights = inputs[2] if len(inputs) > 2 else weights
            kernels = weights.reshape(op.regions, op.out_channels, -1, *kernel)
            every = [naive.conv2d(x, w, stride, around, dilation, op.groups) for w in kernels]
            out = np.empty(every[0].shape, np.int64)
            for y, column in np.ndindex(out.shape[1:]):
                guide = inputs[1][:, y, column].tolist()
                out[:, y, column] = every[guide.index(max(guide))][:, y, column]
            return out
        case ConvTranspose2d(stride=stride, output_padding=extra, dilation=dilation):
            around = sides(op.padding, x.shape[1:], op.kernel, stride, dilation)
            return naive.conv_transpose2d(x, weights, stride, around, extra, dilation, op.groups)
        case Depthwise(stride=stride, dilation=dilation):
            first, stop = op.channels or (0, len(x))
            kernels = split_kernels(op, weights, stop - first)
            around = [sides(op.padding, x.shape[1:], w.shape, stride, dilation) for w in kernels]
            read = np.repeat(x[first:stop], op.multiplier, axis=0)
            return naive.depthwise(read, kernels, stride, around, dilation)
        case DynamicDepthwise(kernel=kernel, stride=stride, dilation=dilation):
            kernels = list(inputs[1].reshape(len(x), *kernel))
            around = [sides(op.padding, x.shape[1:], kernel, stride, dilation)] * len(x)
            return naive.depthwise(x, kernels, stride, around, dilation)
        case Pointwise():
            return naive.conv2d(x, weights, op.stride, groups=op.groups)
        case Linear():
            return naive.matmul(weights, x.reshape(-1, 1))[:, :, None]
        case Matmul(heads=heads, transpose_b=transpose_b):
            rows = [naive.pixels(half) for each in inputs for half in np.split(each, heads)]
            pairs = zip(rows[:heads], rows[heads:], strict=True)
            products = [naive.matmul(a, b.T if transpose_b else b) for a, b in pairs]
            return np.concatenate([p.T for p in products]).reshape(-1, *x.shape[1:])
        case Pool(kind=kind):
            around = sides(op.padding, x.shape[1:], op.kernel, op.stride, (1, 1))
            if kind == "max":
                return naive.max_pool(x, op.kernel, op.stride, around, op.ceil_mode)
            outside = 0 if op.count_include_pad else None
            return naive.average_pool(x, op.kernel, op.stride, around, op.ceil_mode, outside)
        case GlobalPool():
            return naive.average_pool(x, x.shape[1:])
        case AdaptivePool(size=(rows, columns)):
            (c, h, w), out = x.shape, np.empty((len(x), rows, columns))
            for channel, i, j in np.ndindex(c, rows, columns):
                down = range(i * h // rows, -(-(i + 1) * h // rows))
                across = range(j * w // columns, -(-(j + 1) * w // columns))
                part = [float(x[channel, y, place]) for y in down for place in across]
                out[channel, i, j] = sum(part) / len(part)
            return out
        case Add():
            sums = [sum(map(int, each)) for each in zip(*(i.flat for i in inputs), strict=True)]
            return np.array(sums).reshape(x.shape)
        case Concat():
            return np.array([plane.tolist() for tensor in inputs for plane in tensor])
        case PadChannels(before=before, after=after):
            nothing = [[0] * x.shape[2]] * x.shape[1]
            return np.array([nothing] * before + x.tolist() + [nothing] * after)
        case Slice(channels=(first, stop)):
            return np.array([x[c].tolist() for c in range(first, stop)])
        case ChannelShuffle(groups=groups):
            each = len(x) // groups
            return np.array([x[g * each + i].tolist() for i in range(each) for g in range(groups)])
        case Multiply():
            y = inputs[1]
            out = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.int64)
            for place in np.ndindex(*out.shape):
                one, other = (
                    int(m[tuple(i % n for i, n in zip(place, m.shape, strict=True))])
                    for m in (x, y)
                )
                out[place] = one * other
            return out
        case Subtract():
            pairs = zip(x.flat, inputs[1].flat, strict=True)
            return np.array([int(one) - int(other) for one, other in pairs]).reshape(x.shape)
        case Modulate(shape=shape):
            places = np.ndindex(*shape)
            met = [tuple(min(i, n - 1) for i, n in zip(p, x.shape, strict=True)) for p in places]
            pairs = zip(weights.flat, met, strict=True)
            return np.array([int(w) * int(x[p]) for w, p in pairs]).reshape(shape)
        case Reshape(shape=(c, h, w), order=order):
            values = x.ravel().tolist()
            lines = [
                [[values[(i * h + j) * w + k] for k in range(w)] for j in range(h)]
                for i in range(c)
            ]
            out = np.zeros([(c, h, w)[axis] for axis in order], np.int64)
            for place in np.ndindex(c, h, w):
                i, j, k = place
                out[tuple(place[axis] for axis in order)] = lines[i][j][k]
            return out
        case PixelShuffle(factor=f, order=order):
            channels, (_, h, w) = len(x) // f**2, x.shape
            out = np.zeros((channels, h * f, w * f), np.int64)
            for c, row, column in np.ndindex(*out.shape):
                i, j = row % f, column % f
                source = (c * f + i) * f + j if order == "crd" else (i * f + j) * channels + c
                out[c, row, column] = x[source, row // f, column // f]
            return out
        case BatchNorm():
            gamma, beta = weights.tolist()
            planes = zip(x.tolist(), gamma, beta, strict=True)
            return np.array([[[g * v + b for v in r] for r in p] for p, g, b in planes])
        case Crop():
            _, h, w = x.shape
            rows, columns = range(*(op.rows or (0, h))), range(*(op.columns or (0, w)))
            return np.array([[[p[row, column] for column in columns] for row in rows] for p in x])
        case Tokens(learned=learned):
            pixels = [[v for row in plane for v in row] for plane in x.tolist()]
            front = weights.tolist() if learned else [[] for _ in pixels]
            both = zip(front, pixels, strict=True)
            return np.array([[[v] for v in (*first, *rest)] for first, rest in both])
        case PositionEmbedding():
            places = np.ndindex(*x.shape)
            return np.array([int(x[p]) + int(weights[p]) for p in places]).reshape(x.shape)
        case GlobalResponseNorm():
            return naive.global_response_norm(x, *weights)
        case Softmax(heads=heads):
            return naive.softmax(x, heads, op.factor)
        case LayerNorm():
            return naive.layer_norm(x, *weights)
        case Resize():
            _, h, w = x.shape
            fh, fw = op.factor or (0, 0)
            oh, ow = op.size or (h * fh, w * fw)
            if op.mode == "bilinear":
                return naive.bilinear(x, (oh, ow), op.align_corners)
            return np.array(
                [[[p[y * h // oh, z * w // ow] for z in range(ow)] for y in range(oh)] for p in x]
            )
        case Scale():
            gates = [int(g) for g in inputs[1].flat]
            rows = [[int(v) * g for v in p.flat] for p, g in zip(x, gates, strict=True)]
            return np.array(rows).reshape(x.shape)
        case Activation(function="relu"):
            return np.where(x > 0, x, 0)
    raise AssertionError(f"no oracle for {op}")


def case_id(case):
    return f"{case.op}-{case.inputs}".replace(" ", "")


def test_every_operator_has_a_case():
    assert {type(case.op) for case in CASES} == set(OPS)


def test_names_are_unique():
    assert len({op.name for op in (*OPS, *MACROS)}) == len(OPS) + len(MACROS)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_shapes(case):
    assert isinstance(case.op, Operator)
    assert case.op.out_shape(*case.inputs) == case.out
    weights, inputs = tensors(case)
    result = golden(case.op, weights, *inputs)
    assert result.shape == case.out
    assert result.dtype == (np.int32 if case.op.lower(*case.inputs) else np.float32)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_golden_equals_naive_loops(case):
    weights, inputs = tensors(case)
    assert close(golden(case.op, weights, *inputs), by_hand(case.op, weights, inputs))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_network_file_says_the_same(case, tmp_path):
    """Every attribute as JSON writes it, which TOML reads alike; inputs brought to their shapes."""
    tables = []
    for i, (c, h, w) in enumerate(case.inputs):
        source = 'inputs = ["input"]'
        tables.append(f'name = "c{i}"\nop = "pointwise"\nout_channels = {c}\n{source}')
        tables.append(f'name = "i{i}"\nop = "resize"\nsize = [{h}, {w}]')
    inputs = json.dumps([f"i{i}" for i in range(len(case.inputs))])
    values = {each.name: getattr(case.op, each.name) for each in fields(case.op)}
    given = [f"{key} = {json.dumps(v)}" for key, v in values.items() if v is not None]
    tables.append("\n".join((f'name = "it"\nop = "{case.op.name}"\ninputs = {inputs}', *given)))
    path = tmp_path / "n.toml"
    path.write_text('name = "n"\ninput = [1, 1, 1]\n[[layer]]\n' + "\n[[layer]]\n".join(tables))
    network = load(path)
    assert network.layers[-1] == Layer("it", case.op, tuple(json.loads(inputs)))
    assert network.shape("it") == case.out


def naive_piece(piece: Piece, weights, x):
    """A piece by nested loops; the zeros below and right follow from its output size."""
    conv = piece.conv
    bottom = (conv.oh - 1) * conv.sh + conv.dh * (conv.fh - 1) + 1 - conv.pt - conv.h
    right = (conv.ow - 1) * conv.sw + conv.dw * (conv.fw - 1) + 1 - conv.pl - conv.w
    return naive.conv2d(
        piece.take_input(x),
        piece.take_weights(weights),
        (conv.sh, conv.sw),
        (conv.pt, bottom, conv.pl, right),
        (conv.dh, conv.dw),
        conv.groups,
    )


WITH_WEIGHTS = [case for case in CASES if case.op.lower(*case.inputs)]


# Those with a kernel for every region are lowered to the work of one.
OF_ONE_KERNEL = [case for case in WITH_WEIGHTS if type(case.op) is not RegionConv]


@pytest.mark.parametrize("case", OF_ONE_KERNEL, ids=case_id)
def test_pieces_make_the_whole(case):
    weights, inputs = tensors(case)
    x, kernel = case.op.operands(inputs, weights)
    pieces = case.op.lower(*case.inputs)
    # What no piece writes is zero, where pieces choose rows and columns; else they write all.
    unwritten = 0 if any(piece.writes for piece in pieces) else -(2**31)
    out = np.full(case.out, unwritten, np.int32)
    for piece in pieces:
        piece.put(naive_piece(piece, kernel, x).astype(np.int32), out)
    assert np.array_equal(out, by_hand(case.op, weights, inputs))


@pytest.mark.parametrize("case", WITH_WEIGHTS, ids=case_id)
def test_macs_are_the_dense_products(case):
    """All ones on a map so padded with ones that nothing is zero: sums count products.

    Those of a transposed convolution are values times taps.
    """
    if type(case.op) is ConvTranspose2d:
        x, *_ = case.inputs
        assert case.op.macs(*case.inputs) == prod(x[1:]) * prod(case.op.weight_shape(x))
        return
    counted = 0
    for piece in case.op.lower(*case.inputs):
        conv = piece.conv
        reach_h = (conv.oh - 1) * conv.sh + conv.dh * (conv.fh - 1) + 1
        reach_w = (conv.ow - 1) * conv.sw + conv.dw * (conv.fw - 1) + 1
        x = np.ones((conv.c, reach_h, reach_w), np.int8)
        w = np.ones((conv.k, conv.c // conv.groups, conv.fh, conv.fw), np.int8)
        stride, dilation = (conv.sh, conv.sw), (conv.dh, conv.dw)
        counted += naive.conv2d(x, w, stride, dilation=dilation, groups=conv.groups).sum()
    assert case.op.macs(*case.inputs) == counted


def test_what_runs_on_the_host_has_no_macs_and_mostly_no_weights():
    host = {type(case.op) for case in CASES if not case.op.lower(*case.inputs)}
    assert host >= {Pool, GlobalPool, Add, Concat, Slice, Scale, Softmax, Multiply, Activation}
    for case in CASES:
        if type(case.op) in host:
            match case.op:
                case LayerNorm() | BatchNorm() | GlobalResponseNorm():
                    learned = (2, case.out[0])
                case Tokens(learned=count) if count:
                    learned = (case.out[0], count)
                case PositionEmbedding() | Modulate():
                    learned = case.out
                case _:
                    learned = ()
            assert case.op.weight_shape(*case.inputs) == learned
            assert case.op.macs(*case.inputs) == 0
            with pytest.raises(UnsupportedError, match=f"{case.op.name} runs on no engine"):
                case.op.operands((), NO_WEIGHTS)


def test_aliases_say_where_every_channel_lies():
    sources = {
        type(case.op): case.op.alias(*case.inputs)
        for case in CASES
        if case.op.alias(*case.inputs) is not None
    }
    assert set(sources) == {op for op in OPS if Alias in op.__mro__}
    assert Concat().alias((1, 2, 2), (2, 2, 2), (1, 2, 2)) == ((0, 0), (1, 0), (1, 1), (2, 0))
    assert Slice((1, 3)).alias((5, 2, 2)) == ((0, 1), (0, 2))
    assert ChannelShuffle(2).alias((6, 2, 2)) == tuple((0, c) for c in (0, 3, 1, 4, 2, 5))


# Published counts of weights and multiply-accumulates at 64 channels and 56 x 56: a standard 3 x 3
# convolution; the depthwise part of MixConv (arXiv 1907.09595) with kernels 3 to 5, 7, 9; bands.
def mix(*sizes):
    counts = [64 // len(sizes)] * len(sizes)
    counts[0] += 64 - sum(counts)
    return tuple((k, k) for k, n in zip(sizes, counts, strict=True) for _ in range(n))


@pytest.mark.parametrize(
    ("op", "params", "macs"),
    [
        (Conv2d(64, (3, 3), padding=1), 36_864, 115_605_504),
        (Depthwise(kernels=mix(3, 5)), 1_088, 3_411_968),
        (Depthwise(kernels=mix(3, 5, 7)), 1_752, 5_494_272),
        (Depthwise(kernels=mix(3, 5, 7, 9)), 2_624, 8_228_864),
    ],
    ids=["conv3x3", "mix35", "mix357", "mix3579"],
)
def test_published_counts(op, params, macs):
    shape = (64, 56, 56)
    network = Network("one", shape, (Layer("a", op, ("input",)),))
    assert network.total_params == params
    assert network.total_macs == macs


# --- onnxruntime


def onnx_attributes(op, shape, groups):
    attributes = {"strides": op.stride, "dilations": op.dilation, "group": groups}
    if op.padding == "same_tf" and op.dilation == (1, 1):
        return attributes | {"auto_pad": "SAME_UPPER"}  # which does not exist for dilation
    top, bottom, left, right = sides(op.padding, shape[1:], op.kernel, op.stride, op.dilation)
    return attributes | {"pads": [top, left, bottom, right]}


PADDED = (0, 1, 2, 5)


@st.composite
def convolutions(draw, paddings=("same_tf", "sides")):
    """A Conv2d that fits, and its input shape."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.sampled_from(paddings))
    if padding == "sides":
        padding = draw(st.tuples(*[st.sampled_from(PADDED)] * 4))
    least = [1, 1]
    if isinstance(padding, tuple):
        least = [
            max(1, dilation[i] * (kernel[i] - 1) + 1 - padding[2 * i] - padding[2 * i + 1])
            for i in (0, 1)
        ]
    shape = (
        groups * draw(st.integers(1, 3)),
        least[0] + draw(st.integers(0, 7)),
        least[1] + draw(st.integers(0, 7)),
    )
    out = groups * draw(st.integers(1, 3))
    return Conv2d(out, kernel, stride, padding, dilation, groups), shape


@settings(max_examples=60)
@given(convolutions())
@example((Conv2d(3, (5, 5), (4, 4), (0, 0, 0, 0), (1, 1), 1), (1, 5, 5)))
@example((Conv2d(3, (31, 31), (1, 1), (15, 15, 15, 15), (1, 1), 1), (2, 7, 7)))
def test_conv2d_equals_onnxruntime(drawn):
    op, shape = drawn
    weights, x = ints(3, *op.weight_shape(shape)), ints(4, *shape)
    expected = onnx_oracle.conv_integer(x, weights, onnx_attributes(op, shape, op.groups))
    assert np.array_equal(op.golden(weights, x), expected)


@settings(max_examples=60)
@given(convolutions(paddings=("same", "same_tf", "sides")))
def test_conv2d_equals_naive_loops(drawn):
    op, shape = drawn
    weights, x = ints(5, *op.weight_shape(shape)), ints(6, *shape)
    assert np.array_equal(op.golden(weights, x), by_hand(op, weights, [x]))


@settings(max_examples=30)
@given(
    channels=st.integers(1, 4),
    multiplier=st.integers(1, 3),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_depthwise_equals_onnxruntime(channels, multiplier, size, kernel, stride, dilation):
    op = Depthwise(kernel, stride, "same_tf", dilation, multiplier)
    shape = (channels, *size)
    weights, x = ints(7, *op.weight_shape(shape)), ints(8, *shape)
    expected = onnx_oracle.conv_integer(x, weights, onnx_attributes(op, shape, channels))
    assert np.array_equal(op.golden(weights, x), expected)


@settings(max_examples=40)
@given(
    kernels=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=5),
    size=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["same", "same_tf"]),
    multiplier=st.integers(1, 2),
)
def test_kernels_that_differ_equal_naive_loops(kernels, size, stride, padding, multiplier):
    op = Depthwise(None, stride, padding, (1, 1), multiplier, tuple(kernels))
    shape = (len(kernels), *size)
    weights, x = ints(9, *op.weight_shape(shape)), ints(10, *shape)
    assert np.array_equal(op.golden(weights, x), by_hand(op, weights, [x]))
    assert len(op.lower(shape)) == len(set(kernels))


def test_kernels_that_are_all_equal_are_one_kernel():
    x, weights = ints(1, 3, 6, 5), ints(2, 3, 1, 3, 2)
    apart = Depthwise(kernels=((3, 2),) * 3).golden(weights.ravel(), x)
    assert np.array_equal(apart, Depthwise((3, 2)).golden(weights, x))


@pytest.mark.parametrize("padding", ["same_tf", (0, 1, 2, 1), (1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (4, 1)], ids=str)
def test_max_pool_equals_onnxruntime(stride, padding):
    op, x = Pool("max", (3, 3), stride, padding), ints(11, 4, 9, 8)
    attributes = {"kernel_shape": (3, 3), "strides": stride} | (
        {"auto_pad": "SAME_UPPER"}
        if padding == "same_tf"
        else {"pads": [padding[i] for i in (0, 2, 1, 3)]}
    )
    expected = onnx_oracle.run("MaxPool", x[None], attributes=attributes)[0]
    assert close(golden(op, NO_WEIGHTS, x), expected)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)], ids=str)
def test_average_pool_equals_onnxruntime(stride):
    op, x = Pool("average", (3, 2), stride, (1, 2, 0, 1)), ints(12, 4, 9, 8)
    attributes = {"kernel_shape": (3, 2), "strides": stride, "pads": [1, 0, 2, 1]}
    real = onnx_oracle.run("AveragePool", x[None].astype(np.float32), attributes=attributes)[0]
    assert close(golden(op, NO_WEIGHTS, x), real)


CEILED = [((1, 1), (3, 3)), ((2, 3), (2, 3)), ((3, 2), (3, 5)), ((4, 1), (2, 2))]


@pytest.mark.parametrize(("stride", "kernel"), CEILED, ids=str)
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 0, 1, 1), (0, 1, 1, 0)], ids=str)
def test_ceil_mode_equals_onnxruntime(stride, kernel, padding):
    top, bottom, left, right = padding
    attributes = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [top, left, bottom, right],
        "ceil_mode": 1,
    }
    for size in ((8, 9), (9, 8), (7, 7), (10, 11)):
        x = ints(12, 3, *size)
        op = Pool("max", kernel, stride, padding, ceil_mode=True)
        expected = onnx_oracle.run("MaxPool", x[None], attributes=attributes)[0]
        assert close(golden(op, NO_WEIGHTS, x), expected)
        for count in (False, True):
            op = Pool("average", kernel, stride, padding, True, count)
            both = {**attributes, "count_include_pad": int(count)}
            real = onnx_oracle.run("AveragePool", x[None].astype(np.float32), attributes=both)[0]
            assert close(golden(op, NO_WEIGHTS, x), real)


@pytest.mark.parametrize("other", [(3, 4, 5), (3, 1, 1), (1, 4, 5), (1, 1, 1), (1, 4, 1)], ids=str)
def test_multiply_equals_onnxruntime(other):
    x, y = ints(18, 3, 4, 5), ints(19, *other)
    wide = x.astype(np.int32), y.astype(np.int32)
    expected = onnx_oracle.run("Mul", *wide, attributes={})
    assert close(golden(Multiply(), NO_WEIGHTS, x, y), expected)
    assert close(golden(Multiply(), NO_WEIGHTS, y, x), expected)


def test_batch_norm_equals_onnxruntime():
    x, (gamma, beta) = ints(20, 5, 3, 4), ints(21, 2, 5)
    factor, offset = gamma.astype(np.float32) / 128, beta.astype(np.float32)
    trained = np.zeros(5, np.float32), np.ones(5, np.float32)
    real = onnx_oracle.run(
        "BatchNormalization",
        *(x[None].astype(np.float32), factor, offset, *trained),
        attributes={"epsilon": 0.0},
    )[0]
    assert close(golden(BatchNorm(), np.stack((factor, offset)), x), real)


def test_global_response_norm_equals_its_formula():
    """As timm has it: x + gamma x n + beta, n a channel's norm over the average of all."""
    x, (gamma, beta) = ints(26, 40, 6, 5), ints(27, 2, 40)
    x[1] = 0
    real = x / np.arange(1, 41)[:, None, None]
    norms = np.linalg.norm(real.reshape(40, -1), axis=1)
    shares = (norms / (norms.mean() + 1e-6))[:, None, None]
    g, b = gamma[:, None, None] / 128, beta[:, None, None]
    made = golden(GlobalResponseNorm(), np.stack((gamma / 128, beta)), real)
    assert close(made, real + g * real * shares + b)


def test_global_response_norm_of_zeros_is_beta():
    x, weights = np.zeros((3, 2, 2), np.int8), ints(28, 2, 3)
    expected = np.broadcast_to(weights[1].astype(int)[:, None, None], x.shape)
    assert close(golden(GlobalResponseNorm(), weights, x), expected)


@pytest.mark.parametrize("heads", [1, 3, 12])
def test_softmax_equals_onnxruntime(heads):
    x = ints(22, 12 * 16, 5, 1)
    apart = (x.astype(np.float32) / 16).reshape(heads, -1, 5, 1)
    real = onnx_oracle.run("Softmax", apart, attributes={"axis": 1}).reshape(x.shape)
    assert close(golden(Softmax(heads, 1 / 16), NO_WEIGHTS, x), real)


@pytest.mark.parametrize(("order", "mode"), [("crd", "CRD"), ("dcr", "DCR")])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle_equals_onnxruntime(order, mode, factor):
    x = ints(23, 36, 3, 2)
    attributes = {"blocksize": factor, "mode": mode}
    expected = onnx_oracle.run("DepthToSpace", x[None].astype(np.float32), attributes=attributes)
    assert close(golden(PixelShuffle(factor, order), NO_WEIGHTS, x), expected[0])


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(8, 10), (15, 12), (3, 4), (4, 5), (1, 1), (1, 9)], ids=str)
def test_bilinear_resize_equals_onnxruntime(size, align_corners):
    x = ints(24, 3, 4, 5)
    mode = "align_corners" if align_corners else "half_pixel"
    attributes = {"mode": "linear", "coordinate_transformation_mode": mode}
    sizes = np.array((1, 3, *size), np.int64)
    values = x[None].astype(np.float32)
    real = onnx_oracle.run("Resize", values, None, None, sizes, attributes=attributes)[0]
    op = Resize(size, mode="bilinear", align_corners=align_corners)
    assert close(golden(op, NO_WEIGHTS, x), real)


def test_a_factor_says_the_size():
    x = ints(25, 2, 3, 4)
    for mode in ("nearest", "bilinear"):
        by_factor, by_size = Resize(factor=(2, 3), mode=mode), Resize((6, 12), mode=mode)
        assert np.array_equal(golden(by_factor, NO_WEIGHTS, x), golden(by_size, NO_WEIGHTS, x))


@pytest.mark.parametrize("size", [(8, 10), (15, 12), (3, 4), (4, 5), (1, 1)], ids=str)
def test_resize_equals_onnxruntime(size):
    x = ints(16, 3, 4, 5)
    attributes = {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric",
    }
    sizes = np.array((1, 3, *size), np.int64)
    expected = onnx_oracle.run("Resize", x[None], None, None, sizes, attributes=attributes)[0]
    assert close(golden(Resize(size), NO_WEIGHTS, x), expected)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 12])
def test_channel_shuffle_equals_onnxruntime(groups):
    x = ints(17, 12, 3, 2)
    apart = np.array((groups, 12 // groups, 3, 2), np.int64)
    cut = onnx_oracle.run("Reshape", x, apart, attributes={})
    turned = onnx_oracle.run("Transpose", cut, attributes={"perm": (1, 0, 2, 3)})
    whole = np.array((12, 3, 2), np.int64)
    expected = onnx_oracle.run("Reshape", turned, whole, attributes={})
    assert close(golden(ChannelShuffle(groups), NO_WEIGHTS, x), expected)


def test_global_pool_equals_onnxruntime():
    x = ints(13, 50, 4, 4)
    real = onnx_oracle.run("GlobalAveragePool", x[None].astype(np.float32), attributes={})[0]
    assert close(golden(GlobalPool(), NO_WEIGHTS, x), real)


def test_linear_equals_onnxruntime():
    x, weights = ints(14, 20, 3, 3), ints(15, 11, 180)
    expected = onnx_oracle.run("MatMulInteger", weights, x.reshape(-1, 1), attributes={})
    assert np.array_equal(Linear(11).golden(weights, x).reshape(-1, 1), expected)


@pytest.mark.parametrize("transpose_b", [False, True])
def test_matmul_equals_onnxruntime(transpose_b):
    """Heads as PyTorch and ONNX lay them out: a batch of matrices of tokens by channels."""
    heads, m, n, k = 3, 7, 5, 4
    a, b = ints(18, heads, m, k), ints(19, *((heads, n, k) if transpose_b else (heads, k, n)))
    columns = b.swapaxes(1, 2) if transpose_b else b
    real = [each.astype(np.float64) for each in (a, columns)]
    expected = onnx_oracle.run("MatMul", *real, attributes={})
    maps = [each.swapaxes(1, 2).reshape(-1, each.shape[1], 1) for each in (a, b)]
    found = Matmul(heads, transpose_b).golden(NO_WEIGHTS, *maps)
    assert np.array_equal(found.reshape(heads, n, m).swapaxes(1, 2), expected)


def test_attention_of_bert_base():
    """12 heads of 64 channels, 128 tokens (arXiv 1810.04805): two products without parameters."""
    tokens = (768, 128, 1)
    layers = (
        Layer("scores", Matmul(12, transpose_b=True), ("input", "input")),
        Layer("context", Matmul(12), ("scores", "input")),
    )
    network = Network("attention", tokens, layers)
    assert network.shape("scores") == (12 * 128, 128, 1)
    assert network.shape("context") == tokens
    assert [network.macs(layer) for layer in layers] == [12 * 128 * 128 * 64] * 2
    assert [network.live_macs(layer) for layer in layers] == [12_582_912] * 2
    assert network.total_params == 0


# --- sums at the ends of their range


@pytest.mark.parametrize("depth", [1023, 1024, 1025, 2048])
def test_sums_beyond_float32_are_exact(depth):
    x, weights = np.full((depth, 1, 1), -128, np.int8), np.full((1, depth), -128, np.int8)
    weights[0, -1] = 127  # the last product is odd in its lowest bits
    x[-1] = 127
    assert Linear(1).golden(weights, x).item() == (depth - 1) * 2**14 + 127 * 127


def test_the_longest_sum_that_fits_int32_is_exact():
    depth = 2**17 - 1
    x, weights = np.full((depth, 1, 1), -128, np.int8), np.full((1, depth), -128, np.int8)
    assert Linear(1).golden(weights, x).item() == depth * 2**14
    assert depth * 2**14 < 2**31 <= (depth + 1) * 2**14


def test_a_sum_that_could_exceed_int32_is_refused():
    depth = 2**17
    x, weights = np.zeros((depth, 1, 1), np.int8), np.full((1, depth), -128, np.int8)
    with pytest.raises(UnsupportedError, match="131072 products up to 16384 can exceed int32"):
        Linear(1).golden(weights, x)


def test_the_weights_say_whether_a_sum_can_exceed_int32():
    depth = 2**18
    x, weights = np.full((depth, 1, 1), -128, np.int8), np.full((1, depth), 63, np.int8)
    assert Linear(1).golden(weights, x).item() == -128 * 63 * depth > -(2**31)


def test_a_map_cut_by_the_stride_needs_no_rows_below():
    """Rows that no window reaches are read by nothing, padded or not."""
    conv = Conv(c=1, h=9, w=9, k=1, oh=2, ow=2, fh=2, fw=2, sh=4, sw=4)
    x, weights = ints(1, 1, 9, 9), ints(2, 1, 1, 2, 2)
    assert np.array_equal(convolve(conv, weights, x), naive.conv2d(x, weights, (4, 4))[:, :2, :2])


# --- macro operators


def expand(op, name, shape):
    return Network("n", shape, op.expand(name, ("input",), shape))


@pytest.mark.parametrize(
    ("channels", "full", "horizontal", "vertical"),
    [(8, False, 4, 4), (7, False, 4, 3), (8, True, 8, 8), (2, False, 1, 1)],
)
def test_fuse_pair(channels, full, horizontal, vertical):
    shape = (channels, 9, 8)
    op = FusePair(3, (2, 2), full, norm=True, activation="relu6")
    network = expand(op, "b1.dw", shape)
    h, v, both = network.layers
    assert (h.name, v.name, both.name) == ("b1.dw_h", "b1.dw_v", "b1.dw")
    assert network.shape("b1.dw_h") == (horizontal, 5, 4)
    assert network.shape("b1.dw_v") == (vertical, 5, 4)
    assert network.shape("b1.dw") == (horizontal + vertical, 5, 4)
    assert h.norm == v.norm is True
    assert not both.norm
    assert (h.activation, v.activation, both.activation) == ("relu6", "relu6", "none")
    # FuSeConv (arXiv 2105.13434): (2 / D) C K weights; batch norms have two per channel.
    assert network.total_params == (3 + 2) * (horizontal + vertical)
    x, w = ints(1, *shape), ints(2, horizontal, 1, 1, 3)
    expected = naive.conv2d(x[:horizontal], w, (2, 2), (0, 0, 1, 1), groups=horizontal)
    assert np.array_equal(h.op.golden(w, x), expected)
    x, w = ints(1, *shape), ints(2, vertical, 1, 3, 1)
    expected = naive.conv2d(x[channels - vertical :], w, (2, 2), (1, 1, 0, 0), groups=vertical)
    assert np.array_equal(v.op.golden(w, x), expected)


def test_fuse_pair_of_one_channel_is_horizontal_only():
    network = expand(FusePair(3), "dw", (1, 4, 4))
    assert [layer.name for layer in network.layers] == ["dw_h", "dw"]
    assert network.shape("dw") == (1, 4, 4)


def test_squeeze_excite():
    shape = (16, 5, 4)
    network = expand(SqueezeExcite(4, "relu", "hsigmoid"), "b1.se", shape)
    names = ["b1.se_pool", "b1.se1", "b1.se2", "b1.se"]
    assert [layer.name for layer in network.layers] == names
    assert [network.shape(name)[0] for name in names] == [16, 4, 16, 16]
    assert network.shape("b1.se") == shape
    assert network.total_params == (16 * 4 + 4) + (4 * 16 + 16)
    assert network.layers[3].inputs == ("input", "b1.se2")
    assert [layer.activation for layer in network.layers] == ["none", "relu", "hsigmoid", "none"]


# --- what does not fit


def bad(make, message):
    return pytest.param(make, message, id=message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        bad(lambda: Conv2d(0, (3, 3)), "out_channels must be a whole number of at least 1, not 0"),
        bad(
            lambda: Conv2d("5", (3, 3)),
            "out_channels must be a whole number of at least 1, not '5'",
        ),
        bad(lambda: Conv2d(True, (3, 3)), "out_channels must be a whole number .* not True"),
        bad(lambda: Conv2d(5, 3), "kernel must be two whole numbers of at least 1, .*, not 3"),
        bad(lambda: Conv2d(5, (3, 0)), r"kernel must be two whole numbers .*, not \[3, 0\]"),
        bad(lambda: Conv2d(5, (3, 3), (1, 1, 1)), r"stride must be .*, not \[1, 1, 1\]"),
        bad(lambda: Conv2d(5, (3, 3), dilation=(1, 1.5)), r"dilation must be .*, not \[1, 1.5\]"),
        bad(lambda: Conv2d(5, (3, 3), padding="valid"), "padding must be 'same', .*, not 'valid'"),
        bad(lambda: Conv2d(5, (3, 3), padding=(1, 1)), r"padding must be .*, not \[1, 1\]"),
        bad(lambda: Conv2d(5, (3, 3), padding=-1), "padding must be .*, not -1"),
        bad(lambda: Conv2d(5, (3, 3), groups=0), "groups must be a whole number .*, not 0"),
        bad(Depthwise, "kernel or kernels must be given, one of the two"),
        bad(lambda: Depthwise((3, 3), kernels=((3, 3),)), "kernel or kernels must be given"),
        bad(
            lambda: Depthwise(kernels=((3, 3), 5)), r"kernels must be a list .* not \[\[3, 3\], 5\]"
        ),
        bad(lambda: Depthwise(kernels=3), "kernels must be a list .* not 3"),
        bad(lambda: Depthwise((3, 3), multiplier=0), "multiplier must be .* not 0"),
        bad(lambda: Depthwise((3, 3), channels=(0, -1)), r"channels must be .* not \[0, -1\]"),
        bad(lambda: Slice((3, -1)), r"channels must be two whole numbers, .* not \[3, -1\]"),
        bad(lambda: ChannelShuffle(0), "groups must be a whole number of at least 1, not 0"),
        bad(lambda: Reshape((2, 3)), r"shape must be three whole numbers .*, not \[2, 3\]"),
        bad(lambda: Reshape((2, 3, 1), (0, 1, 1)), r"order must be .*, not \[0, 1, 1\]"),
        bad(lambda: Modulate((2, 0, 1)), r"shape must be three whole numbers .*, not \[2, 0, 1\]"),
        bad(lambda: DynamicDepthwise(3), "kernel must be two whole numbers .*, not 3"),
        bad(lambda: Resize((0, 3)), r"size must be two whole numbers .* not \[0, 3\]"),
        bad(lambda: Resize(factor=(2, 0.5)), r"factor must be two whole numbers .* not \[2, 0.5\]"),
        bad(Resize, "size or factor must be given, one of the two"),
        bad(lambda: Resize((2, 2), (2, 2)), "size or factor must be given, one of the two"),
        bad(lambda: Resize((2, 2), mode="cubic"), "mode must be one of nearest, bilinear, not 'cu"),
        bad(lambda: Resize((2, 2), align_corners=True), "align_corners is of mode bilinear, not"),
        bad(lambda: Resize((2, 2), align_corners=1), "align_corners must be true or false, not 1"),
        bad(lambda: Crop((3, -1)), r"rows must be two whole numbers, .* not \[3, -1\]"),
        bad(lambda: Crop(columns=5), "columns must be two whole numbers, .* not 5"),
        bad(lambda: PadChannels(-1), "before must be a whole number of at least 0, not -1"),
        bad(lambda: PadChannels(0, 1.5), "after must be a whole number of at least 0, not 1.5"),
        bad(lambda: Tokens(-1), "learned must be a whole number of at least 0, not -1"),
        bad(lambda: PixelShuffle(0), "factor must be a whole number of at least 1, not 0"),
        bad(lambda: PixelShuffle(2, "rcd"), "order must be one of crd, dcr, not 'rcd'"),
        bad(lambda: Softmax(heads=0), "heads must be a whole number of at least 1, not 0"),
        bad(lambda: Pool("max", (2, 2), ceil_mode=1), "ceil_mode must be true or false, not 1"),
        bad(
            lambda: Pool("average", (2, 2), count_include_pad="no"),
            "count_include_pad must be true or false, not 'no'",
        ),
        bad(
            lambda: Pool("max", (2, 2), count_include_pad=True),
            "count_include_pad is of kind average, not of max",
        ),
        bad(lambda: Pointwise(-2), "out_channels must be .*, not -2"),
        bad(lambda: Linear(0), "out_features must be .*, not 0"),
        bad(lambda: Matmul(0), "heads must be a whole number of at least 1, not 0"),
        bad(lambda: Matmul(transpose_b=1), "transpose_b must be true or false, not 1"),
        bad(lambda: Pool("min", (2, 2)), "kind must be one of max, average, not 'min'"),
        bad(lambda: Activation("tanh"), "function must be one of none, relu, .*, not 'tanh'"),
        bad(lambda: FusePair((3, 3)), r"kernel must be a whole number of at least 1, not \[3, 3\]"),
        bad(lambda: FusePair(3, full="half"), "full must be true or false, not 'half'"),
        bad(lambda: FusePair(3, padding=(1, 1, 1, 1)), "padding must be one of same, same_tf, not"),
        bad(lambda: SqueezeExcite(0), "reduced must be .*, not 0"),
        bad(lambda: SqueezeExcite(4, gate="step"), "gate must be one of .*, not 'step'"),
    ],
)
def test_attributes_are_checked_at_construction(make, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        make()


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        (Conv2d(4, (5, 3)), [(2, 4, 9)], "kernel reach 5 is larger than the padded input 4"),
        (Conv2d(4, (3, 3), dilation=(1, 4)), [(2, 9, 8)], "kernel reach 9 is larger .* 8"),
        (
            Conv2d(4, (1, 1), groups=3),
            [(2, 4, 4)],
            "groups must divide the 2 input channels, not be 3",
        ),
        (Conv2d(4, (1, 1), groups=3), [(3, 4, 4)], "groups must divide the 4 output channels"),
        (Pointwise(5, groups=2), [(4, 4, 4)], "groups must divide the 5 output channels"),
        (
            Depthwise(kernels=((3, 3),)),
            [(2, 4, 4)],
            "kernels must be one for each of the 2 .*, not 1",
        ),
        (
            Depthwise(kernels=((3, 3), (1, 1)), padding=0),
            [(2, 4, 4)],
            r"kernels must give one output size, not \[2, 2\], \[4, 4\]",
        ),
        (Depthwise((1, 1), channels=(2, 5)), [(4, 4, 4)], "channels must lie within the 4"),
        (Depthwise((1, 1), channels=(2, 2)), [(4, 4, 4)], "channels must lie within the 4"),
        (
            Conv2d(4, (1, 1)),
            [(1, 1, 1), (4, 1, 1), (4, 1, 1)],
            "inputs of conv2d: it takes 1 input, or 2 of which the second is its kernel, not 3",
        ),
        (Linear(3), [], "inputs of linear: it takes 1 input, or 2 .* its kernel, not 0"),
        *(
            (
                op,
                [(4, 5, 5), (5, 3, 1)],
                rf"inputs of {op.name}: the second is the kernel of {size} values, not \[5, 3, 1\]",
            )
            for op, size in (
                (Conv2d(4, (3, 2), groups=2), 48),
                (Depthwise((2, 2), multiplier=3), 48),
                (Depthwise(kernels=((1, 3), (2, 2)), channels=(1, 3)), 7),
                (Pointwise(6, groups=2), 12),
                (Linear(2), 200),
                (ConvTranspose2d(6, (3, 2), groups=2), 72),
            )
        ),
        (Pool("max", (3, 3)), [(2, 2, 5)], "kernel reach 3 is larger than the padded input 2"),
        (
            Pool("max", (2, 3), padding=2),
            [(2, 5, 5)],
            r"padding must be smaller than the kernel \[2, 3\], not \[2, 2, 2, 2\]",
        ),
        (
            Pool("max", (3, 3), (1, 1), ceil_mode=True),
            [(2, 2, 5)],
            "kernel reach 3 is larger than the padded input 2 and a stride",
        ),
        (PixelShuffle(2), [(6, 2, 2)], "factor must have a square .* 6 channels, not be 2"),
        (Softmax(4), [(6, 2, 2)], "heads must divide the 6 channels, not be 4"),
        (Multiply(), [(2, 2, 2)], "inputs of multiply: it takes 2 inputs, not 1"),
        (
            Multiply(),
            [(4, 2, 3), (2, 2, 3)],
            r"inputs of multiply must be equal or 1 .*, not \[4, 2, 3\] and \[2, 2, 3\]",
        ),
        (Subtract(), [(2, 2, 2)], "inputs of subtract: it takes 2 inputs, not 1"),
        (
            Subtract(),
            [(2, 2, 2), (2, 1, 1)],
            r"inputs of subtract must have one shape, not \[2, 2, 2\] and \[2, 1, 1\]",
        ),
        (
            Modulate((4, 3, 3)),
            [(4, 1, 2)],
            r"inputs of modulate must be 1 or as \[4, 3, 3\] along every axis, not \[4, 1, 2\]",
        ),
        (Reshape((4, 3, 3)), [(4, 3, 2)], r"shape must have the 24 values .*, not be \[4, 3, 3\]"),
        (Crop((2, 5)), [(4, 4, 9)], r"rows must lie within the 4 of the input, not \[2, 5\]"),
        (Crop(None, (3, 3)), [(4, 9, 8)], r"columns must lie within the 8 .*, not \[3, 3\]"),
        (BatchNorm(), [], "inputs of batch_norm: it takes 1 input, not 0"),
        (ChannelShuffle(4), [(6, 2, 2)], "groups must divide the 6 channels, not be 4"),
        (DynamicDepthwise((3, 2)), [(4, 5, 5)], "inputs of dynamic_depthwise: it takes 2 inputs"),
        (
            DynamicDepthwise((3, 2)),
            [(4, 5, 5), (3, 2, 5)],
            r"inputs of dynamic_depthwise: the second .* of 24 values, not \[3, 2, 5\]",
        ),
        (Matmul(), [(4, 5, 1)], "inputs of matmul: it takes 2 inputs, not 1"),
        (
            Matmul(3),
            [(4, 5, 1), (6, 4, 1)],
            "heads must divide the 4 channels of the first input, not be 3",
        ),
        (
            Matmul(2, transpose_b=True),
            [(4, 5, 1), (5, 4, 1)],
            "heads must divide the 5 channels of the second input, not be 2",
        ),
        (
            Matmul(transpose_b=True),
            [(4, 5, 1), (1, 4, 1)],
            r"inputs of matmul: the second must have the 4 channels of the first, not \[1, 4, 1\]",
        ),
        (
            Matmul(2),
            [(8, 5, 1), (6, 8, 1)],
            r"inputs of matmul: the second must have 4 pixels, one .* the first, not \[6, 8, 1\]",
        ),
        (Slice((2, 5)), [(4, 2, 3)], r"channels must lie within the 4 of the input, not \[2, 5\]"),
        (LayerNorm(), [], "inputs of layer_norm: it takes 1 input, not 0"),
        (PadChannels(1), [], "inputs of pad_channels: it takes 1 input, not 0"),
        (Add(), [(1, 2, 3)], "inputs of add: it takes at least 2 inputs, not 1"),
        (Add(), [(1, 2, 3), (3, 2, 1)], r"inputs of add must have one shape, not \[1, 2, 3\] and"),
        (Concat(), [], "inputs of concat: it takes at least 1 input, not 0"),
        (
            Concat(),
            [(1, 2, 3), (1, 3, 2)],
            r"inputs of concat must have one map size, not \[2, 3\]",
        ),
        (Scale(), [(4, 2, 2), (3, 1, 1)], r"inputs of scale: .* \[4, 1, 1\], not \[3, 1, 1\]"),
        (Scale(), [(4, 2, 2), (4, 2, 1)], r"inputs of scale: .* \[4, 1, 1\], not \[4, 2, 1\]"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_name_the_layer(op, inputs, message):
    with pytest.raises(ShapeError, match=f"^{message}"):
        op.out_shape(*inputs)
    if len(inputs) == 1:
        with pytest.raises(ShapeError, match=rf"^{message}.* \(layer a\)$"):
            Network("n", inputs[0], (Layer("a", op, ("input",)),))


def test_a_layer_knows_its_activations():
    with pytest.raises(NetworkError, match=r"activation must be one of .*, not 'tanh' \(layer a\)"):
        Layer("a", Add(), ("input", "input"), activation="tanh")
