"""The tilings that dataflows choose are the fastest, by trying all others on small layers."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim.dataflows import input_stationary, os, row_lines, rows, stationary, ws
from accelsim.dataflows.base import UNBOUNDED
from accelsim.engines.base import passes_of
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.ir import Conv
from accelsim.limits.systolic_array import limits
from tests.accelsim.dataflows.test_dataflows import arrays, convs
from tests.accelsim.engines.depthwise.convolutions import convolutions


@cache
def compositions(total: int, most: int) -> list[tuple[int, ...]]:
    """All ways to cut a total into parts of at most `most`, in every order."""
    if total == 0:
        return [()]
    return [
        (part, *rest)
        for part in range(1, min(total, most) + 1)
        for rest in compositions(total - part, most)
    ]


def ends(array, groups, streams, across, depths):
    """Clocks at which column 0 of every column tile has ended, pass by pass.

    A stream hides the load of the next pass; the first load and the last stream are not hidden.
    """
    at, before = 0, 0
    last = []
    for _, m, tile, (place, k) in product(range(groups), streams, range(across), enumerate(depths)):
        at += max(before, k)
        before = m
        if place == len(depths) - 1:
            last.append((tile, at + m + array.rows + 4))
    return last


def one_by_one(array, groups, streams, columns, depths):
    """Clocks where a pass begins behind the last result of the pass before it."""
    return groups * sum(k + m + array.rows + 4 + n for m, n, k in product(streams, columns, depths))


def exhaustive(array, groups, streamed, waiting, depth):
    """The fewest clocks of all tilings of a product, every list of tiles in every order."""
    best = None
    half = array.bank_depth // 2
    for depths in compositions(depth, min(array.rows, half)):
        most = min(half, array.most_streamed)
        if len(depths) > 1:
            most = min(most, array.accumulator_depth)
        for streams in compositions(streamed, most):
            if not array.overlap:
                each = compositions(waiting, array.columns)
                least = min(one_by_one(array, groups, streams, n, depths) for n in each)
                best = least if best is None else min(best, least)
                continue
            for across in range(-(-waiting // array.columns), waiting + 1):
                last = ends(array, groups, streams, across, depths)
                if best is not None and last[-1][1] >= best:
                    break  # more column tiles only take longer
                for columns in compositions(waiting, array.columns):
                    if len(columns) == across:
                        clocks = max(end + columns[tile] for tile, end in last)
                        best = clocks if best is None else min(best, clocks)
    return best


@settings(max_examples=150)
@given(
    st.builds(
        SystolicArray,
        rows=st.integers(1, 5),
        columns=st.integers(1, 9),
        accumulator_depth=st.integers(1, 4),
        overlap=st.sampled_from((True, True, True, False)),
        bank_depth=st.sampled_from([1024, 1024, 12, 7, 4, 2]),
    ),
    st.integers(1, 3),
    *(st.integers(1, 8),) * 3,
)
def test_a_product_is_cut_best(array, groups, streamed, waiting, depth):
    sizes = (groups, streamed, waiting, depth)
    clocks, _ = stationary._tiling(array, (1, 1), *sizes)
    assert clocks == exhaustive(array, *sizes)
    least = stationary._least(array, groups, *(np.array([size]) for size in sizes[1:]))
    assert least[0] <= clocks
    if not array.overlap or waiting <= array.columns <= groups * max(streamed, depth):
        assert least[0] == clocks  # one tile across, whose last column ends last


@pytest.mark.parametrize(("dataflow", "weights"), [(ws, True), (input_stationary, False)])
@settings(max_examples=80)
@given(convs(most=6), arrays)
@example(Conv(2, 3, 3, 1, 3, 3), SystolicArray(6, 8, accumulator_depth=1))  # not the least bound
def test_no_block_is_faster(dataflow, weights, conv, array):
    """Every block of outputs, each cut best; of equally fast ones the first is taken."""
    tried = []
    for high, wide in product(range(1, conv.oh + 1), range(1, conv.ow + 1)):
        blocks = conv.n * -(-conv.oh // high) * -(-conv.ow // wide)
        outputs = high * wide * conv.k // conv.groups
        seen = {
            (y * conv.sh + i * conv.dh, x * conv.sw + j * conv.dw)
            for y, x, i, j in product(*map(range, (high, wide, conv.fh, conv.fw)))
        }
        depth = conv.c // conv.groups * len(seen)
        sizes = (blocks, outputs, depth) if weights else (outputs, blocks, depth)
        clocks, _ = stationary._tiling(array, (high, wide), conv.groups, *sizes)
        tried.append((clocks, (high, wide)))
    ((clocks, tiling),) = dataflow.tilings(conv, array)
    assert (clocks, tiling.block) == min(tried)


def passes_of_os(array, conv):
    """Every list of passes of os: (m, n) each, of one group."""
    pixels, channels = conv.oh * conv.ow, conv.k // conv.groups
    depthwise = conv.depthwise and conv.c > 1
    for m, n in ((pixels, channels), (channels, pixels))[: 1 if depthwise else 2]:
        for high, wide in product(compositions(m, array.rows), compositions(n, array.columns)):
            yield [(rows, columns) for columns in wide for rows in high]
    for shared, others in () if depthwise else ((pixels, channels), (channels, pixels)):
        high, wide = array.rows - shared, array.columns - shared
        if min(high, wide) < 0 or high + wide == 0:
            continue
        for parts in compositions(others, high + wide):
            ways = (range(max(0, part - wide), min(high, part) + 1) for part in parts)
            for downs in product(*ways):
                yield [
                    (shared + down, shared + part - down)
                    for part, down in zip(parts, downs, strict=True)
                ]


def law(array, groups, passes, chunks):
    """Clocks of passes of os: a pass loads while the one before it drains.

    chunks : of K, all but the last of which keep their sums and drain for a clock.
    """
    at = drained = done = 0
    for m, n in groups * passes:
        for place, k in enumerate(chunks):
            drain = m if place == len(chunks) - 1 else 1
            if array.overlap:
                at += max(k, drained)
                done, drained = max(done, at + array.rows + drain + n + 2), drain
            else:
                done += k + array.rows + drain + n + 2
    return done


@settings(max_examples=60)
@given(
    st.builds(
        SystolicArray,
        rows=st.integers(1, 6),
        columns=st.integers(1, 6),
        overlap=st.sampled_from((True, True, True, False)),
        bank_depth=st.sampled_from((1024, 1024, 10, 7, 4, 2)),
    ),
    st.sampled_from((1, 1, 2, 3)),
    st.sampled_from((1, 1, 2, 3, 7)),
    st.integers(1, 9),
    st.integers(1, 7),
)
@example(SystolicArray(6, 3), 3, 1, 5, 3)  # a row more is cheaper than a pass more
@example(SystolicArray(5, 4, bank_depth=4, overlap=False), 1, 1, 7, 5)  # one by one, in chunks
def test_os_fills_its_passes_best(array, groups, channels, pixels, depth):
    conv = Conv(depth * groups, 1, pixels, channels * groups, 1, pixels, groups=groups)
    half = array.bank_depth // 2
    fewest = -(-depth // half)
    cuts = [cut for cut in compositions(depth, half) if len(cut) <= fewest + (fewest > 1)]
    least = min(
        law(array, groups, passes, chunks)
        for passes in passes_of_os(array, conv)
        for chunks in cuts
    )
    assert min(clocks for clocks, _ in os.tilings(conv, array)) == least


def least_crossed(array, depth, shared, others):
    """The fewest clocks of passes with all shared vectors on both sides, whatever their order."""
    high, wide = array.rows - shared, array.columns - shared

    @cache
    def behind(left, drained, late):
        """Clocks after the last load began; `late` of them until what came before has ended."""
        if not left:
            return late
        hidden = max(depth, drained)
        return hidden + min(
            behind(
                left - down - across,
                shared + down,
                max(late - hidden, array.rows + 2 * shared + down + across + 2),
            )
            for down in range(min(high, left) + 1)
            for across in range(min(wide, left - down) + 1)
            if down + across
        )

    return behind(others, 0, 0)


@settings(max_examples=100)
@given(
    st.integers(3, 7), st.integers(3, 7), st.integers(1, 8), st.integers(1, 3), st.integers(1, 30)
)
def test_crossed_operands_fill_their_passes_best(rows, columns, depth, shared, others):
    shared = min(shared, (min(rows, columns) - 1) // 2)
    array = SystolicArray(rows, columns)
    clocks, tiling = os._crossed(array, 1, os._Depth(depth, 512), shared, others, False)
    assert clocks == least_crossed(array, depth, shared, others)
    assert sum(count * (a + b) for count, a, b in tiling.passes) == others


def runs_on(array, conv, lines, jobs, runs):
    """Whether the array can run all passes: its banks hold a stream, and limits allow them."""
    if any(lines.taps + run.k > array.bank_depth // 2 for run in runs):
        return False
    passes = passes_of(rows.body(conv, array, rows.Tiling(False, lines, jobs, tuple(runs))))
    return not any(limits(array, p) for p in set(passes))


@settings(max_examples=120)
@given(convolutions(((1, 1), (3, 3), (1, 3), (3, 1), (2, 2), (1, 5), (5, 5)), 7, 11), arrays)
@example(Conv(1, 2, 2, 1, 2, 2, 3, 3, pt=1, pl=1), SystolicArray(1, 5))  # two lines just fit
def test_no_other_number_of_jobs_is_faster(conv, array):
    """Every number of jobs of every kind, along every axis, with passes that fire once or more."""
    try:
        chosen = min(clocks for clocks, _ in rows.tilings(conv, array))
    except UnsupportedError:
        return
    tried, channels = [], conv.n * conv.k
    for _, lines in row_lines._geometries(*rows._axes(conv), array.max_taps, array.columns == 1):
        cuts = [row_lines._whole_lines(lines, parts + 1) for parts in range(lines.number)]
        cuts += [row_lines._line_parts(lines, parts + 1) for parts in range(lines.outputs)]
        cuts += [row_lines._flat(lines, parts + 1) for parts in range(lines.windows)]
        every = row_lines._all_cuts(lines, channels, array, UNBOUNDED)
        looked_at = {(jobs, fires): bound for bound, jobs, fires in every}
        for jobs, fires in product(cuts, (False, True)):
            if fires and (lines.streams > 1 or lines.taps >= array.columns):
                continue
            if fires or max(job.size for job in jobs) <= array.columns:
                runs = row_lines._runs(lines, jobs, channels, array, fires)
                if not runs_on(array, conv, lines, jobs, runs):
                    continue
                clocks = row_lines._clocks(lines, array, runs)
                bound = row_lines._bounds(lines, array, fires, row_lines._sizes(jobs, channels))
                assert max(looked_at[jobs, fires], bound) <= clocks
                whole = array.most_read // lines.streams - lines.taps
                if len(jobs) == 1 and not fires and all(2 < run.k <= whole for run in runs):
                    assert bound == clocks  # nothing is rounded up, and no stream cut
                tried.append(clocks)
    assert chosen == min(tried)
