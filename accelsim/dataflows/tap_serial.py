"""How a depthwise convolution is cut into passes of the depthwise engine.

A pass holds up to L channels, one a lane; those of several images are so many channels. Where they
do not fill the lanes, or the engine has no room for a map, the output is cut into stripes of rows,
and a lane takes one stripe of one channel: all stripes have one geometry, with the rows of padding
stored as zeros. Tiles follow the output rows (`row`) or the flattened map (`flat`); the engine's
schedule tells which is faster.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.base import UNBOUNDED, Indices, Plan, stored
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv
from accelsim.limits.depthwise import limits
from accelsim.passes import (
    Body,
    DepthwiseCommand,
    DepthwiseOpcode,
    DepthwisePass,
    Repeat,
    depthwise_command,
)

MOST_STRIPES = 16  # of those that only serve to fill the lanes
WORTH = 1.05  # stripes read rows twice and cannot skip padding: fewer idle lanes have to pay for it


name = "tap_serial"
engine = DepthwiseEngine.name
eager = False


class Tiling(NamedTuple):
    """How the output is cut into tiles.

    stripes : that every output map is cut into.
    """

    opcode: DepthwiseOpcode
    stripes: int


@dataclass(frozen=True)
class DepthwiseProgram:
    """The passes of a Plan with the place of every operand and result.

    commands : int64[passes, fields], of DepthwiseCommand.
    maps : int32[words, P, L], indices into the vector (0, x.ravel()); 0 means the value zero.
    places : int32[entries, 2], word and shift of each tap relative to its tile.
    weights : int32[entries, L], indices into the vector (0, w.ravel()).
    dest : int32[result words, results_per_clock], the flat index of each result in the output
        (k, oh, ow); -1 where it is thrown away.
    """

    commands: npt.NDArray[np.int64]
    maps: Indices
    places: Indices
    weights: Indices
    dest: Indices

    def operands(
        self, x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], sizes: DepthwiseEngine
    ) -> tuple[npt.NDArray[np.int16], Indices]:
        """The banks int16[words, P, L] and the tap memory int32[entries, 2 + L]."""
        zero = np.zeros(1, np.int16)
        values = np.concatenate([zero, x.ravel()], dtype=np.int16)
        weights = np.concatenate([zero, w.ravel()], dtype=np.int16)
        return values[self.maps], np.concatenate([self.places, weights[self.weights]], axis=1)


def tilings(
    conv: Conv, engine: DepthwiseEngine, most: int = UNBOUNDED
) -> Iterator[tuple[None, Tiling]]:
    """Those worth comparing, best of their kind: row and flat, whole and in stripes."""
    for stripes in _stripes(conv, engine):
        for opcode in DepthwiseOpcode:
            yield None, Tiling(opcode, stripes)


def _stripes(conv: Conv, engine: DepthwiseEngine) -> Iterator[int]:
    """One, and numbers of stripes that leave fewer lanes idle; more where one is no legal pass."""
    whole = 1
    if not _fits(conv, engine, 1):
        # Where not even the thinnest fit, they are what the engine's limits are to be named for.
        more = range(2, conv.oh)
        whole = min(conv.oh, 2 + bisect_left(more, True, key=lambda n: _fits(conv, engine, n)))
    best = 0.0
    for stripes in range(whole, max(whole, min(conv.oh, MOST_STRIPES)) + 1):
        if -(-conv.oh // -(-conv.oh // stripes)) < stripes:
            continue  # the same rows in fewer stripes
        units = conv.n * conv.k * stripes
        busy = units / (engine.lanes * -(-units // engine.lanes))
        if busy > WORTH * best:
            best = busy
            yield stripes


def _fits(conv: Conv, engine: DepthwiseEngine, stripes: int) -> bool:
    return any(
        limits(engine, _pass(conv, opcode, stripes, 1)) is None for opcode in DepthwiseOpcode
    )


def body(conv: Conv, engine: DepthwiseEngine, tiling: Hashable) -> Body:
    """The passes of a tiling: those that fill all lanes, and one for the channels that are left."""
    opcode, stripes = cast(Tiling, tiling)
    full, rest = divmod(conv.n * conv.k * stripes, engine.lanes)
    parts: Body = ()
    for count, channels in ((full, engine.lanes), (1, rest)):
        if count and channels:
            p = _pass(conv, opcode, stripes, channels)
            parts += (Repeat(count, (p,), "passes"),)
    return parts


def _pass(conv: Conv, opcode: DepthwiseOpcode, stripes: int, channels: int) -> DepthwisePass:
    rows = -(-conv.oh // stripes)
    whole = stripes == 1
    return DepthwisePass(
        opcode,
        channels,
        h=conv.h if whole else (rows - 1) * conv.sh + (conv.fh - 1) * conv.dh + 1,
        w=conv.w,
        oh=rows,
        ow=conv.ow,
        fh=conv.fh,
        fw=conv.fw,
        sh=conv.sh,
        sw=conv.sw,
        dh=conv.dh,
        dw=conv.dw,
        pt=conv.pt if whole else 0,
        pl=conv.pl,
    )


def program(conv: Conv, engine: DepthwiseEngine, plan: Plan) -> DepthwiseProgram:
    """The index maps of a plan."""
    commands: list[DepthwiseCommand] = []
    maps: list[Indices] = []
    weights: list[Indices] = []
    dest: list[Indices] = []
    first = at = 0  # unit (stripe of a channel), and word of the banks
    stripes = cast(Tiling, plan.tiling).stripes
    places = tap_places(plan.body[0].body[0], engine.pixels)
    for trips, (work,), _ in plan.body:
        inputs, outputs = _units(engine, work)
        for _ in range(trips):
            units = np.arange(first, first + work.channels)
            channel, stripe = np.divmod(units, stripes)
            row = stripe * work.oh
            commands.append(depthwise_command(work, engine, at, len(places) * len(maps), 0))
            maps.append(_maps(conv, engine, inputs, channel, row, stripes))
            weights.append(_weights(conv, engine, channel))
            dest.append(_dest(conv, outputs, channel, row))
            first += work.channels
            at += len(maps[-1])
    table = np.array([[*command.work, *command[1:]] for command in commands], np.int64)
    table[-1, -1] = 1
    return DepthwiseProgram(
        table,
        np.concatenate(maps),
        np.tile(places, (len(maps), 1)),
        np.concatenate(weights),
        np.concatenate(dest),
    )


def tap_places(work: DepthwisePass, pixels: int) -> Indices:
    """Word and shift of every tap relative to its tile, int32[fh fw, 2]; words may be negative.

    Tap (ky, kx) begins at row v div sh of plane v mod sh, v = ky dh - pt, and likewise along x.
    """
    layout = work.layout(pixels)
    down, ry = np.divmod(np.arange(work.fh) * work.dh - work.pt, work.sh)
    right, rx = np.divmod(np.arange(work.fw) * work.dw - work.pl, work.sw)
    plane = (ry[:, None] * work.sw + rx) * layout.plane_words
    word, shift = np.divmod(down[:, None] * layout.pitch + right, pixels)
    return np.stack([plane + word, shift], axis=-1).reshape(-1, 2).astype(np.int32)


class _Inputs(NamedTuple):
    """Place of every value of a bank: row of the pass's map and column, both -1 for no value."""

    y: npt.NDArray[np.int64]
    x: npt.NDArray[np.int64]


class _Outputs(NamedTuple):
    """Of every result word: lane, row and column of its results."""

    lane: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    x: npt.NDArray[np.int64]


def _units(engine: DepthwiseEngine, work: DepthwisePass) -> tuple[_Inputs, _Outputs]:
    """What the passes of one record have in common."""
    pixels, layout = engine.pixels, work.layout(engine.pixels)
    n = np.arange(layout.plane_words * pixels)
    row, column = np.divmod(n, layout.pitch)
    y = (row * work.sh + np.arange(work.sh)[:, None, None]).repeat(work.sw, axis=1)
    x = (column * work.sw + np.arange(work.sw)[:, None])[None].repeat(work.sh, axis=0)
    inside = (y < work.h) & (x < work.w)
    inputs = _Inputs(*(np.where(inside, place, -1).reshape(-1, pixels) for place in (y, x)))

    if work.opcode == DepthwiseOpcode.ROW:
        across = -(-work.ow // pixels) * pixels
        oy, ox = np.divmod(np.arange(work.oh * across), across)
    else:
        tiles = -(-((work.oh - 1) * layout.pitch + work.ow) // pixels)
        oy, ox = np.divmod(np.arange(tiles * pixels), layout.pitch)
    inside = (oy < work.oh) & (ox < work.ow)
    beat = engine.result_lanes
    drain = -(-work.channels // beat)
    lane = np.arange(drain * beat).reshape(drain, beat, 1)
    shape = len(oy) // pixels, drain, beat, pixels
    places = (np.where(inside, place, -1).reshape(-1, 1, 1, pixels) for place in (oy, ox))
    oy, ox = (np.broadcast_to(place, shape) for place in places)
    return inputs, _Outputs(np.broadcast_to(lane, shape), oy, ox)


def _maps(
    conv: Conv,
    engine: DepthwiseEngine,
    inputs: _Inputs,
    channel: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    stripes: int,
) -> Indices:
    """int32[words, P, L] for the lanes' channels and the first output row of their stripes."""
    source = channel * conv.c // conv.k
    y, x = inputs.y[..., None], inputs.x[..., None]
    if stripes > 1:
        y = np.where(y < 0, -1, y + row * conv.sh - conv.pt)
    inside = (y >= 0) & (y < conv.h) & (x >= 0)
    indices = np.zeros((*inputs.y.shape, engine.lanes), np.int32)
    indices[..., : len(channel)] = np.where(inside, 1 + (source * conv.h + y) * conv.w + x, 0)
    return indices


def _weights(conv: Conv, engine: DepthwiseEngine, channel: npt.NDArray[np.int64]) -> Indices:
    """int32[fh fw, L] for the lanes' channels."""
    indices = np.zeros((conv.fh * conv.fw, engine.lanes), np.int32)
    indices[:, : len(channel)] = stored(conv)[channel % conv.k].T
    return indices


def _dest(
    conv: Conv, outputs: _Outputs, channel: npt.NDArray[np.int64], row: npt.NDArray[np.int64]
) -> Indices:
    """int32[result words, results_per_clock] for the lanes' channels and stripes."""
    lane = np.minimum(outputs.lane, len(channel) - 1)
    y = outputs.y + row[lane]
    kept = (outputs.lane < len(channel)) & (outputs.y >= 0) & (y < conv.oh)
    index = (channel[lane] * conv.oh + y) * conv.ow + outputs.x
    tiles, drain, beat, pixels = outputs.y.shape
    return np.where(kept, index, -1).reshape(tiles * drain, beat * pixels).astype(np.int32)
