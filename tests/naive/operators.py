"""Slow and obvious oracles: nested loops over plain integers, one line of mathematics each."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
Reals = npt.NDArray[np.float64]


def conv2d(
    x: npt.NDArray[np.int8],
    w: npt.NDArray[np.int8],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Ints:
    """int64[k, oh, ow] from x[c, h, w], w[k, c / groups, fh, fw]; padding top, bottom, left, right.

    The output grows as long as the kernel fits into the padded input.
    """
    channels, height, width = x.shape
    filters, depth, fh, fw = w.shape
    assert channels == depth * groups
    assert filters % groups == 0
    top, bottom, left, right = padding
    out = []
    for k in range(filters):
        first = k // (filters // groups) * depth
        plane = []
        y = -top
        while y + dilation[0] * (fh - 1) < height + bottom:
            line = []
            z = -left
            while z + dilation[1] * (fw - 1) < width + right:
                total = 0
                for c in range(depth):
                    for i in range(fh):
                        for j in range(fw):
                            row, column = y + dilation[0] * i, z + dilation[1] * j
                            if 0 <= row < height and 0 <= column < width:
                                total += int(w[k, c, i, j]) * int(x[first + c, row, column])
                line.append(total)
                z += stride[1]
            plane.append(line)
            y += stride[0]
        out.append(plane)
    return np.array(out, np.int64)


def conv_transpose2d(
    x: npt.NDArray[np.int8],
    w: npt.NDArray[np.int8],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    extra: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Ints:
    """int64[k, oh, ow] from x[c, h, w], w[c, k / groups, fh, fw]: every product goes to its output.

    padding : outputs that are cut off.  extra : output rows and columns in addition.
    """
    channels, height, width = x.shape
    _, each, fh, fw = w.shape
    top, bottom, left, right = padding
    rows = (height - 1) * stride[0] + dilation[0] * (fh - 1) + 1 + extra[0]
    columns = (width - 1) * stride[1] + dilation[1] * (fw - 1) + 1 + extra[1]
    out = np.zeros((each * groups, rows, columns), np.int64)
    for c in range(channels):
        first = c // (channels // groups) * each
        for y, z, k, i, j in np.ndindex(height, width, each, fh, fw):
            place = y * stride[0] + i * dilation[0], z * stride[1] + j * dilation[1]
            out[first + k, *place] += int(w[c, k, i, j]) * int(x[c, y, z])
    return out[:, top : rows - bottom, left : columns - right]


def depthwise(
    x: npt.NDArray[np.int8],
    kernels: Sequence[npt.NDArray[np.int8]],
    stride: Sequence[int] = (1, 1),
    paddings: Sequence[Sequence[int]] = (),
    dilation: Sequence[int] = (1, 1),
) -> Ints:
    """int64[c, oh, ow]: channel c of x with kernels[c], of any shape, and paddings[c]."""
    planes = [
        conv2d(x[c : c + 1], w[None, None], stride, paddings[c], dilation)[0]
        for c, w in enumerate(kernels)
    ]
    return np.stack(planes)


def begins(
    size: int, kernel: int, stride: int, before: int, after: int, ceil_mode: bool
) -> list[int]:
    """Where pooling windows begin along an axis: as long as they fit into the padded map.

    With ceil_mode as long as they begin in the map or before it and the one before has not reached
    the end of the padding.
    """
    places = [-before]
    if not ceil_mode:
        return list(range(-before, size + after - kernel + 1, stride))
    while places[-1] + kernel < size + after and places[-1] + stride < size:
        places.append(places[-1] + stride)
    return places


def windows(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    ceil_mode: bool = False,
    outside: int | None = None,
) -> list[list[list[list[int]]]]:
    """The values under every pooling window [c][oh][ow]; padding has `outside`, if any."""
    channels, height, width = x.shape
    top, bottom, left, right = padding

    def value(c: int, row: int, column: int) -> list[int]:
        if 0 <= row < height and 0 <= column < width:
            return [int(x[c, row, column])]
        within = row < height + bottom and column < width + right
        return [outside] if outside is not None and within else []

    return [
        [
            [
                [
                    v
                    for row in range(y, y + kernel[0])
                    for column in range(z, z + kernel[1])
                    for v in value(c, row, column)
                ]
                for z in begins(width, kernel[1], stride[1], left, right, ceil_mode)
            ]
            for y in begins(height, kernel[0], stride[0], top, bottom, ceil_mode)
        ]
        for c in range(channels)
    ]


def max_pool(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    ceil_mode: bool = False,
) -> Ints:
    """int64[c, oh, ow]: the greatest value under each window."""
    found = windows(x, kernel, stride, padding, ceil_mode)
    return np.array([[[max(v) for v in r] for r in p] for p in found])


def average_pool(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    ceil_mode: bool = False,
    outside: int | None = None,
) -> Ints:
    """float64[c, oh, ow]: the mean under each window."""
    found = windows(x, kernel, stride, padding, ceil_mode, outside)
    return np.array([[[sum(v) / len(v) for v in r] for r in p] for p in found])


def between(size: int, count: int, align_corners: bool) -> list[tuple[int, int, Fraction]]:
    """What every position of a resized axis lies between, and how far from the first of the two."""
    found = []
    for i in range(count):
        if align_corners:
            place = Fraction(i * (size - 1), count - 1) if count > 1 else Fraction(0)
        else:
            place = (i + Fraction(1, 2)) * Fraction(size, count) - Fraction(1, 2)
        place = min(max(place, Fraction(0)), Fraction(size - 1))
        found.append((math.floor(place), math.ceil(place), place - math.floor(place)))
    return found


def bilinear(x: npt.NDArray[np.int8], size: Sequence[int], align_corners: bool) -> Ints:
    """float64[c, oh, ow]: between four pixels each."""
    rows, columns = (
        between(n, count, align_corners) for n, count in zip(x.shape[1:], size, strict=True)
    )
    return np.array(
        [
            [
                [
                    float(
                        (1 - u) * ((1 - v) * int(p[top, left]) + v * int(p[top, right]))
                        + u * ((1 - v) * int(p[bottom, left]) + v * int(p[bottom, right]))
                    )
                    for left, right, v in columns
                ]
                for top, bottom, u in rows
            ]
            for p in x
        ]
    )


def softmax(x: Numbers, heads: int, factor: float = 1.0) -> Reals:
    """float64[c, h, w]: shares of the powers of e of a head's channels."""
    each = len(x) // heads
    out = np.zeros(x.shape)
    for c, row, column in np.ndindex(*x.shape):
        first = c // each * each
        head = [factor * float(q) for q in x[first : first + each, row, column]]
        powers = [math.exp(q - max(head)) for q in head]
        out[c, row, column] = powers[c - first] / sum(powers)
    return out


def global_response_norm(x: Numbers, gamma: Numbers, beta: Numbers) -> Reals:
    """float64[c, h, w]: gamma x n + beta + x, n a channel's norm over the average of all."""
    norms = [math.sqrt(sum(float(v) ** 2 for v in plane.flat)) for plane in x]
    average = sum(norms) / len(norms) + 1e-6
    out = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        c, value = place[0], float(x[place])
        out[place] = float(gamma[c]) * value * norms[c] / average + float(beta[c]) + value
    return out


def layer_norm(x: Numbers, gamma: Numbers, beta: Numbers) -> Reals:
    """float64[c, h, w]: gamma z + beta, z the channels of a pixel less mean over deviation."""
    channels, height, width = x.shape
    out = np.zeros(x.shape)
    for row, column in np.ndindex(height, width):
        pixel = [float(value) for value in x[:, row, column]]
        mean = sum(pixel) / channels
        deviation = math.sqrt(sum((p - mean) ** 2 for p in pixel) / channels + 1e-6)
        for c, p in enumerate(pixel):
            out[c, row, column] = float(gamma[c]) * (p - mean) / deviation + float(beta[c])
    return out


def matmul(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> Ints:
    """int64[m, n] from a[m, k] and b[k, n]."""
    return np.array(
        [
            [sum(int(u) * int(v) for u, v in zip(row, column, strict=True)) for column in b.T]
            for row in a
        ]
    )


def pixels(x: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """int8[h w, c] from x[c, h, w]: the channels of every pixel, row by row."""
    channels, height, width = x.shape
    return np.array(
        [
            [x[c, row, column] for c in range(channels)]
            for row in range(height)
            for column in range(width)
        ]
    )


def live_macs(conv):
    """Products of a weight and a value of the map: pairs of an output and a tap that meets one."""
    down = [
        sum(0 <= oy * conv.sh + ky * conv.dh - conv.pt < conv.h for oy in range(conv.oh))
        for ky in range(conv.fh)
    ]
    across = [
        sum(0 <= ox * conv.sw + kx * conv.dw - conv.pl < conv.w for ox in range(conv.ow))
        for kx in range(conv.fw)
    ]
    if conv.live is None:
        return conv.n * conv.k * (conv.c // conv.groups) * sum(down) * sum(across)
    return (
        conv.n
        * conv.k
        * sum(
            run.channels * down[tap // conv.fw] * across[tap % conv.fw]
            for run in conv.live
            for tap in run.taps
        )
    )
