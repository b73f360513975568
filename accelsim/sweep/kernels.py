"""Points evaluated from tables of costs: sums, choices and maxima, and no formula of an engine.

All integers are int64: sums are exact in any order, so that compilers may vectorise them. Kernels
call only kernels of this file, and hold no Python object, so that threads run them side by side.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.numerics import kernel

Int = npt.NDArray[np.int64]

# Groups of axes; what a point needs is where it stands in each.
WORKLOAD, DATAFLOW, PLACE, OPERANDS, ARRAY, ENGINE, BUFFERS, WIDTH, CLOCK = range(9)
GROUPS = 9

# Columns of metrics. Of the first ones there is also a cost of every layer, and the layers that
# ports bound are counted in PORTS as if memory bound none.
CYCLES, BOUND, READ, WRITE, BUSY, PORTS, DEPTHWISE, CLOCKS, MEMORY, PORTS_BOUND = range(10)
METRICS = 10

EXACT = 1 << 52  # floats hold every whole number below it, and one more bit
ROUNDS = 4  # of the permutation, an even number
REMEMBERED = 1024  # designs; a power of two


class Points(NamedTuple):
    """How a number becomes a point.

    sizes : int64[axes], values of every axis that has more than one, the last running fastest.
    reciprocals : float64[axes], of the sizes.
    groups, strides : int64[axes], what group an axis is of, and what a step adds to it.
    grid : points of the grid.
    bits : 0 for points in order; else those of a permutation's domain, which holds the grid.
    factors, offsets : uint64[rounds], of the permutation; factors are odd.
    """

    sizes: Int
    reciprocals: npt.NDArray[np.float64]
    groups: Int
    strides: Int
    grid: np.uint64
    bits: int
    factors: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.uint64]


class Tables(NamedTuple):
    """Costs of layers; columns are the slots of costs.Layout.

    start, choice, modelled : int64[workloads], see costs.Layout.
    array_row : int64[operands, arrays], row of an array in its dataflow's part of the table.
    arrays : rows of a dataflow's part.
    costs : int64[rows, slots, fields], of arrays and behind them of depthwise engines: cycles,
        bound, read, write, busy, and 1 where ports bound a layer.
    cycles, ports : int64[rows, slots], the first and the last of these side by side.
    sums, rest : int64[rows, workloads, fields], of costs over all layers, and over those that
        only the array runs.
    engine_row : int64[places, operands, engines], row of a depthwise engine; 0 for none.
    rank : int64[rows, slots], cycles to compare with those of the array.
    moved : int64[buffers, slots], off-chip bytes of a layer.
    host_moved : int64[buffers, workloads], those of layers on the host.
    widths : int64[widths], bytes a clock; 0 for as wide as needed.
    """

    start: Int
    choice: Int
    modelled: Int
    array_row: Int
    arrays: int
    costs: Int
    cycles: Int
    ports: Int
    sums: Int
    rest: Int
    engine_row: Int
    rank: Int
    moved: Int
    host_moved: Int
    widths: Int


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
def design(tables, at, cycles, ports, found):
    """Set what a network costs on a design.

    A layer that may run on the depthwise engine does so where that takes no longer.

    cycles, ports : int64[layers], of every layer that an engine runs.
    found : int64[metrics], sums over these layers, up to DEPTHWISE.
    """
    workload = at[WORKLOAD]
    start, choice = tables.start[workload], tables.choice[workload]
    row = at[DATAFLOW] * tables.arrays + tables.array_row[at[OPERANDS], at[ARRAY]]
    other = tables.engine_row[at[PLACE], at[OPERANDS], at[ENGINE]]
    for layer in range(tables.modelled[workload] - start):
        cycles[layer] = tables.cycles[row, start + layer]
        ports[layer] = tables.ports[row, start + layer]
    if other == 0 or choice == start:
        found[: PORTS + 1] = tables.sums[row, workload]
        found[DEPTHWISE] = 0
        return
    clocks = bound = read = write = busy = ported = elsewhere = np.int64(0)
    for slot in range(start, choice):
        use = tables.rank[other, slot] <= tables.cycles[row, slot]
        cost = tables.costs[other if use else row, slot]
        clocks += cost[CYCLES]
        bound += cost[BOUND]
        read += cost[READ]
        write += cost[WRITE]
        busy += cost[BUSY]
        ported += cost[PORTS]
        elsewhere += cost[CYCLES] if use else 0
        cycles[slot - start] = cost[CYCLES]
        ports[slot - start] = cost[PORTS]
    rest = tables.rest[row, workload]
    found[CYCLES] = rest[CYCLES] + clocks
    found[BOUND] = rest[BOUND] + bound
    found[READ] = rest[READ] + read
    found[WRITE] = rest[WRITE] + write
    found[BUSY] = rest[BUSY] + busy
    found[PORTS] = rest[PORTS] + ported
    found[DEPTHWISE] = elsewhere


@kernel
def share(width, cycles, ports, moved):
    """Clocks times width of layers that wait for the slower of engine and memory.

    Also how many of them wait for memory, and how many for ports of the engine.
    """
    clocks = memory = bound = np.int64(0)
    for layer in range(len(cycles)):
        busy = cycles[layer] * width
        slow = np.int64(moved[layer] > busy)
        clocks += max(busy, moved[layer])
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
        for group in range(GROUPS):
            codes[other, group] = at[group]
        for metric in range(METRICS):
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

    Designs are remembered, and what does not change from a point to the next is not evaluated
    again: on a grid most of the work falls away.
    """
    digits, at = np.zeros(len(points.sizes), np.int64), np.zeros(GROUPS, np.int64)
    layers = (tables.modelled - tables.start).max()
    cycles = np.empty((REMEMBERED, layers), np.int64)
    ports = np.empty((REMEMBERED, layers), np.int64)
    found = np.empty((REMEMBERED, METRICS), np.int64)
    holds = np.full(REMEMBERED, -1, np.int64)
    now = at_width = at_buffers = clocks = memory = bound = np.int64(-1)
    operands, arrays = tables.array_row.shape
    places, engines = len(tables.engine_row), tables.engine_row.shape[2]
    dataflows = len(tables.sums) // tables.arrays
    # Along the clocks nothing else changes, and they run fastest.
    runs = len(points.sizes) > 0 and points.groups[-1] == CLOCK
    point = np.int64(0)
    if points.bits == 0:
        place(first, points, digits, at)
    while point < len(codes):
        if points.bits > 0:
            place(permuted(first + point, points), points, digits, at)

        workload, buffers = at[WORKLOAD], at[BUFFERS]
        this = (workload * dataflows + at[DATAFLOW]) * places + at[PLACE]
        this = ((this * operands + at[OPERANDS]) * arrays + at[ARRAY]) * engines + at[ENGINE]
        slot = this & (REMEMBERED - 1)
        if holds[slot] != this:
            design(tables, at, cycles[slot], ports[slot], found[slot])
            holds[slot] = this
        if this != now or buffers != at_buffers or at[WIDTH] != at_width:
            now, at_buffers, at_width = this, buffers, at[WIDTH]
            width = tables.widths[at_width]
            clocks, memory, bound = found[slot, CYCLES], np.int64(0), found[slot, PORTS]
            if width > 0:
                start, end = tables.start[workload], tables.modelled[workload]
                moved = tables.moved[buffers, start:end]
                some = end - start
                clocks, memory, bound = share(width, cycles[slot, :some], ports[slot], moved)
                clocks += tables.host_moved[buffers, workload] + width - 1
                clocks //= width

        for group in range(GROUPS):
            codes[point, group] = at[group]
        for metric in range(DEPTHWISE + 1):
            metrics[point, metric] = found[slot, metric]
        metrics[point, CLOCKS] = clocks
        metrics[point, MEMORY] = memory
        metrics[point, PORTS_BOUND] = bound
        point += 1
        if points.bits == 0:
            if runs:
                point = repeat(point, points, codes, metrics, digits, at)
            advance(points, digits, at)
