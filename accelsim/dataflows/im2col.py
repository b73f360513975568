"""Convolutions as matrix products: what stands where, for single outputs or for blocks.

The outputs of several images stand behind one another: more rows of pixels, the same weights.
"""

from functools import lru_cache
from math import gcd, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.base import Indices, ceil_div, stored
from accelsim.ir import Conv


class Gemm(NamedTuple):
    """A Conv as matrix products, one per group; index maps.

    One row of `pixels` holds the inputs of a block of outputs, and `weights` has a row for every
    output of a block: zero where that output does not see an input. Blocks of one output are
    im2col.

    pixels : int32[groups, blocks, K] into (0, x, w); 0 is padding.
    weights : int32[groups, outputs per block, K] into (0, x, w).
    dest : int32[groups, blocks, outputs per block], index in the output; -1 beyond its edge.

    Blocks are those of all images.
    """

    pixels: Indices
    weights: Indices
    dest: Indices


class Window(NamedTuple):
    """Blocks of outputs along one axis.

    source : int[blocks, inputs], coordinates in the map, which may lie outside.
    tap : int[outputs of a block, inputs], the tap by which an output sees an input, or -1.
    """

    source: npt.NDArray[np.int64]
    tap: npt.NDArray[np.int64]


def reach(block: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """Offsets of the inputs that `block` neighbouring outputs see along one axis."""
    return sorted({i * stride + t * dilation for i in range(block) for t in range(kernel)})


@lru_cache(1 << 14)
def seen(block: int, kernel: int, stride: int, dilation: int) -> int:
    """How many inputs `block` neighbouring outputs see along one axis.

    Of the pairs (output, tap), those that see the same input differ by multiples of
    (dilation, -stride) / gcd(stride, dilation).
    """
    common = gcd(stride, dilation)
    twice = max(0, block - dilation // common) * max(0, kernel - stride // common)
    return block * kernel - twice


def _window(
    block: int, outputs: int, kernel: int, stride: int, dilation: int, padding: int
) -> Window:
    inputs = np.array(reach(block, kernel, stride, dilation))
    start = np.arange(ceil_div(outputs, block)) * block * stride - padding
    tap, rest = np.divmod(inputs - np.arange(block)[:, None] * stride, dilation)
    return Window(
        start[:, None] + inputs, np.where((rest == 0) & (tap >= 0) & (tap < kernel), tap, -1)
    )


def gemm(conv: Conv, block: tuple[int, int] = (1, 1)) -> Gemm:
    """The index maps of a Conv for blocks of (rows, columns) outputs."""
    if conv.live is not None:
        return _without_zeros(conv, gemm(conv._replace(live=None), block))
    groups, channels, outputs = conv.groups, conv.c // conv.groups, conv.k // conv.groups
    y = _window(block[0], conv.oh, conv.fh, conv.sh, conv.dh, conv.pt)
    x = _window(block[1], conv.ow, conv.fw, conv.sw, conv.dw, conv.pl)
    plane = y.source[:, None, :, None] * conv.w + x.source[None, :, None, :] + 1
    channel = (np.arange(conv.c) * conv.h * conv.w).astype(np.int32).reshape(groups, channels)
    pixels = plane.astype(np.int32)[None, :, :, None] + channel[:, None, None, :, None, None]
    inside_y = (y.source >= 0) & (y.source < conv.h)
    inside_x = (x.source >= 0) & (x.source < conv.w)
    if not (inside_y.all() and inside_x.all()):
        pixels *= (inside_y[:, None, :, None] & inside_x[None, :, None, :])[None, :, :, None]

    seen = (y.tap >= 0)[:, None, :, None] & (x.tap >= 0)[None, :, None, :]
    kernel = (y.tap[:, None, :, None] * conv.fw + x.tap[None, :, None, :]).astype(np.int32)
    first = 1 + prod(conv.in_shape)
    filters = np.arange(conv.k * channels, dtype=np.int32) * (conv.fh * conv.fw) + first
    shape = (groups, outputs, 1, 1, channels, 1, 1)
    weights = filters.reshape(shape) + kernel[:, :, None]
    weights *= seen[:, :, None]

    oy, ox = np.arange(len(y.source) * block[0]), np.arange(len(x.source) * block[1])
    place = np.where((oy < conv.oh)[:, None] & (ox < conv.ow), oy[:, None] * conv.ow + ox, -1)
    tiles = place.reshape(len(y.source), block[0], -1, block[1]).swapaxes(1, 2)
    tiles = tiles.astype(np.int32).reshape(1, -1, 1, block[0] * block[1])
    output = (np.arange(conv.k, dtype=np.int32) * (conv.oh * conv.ow)).reshape(groups, 1, -1, 1)
    dest = np.where(tiles < 0, np.int32(-1), tiles + output)
    depth = channels * pixels.shape[-2] * pixels.shape[-1]
    return Gemm(
        _of_images(conv.n, pixels.reshape(groups, -1, depth), 0, conv.c * conv.h * conv.w),
        weights.reshape(groups, -1, depth),
        _of_images(conv.n, dest.reshape(groups, tiles.shape[1], -1), -1, prod(conv.out_shape[-3:])),
    )


def _without_zeros(conv: Conv, dense: Gemm) -> Gemm:
    """The index maps without inputs that no output sees, from those of all taps."""
    values, kernels = prod(conv.in_shape), stored(conv)
    place = np.concatenate([np.zeros(values + 1, np.int32), kernels.ravel()])[dense.weights]
    weights = (place + (place > 0) * values).astype(np.int32)
    seen = weights.any(axis=(0, 1))
    return Gemm(dense.pixels[..., seen], weights[..., seen], dense.dest)


def _of_images(images: int, places: Indices, none: int, size: int) -> Indices:
    """int32[groups, images x blocks, ...] from [groups, blocks, ...], an image every `size` values.

    none : the index that stands for no value, of any image.
    """
    if images == 1:
        return places
    first = np.arange(images, dtype=np.int32)[:, None, None] * np.int32(size)
    every: Indices = places[:, None] + first * (places != none)[:, None]
    return every.reshape(len(places), -1, places.shape[-1])
