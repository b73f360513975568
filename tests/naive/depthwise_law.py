"""Clocks of passes of the depthwise engine, tile by tile from its published formula."""

import math

from accelsim.engines.base import passes_of
from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode, DepthwisePass


def tile_taps(pixels: int, p: DepthwisePass) -> list[int]:
    """Taps that every tile of a pass runs, kernel position by kernel position."""

    def meeting(kernel, stride, dilation, padding, size, a, b):
        """Kernel positions whose inputs, over outputs a to b, overlap the map."""
        starts = (k * dilation - padding for k in range(kernel))
        return sum(a * stride + start < size and b * stride + start >= 0 for start in starts)

    def taps(top, bottom, left, right):
        rows = meeting(p.fh, p.sh, p.dh, p.pt, p.h, top, bottom)
        return rows * meeting(p.fw, p.sw, p.dw, p.pl, p.w, left, right)

    if p.opcode == DepthwiseOpcode.ROW:
        return [
            taps(y, y, x, min(x + pixels, p.ow) - 1)
            for y in range(p.oh)
            for x in range(0, p.ow, pixels)
        ]
    pitch = max(-(-p.w // p.sw), p.ow)
    end = (p.oh - 1) * pitch + p.ow
    taps_of_tiles = []
    for first in range(0, end, pixels):
        (top, left), (bottom, right) = (
            divmod(first, pitch),
            divmod(min(first + pixels, end) - 1, pitch),
        )
        if top != bottom:
            left, right = 0, p.ow - 1
        taps_of_tiles.append(taps(top, bottom, min(left, p.ow - 1), min(right, p.ow - 1)))
    return taps_of_tiles


def tile_clocks(pixels: int, p: DepthwisePass) -> list[int]:
    """M of every tile of a pass; one without a tap takes a clock."""
    return [max(1, taps) for taps in tile_taps(pixels, p)]


def law(engine: DepthwiseEngine, body) -> int:
    """Clocks of a sequence on an engine that is filled from outside, tile by tile."""
    total, drain = 10, 0
    for p in passes_of(body):
        for clocks in tile_clocks(engine.pixels, p):
            total += max(clocks, drain)
            drain = -(-p.channels // engine.result_lanes)
    return total + drain


def law_with_fill(engine: DepthwiseEngine, body) -> int:
    """The same behind a fill port: two halves of the memories take turns.

    `fill` ends a fill, `last` issues a pass's last tap, `drained` frees the result port, all as
    the first clock after. A pass begins six clocks behind its fill, and no earlier than its first
    tile has been made: so many clocks behind the start of the fill as the kernels' largest size
    has bits, and 19 more, or twice as many as pixels can be halved, and twelve more.
    """
    made = max(
        2 * math.ceil(math.log2(engine.pixels)) + 12, math.floor(math.log2(engine.max_kernel)) + 20
    )
    fill = last = drained = 0
    before_last: list[int] = [0, 0]  # when the halves were released
    for p in passes_of(body):
        beats = -(-p.channels * engine.pixels // engine.fill_port)
        layout = p.layout(engine.pixels)
        words = p.sh * p.sw * layout.plane_words
        start = max(fill, before_last[0])
        fill = start + max(words * beats, p.fh * p.fw)
        drain = -(-p.channels // engine.result_lanes)
        clock = max(last, fill + 6, start + made)
        for clocks in tile_clocks(engine.pixels, p):
            clock = max(clock + clocks, drained)
            drained = clock + drain
        last = clock
        before_last = [before_last[1], last + 2]
    return drained + 10
