"""Row streams: depthwise convolutions as one-dimensional ones along the rows of the array.

Lines run along x, or along y (`transposed`). A line of a channel is cut by polyphase
decomposition, so that stride and dilation need no hardware. Of taps kx = 0..K-1 with stride s,
dilation d and padding p, phase r = 0..min(per, K)-1 holds kx = r + per j:

    per = s / gcd(s, d)    step = d / gcd(s, d)    z_r[q] = in[q s + r d - p], zero outside the map
    out[ox] = sum over r, j of w[r + per j] z_r[ox + j step]

(polyphase: Bellanger, Bonnerot, Coudreuse, IEEE Trans. ASSP 24(2), 1976). Outputs whose ox agree
modulo `step` see consecutive values: they are a line of their own. All phases get T = ceil(K / per)
taps; a shorter one gets zero taps in front. A pass adds up streams = kernel lines x phases.

All lines of a channel, one after another, are its flat signal. Neighbours share the zeros around
the map: line i has its windows at positions i pitch .. i pitch + outputs - 1, and the windows in
the gap between them are thrown away. A job is a range of windows of one channel; a pass runs one
job per row; where half a bank does not hold all streams, several passes add them up. Jobs are whole
lines, parts of a line, or flat cuts regardless of lines; with a single stream a job may be long,
its windows fired in groups of n.

The channels of several images are so many channels, whose taps repeat.

With one stream, a stride may also be had by throwing results away (`keep`), which fires need.
The fastest lines, jobs and passes are searched in accelsim.dataflows.row_lines.
"""

from collections.abc import Hashable, Iterator
from math import prod
from typing import NamedTuple, cast

import numpy as np

from accelsim.dataflows.array import ArrayProgram, address, expand, in_chunks, repeat
from accelsim.dataflows.base import UNBOUNDED, Candidate, Indices, Plan, stored
from accelsim.dataflows.row_lines import Axis, Jobs, Lines, PassRun, search, streams_at_once
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Body, Opcode
from accelsim.phrases import counted

name = "rows"
engine = SystolicArray.name
eager = True


class Tiling(NamedTuple):
    """Where lines run, their geometry, the jobs in order, and the passes that run them."""

    transposed: bool
    lines: Lines
    jobs: tuple[Jobs, ...]
    runs: tuple[PassRun, ...]


def tilings(conv: Conv, array: SystolicArray, most: int = UNBOUNDED) -> Iterator[Candidate]:
    """Ways to lay lines through the maps and to cut them into jobs."""
    if not conv.depthwise:
        raise UnsupportedError(
            f"rows runs depthwise convolutions, not {counted(conv.c, 'channel')} in "
            f"{counted(conv.groups, 'group')}"
        )
    if max(conv.fh, conv.fw) > array.max_taps:
        raise UnsupportedError(
            f"rows runs kernels of at most {array.max_taps} taps per side, not "
            f"{conv.fh}x{conv.fw}; a larger max_taps of the array allows it"
        )
    y, x = _axes(conv)
    candidates = search(max(x, y), min(x, y), conv.n * conv.k, array)
    if not candidates:
        raise UnsupportedError(
            f"rows cannot run kernel {conv.fh}x{conv.fw} at stride {conv.sh}x{conv.sw} with "
            f"{counted(array.columns, 'column')}, max_taps {array.max_taps} and bank_depth "
            f"{array.bank_depth}; more of one of these allows it"
        )
    for clocks, along, lines, jobs, runs in candidates:
        if clocks <= most:
            yield clocks, Tiling(along != x, lines, jobs, runs)


def _axes(conv: Conv) -> tuple[Axis, Axis]:
    return (
        Axis(conv.h, conv.oh, conv.fh, conv.sh, conv.dh, conv.pt),
        Axis(conv.w, conv.ow, conv.fw, conv.sw, conv.dw, conv.pl),
    )


def body(conv: Conv, array: SystolicArray, tiling: Hashable) -> Body:
    """The passes of a tiling, in order."""
    lines, runs = cast(Tiling, tiling).lines, cast(Tiling, tiling).runs
    return tuple(
        step
        for trips, m, n, k, fires in runs
        for step in repeat(
            trips,
            in_chunks(
                ArrayPass(Opcode.ROWS, m, n, k, lines.taps, lines.streams, fires),
                "streams",
                streams_at_once(lines, array, k),
            ),
            "job tiles",
        )
    )


def program(conv: Conv, array: SystolicArray, plan: Plan) -> ArrayProgram:
    """The index maps of a plan."""
    lines, runs, jobs = (tiling := cast(Tiling, plan.tiling)).lines, tiling.runs, tiling.jobs
    signal, window, taps = _flat_signal(conv, tiling), _windows(conv, tiling), _taps(conv, tiling)
    channels = conv.n * conv.k
    starts = [np.repeat(job.first + job.stride * np.arange(job.each), channels) for job in jobs]
    start = np.concatenate(starts)
    size, lead = (
        np.repeat([job[i] for job in jobs], [job.each * channels for job in jobs]) for i in (1, 2)
    )
    channel = np.tile(np.arange(channels, dtype=np.int32), len(start) // channels)
    source = channel // (conv.k // conv.c) * np.int32(conv.h * conv.w)
    width = max(run.n for run in runs)
    left, dest = [], []
    at = 0
    for trips, m, n, k, fires in runs:
        run = slice(at, at := at + trips * m)
        drop = n + lines.taps - 1 - k
        # Position of the first window, counting those that are thrown away in front.
        front = start[run] - np.maximum(0, drop - lead[run])
        values = k + (fires - 1) * n
        place = np.minimum((front + drop)[:, None] + np.arange(values), signal.shape[1] - 1)
        streamed = signal[:, place]
        streamed += (streamed > 0) * source[run, None]
        words = np.zeros((trips, lines.streams, lines.taps + values, array.rows), np.int32)
        rows = words[..., array.rows - m :]
        rows[:, :, : lines.taps] = (
            taps[channel[run] % conv.k].reshape(trips, m, lines.streams, -1).transpose(0, 2, 3, 1)
        )
        rows[:, :, lines.taps :] = streamed.reshape(-1, trips, m, values).transpose(1, 0, 3, 2)
        left.append(words.reshape(-1, array.rows))

        # Column c of fire f holds window f n + n - 1 - c, and the bottom row leaves first.
        order = np.arange(fires)[:, None] * n + np.arange(n)[::-1]
        place = front[:, None, None] + order
        mine = (place >= start[run, None, None]) & (place < (start + size)[run, None, None])
        goal = window[np.where(mine, place, -1)]
        goal = np.where(goal < 0, -1, goal + channel[run, None, None] * (conv.oh * conv.ow))
        results = np.full((trips, fires, m, width), -1, np.int32)
        results[..., :n] = goal.reshape(trips, m, fires, n)[:, ::-1].swapaxes(1, 2)
        dest.append(results.reshape(-1, width))
    return ArrayProgram(
        address(expand(plan.body)),
        np.concatenate(left),
        np.zeros((0, 1), np.int32),
        np.concatenate(dest),
    )


def _flat_signal(conv: Conv, tiling: Tiling) -> Indices:
    """int32[streams, positions]: 1 + index in a channel's map, 0 outside; the last one is 0."""
    lines = tiling.lines
    y, x = _axes(conv)
    along, across = (y, x) if tiling.transposed else (x, y)
    s = 1 if lines.keep > 1 else along.stride
    phase, c, u = np.arange(lines.phases), np.arange(lines.classes), np.arange(lines.pitch)
    short = lines.taps - -(-(along.kernel - phase) // lines.per)
    q = c[:, None] + lines.step * (u - short[:, None, None])  # [phase, class, u]
    a = q * s + (phase * along.dilation)[:, None, None] - along.padding
    inside_a = (a >= 0) & (a < along.size) & (u >= short[:, None, None])
    b = np.add.outer(
        np.arange(across.kernel) * across.dilation,
        np.arange(across.outputs) * across.stride - across.padding,
    )  # [kernel line, output line]
    inside_b = (b >= 0) & (b < across.size)
    stride_a, stride_b = (conv.w, 1) if tiling.transposed else (1, conv.w)
    index = (
        1 + (b * stride_b)[:, None, :, None, None] + (a * stride_a)[None, :, None, :, :]
    )  # [kernel line, phase, output line, class, u]
    index *= inside_b[:, None, :, None, None] & inside_a[None, :, None, :, :]
    flat = index.reshape(lines.streams, -1).astype(np.int32)
    return np.pad(flat, ((0, 0), (0, 1)))


def _windows(conv: Conv, tiling: Tiling) -> Indices:
    """int32[positions]: index in a channel's output, -1 for what is thrown away; the last is -1."""
    lines = tiling.lines
    y, x = _axes(conv)
    along, across = (y, x) if tiling.transposed else (x, y)
    v = np.arange(lines.pitch)
    q = np.arange(lines.classes)[:, None] + lines.step * v
    a, rest = np.divmod(q, lines.keep)
    valid = (rest == 0) & (a < along.outputs) & (v < lines.outputs)
    stride_a, stride_b = (conv.ow, 1) if tiling.transposed else (1, conv.ow)
    b = np.arange(across.outputs)
    index = np.where(valid, (b * stride_b)[:, None, None] + a * stride_a, -1)
    return np.append(index.reshape(-1), -1).astype(np.int32)


def _taps(conv: Conv, tiling: Tiling) -> Indices:
    """int32[channels, streams, T]: indices of the taps in (0, x, w), 0 for the zero taps."""
    lines = tiling.lines
    length, kernels = (conv.fh, conv.fw) if tiling.transposed else (conv.fw, conv.fh)
    phase = np.arange(lines.phases)[:, None]
    short = lines.taps - -(-(length - phase) // lines.per)
    j = np.arange(lines.taps) - short
    stride_a, stride_b = (conv.fw, 1) if tiling.transposed else (1, conv.fw)
    place = (np.arange(kernels) * stride_b)[:, None, None] + (phase + lines.per * j) * stride_a
    index = stored(conv)[:, place * (j >= 0)]
    taps: Indices = (index + prod(conv.in_shape)) * ((index > 0) & (j >= 0))
    return taps.reshape(conv.k, lines.streams, lines.taps)
