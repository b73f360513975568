"""Random depthwise convolutions and engines for them, every kernel class among them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from accelsim.dataflows import Dataflow, Plan
from accelsim.engines.base import passes_of
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from accelsim.passes import DepthwiseOpcode, DepthwisePass

SMALL_KERNELS = (
    *((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (1, 2), (7, 1), (1, 11), (3, 5), (6, 2), (7, 7)),
)
LARGE_KERNELS = ((31, 31), (51, 5), (5, 51), (13, 13), (1, 31), (31, 1), (27, 27))


@st.composite
def convolutions(draw, kernels=SMALL_KERNELS, most_channels=9, most_size=14):
    """Convs of any stride up to 4, dilation up to 8 and padding, of at least one output."""
    fh, fw = draw(st.sampled_from(kernels))
    sh, sw = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dh, dw = draw(st.tuples(*[st.sampled_from((1, 1, 1, 2, 3, 5, 8))] * 2))
    pads = st.integers(0, 6) | st.integers(0, max(fh, fw) // 2)
    top, bottom, left, right = draw(st.tuples(pads, pads, pads, pads))
    reach_h, reach_w = dh * (fh - 1) + 1, dw * (fw - 1) + 1
    h = draw(st.integers(max(1, reach_h - top - bottom), max(most_size, reach_h - top - bottom)))
    w = draw(st.integers(max(1, reach_w - left - right), max(most_size, reach_w - left - right)))
    c, multiplier = draw(st.integers(1, most_channels)), draw(st.sampled_from((1, 1, 1, 2)))
    oh, ow = (h + top + bottom - reach_h) // sh + 1, (w + left + right - reach_w) // sw + 1
    return Conv(c, h, w, c * multiplier, oh, ow, fh, fw, sh, sw, dh, dw, top, left, c)


@st.composite
def engines(draw, most=8, fill=True):
    """Engines up to most x most, with any result port, some with a narrow fill port."""
    lanes, pixels = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    results = pixels * draw(st.integers(1, lanes))
    port = draw(st.just(0) | st.integers(1, lanes * pixels)) if fill else 0
    return DepthwiseEngine(
        lanes, pixels, results, port, bank_depth=1 << 15, tap_depth=1 << 11, max_padding=255
    )


def operands(rng: np.random.Generator, conv: Conv):
    """Input int8[c, h, w] and weights int8[k, 1, fh, fw], extreme values among them."""
    values = np.array([-128, 127, 0, 1, -1], np.int8)
    x = rng.integers(-128, 128, (conv.c, conv.h, conv.w)).astype(np.int8)
    w = rng.integers(-128, 128, (conv.k, 1, conv.fh, conv.fw)).astype(np.int8)
    for array in (x, w):
        extreme = rng.random(array.shape) < 0.2
        array[extreme] = rng.choice(values, int(extreme.sum()))
    return x, w


def tile_clocks(pixels: int, p: DepthwisePass) -> list[int]:
    """M of every tile of a pass, kernel position by kernel position."""

    def meeting(kernel, stride, dilation, padding, size, a, b):
        """Kernel positions whose inputs, over outputs a to b, overlap the map."""
        starts = (k * dilation - padding for k in range(kernel))
        return sum(a * stride + start < size and b * stride + start >= 0 for start in starts)

    def clocks(top, bottom, left, right):
        rows = meeting(p.fh, p.sh, p.dh, p.pt, p.h, top, bottom)
        return max(1, rows * meeting(p.fw, p.sw, p.dw, p.pl, p.w, left, right))

    if p.opcode == DepthwiseOpcode.ROW:
        return [
            clocks(y, y, x, min(x + pixels, p.ow) - 1)
            for y in range(p.oh)
            for x in range(0, p.ow, pixels)
        ]
    pitch = max(-(-p.w // p.sw), p.ow)
    end = (p.oh - 1) * pitch + p.ow
    clocks_of_tiles = []
    for first in range(0, end, pixels):
        (top, left), (bottom, right) = (
            divmod(first, pitch),
            divmod(min(first + pixels, end) - 1, pitch),
        )
        if top != bottom:
            left, right = 0, p.ow - 1
        clocks_of_tiles.append(clocks(top, bottom, min(left, p.ow - 1), min(right, p.ow - 1)))
    return clocks_of_tiles


def law(engine: DepthwiseEngine, body) -> int:
    """Clocks of a sequence on an engine that is filled from outside, tile by tile."""
    total, drain = 4, 0
    for p in passes_of(body):
        for clocks in tile_clocks(engine.pixels, p):
            total += max(clocks, drain)
            drain = -(-p.channels // engine.result_lanes)
    return total + drain


def law_with_fill(engine: DepthwiseEngine, body) -> int:
    """The same behind a fill port: two halves of the memories take turns.

    `fill` ends a fill, `last` issues a pass's last tap, `drained` frees the result port, all as
    the first clock after.
    """
    fill = last = drained = 0
    before_last: list[int] = [0, 0]  # when the halves were released
    for p in passes_of(body):
        beats = -(-p.channels * engine.pixels // engine.fill_port)
        layout = p.layout(engine.pixels)
        words = p.sh * p.sw * layout.plane_words
        fill = max(fill, before_last[0]) + max(words * beats, p.fh * p.fw)
        drain = -(-p.channels // engine.result_lanes)
        clock = max(last, fill + 1)
        for clocks in tile_clocks(engine.pixels, p):
            clock = max(clock + clocks, drained)
            drained = clock + drain
        last = clock
        before_last = [before_last[1], last + 1]
    return drained + 4


def plans_of(dataflow: Dataflow, conv: Conv, sizes: Any) -> Iterator[Plan]:
    """Every plan that a dataflow offers for a convolution."""
    for _, tiling in dataflow.tilings(conv, sizes):
        yield Plan(dataflow.body(conv, sizes, tiling), tiling)
