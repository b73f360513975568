"""The search for the fastest row streams: lines through a map, jobs cut from them, their passes.

accelsim.dataflows.rows says what lines, jobs and fires are.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from math import gcd
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.dataflows.array import FIELD_LIMIT, Cost, port_clocks
from accelsim.dataflows.base import UNBOUNDED, ceil_div
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, largest

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


Cut = tuple[int, tuple[Jobs, ...], bool]  # bound of clocks, jobs, may passes fire several times


@lru_cache(maxsize=1 << 12)
def search(
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
        if clocks < least and all(_fits(lines, array, run) for run in runs):
            least = clocks
            yield clocks, jobs, tuple(runs)


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
    if taps > max_taps:
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
    longest = _longest(lines, array)
    if longest < 1:
        return
    whole = (longest + lines.gap) // lines.pitch
    if whole:
        least = ceil_div(lines.number, whole)
        for parts in range(least, min(least + 3, lines.number + 1)):
            yield _whole_lines(lines, parts), False
    else:
        yield _line_parts(lines, ceil_div(lines.outputs, longest)), False
    yield _flat(lines, ceil_div(lines.windows, longest)), False
    if lines.streams == 1 and lines.taps < array.columns:
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
    fewest = ceil_div(channels * ceil_div(windows, _longest(lines, array, rows)), rows)
    best = before = 0
    least = 2 * UNBOUNDED
    for passes in range(fewest, fewest + 12):
        parts = min(passes * rows // channels, windows)
        if parts == before:
            continue  # the same jobs, in no fewer passes
        before = parts
        size = -(-windows // parts)
        fires = -(-size // columns)
        n = max(-(-size // fires), min(rows, channels * parts), taps + 1)
        read = 2 * taps - 1 + fires * n - min(taps, fires * n - size)
        clocks = passes * (taps + fires * n) if read <= array.most_read else UNBOUNDED
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
        total: Int = loads + jobs + passes * (array.result_latency + columns - 2)
        return total
    drains = lines.streams * (fixed + first) + jobs
    clocks: Int = (
        np.maximum(loads + (jobs - 1) % rows + 1, drains) + array.result_latency + columns - 2
    )
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
        most = _longest(lines, array, int(again)) + lines.gap
        fewest = ceil_div(total * unit, most) if most > 0 else total + 1
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
            rows = np.minimum(min(array.rows, array.columns), sizes.jobs)
            room = rows * -(-sizes.shortest // array.columns) <= array.most_fired
            fits = room & (sizes.longest <= _longest(lines, array, int(fires)))
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


def _longest(lines: Lines, array: SystolicArray, rows: int = 0) -> int:
    """No job of so many rows has more windows; 0 rows: of passes that fire once."""
    columns = array.columns * (array.most_fired // rows if rows else 1)
    return min(columns, array.most_read - lines.taps + 1)


def streams_at_once(lines: Lines, array: SystolicArray, k: int) -> int:
    """Streams of k values in a pass at most."""
    return min(STREAM_LIMIT, array.most_read // (lines.taps + k))


def _fits(lines: Lines, array: SystolicArray, run: PassRun) -> bool:
    """Whether the banks and the result memory hold such passes, or parts of their streams."""
    _, m, n, k, fires = run
    read = lines.taps + k + (fires - 1) * n
    return read <= array.most_read and m * fires <= array.most_fired and fires <= FIELD_LIMIT


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
    return port_clocks(array, [_cost(lines, array, run) for run in runs])


def _cost(lines: Lines, array: SystolicArray, run: PassRun) -> Cost:
    trips, m, n, k, fires = run
    most = max(1, streams_at_once(lines, array, k))
    first = min(lines.streams, most)
    held = (lines.streams - first) * (lines.taps + k) + (fires - 1) * n
    return trips, first * (lines.taps + k), m, n, held, ceil_div(lines.streams, most) - 1
