"""Slow and obvious oracles: nested loops over plain integers, one line of mathematics each."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


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


def windows(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
) -> list[list[list[list[int]]]]:
    """The input values under every pooling window [c][oh][ow]; padding has none."""
    channels, height, width = x.shape
    top, bottom, left, right = padding
    return [
        [
            [
                [
                    int(x[c, row, column])
                    for row in range(y, y + kernel[0])
                    for column in range(z, z + kernel[1])
                    if 0 <= row < height and 0 <= column < width
                ]
                for z in range(-left, width + right - kernel[1] + 1, stride[1])
            ]
            for y in range(-top, height + bottom - kernel[0] + 1, stride[0])
        ]
        for c in range(channels)
    ]


def max_pool(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
) -> Ints:
    """int64[c, oh, ow]: the greatest value under each window."""
    return np.array([[[max(v) for v in r] for r in p] for p in windows(x, kernel, stride, padding)])


def average_pool(
    x: npt.NDArray[np.int8],
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
) -> Ints:
    """int64[c, oh, ow]: the mean under each window; Python rounds half to even."""
    return np.array(
        [
            [[round(sum(v) / len(v)) for v in r] for r in p]
            for p in windows(x, kernel, stride, padding)
        ]
    )


def layer_norm(
    x: npt.NDArray[np.int8], gamma: npt.NDArray[np.int8], beta: npt.NDArray[np.int8]
) -> Ints:
    """int64[c, h, w]: gamma round(128 z) + 128 beta, z = (c x - s) / sqrt(c sum x^2 - s^2).

    In integers: the floor of a square root, and then whether its half is passed.
    """
    channels, height, width = x.shape
    out = np.zeros(x.shape, np.int64)
    for row in range(height):
        for column in range(width):
            pixel = [int(value) for value in x[:, row, column]]
            variance = channels * sum(p * p for p in pixel) - sum(pixel) ** 2
            for c, p in enumerate(pixel):
                above = 128 * (channels * p - sum(pixel))
                z = math.isqrt(above * above // variance) if variance else 0
                rest = 4 * above * above - variance * (2 * z + 1) ** 2  # of z + 1/2
                z += rest > 0 or (rest == 0 and z % 2 == 1 and variance > 0)
                z = -z if above < 0 else z
                out[c, row, column] = int(gamma[c]) * z + 128 * int(beta[c])
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
    down = sum(
        0 <= oy * conv.sh + ky * conv.dh - conv.pt < conv.h
        for oy in range(conv.oh)
        for ky in range(conv.fh)
    )
    across = sum(
        0 <= ox * conv.sw + kx * conv.dw - conv.pl < conv.w
        for ox in range(conv.ow)
        for kx in range(conv.fw)
    )
    return conv.k * (conv.c // conv.groups) * down * across
