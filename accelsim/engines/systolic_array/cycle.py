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
* The operands of a frame pass PRODUCT_REGISTERS until their product is added. Nothing of that has
  to be kept: when a frame begins, operands and control bits still are those of the frame before;
  their products are added then, and they are passed on. So sums are some frames ahead of the
  elements, and are recorded so much earlier, like all that is on its way into them.

Kernels are components of rtl/engines/systolic_array, and what they change are its registers, under
the same names. Sums are 32 bits wide while they are stepped, and wrapped where they are read, at
the end and at a clock that is asked for. Sequencer, edges and result port are stepped by the clock.
The two counters that are not delayed from row to row (results that remain, words of the tile) are
kept by clock, and the sequencer runs R - 1 clocks ahead of the frames. Clocks in which nothing
moves, because all passes that have started have retired and the next one may not start yet, are
taken at once. No formula of the schedule is used.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba.core import cgutils
from numba.extending import intrinsic

from accelsim.engines.base import Run
from accelsim.engines.vectors import INT32, filled, load, pointers, splat, store, widen
from accelsim.errors import UnsupportedError
from accelsim.hardware import SystolicArray
from accelsim.hardware.systolic_array import PRODUCT_REGISTERS
from accelsim.kernels import component, kernel, registers
from accelsim.numerics.integers import wrap
from accelsim.passes import (
    ArrayCommand,
    ArrayPass,
    Opcode,
    addresses,
    array_words,
    check_earliest,
    check_sums,
    result_words,
)
from accelsim.passes import columns as columns_of

OS, WS, IS, ROWS = (int(op) for op in (Opcode.OS, Opcode.WS, Opcode.IS, Opcode.ROWS))

# Control bits of an element.
FIRST, CAPTURE, STATIONARY, SHIFT_SHADOW, HALF_SPEED, SWAP, SHIFT_OPERANDS = (
    1 << bit for bit in range(7)
)
SUM_FLAGS = FIRST | CAPTURE | STATIONARY | SHIFT_SHADOW  # those that a sum needs
SUM_FLAG_BITS = 4
# What a frame tells the result port.
BEAT, START, END, ACCUMULATE, EMIT = (1 << bit for bit in range(5))

# Where the values of an operand register are: in its own array, at the edge (one for all columns
# or all rows), or in the chains of the rows.
HELD, EDGE, CHAIN = range(3)
ROOM = 1024  # frames that a chain moves on before it is copied back
LINE = 64  # bytes of a line of the cache, and of the widest vector

NONE = -1  # no word, no tap
NEVER = np.iinfo(np.int64).max  # a clock that does not come

LEFT, TOP = addresses(ArrayCommand)  # columns of a table of commands

# Fields of a command.
COMMAND = registers(*columns_of(ArrayCommand))

# What the sequencer sends to the edges and the result port in one clock.
#   flags : control bits of the elements.
#   left_at, top_at : words read from the banks, or NONE.
#   low, high : rows whose operands enter, from low to before high.
#   tap_in, tap_out : taps written and read at the edge, or NONE.
#   columns, token : columns used, and what the results are.
#   drain : results that leave after a capture of shadows; 0 where there is none.
FRAME = registers(
    "flags",
    "left_at",
    "top_at",
    "low",
    "high",
    "tap_in",
    "tap_out",
    "columns",
    "token",
    "drain",
    dtype=np.int32,
)

# Registers of the sequencer: the head of the queue, and clocks until row 0 may capture again; the
# pass whose operands are being read; the stationary tile that loads, or waits for its swap.
QUEUE = registers("head", "drain_left")
STREAM = registers(
    "command",
    "clocks_remaining",
    "streams_remaining",
    "fires_remaining",
    "taps_remaining",
    "is_first",
    "left_at",
    "top_at",
)
TILE = registers("command", "waits", "words_remaining", "words_loaded", "top_at")

# Results that remain of a drain, and the last clocks at which one went on and a tile loaded.
COUNTERS = registers("results_remaining", "last_drain", "last_load")

# Where the registers that only delay are found.
#   a, b, w : HELD, EDGE or CHAIN.  word : of the column banks, in b.
#   chain_at : place in a chain of the value in column 0.
#   flags, low, high : of the last frame.  tap_read : whether it read a tap.
#   moved : whether shadows are not where their row captured them.
VIEWS = registers("a", "b", "w", "word", "chain_at", "flags", "low", "high", "tap_read", "moved")

# Registers of the result port: the drain in progress and the index of the accumulators. Beside
# them how many words and passes have left, and the clock of the last result.
PORT = registers("results_remaining", "columns", "end", "index", "words", "retired", "last")

Register = npt.NDArray[Any]


class State(NamedTuple):
    """Registers of the array: int32[R, C] acc to g, int16[R, C] a to z.

    x is told where a is not 0, and z where y is not: elsewhere they are anything, as it makes no
    difference.

    f holds the control bits FIRST ... SHIFT_OPERANDS of the operands a and x, g those as far as
    SHIFT_SHADOW of y and z, of p, and of q, SUM_FLAG_BITS each; taps is int16[R, max_taps], as they
    were a clock before: the edge cells are a clock ahead.
    """

    acc: Register
    s: Register
    p: Register
    q: Register
    f: Register
    g: Register
    a: Register
    b: Register
    w: Register
    x: Register
    y: Register
    z: Register
    taps: Register


def empty_state(array: SystolicArray) -> State:
    """All registers zero."""
    grid = (array.rows, array.columns)
    wide = [np.zeros(grid, np.int32) for _ in range(6)]
    operand = [np.zeros(grid, np.int16) for _ in range(6)]
    taps = np.zeros((array.rows, array.max_taps), np.int16)
    return State._make([*wide, *operand, taps])


def simulate(
    array: SystolicArray,
    commands: npt.NDArray[np.int64],
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    state: State | None = None,
    clock: int | None = None,
    earliest: Sequence[int] | npt.NDArray[np.int64] | None = None,
) -> Run:
    """Run one sequence of commands register by register.

    Parameters
    ----------
    commands : int64[passes, fields], of ArrayCommand.
    left, top : int16[words, R], int16[words, C], contents of the operand banks.
    state : registers at the start, zero if None: those of element (i, j) at clock i + j, when its
        first frame begins.
    clock : the clock at whose start registers are recorded, as a State.
    earliest : int64[passes], the clock before which a pass does not start; 0 if None.

    UnsupportedError where a pass breaks off the sums that another keeps.
    """
    clocks = range(0) if clock is None else range(clock, clock + 1)
    run = _simulate(array, commands, left, top, state, clocks, earliest)
    if clock is None:
        return run._replace(registers=None)
    return run._replace(registers=State._make(register[0] for register in run.registers))


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
    seen: State = _simulate(array, commands, left, top, None, clocks, None).registers
    return seen


def sent(array: SystolicArray, commands: npt.NDArray[np.int64], clocks: range) -> Register:
    """FRAME[clocks], what the sequencer sends in each of these consecutive clocks of a sequence.

    It depends on no operand.
    """
    words = array_words(ArrayPass(*commands.T[: len(ArrayPass._fields)]))
    left = np.zeros((int((commands[:, LEFT] + words.left).max()), array.rows), np.int16)
    top = np.zeros((int((commands[:, TOP] + words.top).max()), array.columns), np.int16)
    frames = np.zeros(len(clocks), FRAME)
    _simulate(array, commands, left, top, None, clocks, None, frames)
    return frames


class _Sequencer(NamedTuple):
    """The sequencer, its commands as COMMAND[passes], and the clocks at which it started them."""

    commands: Any
    earliest: npt.NDArray[np.int64]
    started: npt.NDArray[np.int64]
    queue: Any
    stream: Any
    tile: Any


class _Grid(NamedTuple):
    """Edges and elements.

    frames : FRAME[a power of two], a ring of what the sequencer has sent.
    results_remaining, words_loaded : int32[2 frames], the counters of the edge cells by clock,
        kept twice so that R of them can be read in one run; words_loaded is NONE where no tile
        loads.
    edge, tap : int16[R], what has entered the rows in the last frame.
    chain : int16[R, lanes + ROOM], values that travel along the rows.
    shadow : int64[R], s of row i is what row shadow[i] captured.
    """

    left: Register
    top: Register
    frames: Any
    counters: Any
    results_remaining: Register
    words_loaded: Register
    registers: State
    views: Any
    edge: Register
    tap: Register
    chain: Register
    shadow: Register


class _Port(NamedTuple):
    """The result port, its accumulators as int32[depth, lanes], and what has left.

    words : int32[result words, C].  retired : int64[passes].
    """

    registers: Any
    accumulator: Register
    words: Register
    retired: npt.NDArray[np.int64]


def _simulate(
    array: SystolicArray,
    commands: npt.NDArray[np.int64],
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    state: State | None,
    clocks: range,
    earliest: Sequence[int] | npt.NDArray[np.int64] | None,
    frames: Register | None = None,
) -> Run:
    """The run, with registers at the clocks, one after another.

    frames : FRAME[clocks], set to what the sequencer sends in them.
    """
    lanes = -(-array.columns // LANES) * LANES
    sequencer = _sequencer(commands, earliest)
    port = _port(array, commands, lanes)
    grid = _grid(array, left, top, state or empty_state(array), lanes)
    seen = State._make(np.zeros((len(clocks), *r.shape), r.dtype) for r in grid.registers)
    frames = np.zeros(len(clocks), FRAME) if frames is None else frames
    _run(sequencer, grid, port, array.overlap, seen, frames, clocks.start, clocks.stop)
    count, total = int(port.registers["words"]), len(port.words)
    if count != total:
        raise UnsupportedError(f"the sequence left {count} result words instead of {total}")
    recorded = State._make([*(each[:, :, : array.columns] for each in seen[:-1]), seen.taps])
    bits = array.operands.accumulator_bits
    recorded = recorded._replace(acc=wrap(recorded.acc, bits), s=wrap(recorded.s, bits))
    busy = int(port.retired[-1] - sequencer.started[0]) if len(commands) else 0
    return Run(wrap(port.words, bits), busy, sequencer.started, port.retired, recorded)


def _sequencer(
    commands: npt.NDArray[np.int64], earliest: Sequence[int] | npt.NDArray[np.int64] | None
) -> _Sequencer:
    return _Sequencer(
        np.ascontiguousarray(commands, np.int64).view(COMMAND)[:, 0],
        np.ascontiguousarray(check_earliest(earliest, len(commands))),
        np.zeros(len(commands), np.int64),
        np.zeros(1, QUEUE)[0],
        np.zeros(1, STREAM)[0],
        np.zeros(1, TILE)[0],
    )


def _grid(
    array: SystolicArray,
    left: npt.NDArray[np.int16],
    top: npt.NDArray[np.int16],
    state: State,
    lanes: int,
) -> _Grid:
    rows = array.rows
    size = 1 << (2 * rows + PRODUCT_REGISTERS - 1).bit_length()
    frames = np.zeros(size, FRAME)
    for name in ("left_at", "top_at", "tap_in", "tap_out"):
        frames[name] = NONE
    counters, views = np.zeros(1, COUNTERS), np.zeros(1, VIEWS)
    counters["last_drain"] = counters["last_load"] = NONE
    views["chain_at"] = ROOM
    return _Grid(
        np.ascontiguousarray(left, np.int16),
        _pad(top if len(top) else np.zeros((1, array.columns)), lanes, np.int16),
        frames,
        counters[0],
        np.zeros(2 * size, np.int32),
        np.full(2 * size, NONE, np.int32),
        _padded(state, lanes),
        views[0],
        np.zeros(rows, np.int16),
        np.zeros(rows, np.int16),
        np.zeros((rows, lanes + ROOM), np.int16),
        np.arange(rows),
    )


def _port(array: SystolicArray, commands: npt.NDArray[np.int64], lanes: int) -> _Port:
    fields = dict(zip(columns_of(ArrayCommand), commands.T, strict=True))
    p = ArrayPass(*(fields[name] for name in ArrayPass._fields))
    check_sums(p)
    state = np.zeros(1, PORT)
    state["last"] = NONE
    return _Port(
        state[0],
        np.zeros((array.accumulator_depth, lanes), np.int32),
        np.zeros((int(result_words(p).sum()), array.columns), np.int32),
        np.zeros(len(commands), np.int64),
    )


def _pad(grid: npt.NDArray[Any], lanes: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The columns filled up with zeros to whole vectors; these are never read out."""
    if grid.shape[1] == lanes:
        return np.ascontiguousarray(grid, dtype)
    return np.pad(np.asarray(grid, dtype), ((0, 0), (0, lanes - grid.shape[1])))


def _padded(state: State, lanes: int) -> State:
    """A copy of the registers whose rows are whole vectors."""
    copies = [_aligned((len(grid), lanes), grid.dtype) for grid in state[:-1]]
    for into, grid in zip(copies, state, strict=False):
        into[:, : grid.shape[1]] = grid
    return State._make([*copies, np.array(state.taps)])


def _aligned(shape: tuple[int, int], dtype: np.dtype[Any]) -> Register:
    """Zeros that begin with a line of the cache; vectors across two lines take a third longer."""
    size = shape[0] * shape[1] * dtype.itemsize
    raw = np.zeros(size + LINE, np.uint8)
    first = -raw.__array_interface__["data"][0] % LINE
    return raw[first : first + size].view(dtype).reshape(shape)


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


# ---- the clock -----------------------------------------------------------------------------


@kernel
def _run(sequencer, grid, port, overlap, seen, frames, since, until):
    queue, result = sequencer.queue, port.registers
    rows, columns = grid.edge.size, port.words.shape[1]
    mask = grid.frames.size - 1
    clock = -1
    while True:
        clock += 1
        if clock & mask == 0:
            before = since - columns - PRODUCT_REGISTERS if clock - rows < until else NEVER
            clock += _idle(sequencer, result, clock, mask + 1, before)
        quiet = overlap or (queue.head == result.retired and clock > result.last)
        loaded = _sequence(grid.frames[clock & mask], sequencer, clock, quiet, rows)
        if since <= clock < until:
            frames[clock - since] = grid.frames[clock & mask]
        _count(grid, clock, loaded)

        number = clock - (rows - 1)
        if number < 0:
            continue
        if number == 0:
            _add_first_products(seen, grid, since, until)
        if number < until and since < number + rows + columns + PRODUCT_REGISTERS:
            _record_products(seen, grid, since, until, number)
        # The frame before this one: its products are added, and its operands go on.
        frame = grid.frames[(number - 1) & mask]
        flags = frame.flags
        if number == 0:
            _add_first(grid, -1)
        else:
            _add(frame, flags, grid, number - 1)
            _pass_operands(frame, flags, grid, number - 1)
            _deliver(frame, grid, port, number - 1 + rows + PRODUCT_REGISTERS)
        for moment in range(max(number, since), min(number + rows + columns - 1, until)):
            _record(seen, moment - since, grid, moment - number, number)
        frame = grid.frames[number & mask]
        flags = frame.flags
        _move_chains(flags, grid)
        _enter(frame, flags, grid)
        if result.retired == sequencer.commands.size and number >= until:
            return


@component
def _idle(sequencer, result, clock, turn, before):
    """Clocks that change nothing: all started passes have retired, and the next one is not due.

    Whole turns of the ring, whose frames are all alike when a turn has passed in this way; up to
    `before` at most.
    """
    queue = sequencer.queue
    if queue.head == sequencer.commands.size or result.retired < queue.head:
        return 0
    if clock <= result.last + turn:
        return 0
    due = min(sequencer.earliest[queue.head], before)
    return max(due - clock, 0) // turn * turn


# ---- the sequencer -------------------------------------------------------------------------


@component
def _sequence(frame, sequencer, clock, quiet, rows):
    """One clock of the sequencer; words of the tile loaded before this one, NONE if none loads."""
    commands, queue, stream, tile = (
        sequencer.commands, sequencer.queue, sequencer.stream, sequencer.tile,
    )  # fmt: skip
    ready = quiet and queue.head < commands.size and clock >= sequencer.earliest[queue.head]
    array_busy = _array_busy(commands, stream)
    swap = (
        tile.waits == 1
        and tile.words_remaining == 0
        and stream.clocks_remaining <= 1
        and not array_busy
        and queue.drain_left <= 1
    )
    start = False
    if stream.clocks_remaining == 0:
        if stream.streams_remaining > 0:
            _resume(commands[stream.command], queue, stream)
        elif ready and tile.waits == 0:
            start = _start(commands[queue.head], queue, stream)

    queue.drain_left = max(queue.drain_left - 1, 0)
    if stream.clocks_remaining > 0:
        _read(frame, commands[stream.command], queue, stream, rows)
    else:
        _send(frame, 0, NONE, NONE, 0, 0, NONE, NONE, 0, 0, 0)
    if swap:
        frame.flags |= SWAP
        stream.command = tile.command
        stream.left_at = commands[tile.command].left
        stream.clocks_remaining = commands[tile.command].m
        tile.waits = 0

    load = False
    if ready and not start and not array_busy and tile.waits == 0 and tile.words_remaining == 0:
        load = _load(commands[queue.head], queue, tile)
    if start or load:
        sequencer.started[queue.head] = clock
        queue.head += 1
    if tile.words_remaining == 0:
        return NONE
    frame.top_at = tile.top_at
    tile.top_at += 1
    tile.words_remaining -= 1
    tile.words_loaded += 1
    return tile.words_loaded - 1


@component
def _array_busy(commands, stream):
    """Whether a pass of os or rows owns the array."""
    if stream.clocks_remaining == 0 and stream.streams_remaining == 0:
        return False
    opcode = commands[stream.command].opcode
    return opcode == OS or opcode == ROWS


@component
def _start(head, queue, stream):
    """Start a pass of os or rows, if that is the head and its results will find the port free."""
    if head.opcode != OS and head.opcode != ROWS:
        return False
    length = head.k + head.taps
    if head.streams == 1 and queue.drain_left >= length:
        return False
    stream.command = queue.head
    stream.clocks_remaining = length
    stream.streams_remaining = head.streams - 1
    stream.fires_remaining = head.fires - 1
    stream.taps_remaining = head.taps
    stream.is_first = 1 - head.accumulate
    stream.left_at = head.left
    stream.top_at = head.top
    return True


@component
def _resume(work, queue, stream):
    """Start the next stream of the pass, the last one if its results will find the port free."""
    if stream.streams_remaining > 1 or queue.drain_left < work.k + work.taps:
        stream.clocks_remaining = work.k + work.taps
        stream.streams_remaining -= 1
        stream.taps_remaining = work.taps
        stream.is_first = 0


@component
def _load(head, queue, tile):
    """Begin to load the tile of the head of the queue, if it has one."""
    if head.opcode != WS and head.opcode != IS:
        return False
    tile.command = queue.head
    tile.words_remaining = head.k
    tile.words_loaded = 0
    tile.top_at = head.top
    tile.waits = 1
    return True


@component
def _read(frame, work, queue, stream, rows):
    """One clock of a stream."""
    if work.opcode == OS:
        _read_os(frame, work, stream, rows)
    elif work.opcode == ROWS:
        _read_rows(frame, work, stream, rows)
    else:
        _read_stationary(frame, work, stream)
    if frame.drain > 0:
        queue.drain_left = work.m - 1


@component
def _read_os(frame, work, stream, rows):
    clocks = stream.clocks_remaining
    flags = SHIFT_OPERANDS
    if clocks == work.k and stream.is_first == 1:
        flags |= FIRST
    token = drain = 0
    if clocks == 1:
        token = END
        if work.emit:
            flags |= CAPTURE
            drain = work.m
    _send(
        frame, flags, stream.left_at, stream.top_at, rows - work.m, rows, NONE, NONE,
        work.n, token, drain,
    )  # fmt: skip
    stream.left_at += 1
    stream.top_at += 1
    stream.clocks_remaining = clocks - 1


@component
def _read_rows(frame, work, stream, rows):
    clocks = stream.clocks_remaining
    flags = HALF_SPEED
    if clocks == work.taps and stream.is_first == 1:
        flags |= FIRST
    tap_in = tap_out = NONE
    if stream.taps_remaining > 0:
        tap_in = work.taps - stream.taps_remaining
        stream.taps_remaining -= 1
    if 2 <= clocks <= work.taps + 1:
        tap_out = work.taps + 1 - clocks
    token = drain = 0
    if clocks == 1 and stream.streams_remaining == 0:
        if work.emit:
            flags |= CAPTURE
            drain = work.m
        if stream.fires_remaining == 0:
            token = END
    _send(
        frame, flags, stream.left_at, NONE, rows - work.m, rows, tap_in, tap_out,
        work.n, token, drain,
    )  # fmt: skip
    stream.left_at += 1
    stream.clocks_remaining = clocks - 1
    if clocks == 1 and stream.fires_remaining > 0:
        stream.fires_remaining -= 1
        stream.clocks_remaining = work.n


@component
def _read_stationary(frame, work, stream):
    token = BEAT
    if stream.clocks_remaining == work.m:
        token |= START
    if stream.clocks_remaining == 1:
        token |= END
    if work.accumulate:
        token |= ACCUMULATE
    if work.emit:
        token |= EMIT
    flags = STATIONARY | CAPTURE
    _send(frame, flags, stream.left_at, NONE, 0, work.k, NONE, NONE, work.n, token, 0)
    stream.left_at += 1
    stream.clocks_remaining -= 1


@component
def _send(
    frame, flags, left_at, top_at, low, high, tap_in, tap_out, columns, token, drain
):  # fmt: skip
    frame.flags = flags
    frame.left_at = left_at
    frame.top_at = top_at
    frame.low = low
    frame.high = high
    frame.tap_in = tap_in
    frame.tap_out = tap_out
    frame.columns = columns
    frame.token = token
    frame.drain = drain


# ---- the edges -----------------------------------------------------------------------------


@component
def _count(grid, clock, loaded):
    """The counters that all edge cells see at a clock."""
    counters, size = grid.counters, grid.frames.size
    slot = clock & (size - 1)
    drain = grid.frames[(clock - grid.edge.size) & (size - 1)].drain
    remaining = drain if drain > 0 else max(counters.results_remaining - 1, 0)
    counters.results_remaining = remaining
    if remaining > 0:
        counters.last_drain = clock
    if loaded >= 0:
        counters.last_load = clock
    grid.results_remaining[slot] = grid.results_remaining[slot + size] = remaining
    grid.words_loaded[slot] = grid.words_loaded[slot + size] = loaded


@component
def _shifts_shadow(grid, i, number):
    """Whether row i does in a frame: a thermometer of the results that remain."""
    rows, slot = grid.edge.size, number & (grid.frames.size - 1)
    return grid.results_remaining[slot + i] > rows - i


@component
def _loads(grid, i, number):
    """Whether row i takes a word of a tile in a frame: a thermometer of the words loaded."""
    return grid.words_loaded[(number & (grid.frames.size - 1)) + i] >= i


@component
def _move_chains(flags, grid):
    """Move the values along the rows by one element in a frame at half speed.

    In other frames what was a chain in b stays, and a becomes one value per row.
    """
    views, chain, a, b = grid.views, grid.chain, grid.registers.a, grid.registers.b
    rows, columns = b.shape
    length = chain.shape[1]
    if not flags & HALF_SPEED:
        if views.b == CHAIN:
            for i in range(rows):
                for j in range(columns):
                    b[i, j] = chain[i, views.chain_at + 1 + j]
            views.b = HELD
        views.a = EDGE
        return
    if views.a != CHAIN:
        for i in range(rows):
            for j in range(columns):
                chain[i, views.chain_at + j] = grid.edge[i] if views.a == EDGE else a[i, j]
        views.a = CHAIN
    if views.chain_at == 0:
        for i in range(rows):
            _copy(chain, i * length + ROOM, chain, i * length, columns)
        views.chain_at = ROOM
    views.chain_at -= 1


@component
def _enter(frame, flags, grid):
    """Left edge: masked operands; while taps are written, zeros enter the array."""
    views, edge, taps = grid.views, grid.edge, grid.registers.taps
    rows = edge.size
    if frame.low > views.low or frame.high < views.high:
        for i in range(rows):
            edge[i] = 0
    views.low, views.high = frame.low, frame.high
    _copy(edge, frame.low, grid.left, frame.left_at * rows + frame.low, frame.high - frame.low)
    if frame.tap_in >= 0:
        for i in range(rows):
            taps[i, frame.tap_in] = edge[i]
            edge[i] = 0
    if flags & HALF_SPEED:
        for i in range(rows):
            grid.chain[i, views.chain_at] = edge[i]


# ---- the elements --------------------------------------------------------------------------


@kernel
def _add_first_products(seen, grid, since, until):
    """The products of what is behind the operands at the start, one after another."""
    r = grid.registers
    rows, columns = r.acc.shape
    for number in range(1 - PRODUCT_REGISTERS, 0):
        first = number + PRODUCT_REGISTERS - 1
        for moment in range(max(first, since), min(first + rows + columns - 1, until)):
            for i in range(rows):
                j = moment - first - i
                if 0 <= j < columns:
                    at = moment - since
                    seen.acc[at, i, j] = _sum_before(grid, i, j, number - 1)
                    seen.s[at, i, j] = r.s[i, j]
                    seen.q[at, i, j], seen.p[at, i, j] = r.q[i, j], r.p[i, j]
                    seen.y[at, i, j], seen.z[at, i, j] = r.y[i, j], r.z[i, j]
        _add_first(grid, number - 1)
        for i in range(rows):
            for j in range(columns):
                r.q[i, j] = r.p[i, j]
                r.p[i, j] = np.int32(r.y[i, j]) * r.z[i, j]
                r.y[i, j], r.z[i, j] = r.a[i, j], r.x[i, j]


@component
def _add_first(grid, number):
    """Sums and shadows of a product of a frame before the first one."""
    r = grid.registers
    rows, columns = r.acc.shape
    for i in range(rows):
        for j in range(columns):
            flags = _sum_flags(grid, i, j, number)
            above = r.s[i - 1, j] if i > 0 else 0
            streams = flags & STATIONARY != 0
            r.acc[i, j] = _sum_before(grid, i, j, number)
            total = r.q[i, j] + (above if streams else r.acc[i, j])
            if not streams:
                r.acc[i, j] = total
            if flags & CAPTURE:
                r.s[i, j] = total
            elif flags & SHIFT_SHADOW:
                r.s[i, j] = above


@component
def _sum_flags(grid, i, j, number):
    """Control bits of a frame in an element, as its sums need them."""
    r, mask = grid.registers, grid.frames.size - 1
    if number < -1:
        return r.g[i, j] >> SUM_FLAG_BITS * (-2 - number) & SUM_FLAGS
    if number < 0:
        return r.f[i, j] & SUM_FLAGS
    flags = grid.frames[number & mask].flags
    return (flags | (SHIFT_SHADOW if _shifts_shadow(grid, i, number) else 0)) & SUM_FLAGS


@component
def _add(frame, flags, grid, number):
    """Sums and shadows."""
    views, chain, shadow = grid.views, grid.chain, grid.shadow
    acc, s, w = grid.registers.acc, grid.registers.s, grid.registers.w
    rows, columns = acc.shape
    first = flags & FIRST != 0
    if flags & STATIONARY:
        if views.moved:
            for i in range(rows):
                shadow[i] = i
            views.moved = 0
        _stream(s, w, grid.edge, rows, columns)
        return
    if not flags & HALF_SPEED:
        word = frame.top_at if flags & SHIFT_OPERANDS else 0
        _multiply(acc, grid.edge, grid.top, word, first, rows, columns)
    elif views.w == HELD:
        # The first frame of a stream meets what w held before it, not yet a tap.
        for i in range(rows):
            for j in range(columns):
                start = 0 if first else acc[i, j]
                acc[i, j] = start + w[i, j] * chain[i, views.chain_at + j]
    else:
        _slide(acc, grid.tap, chain, views.chain_at, first, rows, columns, chain.shape[1])
    if flags & CAPTURE:
        _copy(s, 0, acc, 0, rows * columns)
        for i in range(rows):
            shadow[i] = i
    elif grid.counters.last_drain >= number:
        above = shadow[0]
        for i in range(1, rows):
            if not _shifts_shadow(grid, i, number):
                above = shadow[i]
            shadow[i] = above
        views.moved = 1


@component
def _pass_operands(frame, flags, grid, number):
    """w, then b: the swap takes the tile that was complete before this frame."""
    views, top, tap, b, w = grid.views, grid.top, grid.tap, grid.registers.b, grid.registers.w
    rows, columns = b.shape
    loads = grid.counters.last_load >= number
    if views.b == EDGE and (flags & SWAP or (loads and not flags & SHIFT_OPERANDS)):
        for i in range(rows):
            for j in range(columns):
                b[i, j] = top[views.word, j]
        views.b = HELD
    if flags & SWAP:
        for i in range(rows):
            for j in range(columns):
                w[i, j] = b[i, j]
        views.w = HELD
    elif not flags & STATIONARY:
        views.w = EDGE
        if frame.tap_out >= 0:
            for i in range(rows):
                tap[i] = grid.registers.taps[i, frame.tap_out]
        elif views.tap_read:
            for i in range(rows):
                tap[i] = 0
        views.tap_read = frame.tap_out >= 0
    if flags & HALF_SPEED:
        views.b = CHAIN
    elif flags & SHIFT_OPERANDS:
        views.b = EDGE
        views.word = frame.top_at
    elif loads:
        if _loads(grid, 0, number):
            for j in range(columns):
                b[0, j] = top[frame.top_at, j]
        for i in range(1, rows):
            if _loads(grid, i, number):
                for j in range(columns):
                    b[i, j] = b[i - 1, j]
    views.flags = flags


# ---- the result port -----------------------------------------------------------------------


@component
def _deliver(frame, grid, port, clock):
    """What column 0 shows at a clock, and the other columns j clocks later."""
    result, words, accumulator, s = port.registers, port.words, port.accumulator, grid.registers.s
    token, columns, lanes = frame.token, words.shape[1], s.shape[1]
    result.results_remaining = max(result.results_remaining - 1, 0)
    if frame.drain > 0:
        result.results_remaining, result.columns = frame.drain, frame.columns
        result.end = token & END
    bottom = grid.shadow[grid.shadow.size - 1]
    if token & BEAT:
        result.index = 0 if token & START else result.index + 1
        width, ended = np.int64(frame.columns), token & END != 0
        if token & ACCUMULATE:
            for j in range(columns):
                total = s[bottom, j] + accumulator[result.index, j]
                if token & EMIT:
                    words[result.words, j] = total
                else:
                    accumulator[result.index, j] = total
        elif token & EMIT:
            _copy(words, result.words * columns, s, bottom * lanes, columns)
        else:
            _copy(accumulator, result.index * lanes, s, bottom * lanes, lanes)
        if token & EMIT:
            result.words += 1
    elif result.results_remaining > 0:
        width, ended = result.columns, result.results_remaining == 1 and result.end != 0
        _copy(words, result.words * columns, s, bottom * lanes, columns)
        result.words += 1
    elif token & END:  # of a pass that keeps its sums
        width, ended = np.int64(frame.columns), True
    else:
        return
    result.last = max(result.last, clock + width - 1)
    if ended:
        port.retired[result.retired] = result.last + 1
        result.retired += 1


# ---- registers at one clock ----------------------------------------------------------------


@kernel
def _record_products(seen, grid, since, until, number):
    """What the elements multiplied with in the frame before this one, on its way into the sum.

    Each of the registers behind one another has it a frame later; the sum without it is a frame
    ahead of the last of them.
    """
    registers = grid.registers
    rows, columns = registers.acc.shape
    for stage in range(PRODUCT_REGISTERS):
        first = number + stage
        for moment in range(max(first, since), min(first + rows + columns - 1, until)):
            at = moment - since
            for i in range(rows):
                j = moment - first - i
                if 0 <= j < columns:
                    a, other = _operands_before(grid, number, i, j)
                    if stage == 0:
                        seen.x[at, i, j] = other
                    elif stage == 1:
                        seen.y[at, i, j], seen.z[at, i, j] = a, other
                    elif stage == 2:
                        seen.p[at, i, j] = np.int32(a) * other
                    else:
                        seen.q[at, i, j] = np.int32(a) * other
                        seen.acc[at, i, j] = _sum_before(grid, i, j, number - 1)
                        seen.s[at, i, j] = registers.s[grid.shadow[i], j]


@component
def _sum_before(grid, i, j, number):
    """The sum that meets the product of a frame, cleared in the clock before where one starts.

    There is none before the first product that is added.
    """
    starts = number > -PRODUCT_REGISTERS and _sum_flags(grid, i, j, number) & FIRST
    return 0 if starts else grid.registers.acc[i, j]


@component
def _operands_before(grid, number, i, j):
    """The operands that met in an element in the frame before this one."""
    views = grid.views
    if number == 0:
        return grid.registers.a[i, j], grid.registers.x[i, j]
    frame = grid.frames[(number - 1) & (grid.frames.size - 1)]
    if frame.flags & STATIONARY:
        return grid.edge[i], grid.registers.w[i, j]
    if not frame.flags & HALF_SPEED:
        return grid.edge[i], grid.top[max(frame.top_at, 0), j]
    w = grid.registers.w[i, j] if views.w == HELD else grid.tap[i]
    return grid.chain[i, views.chain_at + j], w


@kernel
def _record(seen, at, grid, diagonal, number):
    """Registers of the elements that begin a frame at the clock: those of one diagonal.

    The last frame's operands have been passed on.
    """
    views, registers, chain_at = grid.views, grid.registers, grid.views.chain_at
    rows, columns = registers.acc.shape
    for i in range(rows):
        j = diagonal - i
        if 0 <= j < columns:
            if j == 0:
                for tap in range(registers.taps.shape[1]):
                    seen.taps[at, i, tap] = registers.taps[i, tap]
            seen.f[at, i, j] = (
                views.flags
                | (SHIFT_SHADOW if _shifts_shadow(grid, i, number - 1) else 0)
                | (SHIFT_OPERANDS if _loads(grid, i, number - 1) else 0)
            )
            for age in range(PRODUCT_REGISTERS - 1):
                flags = _sum_flags(grid, i, j, number - 2 - age)
                seen.g[at, i, j] |= flags << SUM_FLAG_BITS * age
            if views.a == HELD:
                seen.a[at, i, j] = registers.a[i, j]
            else:
                seen.a[at, i, j] = grid.edge[i] if views.a == EDGE else grid.chain[i, chain_at + j]
            if views.b == HELD:
                seen.b[at, i, j] = registers.b[i, j]
            elif views.b == EDGE:
                seen.b[at, i, j] = grid.top[views.word, j]
            else:
                seen.b[at, i, j] = grid.chain[i, chain_at + 1 + j]
            seen.w[at, i, j] = registers.w[i, j] if views.w == HELD else grid.tap[i]
