"""Points evaluated from tables of costs: sums, choices and maxima, and no formula of an engine.

All integers are int64: sums are exact in any order, so that compilers may vectorise them. Kernels
call only kernels of this file, and hold no Python object, so that threads run them side by side.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.kernels import kernel

Int = npt.NDArray[np.int64]

# Groups of axes; what a point needs is where it stands in each. From WORKLOAD on they make out the
# design and what runs on it, with a group for the sizes of every engine: that of the main engine,
# which runs every layer, and behind it those of the others.
BUFFERS, WIDTH, CLOCK, WORKLOAD, DATAFLOW, PLACE, OPERANDS, MAIN = range(8)
OTHERS = MAIN + 1

# Columns of metrics. Of the first ones there is also a cost of every layer, and the layers that
# ports bound are counted in PORTS as if memory bound none. Behind them stand the energy, and the
# cycles of each of the other engines.
CYCLES, BOUND, READ, WRITE, BUSY, SKIPPED, PORTS = range(7)
CLOCKS, MEMORY, PORTS_BOUND, ENERGY, ELSEWHERE = range(PORTS + 1, PORTS + 6)
ENERGIES = PORTS + 1  # of costs, the first column of energies

EXACT = 1 << 52  # floats hold every whole number below it, and one more bit
ROUNDS = 4  # of the permutation, an even number
REMEMBERED = 1024  # designs, and ways in which networks move; a power of two


class Points(NamedTuple):
    """How a number becomes a point.

    sizes : int64[axes], values of every axis that has more than one, the last running fastest.
    reciprocals : float64[axes], of the sizes.
    groups, strides : int64[axes], what group an axis is of, and what a step adds to it.
    places : in every group; a tuple, so that kernels are compiled for this number of groups.
    grid : points of the grid.
    bits : 0 for points in order; else those of a permutation's domain, which holds the grid.
    factors, offsets : uint64[rounds], of the permutation; factors are odd.
    """

    sizes: Int
    reciprocals: npt.NDArray[np.float64]
    groups: Int
    strides: Int
    places: tuple[int, ...]
    grid: np.uint64
    bits: int
    factors: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.uint64]


class Tables(NamedTuple):
    """Costs of layers; columns are the slots of costs.Layout.

    start, choice, modelled, stop : int64[workloads], see costs.Layout.
    main_row : int64[operands, sizes], row of the main engine in its dataflow's part of the table.
    main_rows : rows of a dataflow's part.
    costs : int64[rows, slots, fields], of the main engine and behind it of the others: cycles,
        bound, read, write, busy, skipped, and 1 where ports bound a layer; then the energy without
        a memory, and with each of the buffers that differ in it, all in parts of a pJ. Without a
        table of energies there are none of these.
    cycles, ports : int64[rows, slots], the first and the last of these side by side.
    sums, rest : int64[rows, workloads, fields], of costs over all layers, and over those that
        only the main engine runs.
    other_rows : int64[engines, places, operands, sizes], rows of the others; 0 for no engine.
    rank : int64[rows, slots], cycles by which the engines of a layer are compared.
    moved : int64[operands, buffers, slots], off-chip bytes of a layer.
    widths : int64[widths], bytes a clock; 0 for as wide as needed.
    energies : int64[buffers], which of the energies of a layer is that with these buffers.
    """

    start: Int
    choice: Int
    modelled: Int
    stop: Int
    main_row: Int
    main_rows: int
    costs: Int
    cycles: Int
    ports: Int
    sums: Int
    rest: Int
    other_rows: Int
    rank: Int
    moved: Int
    widths: Int
    energies: Int


@kernel
def permuted(number, points):
    """Another number below `grid`; all of them differ.

    A Feistel network over as many bits as the grid needs, its rounds pairwise independent hashes
    by multiplication (Naor and Reingold, "On the Construction of Pseudo-Random Permutations",
    J. Cryptology 12, 1999), applied until the number falls into the grid (cycle walking: Black
    and Rogaway, CT-RSA 2002).
    """
    low = np.uint64(points.bits) >> np.uint64(1)
    high = np.uint64(points.bits) - low
    number = np.uint64(number)
    while True:
        left, right = number >> low, number & ((np.uint64(1) << low) - np.uint64(1))
        for turn in range(0, ROUNDS, 2):  # the halves may differ by a bit, and change places
            mixed = right * points.factors[turn] + points.offsets[turn]
            left ^= mixed >> (np.uint64(64) - high)
            mixed = left * points.factors[turn + 1] + points.offsets[turn + 1]
            right ^= mixed >> (np.uint64(64) - low)
        number = left << low | right
        if number < points.grid:
            return np.int64(number)


@kernel
def place(number, points, digits, at):
    """Set the digits of a point and where it stands in each group."""
    at[:] = 0
    left = np.int64(number)
    small = left < EXACT
    for axis in range(len(points.sizes) - 1, -1, -1):
        size = points.sizes[axis]
        if small:  # a product is faster than a quotient, and off by one at most
            rest = np.int64(left * points.reciprocals[axis])
            digit = left - rest * size
            if digit < 0:
                rest, digit = rest - 1, digit + size
            elif digit >= size:
                rest, digit = rest + 1, digit - size
        else:
            rest = left // size
            digit = left - rest * size
        digits[axis] = digit
        at[points.groups[axis]] += digit * points.strides[axis]
        left = rest


@kernel
def advance(points, digits, at):
    """Go on to the next point of the grid."""
    for axis in range(len(points.sizes) - 1, -1, -1):
        if digits[axis] + 1 < points.sizes[axis]:
            digits[axis] += 1
            at[points.groups[axis]] += points.strides[axis]
            return
        at[points.groups[axis]] -= digits[axis] * points.strides[axis]
        digits[axis] = 0


@kernel
def run(points, tables, at, rows, cycles, ports, sums, energies):
    """Set what a network costs on a design.

    A layer that several engines may run goes to the fastest, the last one of those that are equal.

    rows : int64[other engines], set to their rows of the tables.
    cycles, ports : int64[layers], set, of every layer that an engine runs.
    sums : int64[metrics], set over these layers, but for what memory decides.
    energies : int64[energies], set likewise, for every memory.
    """
    workload = at[WORKLOAD]
    start, choice = tables.start[workload], tables.choice[workload]
    main = at[DATAFLOW] * tables.main_rows + tables.main_row[at[OPERANDS], at[MAIN]]
    alone = True
    for other in range(len(points.places) - OTHERS):
        rows[other] = tables.other_rows[other, at[PLACE], at[OPERANDS], at[OTHERS + other]]
        alone = alone and rows[other] == 0
        sums[ELSEWHERE + other] = 0
    for layer in range(tables.modelled[workload] - start):
        cycles[layer] = tables.cycles[main, start + layer]
        ports[layer] = tables.ports[main, start + layer]
    if alone or choice == start:
        sums[: PORTS + 1] = tables.sums[main, workload, : PORTS + 1]
        energies[:] = tables.sums[main, workload, ENERGIES:]
        return
    energies[:] = tables.rest[main, workload, ENERGIES:]
    clocks = bound = read = write = busy = skipped = ported = np.int64(0)
    for slot in range(start, choice):
        chosen, least, runner = main, tables.rank[main, slot], -1
        for other in range(len(points.places) - OTHERS):
            row = rows[other]
            if row > 0 and tables.rank[row, slot] <= least:
                chosen, least, runner = row, tables.rank[row, slot], other
        cost = tables.costs[chosen, slot]
        clocks += cost[CYCLES]
        bound += cost[BOUND]
        read += cost[READ]
        write += cost[WRITE]
        busy += cost[BUSY]
        skipped += cost[SKIPPED]
        ported += cost[PORTS]
        for each in range(len(energies)):
            energies[each] += cost[ENERGIES + each]
        if runner >= 0:
            sums[ELSEWHERE + runner] += cost[CYCLES]
        cycles[slot - start] = cost[CYCLES]
        ports[slot - start] = cost[PORTS]
    rest = tables.rest[main, workload]
    sums[CYCLES] = rest[CYCLES] + clocks
    sums[BOUND] = rest[BOUND] + bound
    sums[READ] = rest[READ] + read
    sums[WRITE] = rest[WRITE] + write
    sums[BUSY] = rest[BUSY] + busy
    sums[SKIPPED] = rest[SKIPPED] + skipped
    sums[PORTS] = rest[PORTS] + ported


@kernel
def move(width, moved, moving):
    """Set the clocks in which a port moves the bytes of layers.

    Returns those of the layers behind them, which are on the host, together.
    """
    layers = len(moving)
    for layer in range(layers):
        moving[layer] = (moved[layer] + width - 1) // width
    host = np.int64(0)
    for layer in range(layers, len(moved)):
        host += (moved[layer] + width - 1) // width
    return host


@kernel
def share(cycles, ports, moving):
    """Clocks of layers that wait for the slower of engine and memory.

    Also how many of them wait for memory, and how many for ports of the engine.
    """
    clocks = memory = bound = np.int64(0)
    for layer in range(len(moving)):
        slow = np.int64(moving[layer] > cycles[layer])
        clocks += max(cycles[layer], moving[layer])
        memory += slow
        bound += (1 - slow) * ports[layer]
    return clocks, memory, bound


@kernel
def repeat(point, points, codes, metrics, digits, at):
    """Set the points at the other clocks as the one before; the first point behind them."""
    last = len(points.sizes) - 1
    stop = min(len(codes), point + points.sizes[last] - 1 - digits[last])
    for other in range(point, stop):
        at[CLOCK] += points.strides[last]
        for group in range(len(points.places)):
            codes[other, group] = at[group]
        for metric in range(ELSEWHERE + len(points.places) - OTHERS):
            metrics[other, metric] = metrics[point - 1, metric]
    digits[last] += max(0, stop - point)
    return stop


@kernel
def evaluate(first, points, tables, codes, metrics):
    """Evaluate the points from number `first` on.

    Parameters
    ----------
    codes : int32[points, groups], set to where each point stands in every group.
    metrics : int64[points, metrics], set. Cycles of costs.UNSUPPORTED and more mean that a
        layer cannot run; the other metrics then mean nothing.

    Designs and what moves are remembered, and what does not change from a point to the next is not
    evaluated again: on a grid most of the work falls away.
    """
    digits, at = np.zeros(len(points.sizes), np.int64), np.zeros(len(points.places), np.int64)
    layers = (tables.modelled - tables.start).max()
    rows = np.empty(len(points.places) - OTHERS, np.int64)
    cycles = np.empty((REMEMBERED, layers), np.int64)
    ports = np.empty((REMEMBERED, layers), np.int64)
    sums = np.empty((REMEMBERED, metrics.shape[1]), np.int64)
    energies = np.empty((REMEMBERED, tables.costs.shape[2] - ENERGIES), np.int64)
    holds = np.full(REMEMBERED, -1, np.int64)
    moving, host = np.empty((REMEMBERED, layers), np.int64), np.empty(REMEMBERED, np.int64)
    moves = np.full(REMEMBERED, -1, np.int64)
    now = at_width = at_buffers = clocks = memory = bound = np.int64(-1)
    # Along the clocks nothing else changes, and they run fastest.
    runs = len(points.sizes) > 0 and points.groups[-1] == CLOCK
    point = np.int64(0)
    if points.bits == 0:
        place(first, points, digits, at)
    while point < len(codes):
        if points.bits > 0:
            place(permuted(first + point, points), points, digits, at)

        workload, buffers = at[WORKLOAD], at[BUFFERS]
        design = workload
        for group in range(WORKLOAD + 1, len(points.places)):
            design = design * points.places[group] + at[group]
        slot = design & (REMEMBERED - 1)
        if holds[slot] != design:
            run(points, tables, at, rows, cycles[slot], ports[slot], sums[slot], energies[slot])
            holds[slot] = design
        if design != now or buffers != at_buffers or at[WIDTH] != at_width:
            now, at_buffers, at_width = design, buffers, at[WIDTH]
            width = tables.widths[at_width]
            clocks, memory, bound = sums[slot, CYCLES], np.int64(0), sums[slot, PORTS]
            if width > 0:
                start = tables.start[workload]
                some = tables.modelled[workload] - start
                traffic = workload * points.places[OPERANDS] + at[OPERANDS]
                traffic = traffic * points.places[BUFFERS] + buffers
                traffic = traffic * len(tables.widths) + at_width
                row = traffic & (REMEMBERED - 1)
                if moves[row] != traffic:
                    moved = tables.moved[at[OPERANDS], buffers, start : tables.stop[workload]]
                    host[row] = move(width, moved, moving[row, :some])
                    moves[row] = traffic
                clocks, memory, bound = share(cycles[slot], ports[slot], moving[row, :some])
                clocks += host[row]

        for group in range(len(points.places)):
            codes[point, group] = at[group]
        for metric in range(CLOCKS):
            metrics[point, metric] = sums[slot, metric]
        metrics[point, CLOCKS] = clocks
        metrics[point, MEMORY] = memory
        metrics[point, PORTS_BOUND] = bound
        if energies.shape[1] > 0:
            with_buffers = tables.widths[at[WIDTH]] > 0
            metrics[point, ENERGY] = energies[slot, tables.energies[buffers] if with_buffers else 0]
        else:
            metrics[point, ENERGY] = 0
        for metric in range(ELSEWHERE, ELSEWHERE + len(points.places) - OTHERS):
            metrics[point, metric] = sums[slot, metric]
        point += 1
        if points.bits == 0:
            if runs:
                point = repeat(point, points, codes, metrics, digits, at)
            advance(points, digits, at)
