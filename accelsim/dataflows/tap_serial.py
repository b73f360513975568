"""How a depthwise convolution is cut into passes of the depthwise engine.

A pass holds up to L channels, one a lane; those of several images are so many channels. Where they
do not fill the lanes, or the engine has no room for a map, the output is cut into stripes of rows,
and a lane takes one stripe of one channel: all stripes have one geometry, with the rows of padding
stored as zeros. Tiles follow the output rows (`row`) or the flattened map (`flat`); the engine's
schedule tells which is faster. Where only some taps of a kernel are live, a pass may run a list of
them (see tap_lists).
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.base import UNBOUNDED, Indices, Plan, ceil_div, stored
from accelsim.dataflows.tap_lists import Padded, Places, Taps, dense, live, regular
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
    padded: Padded


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
    """Those worth comparing, best of their kind: row and flat, whole and in stripes.

    Of a kernel of which only some taps are live, also each way to store the padding.
    """
    for stripes in _stripes(conv, engine):
        for tiling in _of_stripes(conv, stripes):
            yield None, tiling


def _of_stripes(conv: Conv, stripes: int) -> Iterator[Tiling]:
    """Stripes have one geometry, so that their rows of padding are stored."""
    rows = (stripes > 1,) if stripes > 1 or conv.live is None else (False, True)
    columns = (False,) if conv.live is None else (False, True)
    for padded in product(rows, columns):
        for opcode in DepthwiseOpcode:
            yield Tiling(opcode, stripes, Padded(*padded))


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
        limits(engine, _taps(conv, engine, tiling).work) is None
        for tiling in _of_stripes(conv, stripes)
    )


def _taps(conv: Conv, engine: DepthwiseEngine, tiling: Tiling) -> Taps:
    """What the passes of a tiling have in common."""
    rows = ceil_div(conv.oh, tiling.stripes)
    if conv.live is None:
        return dense(conv, tiling.opcode, rows, tiling.padded.rows)
    return live(conv, engine, tiling.opcode, rows, tiling.padded)


def body(conv: Conv, engine: DepthwiseEngine, tiling: Hashable) -> Body:
    """The passes of a tiling: those that fill all lanes, and one for the channels that are left."""
    tiling = cast(Tiling, tiling)
    work = _taps(conv, engine, tiling).work
    full, rest = divmod(conv.n * conv.k * tiling.stripes, engine.lanes)
    parts: Body = ()
    for count, channels in ((full, engine.lanes), (1, rest)):
        if count and channels:
            parts += (Repeat(count, (work._replace(channels=channels),), "passes"),)
    return parts


def program(conv: Conv, engine: DepthwiseEngine, plan: Plan) -> DepthwiseProgram:
    """The index maps of a plan."""
    commands: list[DepthwiseCommand] = []
    maps: list[Indices] = []
    weights: list[Indices] = []
    dest: list[Indices] = []
    first = at = 0  # unit (stripe of a channel), and word of the banks
    tiling = cast(Tiling, plan.tiling)
    made = _taps(conv, engine, tiling)
    places = _places(made.work, engine.pixels, made.down, made.right)
    for trips, (work,), _ in plan.body:
        inputs, outputs = _units(engine, work)
        for _ in range(trips):
            units = np.arange(first, first + work.channels)
            channel, stripe = np.divmod(units, tiling.stripes)
            row = stripe * work.oh
            commands.append(depthwise_command(work, engine, at, len(places) * len(maps), 0))
            first_row = made.top + row * conv.sh
            maps.append(_maps(conv, engine, inputs, channel, first_row, made.left))
            weights.append(_weights(conv, engine, channel, made.taps))
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

    Of a pass whose entries are the taps of its kernel, row by row.
    """
    return _places(work, pixels, *regular(work))


def _places(work: DepthwisePass, pixels: int, down: Places, right: Places) -> Indices:
    """int32[entries, 2], for rows and columns from an output to the values of each entry.

    A tap begins at row down div sh of plane down mod sh, and likewise along x.
    """
    layout = work.layout(pixels)
    rows, ry = np.divmod(down, work.sh)
    columns, rx = np.divmod(right, work.sw)
    word, shift = np.divmod(rows * layout.pitch + columns, pixels)
    plane = (ry * work.sw + rx) * layout.plane_words
    return np.stack([plane + word, shift], axis=-1).astype(np.int32)


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
    top: npt.NDArray[np.int64],
    left: int,
) -> Indices:
    """int32[words, P, L] for the lanes' channels, and where of their maps those of a pass begin."""
    source = channel * conv.c // conv.k
    used = inputs.y[..., None] >= 0
    y, x = inputs.y[..., None] + top, inputs.x[..., None] + left
    inside = used & (y >= 0) & (y < conv.h) & (x >= 0) & (x < conv.w)
    indices = np.zeros((*inputs.y.shape, engine.lanes), np.int32)
    indices[..., : len(channel)] = np.where(inside, 1 + (source * conv.h + y) * conv.w + x, 0)
    return indices


def _weights(
    conv: Conv, engine: DepthwiseEngine, channel: npt.NDArray[np.int64], taps: Places
) -> Indices:
    """int32[entries, L] for the lanes' channels, 0 of entries that are no tap."""
    indices = np.zeros((len(taps), engine.lanes), np.int32)
    kernels = np.pad(stored(conv), ((0, 0), (0, 1)))  # the last is what NONE means
    indices[:, : len(channel)] = kernels[channel % conv.k][:, taps].T
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
