"""Register-accurate simulation of the systolic array: every register, every clock, real data.

The processing element (i, j) works i + j clocks behind element (0, 0), because operands and
control bits pass from neighbour to neighbour. Seen in *frame time*, clock - i - j, all elements
do the same thing at the same time, so the simulation steps through frames:

* `acc` and `s` (sum and shadow register) are arrays that every frame updates.
* `a`, `b`, `w`, `f` only delay what entered at an edge; they are views of the edge's history
  (one value per row or column, or the `chain` of a row in mode rows), and arrays where a mode
  holds them (stationary tiles).
* A shadow that takes its upper neighbour's value takes the one *of the same frame*, since that
  neighbour is one frame ahead in clocks.

The sequencer, its counters (`obusy`, the drain counter `rem`, the load counter `q`) and the
edges are stepped by the clock as in rtl/engines/systolic_array, under the same names. `rem`
and `q` are not delayed from row to row; they are kept by clock, and the sequencer runs R - 1
clocks ahead of the frames. No formula of the schedule is used.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba.core import cgutils
from numba.extending import intrinsic

from accelsim.engines.vectors import INT32, filled, load, pointers, splat, store, widen
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.numerics import kernel
from accelsim.passes import Opcode

OS, WS, IS, ROWS = (int(op) for op in (Opcode.OS, Opcode.WS, Opcode.IS, Opcode.ROWS))
FIRST, CAP, WSF, FZ, SWAP, BSH, SH = (1 << bit for bit in range(7))  # control bits of an element
BEAT, START, END, ACCUMULATE, EMIT = (1 << bit for bit in range(5))  # result token of a frame

# Columns of the control history, one row per clock.
CTL_FLAGS, CTL_LEFT, CTL_LOW, CTL_HIGH, CTL_TOP, CTL_TAPW, CTL_TAPR = range(7)
CTL_DRAIN, CTL_N, CTL_TOKEN, CTL_FIELDS = range(7, 11)


Register = npt.NDArray[Any]


class State(NamedTuple):
    """Registers of the array: int32[R, C] acc, s and f; int16[R, C] a, b and w.

    f holds the control bits FIRST ... SH; taps is int16[R, max_taps].
    """

    acc: Register
    s: Register
    a: Register
    b: Register
    w: Register
    f: Register
    taps: Register


class CycleResult(NamedTuple):
    """Outcome of a sequence.

    words : int32[result words, C], as they leave, the columns of a word realigned.
    busy_cycles : first operand at a port to last result at the result port.
    state : registers at the clock asked for, else None.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    state: State | None


def empty_state(array: SystolicArray) -> State:
    """All registers zero."""
    grid = (array.rows, array.columns)
    wide = [np.zeros(grid, np.int32) for _ in range(3)]
    operand = [np.zeros(grid, np.int16) for _ in range(3)]
    taps = np.zeros((array.rows, array.max_taps), np.int16)
    return State._make([*wide[:2], *operand, wide[2], taps])


def random_state(array: SystolicArray, rng: np.random.Generator) -> State:
    """Registers as found after power-up: random data, control bits zero."""
    high = 1 << (array.operands.bits - 1)
    wide = 1 << 31

    def draw(bound: int, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return rng.integers(-bound, bound, like.shape).astype(like.dtype)

    zero = empty_state(array)
    drawn = (draw(wide if r.dtype == np.int32 else high, r) for r in zero)
    return State._make(drawn)._replace(f=zero.f)


def simulate(
    array: SystolicArray,
    commands: npt.NDArray[np.int64],
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    state: State | None = None,
    clock: int | None = None,
) -> CycleResult:
    """Run one sequence of commands register by register.

    Parameters
    ----------
    commands : int64[passes, 12], the fields of ArrayCommand.
    left, top : int16[words, R], int16[words, C], contents of the operand banks.
    state : registers at the start, zero if None: those of element (i, j) at clock i + j, when its
        first frame begins. Control bits are taken as zero.
    clock : the clock (0 = first operand at a port) at whose start registers are recorded.
    """
    clocks = range(0) if clock is None else range(clock, clock + 1)
    words, busy, seen = _simulate(array, commands, left, top, state, clocks)
    found = None if clock is None else State._make(register[0] for register in seen)
    return CycleResult(words, busy, found)


def record(
    array: SystolicArray,
    commands: npt.NDArray[np.int64],
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    clocks: range,
) -> State:
    """Registers at the start of each of these consecutive clocks, along a first axis.

    The sequence is as in `simulate`; it begins with all registers zero.
    """
    return _simulate(array, commands, left, top, None, clocks)[2]


def _simulate(
    array: SystolicArray,
    commands: npt.NDArray[np.int64],
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    state: State | None,
    clocks: range,
) -> tuple[npt.NDArray[np.int32], int, State]:
    """Result words, busy cycles, and the registers at the clocks, one after another."""
    begin = state or empty_state(array)
    lanes = -(-array.columns // LANES) * LANES
    blank = _padded(empty_state(array), lanes)
    seen = State._make(np.zeros((len(clocks), *r.shape), r.dtype) for r in blank)
    accumulator = np.zeros((array.accumulator_depth, lanes), np.int32)
    total = int((commands[:, 1] * commands[:, 6] * commands[:, 8]).sum())  # m * fires * emit
    words = np.zeros((total, array.columns), np.int32)
    count, busy = _run(
        np.ascontiguousarray(commands, np.int64),
        np.ascontiguousarray(left, np.int16),
        _pad(top if len(top) else np.zeros((1, array.columns)), lanes, np.int16),
        array.columns,
        array.overlap,
        words,
        accumulator,
        _padded(begin, lanes),
        seen,
        clocks.start,
        clocks.stop,
    )
    if count != total:
        raise UnsupportedError(f"the sequence left {count} result words instead of {total}")
    found = State._make([*(grid[:, :, : array.columns] for grid in seen[:-1]), seen.taps])
    return words, int(busy), found


def _pad(grid: npt.NDArray[Any], lanes: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The columns filled up with zeros to whole vectors; these are never read out."""
    if grid.shape[1] == lanes:
        return np.ascontiguousarray(grid, dtype)
    return np.pad(np.asarray(grid, dtype), ((0, 0), (0, lanes - grid.shape[1])))


def _padded(state: State, lanes: int) -> State:
    grids = [np.array(_pad(grid, lanes, grid.dtype)) for grid in state[:-1]]
    return State._make([*grids, np.array(state.taps)])


# ---- one clock of all elements, as LLVM vectors --------------------------------------------
#
# LLVM does not vectorise these loops well by itself: it cannot know that a row of sums overlaps
# neither its operands nor the row above. The instructions are portable vector IR. The integers wrap
# as in hardware of 32 bits.

BLOCKS = (64, 16, 8)
LANES = BLOCKS[-1]
_SIZE = numba.types.intp
_FLAG = numba.types.boolean


def _operands(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """Consecutive elements, as int32."""
    return widen(builder, load(builder, pointer, offset, lanes))


def _everywhere(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """One element on all lanes, as int32."""
    value = widen(builder, builder.load(builder.gep(pointer, [offset])))
    return splat(builder, value, lanes)


def _blocks(builder: Any, columns: Any, body: Callable[[Any, int], None]) -> None:
    """body(first column, lanes) for all columns, in the widest blocks that fit."""
    done = columns.type(0)
    for lanes in BLOCKS:
        size = columns.type(lanes)
        count = builder.udiv(builder.sub(columns, done), size)
        with cgutils.for_range(builder, count) as block:
            body(builder.add(done, builder.mul(block.index, size)), lanes)
        done = builder.add(done, builder.mul(count, size))


@intrinsic
def _copy(typing, target, to, source, start, count):
    """target.flat[to : to + count] = source.flat[start : start + count], of one dtype."""
    signature = numba.types.void(target, _SIZE, source, _SIZE, _SIZE)

    def generate(context, builder, signature, args):
        into = context.make_array(signature.args[0])(context, builder, args[0]).data
        out = context.make_array(signature.args[2])(context, builder, args[2]).data
        into, out = builder.gep(into, [args[1]]), builder.gep(out, [args[3]])
        width = into.type.pointee.width // 8
        cgutils.raw_memcpy(builder, into, out, args[4], width)

    return signature, generate


@intrinsic
def _multiply(typing, acc, a, b, row, first, rows, columns):
    """acc[i, j] = (0 if first else acc[i, j]) + a[i] * b[row, j]: os, and idle clocks."""
    signature = numba.types.void(acc, a, b, _SIZE, _FLAG, _SIZE, _SIZE)

    def generate(context, builder, signature, args):
        sums, left, above = pointers(context, builder, signature, args, 3)
        row, first, rows, columns = args[3:]

        def block(j, lanes, start):
            operand = _operands(builder, above, builder.add(builder.mul(row, columns), j), lanes)
            with cgutils.for_range(builder, rows) as line:
                place = builder.add(builder.mul(line.index, columns), j)
                product = builder.mul(operand, _everywhere(builder, left, line.index, lanes))
                if not start:
                    product = builder.add(product, _operands(builder, sums, place, lanes))
                store(builder, product, sums, place)

        with builder.if_else(first) as (begin, go_on):
            with begin:
                _blocks(builder, columns, lambda j, lanes: block(j, lanes, True))
            with go_on:
                _blocks(builder, columns, lambda j, lanes: block(j, lanes, False))

    return signature, generate


@intrinsic
def _slide(typing, acc, tap, chain, at, first, rows, columns, pitch):
    """acc[i, j] = (0 if first else acc[i, j]) + tap[i] * chain[i, at + j]: rows."""
    signature = numba.types.void(acc, tap, chain, _SIZE, _FLAG, _SIZE, _SIZE, _SIZE)

    def generate(context, builder, signature, args):
        sums, taps, values = pointers(context, builder, signature, args, 3)
        at, first, rows, columns, pitch = args[3:]

        def slide(start):
            with cgutils.for_range(builder, rows) as line:
                source = builder.add(builder.mul(line.index, pitch), at)
                target = builder.mul(line.index, columns)

                def block(j, lanes):
                    place = builder.add(target, j)
                    weight = _everywhere(builder, taps, line.index, lanes)
                    value = _operands(builder, values, builder.add(source, j), lanes)
                    product = builder.mul(weight, value)
                    if not start:
                        product = builder.add(product, _operands(builder, sums, place, lanes))
                    store(builder, product, sums, place)

                _blocks(builder, columns, block)

        with builder.if_else(first) as (begin, go_on):
            with begin:
                slide(True)
            with go_on:
                slide(False)

    return signature, generate


@intrinsic
def _stream(typing, s, w, a, rows, columns):
    """s[i, j] = s[i - 1, j] + a[i] * w[i, j], the sums passing down: ws, is."""
    signature = numba.types.void(s, w, a, _SIZE, _SIZE)

    def generate(context, builder, signature, args):
        sums, weights, left = pointers(context, builder, signature, args, 3)
        rows, columns = args[3:]

        def block(j, lanes):
            none = filled(INT32, 0, lanes)
            passing = cgutils.alloca_once(builder, none.type)
            builder.store(none, passing)
            with cgutils.for_range(builder, rows) as line:
                place = builder.add(builder.mul(line.index, columns), j)
                weight = _operands(builder, weights, place, lanes)
                product = builder.mul(weight, _everywhere(builder, left, line.index, lanes))
                total = builder.add(builder.load(passing), product)
                builder.store(total, passing)
                store(builder, total, sums, place)

        _blocks(builder, columns, block)

    return signature, generate


@kernel
def _run(commands, left, top, columns, overlap, words, accumulator, reg, seen, since, until):
    acc, s, b, w, taps = reg.acc, reg.s, reg.b, reg.w, reg.taps
    rows, lanes = acc.shape
    size = 1
    while size < 2 * rows + 2:
        size *= 2
    mask = size - 1
    control = np.zeros((size, CTL_FIELDS), np.int32)
    for slot in range(size):
        _idle(control, slot)
    rem_at = np.zeros(2 * size, np.int32)
    q_at_clock = np.full(2 * size, -1, np.int32)

    # Sequencer registers.
    head = 0
    passes = commands.shape[0]
    opcode, m, n, k, taps_n, accumulate, emit = 0, 0, 0, 0, 0, 0, 0
    cnt, streams, fires, tapping, fresh, left_at, top_at = 0, 0, 0, 0, 0, 0, 0
    pend, tile = 0, 0  # a stationary tile is loading or waits; its command
    q_left, q_beat, q_at = 0, 0, 0
    obusy = 0
    flight = 0
    quiet_from = 0

    # Views of what the edges delay.
    edge = np.zeros(rows, np.int16)  # a of the last frame, where it was not a chain frame
    tap = np.zeros(rows, np.int16)  # w, where it is one value per row
    above = 0  # b, where it is one value per column: a word of top
    length = lanes + 1024
    chain = np.zeros((rows, length), np.int16)
    place = length - lanes
    shadow = np.arange(rows)  # s of row i is what row shadow[i] captured
    whole = True
    shifting = np.zeros(rows, np.int32)
    loading = np.zeros(rows, np.int32)
    a_kind = 2  # 0: edge, 1: chain, 2: initial registers
    b_kind = 0  # 0: array, 1: above, 2: chain
    w_kind = 0  # 0: array, 1: tap
    last_flags = 0
    last_drain, last_load = -1, -1
    edge_low, edge_high, tap_set = 0, 0, False

    rem, rem_n, rem_end = 0, 0, 0
    index = 0
    count = 0
    first = -1
    last = -1
    x = -1
    while True:
        x += 1
        slot = x & mask
        _idle(control, slot)
        loaded = -1

        # ---- sequencer, clock x ------------------------------------------------------------
        quiet = overlap or (flight == 0 and x >= quiet_from)
        array_busy = (cnt > 0 or streams > 0) and (opcode == OS or opcode == ROWS)
        swap = pend == 1 and q_left == 0 and cnt <= 1 and not array_busy and obusy <= 1
        started = False
        if cnt == 0:
            if streams > 0:
                if streams > 1 or obusy < taps_n + k:
                    streams -= 1
                    cnt, tapping, fresh = taps_n + k, taps_n, 0
            elif pend == 0 and head < passes and quiet:
                op = commands[head, 0]
                if op == OS or op == ROWS:
                    begin = commands[head, 3] + (commands[head, 4] if op == ROWS else 0)
                    if commands[head, 5] > 1 or obusy < begin:
                        opcode, m, n, k = (
                            op,
                            commands[head, 1],
                            commands[head, 2],
                            commands[head, 3],
                        )
                        taps_n = commands[head, 4]
                        streams, fires = commands[head, 5] - 1, commands[head, 6] - 1
                        left_at, top_at = commands[head, 9], commands[head, 10]
                        cnt, tapping, fresh = begin, taps_n, 1
                        head += 1
                        flight += 1
                        started = True
        b_free = not array_busy and not started
        load = -1
        if q_left == 0 and (pend == 0 or swap) and b_free and head < passes and quiet:
            op = commands[head, 0]
            if op == WS or op == IS:
                load = head
                q_left, q_beat, q_at = commands[head, 3], 0, commands[head, 10]
                head += 1
                flight += 1
        if q_left > 0:
            loaded = q_beat
            control[slot, CTL_TOP] = q_at
            last_load = x
            q_left -= 1
            q_beat += 1
            q_at += 1

        capture = False
        if cnt > 0:
            control[slot, CTL_LEFT] = left_at
            left_at += 1
            if opcode == OS:
                control[slot, CTL_TOP] = top_at
                top_at += 1
                control[slot, CTL_LOW], control[slot, CTL_HIGH] = rows - m, rows
                control[slot, CTL_FLAGS] |= BSH | (FIRST if cnt == k else 0)
                capture = cnt == 1
                control[slot, CTL_TOKEN] = END if capture else 0
            elif opcode == ROWS:
                control[slot, CTL_LOW], control[slot, CTL_HIGH] = rows - m, rows
                control[slot, CTL_FLAGS] |= FZ
                if tapping > 0:
                    control[slot, CTL_TAPW] = taps_n - tapping
                    tapping -= 1
                if 2 <= cnt <= taps_n + 1:
                    control[slot, CTL_TAPR] = taps_n + 1 - cnt
                if cnt == taps_n and fresh == 1:
                    control[slot, CTL_FLAGS] |= FIRST
                capture = cnt == 1 and streams == 0
                control[slot, CTL_TOKEN] = END if capture and fires == 0 else 0
            else:
                control[slot, CTL_LOW], control[slot, CTL_HIGH] = 0, k
                control[slot, CTL_FLAGS] |= WSF | CAP
                control[slot, CTL_TOKEN] = (
                    BEAT | (START if cnt == m else 0) | (END if cnt == 1 else 0)
                )
                control[slot, CTL_TOKEN] |= (ACCUMULATE if accumulate else 0) | (
                    EMIT if emit else 0
                )
            control[slot, CTL_N] = n
            cnt -= 1
            if cnt == 0 and opcode == ROWS and fires > 0:
                fires -= 1
                cnt = n
        if first < 0 and (control[slot, CTL_LEFT] >= 0 or control[slot, CTL_TOP] >= 0):
            first = x
        obusy = max(obusy - 1, 0)
        if capture:
            control[slot, CTL_FLAGS] |= CAP
            control[slot, CTL_DRAIN] = m
            obusy = m - 1
        if swap:
            control[slot, CTL_FLAGS] |= SWAP
            opcode, m, n, k = (
                commands[tile, 0], commands[tile, 1], commands[tile, 2], commands[tile, 3],
            )  # fmt: skip
            accumulate, emit, left_at = commands[tile, 7], commands[tile, 8], commands[tile, 9]
            cnt = m
            pend = 0
        if load >= 0:
            tile = load
            pend = 1

        # ---- counters that all edge cells see at clock x; kept twice, to be read in one run --
        falling = max(rem_at[(x - 1) & mask] - 1, 0)
        if control[(x - rows) & mask, CTL_DRAIN] > 0:
            falling = control[(x - rows) & mask, CTL_DRAIN]
        if falling > 0:
            last_drain = x
        rem_at[slot] = rem_at[slot + size] = falling
        q_at_clock[slot] = q_at_clock[slot + size] = loaded

        # ---- the elements, frame x - (R - 1) -----------------------------------------------
        frame = x - (rows - 1)
        if frame < 0:
            continue
        for moment in range(max(frame, since), min(frame + rows + columns - 1, until)):
            _record(
                seen, moment - since, reg, moment - frame, last_flags, shifting, loading,
                a_kind, edge, chain, place, b_kind, top, above, w_kind, tap, shadow,
            )  # fmt: skip
        now = frame & mask
        flags = control[now, CTL_FLAGS]
        at, low, high = control[now, CTL_LEFT], control[now, CTL_LOW], control[now, CTL_HIGH]
        row, token = control[now, CTL_TOP], control[now, CTL_TOKEN]
        tap_in, tap_out = control[now, CTL_TAPW], control[now, CTL_TAPR]
        # What was the chain is all one value once a frame does not shift it.
        if b_kind == 2 and not flags & FZ:
            for i in range(rows):
                for j in range(columns):
                    b[i, j] = chain[i, place + 1 + j]
            b_kind = 0
        if flags & FZ:
            if a_kind != 1:
                for i in range(rows):
                    for j in range(columns):
                        chain[i, place + j] = edge[i] if a_kind == 0 else reg.a[i, j]
                a_kind = 1
            if place == 0:
                for i in range(rows):
                    _copy(chain, i * length + length - lanes, chain, i * length, columns)
                place = length - lanes
            place -= 1
        else:
            a_kind = 0

        # Left edge: masked operands; while taps load, zeros enter the array.
        if low > edge_low or high < edge_high:
            for i in range(rows):
                edge[i] = 0
        edge_low, edge_high = low, high
        _copy(edge, low, left, at * rows + low, high - low)
        if tap_in >= 0:
            for i in range(rows):
                taps[i, tap_in] = edge[i]
                edge[i] = 0
        if flags & FZ:
            for i in range(rows):
                chain[i, place] = edge[i]

        # Shadow shifts and tile loads: two thermometers decode the counters of the edge cells.
        shifts = last_drain >= frame
        if shifts or shifting[rows - 1]:
            for i in range(rows):
                shifting[i] = rem_at[(frame & mask) + i] > rows - i
        loads = last_load >= frame
        if loads or loading[0]:
            for i in range(rows):
                loading[i] = q_at_clock[(frame & mask) + i] >= i

        if flags & WSF:
            if not whole:
                for i in range(rows):
                    shadow[i] = i
                whole = True
            _stream(s, w, edge, rows, lanes)
        else:
            if flags & FZ and w_kind == 0:
                # The first frame of a stream meets what w held before it, not yet a tap.
                for i in range(rows):
                    for j in range(columns):
                        start = 0 if flags & FIRST else acc[i, j]
                        acc[i, j] = start + w[i, j] * chain[i, place + j]
            elif flags & FZ:
                _slide(acc, tap, chain, place, flags & FIRST != 0, rows, lanes, length)
            else:
                word = row if flags & BSH else 0
                _multiply(acc, edge, top, word, flags & FIRST != 0, rows, lanes)
            if flags & CAP:
                _copy(s, 0, acc, 0, rows * lanes)
                for i in range(rows):
                    shadow[i] = i
            elif shifts:
                for i in range(1, rows):
                    if shifting[i]:
                        shadow[i] = shadow[i - 1]
                whole = False

        # w, then b: the swap takes the tile that was complete before this frame.
        if b_kind == 1 and (flags & SWAP or (loads and not flags & BSH)):
            for i in range(rows):
                for j in range(columns):
                    b[i, j] = top[above, j]
            b_kind = 0
        if flags & SWAP:
            for i in range(rows):
                for j in range(columns):
                    w[i, j] = b[i, j]
            w_kind = 0
        elif not flags & WSF:
            w_kind = 1
            if tap_out >= 0:
                for i in range(rows):
                    tap[i] = taps[i, tap_out]
            elif tap_set:
                for i in range(rows):
                    tap[i] = 0
            tap_set = tap_out >= 0
        if flags & FZ:
            b_kind = 2
        elif flags & BSH:
            b_kind = 1
            above = row
        elif loads:
            if loading[0]:
                for j in range(columns):
                    b[0, j] = top[row, j]
            for i in range(1, rows):
                if loading[i]:
                    for j in range(columns):
                        b[i, j] = b[i - 1, j]
        last_flags = flags

        # ---- the result port: what the bottom row shows at clock frame + R ------------------
        clock = frame + rows
        rem = max(rem - 1, 0)
        if control[now, CTL_DRAIN] > 0:
            rem, rem_n, rem_end = control[now, CTL_DRAIN], control[now, CTL_N], token & END
        bottom = shadow[rows - 1]
        width = 0
        ended = False
        if token & BEAT:
            index = 0 if token & START else index + 1
            width = control[now, CTL_N]
            if token & ACCUMULATE:
                for j in range(columns):
                    s_out = s[bottom, j] + accumulator[index, j]
                    if token & EMIT:
                        words[count, j] = s_out
                    else:
                        accumulator[index, j] = s_out
            elif token & EMIT:
                _copy(words, count * columns, s, bottom * lanes, columns)
            else:
                _copy(accumulator, index * lanes, s, bottom * lanes, lanes)
            count += 1 if token & EMIT else 0
            ended = token & END != 0
        elif rem > 0:
            width = rem_n
            _copy(words, count * columns, s, bottom * lanes, columns)
            count += 1
            ended = rem == 1 and rem_end != 0
        if width > 0:
            last = max(last, clock + width - 1)
        if ended:
            flight -= 1
            quiet_from = last + 1
        if head == passes and flight == 0 and frame >= until:
            return count, last - first + 1


@kernel
def _idle(control, slot):
    for field in range(CTL_FIELDS):
        control[slot, field] = 0
    control[slot, CTL_LEFT] = -1
    control[slot, CTL_TOP] = -1
    control[slot, CTL_TAPW] = -1
    control[slot, CTL_TAPR] = -1


@kernel
def _record(
    seen, at, reg, diagonal, flags, shifting, loading,
    a_kind, edge, chain, place, b_kind, top, above, w_kind, tap, shadow,
):  # fmt: skip
    rows, columns = reg.acc.shape
    for i in range(rows):
        j = diagonal - i
        if 0 <= j < columns:
            if j == 0:
                seen.taps[at, i] = reg.taps[i]
            seen.acc[at, i, j] = reg.acc[i, j]
            seen.s[at, i, j] = reg.s[shadow[i], j]
            seen.f[at, i, j] = flags | (SH if shifting[i] else 0) | (BSH if loading[i] else 0)
            if a_kind == 2:
                seen.a[at, i, j] = reg.a[i, j]
            else:
                seen.a[at, i, j] = chain[i, place + j] if a_kind == 1 else edge[i]
            if b_kind == 0:
                seen.b[at, i, j] = reg.b[i, j]
            else:
                seen.b[at, i, j] = top[above, j] if b_kind == 1 else chain[i, place + 1 + j]
            seen.w[at, i, j] = reg.w[i, j] if w_kind == 0 else tap[i]
