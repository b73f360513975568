"""Third-party engines, as loop nests: cycles and values without registers and RTL.

Each is the plain nest of a grouped convolution with its loops unrolled as the engine has
multipliers in parallel; what follows from that by the rules of accelsim.hls.nest is all that is
known of their time. The models are therefore optimistic: no engine waits for operands, results,
weights, or for its pipeline to fill, except where it is said. Ports, in words per clock, are stated
as wide as the unrolled loops need them. Publications are of one image; of several, each nest runs
them one after another, outermost, unless it says where they go.

tap_serial
    Chen et al., arXiv 2104.14125, and US 10,861,123: taps are serial in time; pixels, output
    channels and input channels are parallel in space, so that no kernel size, shape or dilation
    is special. The body of the paper could not be read, and no split of the 512 multipliers is
    published: this is the reconstruction from the patents. With Ph x Pw pixels, Pco output, Pci
    input and Pdw depthwise channels at a time and T = kh kw taps it takes

        ceil(Ho / Ph) ceil(Wo / Pw) ceil(Cout / Pco) ceil(Cin / Pci) T   in regular layers,
        ceil(Ho / Ph) ceil(Wo / Pw) ceil(C / Pdw) T                      in depthwise layers.

    Ports: Ph Pw times Pci (depthwise: Pdw) input values, one weight for each of Pco Pci (Pdw)
    lanes, and up to Ph Pw Pco results in the last clock of a tile.
    Plausible: from the 150 and 180 frames per second that are published for RetinaFace without
    and with depthwise layers, a depthwise multiply-accumulate costs 2.3 to 8 times a regular one
    (4.8 at face value). The paper says neither frame size nor clock.

window
    Windows of 3 x 3 multipliers with an adder tree. A larger kernel is cut into
    ceil(kh / 3) ceil(kw / 3) pieces, zero-padded, one after another. Ports: nine input values per
    window and nine weights per channel, at any stride and dilation (no line buffer is modelled),
    one result per window.

column
    One column of multipliers per channel, by im2col: the rows are output pixels, taps enter one
    after another, and the results leave at the bottom one per clock, during which the column
    computes nothing. With one column, ceil(pixels / R) T + pixels clocks for each channel: a
    depthwise layer on an array that uses one of its columns, as in the baseline of FuSeConv
    (arXiv 2105.13434). The pixels of several images stand behind one another. Ports: R input values
    and one weight, or one result, per column.

gemmini
    Genc et al., DAC 2021, after LoopConv.scala and ExecuteController.scala of its repository, for
    a D x D mesh, weight stationary. For every block of D output channels, kernel row, piece of
    a kernel row, and block of D input channels, one tile of weights stays while the output pixels
    pass, up to D of one row per command. A command takes a clock per pixel, at least 4, and the
    last one of a tile D, because the next tile of weights enters behind it. A piece of a kernel
    row is as many taps as fit beside each other: floor(D / inputs), one where rows are dilated.
    Depthwise layers run channel by channel, in one column. A 1 x 1 layer without stride is a
    matrix product, its pixels one row. The images of a batch pass each tile of weights.
    Left out: scratchpad, accumulator and their banks (whole maps are taken to fit), DMA, the
    queue of commands and the latency of the mesh. Ports: D input values and D results.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from accelsim.engines.base import Bound, Engine, least_clocks
from accelsim.hardware import (
    THIRD_PARTY,
    ColumnArray,
    Gemmini,
    TapSerial,
    ThirdPartyEngine,
    WindowEngine,
)
from accelsim.hls.csim import Indices, execute
from accelsim.hls.nest import MULTIPLY, Loop
from accelsim.hls.reports import Resource
from accelsim.ir import Conv
from accelsim.numerics import Int8, Int32
from accelsim.passes import Body

# Loops: those of the sizes of a Conv; PIXELS are all output pixels, row by row, image by image.
IMAGES, GROUPS, FILTERS, DEPTH = "images", "groups", "output channels", "input channels"
OUTPUT_ROWS, OUTPUT_COLUMNS, PIXELS = "output rows", "output columns", "output pixels"
KERNEL_ROWS, KERNEL_COLUMNS = "kernel rows", "kernel columns"
RESULTS, BUBBLES, WEIGHTS = "results", "bubbles", "weights"  # clocks without multiplies

WINDOW = 3  # side of a window's multipliers
SHORTEST = 4  # clocks between writes to an address of Gemmini's accumulator


def nest(engine: ThirdPartyEngine, conv: Conv) -> Loop:
    """The loop nest of a convolution.

    A window or column engine takes groups in parallel, so that it is idle for the most part where
    a convolution is not depthwise.
    """
    match engine:
        case TapSerial():
            return _tap_serial(engine, conv)
        case WindowEngine():
            return _window(engine, conv)
        case ColumnArray():
            return _column(engine, conv)
        case Gemmini():
            return _gemmini(engine, conv)


def _layer_nest(engine: ThirdPartyEngine, convs: Body, name: str) -> Loop:
    """The convolutions of a layer, one after another."""
    return Loop(name, 1, tuple(nest(engine, conv) for conv in convs))


def _bound(engine: ThirdPartyEngine, convs: Sequence[Conv], body: Body) -> Bound:
    """What the multipliers allow; ports are as wide as they need."""
    return least_clocks(convs, engine.multipliers, engine.multipliers)


def _limits(engine: ThirdPartyEngine, conv: Conv) -> None:
    """None are known."""


def _takes_all(convs: Iterable[Conv], depthwise: bool) -> bool:
    return True


def _takes_depthwise(convs: Iterable[Conv], depthwise: bool) -> bool:
    return depthwise


def resources(engine: ThirdPartyEngine) -> tuple[Resource, ...]:
    """Multipliers; nothing else of these engines is known."""
    return (Resource(engine.name, engine.multipliers),)


def simulate(engine: ThirdPartyEngine, conv: Conv, x: Int8, weights: Int8) -> tuple[Int32, int]:
    """The sums by C simulation of the nest, int32[k, oh, ow] or [n, k, oh, ow], and its clocks.

    Parameters
    ----------
    x : int8[c, h, w], or [n, c, h, w].
    weights : int8[k, c / groups, fh, fw].
    """
    out = np.zeros((conv.n, conv.k, conv.oh, conv.ow), np.int32)
    x = x.reshape(conv.n, conv.c, conv.h, conv.w)
    filters, depth = conv.k // conv.groups, conv.c // conv.groups

    def multiply(at: Indices) -> None:
        if MULTIPLY not in at:
            return
        k = at[GROUPS] * filters + at[FILTERS]
        c = at[GROUPS] * depth + at[DEPTH]
        i, j = at[KERNEL_ROWS], at[KERNEL_COLUMNS]
        if PIXELS in at:
            row, ox = divmod(at[PIXELS], conv.ow)
            image, oy = divmod(row, conv.oh)
        else:
            image, oy, ox = at.get(IMAGES, 0), at[OUTPUT_ROWS], at[OUTPUT_COLUMNS]
        y, z = oy * conv.sh + i * conv.dh - conv.pt, ox * conv.sw + j * conv.dw - conv.pl
        if 0 <= y < conv.h and 0 <= z < conv.w:
            weight = np.int32(weights[k, at[DEPTH], i, j])
            out[image, k, oy, ox] += np.int32(x[image, c, y, z]) * weight

    clocks = execute(nest(engine, conv), multiply)
    return out.reshape(conv.out_shape), clocks


def _tap_serial(engine: TapSerial, conv: Conv) -> Loop:
    channels, outputs, inputs = 1, engine.outputs, engine.inputs
    if conv.depthwise and conv.c > 1:  # a lone channel is an ordinary convolution
        channels, outputs, inputs = engine.depthwise, 1, 1
    around = (
        *_images(conv),
        Loop(GROUPS, conv.groups, unroll=channels),
        Loop(OUTPUT_ROWS, conv.oh, unroll=engine.rows),
        Loop(OUTPUT_COLUMNS, conv.ow, unroll=engine.columns),
        Loop(FILTERS, conv.k // conv.groups, unroll=outputs),
        Loop(DEPTH, conv.c // conv.groups, unroll=inputs),
    )
    return _nest(around, _taps(conv))


def _window(engine: WindowEngine, conv: Conv) -> Loop:
    around = (
        *_images(conv),
        Loop(GROUPS, conv.groups, unroll=engine.channels),
        Loop(FILTERS, conv.k // conv.groups),
        Loop(OUTPUT_ROWS, conv.oh),
        Loop(OUTPUT_COLUMNS, conv.ow, unroll=engine.pixels),
        Loop(DEPTH, conv.c // conv.groups),
    )
    return _nest(around, _taps(conv, WINDOW))


def _column(engine: ColumnArray, conv: Conv) -> Loop:
    around = (
        Loop(GROUPS, conv.groups, unroll=engine.columns),
        Loop(FILTERS, conv.k // conv.groups),
    )
    pixels = conv.n * conv.oh * conv.ow
    tiles = (
        Loop(PIXELS, pixels, unroll=engine.rows),
        Loop(DEPTH, conv.c // conv.groups),
    )
    return _nest(around, (_nest(tiles, _taps(conv)), Loop(RESULTS, pixels, pipeline=1)))


def _gemmini(engine: Gemmini, conv: Conv) -> Loop:
    size, depth = engine.size, conv.c // conv.groups
    taps = 1 if conv.dw > 1 or depth > size else min(size // depth, conv.fw)
    tiles = (
        Loop(GROUPS, conv.groups),
        Loop(FILTERS, conv.k // conv.groups, unroll=size),
        Loop(KERNEL_ROWS, conv.fh),
        Loop(KERNEL_COLUMNS, conv.fw, unroll=taps),
        Loop(DEPTH, depth, unroll=size),
    )
    product = (conv.fh, conv.fw, conv.sh, conv.sw) == (1, 1, 1, 1)
    columns = conv.n * conv.oh * conv.ow if product else conv.ow
    last = columns % size or size
    bubbles = max(SHORTEST - last, 0)
    pixels = Loop(PIXELS if product else OUTPUT_COLUMNS, columns, (Loop(MULTIPLY, 1),), pipeline=1)
    line = (pixels, Loop(BUBBLES, bubbles))
    rows = () if product else (*_images(conv), Loop(OUTPUT_ROWS, conv.oh))
    stream = (_nest(rows, line),) if rows else line
    return _nest(tiles, (*stream, Loop(WEIGHTS, size - last - bubbles)))


def _images(conv: Conv) -> tuple[Loop, ...]:
    """The loop over images, where there are several."""
    return (Loop(IMAGES, conv.n),) if conv.n > 1 else ()


def _taps(conv: Conv, unroll: int = 1) -> tuple[Loop, ...]:
    """The loops over a kernel, `unroll` x `unroll` taps at a time."""
    taps = (
        Loop(KERNEL_ROWS, conv.fh, unroll=unroll),
        Loop(KERNEL_COLUMNS, conv.fw, pipeline=1, unroll=unroll),
    )
    return (_nest(taps, (Loop(MULTIPLY, 1),)),)


def _nest(loops: tuple[Loop, ...], body: tuple[Loop, ...]) -> Loop:
    """The loops one inside the other, outermost first, around a body."""
    for loop in reversed(loops):
        body = (loop._replace(body=body),)
    return body[0]


ENGINES = tuple(
    Engine(
        name=smallest.name,
        sizes=type(smallest),
        takes=_takes_all if smallest.runs_all else _takes_depthwise,
        limits=_limits,
        nest=_layer_nest,
        bound=_bound,
        traffic=None,
        resources=resources,
    )
    for smallest in THIRD_PARTY
)
