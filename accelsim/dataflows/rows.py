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
job per row. Jobs are whole lines, parts of a line, or flat cuts regardless of lines; with a single
stream a job may be long, its windows fired in groups of n.

With one stream, a stride may also be had by throwing results away (`keep`), which fires need.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from math import gcd
from operator import itemgetter
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.array import FIELD_LIMIT, ArrayProgram, address, expand, port_clocks, repeat
from accelsim.dataflows.base import UNBOUNDED, Candidate, Indices, Plan, ceil_div
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.passes import ArrayPass, Body, Opcode, largest
from accelsim.phrases import counted

name = "rows"
engine = SystolicArray.name
eager = True

MOST_CUTS = 1 << 13  # numbers of jobs that are looked at beyond the fewest
STREAM_LIMIT = largest(ArrayPass, "streams")


Int = npt.NDArray[np.int64]


class Axis(NamedTuple):
    """A Conv along one axis."""

    size: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    padding: int


class Lines(NamedTuple):
    """The lines of one channel.

    per, step, phases, taps : the polyphase decomposition; taps is T.
    keep : every keep-th window is an output.
    outputs : windows of a line, those thrown away by `keep` included.
    classes : lines per map line, one for each class of outputs modulo step.
    number : lines of a channel.
    lead, gap : zeros that every line begins with; windows thrown away between lines.
    streams : kernel lines times phases.
    """

    per: int
    step: int
    phases: int
    taps: int
    keep: int
    outputs: int
    classes: int
    number: int
    lead: int
    gap: int
    streams: int

    @property
    def pitch(self) -> int:
        """Windows from the start of a line to the start of the next."""
        return self.outputs + self.gap

    @property
    def work(self) -> int:
        """Values that a channel needs at least, one per window and stream."""
        return self.number * self.outputs * self.streams

    @property
    def windows(self) -> int:
        """Windows of a channel, those in the gaps included."""
        return self.number * self.pitch - self.gap


class Jobs(NamedTuple):
    """`each` jobs per channel of `size` windows each, the first `lead` values of each zero.

    They start at windows first + i stride, i = 0..each-1.
    """

    each: int
    size: int
    lead: int
    first: int
    stride: int

    @property
    def need(self) -> int:
        """What decides how many values a pass must supply."""
        return self.size - self.lead


class PassRun(NamedTuple):
    """`trips` passes of m rows, n windows, `fires` fires, k values per stream."""

    trips: int
    m: int
    n: int
    k: int
    fires: int


class Tiling(NamedTuple):
    """Where lines run, their geometry, the jobs in order, and the passes that run them."""

    transposed: bool
    lines: Lines
    jobs: tuple[Jobs, ...]
    runs: tuple[PassRun, ...]


Cut = tuple[int, tuple[Jobs, ...], bool]  # bound of clocks, jobs, may passes fire several times


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
    candidates = _search(max(x, y), min(x, y), conv.k, array)
    if not candidates:
        raise UnsupportedError(
            f"rows cannot run kernel {conv.fh}x{conv.fw} at stride {conv.sh}x{conv.sw} with "
            f"{array.columns} columns and max_taps {array.max_taps}"
        )
    for clocks, along, lines, jobs, runs in candidates:
        if clocks <= most:
            yield clocks, Tiling(along != x, lines, jobs, runs)


@lru_cache(maxsize=1 << 12)
def _search(
    one: Axis, other: Axis, channels: int, array: SystolicArray
) -> list[tuple[int, Axis, Lines, tuple[Jobs, ...], tuple[PassRun, ...]]]:
    """Clocks, axis of the lines, lines, jobs and passes; the same for a map and its transpose."""
    candidates = []
    least = UNBOUNDED
    for along, lines in _geometries(one, other, array.max_taps, array.columns == 1):
        if channels * lines.work // array.rows >= least:
            break
        # What is likely is cut first: few others are then left that could take fewer clocks.
        for cuts in (_likely_cuts, _all_cuts):
            tried = cuts(lines, channels, array, least)
            for clocks, jobs, runs in _faster(tried, lines, channels, array, least):
                least = clocks
                candidates.append((clocks, along, lines, jobs, runs))
    return candidates


def _faster(
    cuts: Iterable[Cut], lines: Lines, channels: int, array: SystolicArray, least: int
) -> Iterator[tuple[int, tuple[Jobs, ...], tuple[PassRun, ...]]]:
    """Of cuts in the order of their bounds, those that take fewer clocks than all before."""
    for bound, jobs, fires in cuts:
        if bound >= least:
            break
        runs = _runs(lines, jobs, channels, array, fires)
        clocks = _clocks(lines, array, runs)
        if runs[0].fires <= FIELD_LIMIT and clocks < least:
            least = clocks
            yield clocks, jobs, tuple(runs)


def _axes(conv: Conv) -> tuple[Axis, Axis]:
    return (
        Axis(conv.h, conv.oh, conv.fh, conv.sh, conv.dh, conv.pt),
        Axis(conv.w, conv.ow, conv.fw, conv.sw, conv.dw, conv.pl),
    )


@lru_cache(maxsize=1 << 10)
def _geometries(one: Axis, other: Axis, max_taps: int, single: bool) -> list[tuple[Axis, Lines]]:
    """The axes along which lines that a pass can hold may run, with the least work first.

    single : whether the array has one column only.
    """
    geometries = []
    for along, across in ((one, other), (other, one)) if one != other else ((one, other),):
        for discard in (False, True) if along.stride > 1 and across.kernel == 1 else (False,):
            lines = _lines(along, across, discard, max_taps, single)
            if lines is not None:
                geometries.append((along, lines))
    return sorted(geometries, key=lambda way: way[1].work)


def _lines(along: Axis, across: Axis, discard: bool, max_taps: int, single: bool) -> Lines | None:
    """The lines of a channel; None where a pass cannot hold them."""
    kernel, d = along.kernel, along.dilation
    keep, s = (along.stride, 1) if discard else (1, along.stride)
    total = (along.outputs - 1) * keep + 1
    common = gcd(s, d)
    per, step = s // common, d // common
    phases, taps = min(per, kernel), ceil_div(kernel, per)
    if single and taps == 1:
        taps = 2  # a pass needs two values: of one window, the second tap makes it
    streams = across.kernel * phases
    if taps > max_taps or streams > STREAM_LIMIT:
        return None
    classes = min(step, total)
    outputs = ceil_div(total, classes)
    lead = trail = outputs + taps - 1
    for phase in range(phases):
        short = taps - ceil_div(kernel - phase, per)
        for c in range(classes):
            start = c * s + phase * d - along.padding
            before = short + max(0, ceil_div(-start, step * s))
            inside = short + (along.size - 1 - start) // (step * s)
            lead, trail = min(lead, before), min(trail, outputs + taps - 2 - inside)
    lead, trail = min(lead, taps), max(trail, 0)
    gap = taps - 1 - min(trail, lead, taps - 1)
    count = across.outputs * classes
    return Lines(per, step, phases, taps, keep, outputs, classes, count, lead, gap, streams)


def _likely_cuts(lines: Lines, channels: int, array: SystolicArray, least: int) -> list[Cut]:
    """Cuts into as few jobs as fit into passes, by their bounds."""
    cuts = [
        (int(_bounds(lines, array, fires, _sizes(jobs, channels))), jobs, fires)
        for jobs, fires in _fewest(lines, channels, array)
    ]
    return sorted(cuts, key=itemgetter(0))


def _fewest(
    lines: Lines, channels: int, array: SystolicArray
) -> Iterator[tuple[tuple[Jobs, ...], bool]]:
    """Such cuts, and whether the passes may fire more than once."""
    columns = array.columns
    whole = (columns + lines.gap) // lines.pitch
    if whole:
        least = ceil_div(lines.number, whole)
        for parts in range(least, min(least + 3, lines.number + 1)):
            yield _whole_lines(lines, parts), False
    else:
        yield _line_parts(lines, ceil_div(lines.outputs, columns)), False
    yield _flat(lines, ceil_div(lines.windows, columns)), False
    if lines.streams == 1 and lines.taps < columns:
        parts = _long_jobs(lines, channels, array)
        yield _flat(lines, parts), True
        if parts <= lines.number:
            yield _whole_lines(lines, parts), True


def _long_jobs(lines: Lines, channels: int, array: SystolicArray) -> int:
    """Jobs per channel for which passes that fire more than once take the fewest clocks, roughly.

    A pass fires n >= m windows at a time, so that it pays to fill the rows of few passes exactly.
    """
    rows, columns = min(array.rows, array.columns), array.columns
    windows, taps = lines.windows, lines.taps
    fewest = ceil_div(channels, rows)
    best = before = 0
    least = UNBOUNDED
    for passes in range(fewest, fewest + 12):
        parts = min(passes * rows // channels, windows)
        if parts == before:
            continue  # the same jobs, in no fewer passes
        before = parts
        size = -(-windows // parts)
        fires = -(-size // columns)
        n = max(-(-size // fires), min(rows, channels * parts), taps + 1)
        clocks = passes * (taps + fires * n)
        if clocks < least:
            best, least = parts, clocks
    return best


class Sizes(NamedTuple):
    """What decides how long the passes for jobs take at least; of one cut, or int64[cuts] each.

    jobs : of all channels.
    first, last : what the job with the greatest and that with the least need, needs.
    longest, shortest : windows of the longest and of the shortest job.
    """

    jobs: Int
    first: Int
    last: Int
    longest: Int
    shortest: Int


def _sizes(jobs: tuple[Jobs, ...], channels: int) -> Sizes:
    each = sum(job.each for job in jobs) * channels
    sizes = [job.size for job in jobs]
    values = (each, jobs[0].need, jobs[-1].need, max(sizes), min(sizes))
    return Sizes(*map(np.asarray, values))


def _bounds(lines: Lines, array: SystolicArray, fires: bool, sizes: Sizes) -> Int:
    """Clocks that the passes for jobs take at least: those of the left or of the result port.

    A bound that is nearly met saves most of the search.
    """
    jobs, first, last, longest, shortest = sizes
    fixed = 2 * lines.taps - 1
    rows = min(array.rows, array.columns) if fires else array.rows
    passes = -(-jobs // rows)
    columns = np.where(longest > array.columns, 1, shortest)
    loads = lines.streams * (fixed + first + (passes - 1) * (fixed + last))
    if not array.overlap:
        total: Int = loads + jobs + passes * (array.rows + columns - 2)
        return total
    drains = lines.streams * (fixed + first) + jobs
    clocks: Int = np.maximum(loads + (jobs - 1) % rows + 1, drains) + array.rows + columns - 2
    return clocks


def _all_cuts(lines: Lines, channels: int, array: SystolicArray, least: int) -> Iterator[Cut]:
    """All cuts into equal jobs that may take fewer than `least` clocks, by their bounds.

    Every job takes a clock of the result port, so that there are not many of them. Of the largest
    maps, those with the fewest jobs are looked at.
    """
    ways: list[tuple[Callable[[Lines, int], tuple[Jobs, ...]], Int, Sizes]] = []
    again = lines.streams == 1 and lines.taps < array.columns
    for cut, total, each, unit in (
        (_whole_lines, lines.number, 1, lines.pitch),
        (_line_parts, lines.outputs, lines.number, 1),
        (_flat, lines.windows, 1, 1),
    ):
        fewest = 1 if again else ceil_div(total * unit, array.columns + lines.gap)
        stop = min(total, (least - 1) // (channels * each), fewest + MOST_CUTS)
        parts = np.arange(fewest, stop + 1)
        few, more = np.divmod(total, parts)
        longest, shortest = few + (more > 0), few
        first, last = longest, shortest
        if cut is _whole_lines:
            longest, shortest = (size * lines.pitch - lines.gap for size in (longest, shortest))
            first, last = longest - lines.lead, shortest - lines.lead
        if cut is _line_parts:  # the first part of a line begins with its zeros
            second = np.where(parts > 1, few + (more > 1), 0)
            first = np.maximum(longest - lines.lead, second)
            last = np.minimum(longest - lines.lead, shortest)
        ways.append((cut, parts, Sizes(channels * each * parts, first, last, longest, shortest)))
    found = []
    for fires in (False, True) if again else (False,):
        for place, (_, parts, sizes) in enumerate(ways):
            bounds = _bounds(lines, array, fires, sizes)
            fits = fires | (sizes.longest <= array.columns)
            chosen = np.flatnonzero(fits & (bounds < least))
            numbers = zip(bounds[chosen].tolist(), parts[chosen].tolist(), strict=True)
            found += [(bound, fires, place, number) for bound, number in numbers]
    for bound, fires, place, number in sorted(found):
        yield bound, ways[place][0](lines, number), fires


def _whole_lines(lines: Lines, parts: int) -> tuple[Jobs, ...]:
    """Jobs of whole lines, as equal as possible."""
    few, more = divmod(lines.number, parts)
    pitch, jobs = lines.pitch, []
    if more:
        size = (few + 1) * pitch - lines.gap
        jobs.append(Jobs(more, size, lines.lead, 0, (few + 1) * pitch))
    first = more * (few + 1) * pitch
    jobs.append(Jobs(parts - more, few * pitch - lines.gap, lines.lead, first, few * pitch))
    return tuple(jobs)


def _line_parts(lines: Lines, parts: int) -> tuple[Jobs, ...]:
    """Every line cut into as many parts; the first of them begins with the line's zeros."""
    few, more = divmod(lines.outputs, parts)
    sizes = [few + (i < more) for i in range(parts)]
    starts = accumulate(sizes[:-1], initial=0)
    jobs = [
        Jobs(lines.number, size, lines.lead if start == 0 else 0, start, lines.pitch)
        for size, start in zip(sizes, starts, strict=True)
    ]
    return tuple(sorted(jobs, key=lambda each: -each.need))


def _flat(lines: Lines, parts: int) -> tuple[Jobs, ...]:
    """The flat signal cut into parts, as equal as possible, wherever a line may be."""
    few, more = divmod(lines.windows, parts)
    jobs = [Jobs(more, few + 1, 0, 0, few + 1)] if more else []
    jobs.append(Jobs(parts - more, few, 0, more * (few + 1), few))
    return tuple(jobs)


def _runs(
    lines: Lines, jobs: tuple[Jobs, ...], channels: int, array: SystolicArray, fires: bool
) -> list[PassRun]:
    """The passes that run the jobs in order, all channels of a job before the next job.

    A pass takes the next jobs, one per row; its sizes are those of its longest job.
    """
    rows = min(array.rows, array.columns) if fires else array.rows
    passes = []
    m = size = need = 0  # of a pass that still has free rows
    for job in jobs:
        left = job.each * channels
        if m:
            take = min(rows - m, left)
            m, left, size = m + take, left - take, max(size, job.size)
            if m < rows:
                continue
            passes.append(_shape(lines, array, 1, m, size, need))
        if left >= rows:
            passes.append(_shape(lines, array, left // rows, rows, job.size, job.need))
        m, size, need = left % rows, job.size, job.need
    if m:
        passes.append(_shape(lines, array, 1, m, size, need))
    return passes


def _shape(lines: Lines, array: SystolicArray, trips: int, m: int, size: int, need: int) -> PassRun:
    """Passes for jobs of at most `size` windows.

    Zeros that every job begins with are not supplied: the taps' clocks are zeros already, up to T
    of them. Where the fires have room to spare, windows thrown away in front make more of them.
    """
    taps = lines.taps
    fires = ceil_div(size, array.columns)
    n = max(size, 3 - taps) if fires == 1 else max(ceil_div(size, fires), m, taps + 1)
    k = max(2, n + taps - 1 - min(taps, fires * n - need))
    return PassRun(trips, m, n, k, fires)


def _clocks(lines: Lines, array: SystolicArray, runs: list[PassRun]) -> int:
    costs = [
        (trips, lines.streams * (lines.taps + k), m, n, (fires - 1) * n)
        for trips, m, n, k, fires in runs
    ]
    return port_clocks(array, costs)


def body(conv: Conv, array: SystolicArray, tiling: Hashable) -> Body:
    """The passes of a tiling, in order."""
    lines, runs = cast(Tiling, tiling).lines, cast(Tiling, tiling).runs
    return tuple(
        step
        for trips, m, n, k, fires in runs
        for step in repeat(
            trips,
            (ArrayPass(Opcode.ROWS, m, n, k, lines.taps, lines.streams, fires),),
            "job tiles",
        )
    )


def program(conv: Conv, array: SystolicArray, plan: Plan) -> ArrayProgram:
    """The index maps of a plan."""
    lines, runs, jobs = (tiling := cast(Tiling, plan.tiling)).lines, tiling.runs, tiling.jobs
    signal, window, taps = _flat_signal(conv, tiling), _windows(conv, tiling), _taps(conv, tiling)
    starts = [np.repeat(job.first + job.stride * np.arange(job.each), conv.k) for job in jobs]
    start = np.concatenate(starts)
    size, lead = (
        np.repeat([job[i] for job in jobs], [job.each * conv.k for job in jobs]) for i in (1, 2)
    )
    channel = np.tile(np.arange(conv.k, dtype=np.int32), len(start) // conv.k)
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
            taps[channel[run]].reshape(trips, m, lines.streams, -1).transpose(0, 2, 3, 1)
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
    size = conv.fh * conv.fw
    channel = 1 + conv.c * conv.h * conv.w + np.arange(conv.k) * size
    index = channel[:, None, None, None] + place
    taps: Indices = (index * (j >= 0)).astype(np.int32)
    return taps.reshape(conv.k, lines.streams, lines.taps)
