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
edges are stepped by the clock as in rtl/engines/systolic_array.py, under the same names. `rem`
and `q` are not delayed from row to row; they are kept by clock, and the sequencer runs R - 1
clocks ahead of the frames. No formula of the schedule is used.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.numerics import kernel
from accelsim.passes import Opcode

OS, WS, IS, ROWS = (int(op) for op in (Opcode.OS, Opcode.WS, Opcode.IS, Opcode.ROWS))
FIRST, CAP, WSF, FZ, SWAP, BSH, SH = (1 << bit for bit in range(7))  # control bits of an element
BEAT, START, END, ACCUMULATE, EMIT = (1 << bit for bit in range(5))  # result token of a frame

# Columns of the control history, one row per clock.
CTL_FLAGS, CTL_LEFT, CTL_LOW, CTL_HIGH, CTL_TOP, CTL_TAPW, CTL_TAPR = range(7)
CTL_DRAIN, CTL_N, CTL_TOKEN, CTL_Q, CTL_REM, CTL_FIELDS = range(7, 13)

NOT_SIMULATED = -1


class State(NamedTuple):
    """Registers of the array; int32[R, C] each, taps int32[R, max_taps]."""

    acc: npt.NDArray[np.int32]
    s: npt.NDArray[np.int32]
    a: npt.NDArray[np.int32]
    b: npt.NDArray[np.int32]
    w: npt.NDArray[np.int32]
    f: npt.NDArray[np.int32]
    taps: npt.NDArray[np.int32]


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
    zeros = [np.zeros(grid, np.int32) for _ in range(6)]
    return State(*zeros, np.zeros((array.rows, array.max_taps), np.int32))


def random_state(array: SystolicArray, rng: np.random.Generator) -> State:
    """Registers as found after power-up: random data, control bits zero."""
    high = 1 << (array.operands.bits - 1)
    wide, grid = 1 << 31, (array.rows, array.columns)

    def draw(bound: int, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
        return rng.integers(-bound, bound, shape).astype(np.int32)

    return State(
        acc=draw(wide, grid),
        s=draw(wide, grid),
        a=draw(high, grid),
        b=draw(high, grid),
        w=draw(high, grid),
        f=np.zeros(grid, np.int32),
        taps=draw(high, (array.rows, array.max_taps)),
    )


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
    state : registers at the start; zero if None. Elements see it from their first frame on.
    clock : the clock (0 = first operand at a port) at whose start registers are recorded.
    """
    begin = state or empty_state(array)
    seen = empty_state(array)
    accumulator = np.zeros((array.accumulator_depth, array.columns), np.int32)
    total = sum(
        row[1] * row[6] if row[0] == ROWS else row[1] * (row[8] or row[0] == OS)
        for row in commands.tolist()
    )
    words = np.zeros((total, array.columns), np.int32)
    count, busy = _run(
        np.ascontiguousarray(commands, np.int64),
        np.ascontiguousarray(left, np.int16),
        np.ascontiguousarray(top if len(top) else np.zeros((1, array.columns)), np.int16),
        array.overlap,
        words,
        accumulator,
        State(*(np.array(register, np.int32) for register in begin)),
        seen,
        NOT_SIMULATED if clock is None else clock,
    )
    if count != total:
        raise UnsupportedError(f"the sequence left {count} result words instead of {total}")
    return CycleResult(words, int(busy), None if clock is None else seen)


@kernel
def _run(commands, left, top, overlap, words, accumulator, reg, seen, snapshot):
    acc, s, b, w, taps = reg.acc, reg.s, reg.b, reg.w, reg.taps
    rows, columns = acc.shape
    size = 1
    while size < 2 * rows + 2:
        size *= 2
    mask = size - 1
    control = np.zeros((size, CTL_FIELDS), np.int32)
    for slot in range(size):
        _idle(control, slot)

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
    edge = np.zeros(rows, np.int32)  # a of the last frame, where it was not a chain frame
    tap = np.zeros(rows, np.int32)  # w, where it is one value per row
    above = np.zeros(columns, np.int32)  # b, where it is one value per column
    length = columns + 1024
    chain = np.zeros((rows, length), np.int32)
    place = length - columns
    shifting = np.zeros(rows, np.int32)
    loading = np.zeros(rows, np.int32)
    a_kind = 2  # 0: edge, 1: chain, 2: initial registers
    b_kind = 0  # 0: array, 1: above, 2: chain
    w_kind = 0  # 0: array, 1: tap
    last_flags = 0
    last_drain = -1

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
        c = control[slot]

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
            c[CTL_Q] = q_beat
            c[CTL_TOP] = q_at
            q_left -= 1
            q_beat += 1
            q_at += 1

        capture = False
        if cnt > 0:
            c[CTL_LEFT] = left_at
            left_at += 1
            if opcode == OS:
                c[CTL_TOP] = top_at
                top_at += 1
                c[CTL_LOW], c[CTL_HIGH] = rows - m, rows
                c[CTL_FLAGS] |= BSH | (FIRST if cnt == k else 0)
                capture = cnt == 1
                c[CTL_TOKEN] = END if capture else 0
            elif opcode == ROWS:
                c[CTL_LOW], c[CTL_HIGH] = rows - m, rows
                c[CTL_FLAGS] |= FZ
                if tapping > 0:
                    c[CTL_TAPW] = taps_n - tapping
                    tapping -= 1
                if 2 <= cnt <= taps_n + 1:
                    c[CTL_TAPR] = taps_n + 1 - cnt
                if cnt == taps_n and fresh == 1:
                    c[CTL_FLAGS] |= FIRST
                capture = cnt == 1 and streams == 0
                c[CTL_TOKEN] = END if capture and fires == 0 else 0
            else:
                c[CTL_LOW], c[CTL_HIGH] = 0, k
                c[CTL_FLAGS] |= WSF | CAP
                c[CTL_TOKEN] = BEAT | (START if cnt == m else 0) | (END if cnt == 1 else 0)
                c[CTL_TOKEN] |= (ACCUMULATE if accumulate else 0) | (EMIT if emit else 0)
            c[CTL_N] = n
            cnt -= 1
            if cnt == 0 and opcode == ROWS and fires > 0:
                fires -= 1
                cnt = n
        if first < 0 and (c[CTL_LEFT] >= 0 or c[CTL_TOP] >= 0):
            first = x
        obusy = max(obusy - 1, 0)
        if capture:
            c[CTL_FLAGS] |= CAP
            c[CTL_DRAIN] = m
            obusy = m - 1
        if swap:
            c[CTL_FLAGS] |= SWAP
            opcode, m, n, k = (
                commands[tile, 0], commands[tile, 1], commands[tile, 2], commands[tile, 3],
            )  # fmt: skip
            accumulate, emit, left_at = commands[tile, 7], commands[tile, 8], commands[tile, 9]
            cnt = m
            pend = 0
        if load >= 0:
            tile = load
            pend = 1

        # ---- drain counter, clock x --------------------------------------------------------
        if x > 0:
            c[CTL_REM] = max(control[(x - 1) & mask, CTL_REM] - 1, 0)
        if x >= rows and control[(x - rows) & mask, CTL_DRAIN] > 0:
            c[CTL_REM] = control[(x - rows) & mask, CTL_DRAIN]
        if c[CTL_REM] > 0:
            last_drain = x

        # ---- the elements, frame x - (R - 1) -----------------------------------------------
        frame = x - (rows - 1)
        if frame < 0:
            continue
        if frame <= snapshot <= frame + rows + columns - 2:
            _record(
                seen, reg, snapshot - frame, last_flags, shifting, loading,
                a_kind, edge, chain, place, b_kind, above, w_kind, tap,
            )  # fmt: skip
        g = control[frame & mask]
        flags = g[CTL_FLAGS]
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
                    for j in range(columns):
                        chain[i, length - columns + j] = chain[i, j]
                place = length - columns
            place -= 1
        for i in range(rows):
            value = np.int32(0)
            if g[CTL_LEFT] >= 0 and g[CTL_LOW] <= i < g[CTL_HIGH]:
                value = np.int32(left[g[CTL_LEFT], i])
            if g[CTL_TAPW] >= 0:
                taps[i, g[CTL_TAPW]] = value
                value = np.int32(0)
            edge[i] = value
            if flags & FZ:
                chain[i, place] = value
        if not flags & FZ:
            a_kind = 0

        # Shadow shifts: two thermometers decode the counters of the edge cells.
        if last_drain >= frame:
            for i in range(rows):
                shifting[i] = control[(frame + i) & mask, CTL_REM] > rows - i
        else:
            for i in range(rows):
                shifting[i] = 0
        loads = False
        for i in range(rows):
            loading[i] = control[(frame + i) & mask, CTL_Q] >= i
            loads = loads or loading[i] != 0

        if flags & WSF:
            _stream(s, w, edge)
        else:
            if flags & FZ:
                _slide(acc, chain, place, tap, flags & FIRST)
            elif g[CTL_LEFT] >= 0:
                _multiply(acc, top[g[CTL_TOP]], edge, flags & FIRST)
            else:
                _multiply(acc, top[0], edge, 0)
            if flags & CAP:
                for i in range(rows):
                    for j in range(columns):
                        s[i, j] = acc[i, j]
            elif last_drain >= frame:
                for i in range(rows):
                    if shifting[i]:
                        for j in range(columns):
                            s[i, j] = s[i - 1, j]

        # w, then b: the swap takes the tile that was complete before this frame.
        if flags & SWAP:
            if b_kind == 1:
                for i in range(rows):
                    for j in range(columns):
                        b[i, j] = above[j]
                b_kind = 0
            for i in range(rows):
                for j in range(columns):
                    w[i, j] = b[i, j]
            w_kind = 0
        elif not flags & WSF:
            w_kind = 1
            for i in range(rows):
                tap[i] = taps[i, g[CTL_TAPR]] if g[CTL_TAPR] >= 0 else 0
        if flags & FZ:
            b_kind = 2
        elif flags & BSH:
            b_kind = 1
            for j in range(columns):
                above[j] = top[g[CTL_TOP], j]
        elif loads:
            if b_kind == 1:
                for i in range(rows):
                    for j in range(columns):
                        b[i, j] = above[j]
                b_kind = 0
            for i in range(rows):
                if loading[i]:
                    for j in range(columns):
                        b[i, j] = top[g[CTL_TOP], j] if i == 0 else b[i - 1, j]
        last_flags = flags

        # ---- the result port: what the bottom row shows at clock frame + R ------------------
        clock = frame + rows
        token = g[CTL_TOKEN]
        rem = max(rem - 1, 0)
        if g[CTL_DRAIN] > 0:
            rem, rem_n, rem_end = g[CTL_DRAIN], g[CTL_N], token & END
        width = 0
        ended = False
        if token & BEAT:
            index = 0 if token & START else index + 1
            width = g[CTL_N]
            if token & ACCUMULATE:
                for j in range(columns):
                    s_out = s[rows - 1, j] + accumulator[index, j]
                    if token & EMIT:
                        words[count, j] = s_out
                    else:
                        accumulator[index, j] = s_out
            elif token & EMIT:
                for j in range(columns):
                    words[count, j] = s[rows - 1, j]
            else:
                for j in range(columns):
                    accumulator[index, j] = s[rows - 1, j]
            count += 1 if token & EMIT else 0
            ended = token & END != 0
        elif rem > 0:
            width = rem_n
            for j in range(columns):
                words[count, j] = s[rows - 1, j]
            count += 1
            ended = rem == 1 and rem_end != 0
        if width > 0:
            last = max(last, clock + width - 1)
        if ended:
            flight -= 1
            quiet_from = last + 1
        if head == passes and flight == 0 and (snapshot < 0 or frame > snapshot):
            return count, last - first + 1


@kernel
def _idle(control, slot):
    for field in range(CTL_FIELDS):
        control[slot, field] = 0
    control[slot, CTL_LEFT] = -1
    control[slot, CTL_TOP] = -1
    control[slot, CTL_TAPW] = -1
    control[slot, CTL_TAPR] = -1
    control[slot, CTL_Q] = -1


@kernel
def _multiply(acc, b, a, first):
    rows, columns = acc.shape
    keep = np.int32(0) if first else np.int32(1)
    for i in range(rows):
        x = a[i]
        if keep:
            for j in range(columns):
                acc[i, j] += x * np.int32(b[j])
        else:
            for j in range(columns):
                acc[i, j] = x * np.int32(b[j])


@kernel
def _slide(acc, chain, place, tap, first):
    rows, columns = acc.shape
    for i in range(rows):
        y = tap[i]
        if first:
            for j in range(columns):
                acc[i, j] = y * chain[i, place + j]
        else:
            for j in range(columns):
                acc[i, j] += y * chain[i, place + j]


@kernel
def _stream(s, w, a):
    rows, columns = s.shape
    x = a[0]
    for j in range(columns):
        s[0, j] = x * w[0, j]
    for i in range(1, rows):
        x = a[i]
        for j in range(columns):
            s[i, j] = s[i - 1, j] + x * w[i, j]


@kernel
def _record(
    seen, reg, diagonal, flags, shifting, loading,
    a_kind, edge, chain, place, b_kind, above, w_kind, tap,
):  # fmt: skip
    rows, columns = reg.acc.shape
    for i in range(rows):
        j = diagonal - i
        if 0 <= j < columns:
            seen.acc[i, j] = reg.acc[i, j]
            seen.s[i, j] = reg.s[i, j]
            seen.f[i, j] = flags | (SH if shifting[i] else 0) | (BSH if loading[i] else 0)
            if a_kind == 2:
                seen.a[i, j] = reg.a[i, j]
            else:
                seen.a[i, j] = chain[i, place + j] if a_kind == 1 else edge[i]
            if b_kind == 0:
                seen.b[i, j] = reg.b[i, j]
            else:
                seen.b[i, j] = above[j] if b_kind == 1 else chain[i, place + 1 + j]
            seen.w[i, j] = reg.w[i, j] if w_kind == 0 else tap[i]
