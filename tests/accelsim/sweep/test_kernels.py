"""Kernels of sweeps: numbers of points, and the choice among engines against a plain loop."""

import math
import random

import numpy as np
import pytest

from accelsim.sweep import kernels

FIELDS = 7
LAYERS = 9


def test_the_permutation_is_one_for_every_size_of_grid():
    sizes = random.Random(1)
    for grid in (1, 2, 3, 7, 64, 1000, sizes.randrange(1000, 5000), sizes.randrange(5000, 9000)):
        points = points_of(grid, max(2, (grid - 1).bit_length()))
        assert sorted(kernels.permuted(n, points) for n in range(grid)) == list(range(grid))


@pytest.mark.parametrize("sizes", [(2, 3, 5, 7), (999_983, 3, 65_521), (10**6, 10**6, 4 * 10**6)])
def test_a_number_falls_into_the_digits_of_its_axes(sizes):
    grid = math.prod(sizes)
    points = points_of(grid, 2)._replace(
        sizes=np.array(sizes),
        reciprocals=1 / np.array(sizes),
        groups=np.arange(len(sizes)),
        strides=np.ones(len(sizes), np.int64),
    )
    some = random.Random(grid)
    edges = (product + off for size in sizes for product in (size, grid // size) for off in (-1, 0))
    numbers = {0, grid - 1, *edges, *(min(grid, 1 << 52) - 1 - n for n in range(9))}
    numbers |= {n // sizes[-1] * sizes[-1] - i for n in list(numbers) for i in (0, 1) if n > 99}
    numbers |= {some.randrange(grid) for _ in range(5000)}
    digits, at = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
    for number in numbers:
        kernels.place(number, points, digits, at)
        left, expected = number, []
        for size in reversed(sizes):
            left, digit = divmod(left, size)
            expected.insert(0, digit)
        assert digits.tolist() == expected == at[: len(sizes)].tolist()


def points_of(grid, bits):
    empty = np.zeros(0, np.int64)
    random = np.random.default_rng(grid)
    factors, offsets = random.integers(0, 1 << 64, (2, kernels.ROUNDS), np.uint64)
    return kernels.Points(
        empty, empty / 1, empty, empty, (), np.uint64(grid), bits, factors | np.uint64(1), offsets
    )


def random_tables(rng, others, workloads, places, operands, sizes, dataflows, energies):
    """Tables of small costs, so that engines often tie; an engine of size 0 is not there."""
    slots = workloads * LAYERS
    start = np.arange(workloads) * LAYERS
    choice, modelled = start + rng.integers(0, 6, workloads), start + rng.integers(6, 8, workloads)
    main_rows = operands * sizes[0]
    rows = dataflows * main_rows + sum(places * operands * (size - 1) for size in sizes[1:])
    costs = rng.integers(1, 5, (rows, slots, FIELDS + energies))
    costs[..., kernels.PORTS] //= 3
    rank = costs[..., kernels.CYCLES].copy()
    forced = rng.random(rows) < 0.1
    forced[: dataflows * main_rows] = False
    rank[forced] = -1
    numbers = iter(range(dataflows * main_rows, rows))
    other_rows = np.zeros((others, places, operands, max(sizes[1:])), np.int64)
    for other, place, width in np.ndindex(others, places, operands):
        for size in range(1, sizes[1 + other]):
            other_rows[other, place, width, size] = next(numbers)
    sums, rest = np.zeros((2, rows, workloads, FIELDS + energies), np.int64)
    moved = rng.integers(0, 20, (operands, 3, slots))
    for each in range(workloads):
        sums[:, each] = costs[:, start[each] : modelled[each]].sum(axis=1)
        rest[:, each] = costs[:, choice[each] : modelled[each]].sum(axis=1)
    return kernels.Tables(
        start=start,
        choice=choice,
        modelled=modelled,
        stop=start + LAYERS,
        main_row=rng.permutation(main_rows).reshape(operands, sizes[0]),
        main_rows=main_rows,
        costs=costs,
        cycles=np.ascontiguousarray(costs[..., kernels.CYCLES]),
        ports=np.ascontiguousarray(costs[..., kernels.PORTS]),
        sums=sums,
        rest=rest,
        other_rows=other_rows,
        rank=rank,
        moved=moved,
        widths=np.array([0, 3, 8]),
        energies=np.array([2, 1, 2]) if energies else np.zeros(3, np.int64),
    )


def plain(tables, at, others):
    """The metrics of a point, layer by layer."""
    sums = [0] * (kernels.ELSEWHERE + others)
    workload, width = at[kernels.WORKLOAD], int(tables.widths[at[kernels.WIDTH]])
    main = at[kernels.DATAFLOW] * tables.main_rows
    main += tables.main_row[at[kernels.OPERANDS], at[kernels.MAIN]]
    off_chip, clocks = tables.moved[at[kernels.OPERANDS], at[kernels.BUFFERS]], 0
    for slot in range(tables.start[workload], tables.modelled[workload]):
        runs = [(tables.rank[main, slot], 0, main)]
        if slot < tables.choice[workload]:
            for other in range(others):
                place = at[kernels.PLACE], at[kernels.OPERANDS], at[kernels.OTHERS + other]
                row = tables.other_rows[(other, *place)]
                if row:
                    runs.append((tables.rank[row, slot], -1 - other, row))
        _, runner, row = min(runs)  # of those that are equal, the last engine
        cost, moved = tables.costs[row, slot], off_chip[slot]
        for field in range(FIELDS):
            sums[field] += cost[field]
        if len(cost) > FIELDS:
            with_buffers = tables.energies[at[kernels.BUFFERS]] if width else 0
            sums[kernels.ENERGY] += cost[FIELDS + with_buffers]
        if runner:
            sums[kernels.ELSEWHERE - 1 - runner] += cost[kernels.CYCLES]
        waits = width > 0 and moved > cost[kernels.CYCLES] * width
        sums[kernels.MEMORY] += waits
        sums[kernels.PORTS_BOUND] += 0 if waits else cost[kernels.PORTS]
        clocks += max(cost[kernels.CYCLES], -(-moved // width) if width else 0)
    for slot in range(tables.modelled[workload], tables.stop[workload]):
        clocks += -(-off_chip[slot] // width) if width else 0
    sums[kernels.CLOCKS] = clocks
    return sums


@pytest.mark.parametrize("energies", [0, 3])
@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("others", [1, 2])
def test_any_number_of_engines_against_a_plain_loop(others, sampled, energies):
    rng = np.random.default_rng(others)
    workloads, dataflows, places, operands, sizes = 2, 2, 2, 2, (3, 2, 3, 2)[: 1 + others]
    tables = random_tables(rng, others, workloads, places, operands, sizes, dataflows, energies)
    # In the order of the groups; those in front of the workload run fastest.
    steps = (3, 3, 2, workloads, dataflows, places, operands, *sizes)
    order = [*range(kernels.WORKLOAD, len(steps)), *range(kernels.WORKLOAD)]
    axes = np.array([steps[group] for group in order])
    grid = math.prod(steps)
    points = points_of(grid, max(2, (grid - 1).bit_length()) if sampled else 0)._replace(
        sizes=axes,
        reciprocals=1 / axes,
        groups=np.array(order),
        strides=np.ones(len(order), np.int64),
        places=steps,
    )
    codes = np.empty((grid, len(steps)), np.int32)
    metrics = np.empty((grid, kernels.ELSEWHERE + others), np.int64)
    kernels.evaluate(0, points, tables, codes, metrics)
    for number in random.Random(others).sample(range(grid), 500):
        left = kernels.permuted(number, points) if sampled else number
        at = [0] * len(steps)
        for group in reversed(order):
            left, at[group] = divmod(left, steps[group])
        assert codes[number].tolist() == at
        assert metrics[number].tolist() == plain(tables, at, others), at
    assert (metrics[:, kernels.ELSEWHERE :].max(axis=0) > 0).all()  # each runs some layers
