"""The systolic array, R rows x C columns: its schedule.

Four modes share one processing element (see rtl/engines/systolic_array, and
cycle.py for the register-accurate simulation):

os    output stationary: operands pass through, sums stay, and leave through a shadow register;
      a pass may keep its sums for the next one to go on with
ws    weight stationary: the next tile loads behind the stream of the current one; partial sums
      meet in an accumulator memory below the columns
is    input stationary: ws with the operands exchanged
rows  row streams: every row runs one-dimensional correlations, values move right at half speed
      and taps at full speed, so that column c meets the window that ends c values earlier

Each pass is a loop nest with ports (`task`); a sequence is a dataflow region of passes. From
this the closed form follows by the generic rules of accelsim.hls.nest: with `load` the clocks
until a pass has captured its results and `drain` the clocks of the result port,
e' = e + max(load', drain), and a sequence ends R + drain + n clocks after its last e. A pass
of os or rows that keeps its sums captures none, but takes its turn at the result port, for a clock.

Not modelled here: the filling of the operand banks (reports show the bytes).
"""

from collections.abc import Sequence
from functools import lru_cache

from accelsim.engines.base import (
    Accesses,
    Bound,
    Joint,
    Store,
    Traffic,
    distinct,
    least_clocks,
    result_memory,
)
from accelsim.engines.systolic_array.area import command_bits
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import MULTIPLY, Loop, Section, Stage, Task, sequential
from accelsim.hls.reports import Resource
from accelsim.ir import Conv
from accelsim.passes import STATIONARY, ArrayPass, Body, Opcode, Repeat, array_words

MODES = tuple(opcode.name.lower() for opcode in Opcode)

REMEMBERED = 256  # passes and sequences: some come back in later layers, none on another array

FLAG_BITS = 7  # control bits of an element: first, cap, ws, sh, fz, swap, bsh
SUM_FLAG_BITS = 4  # the first four of them, for its sum
# Of a column: the word that was read, the last two sums, an older one, and what was chosen of them.
ACCUMULATOR_REGISTERS = 5


@lru_cache(maxsize=REMEMBERED)
def task(latency: int, p: ArrayPass) -> Task:
    """The loop nest of one pass, by the array's result_latency.

    Ports: left, top (with the operand registers behind it), result. Times are those of row 0 and
    column 0. A result leaves at the bottom so many clocks after the last operand of row 0, column c
    being c later.
    """
    name = f"{MODES[p.opcode]} m={p.m} n={p.n} k={p.k}"
    drain = _drain(p)
    if p.opcode == Opcode.OS:
        products = Loop("products", p.k, (_multiply(p.m * p.n),), pipeline=1)
        stages = (
            Stage("multiply", (products,), ("left", "top")),
            Stage("drain", (drain,), ("result",), offset=p.k - 1 + latency),
        )
        return Task(name, (Section(stages),), tail=p.n - 1)
    if p.opcode == Opcode.ROWS:
        name += f" taps={p.taps} streams={p.streams} fires={p.fires}"
        # Only the last stream waits for the result port.
        ahead = (p.streams - 1) * (p.taps + p.k)
        return Task(name, (Section(_row_stages(latency, p), ahead=ahead),), tail=p.n - 1)
    # The tile waits in the operand registers until the swap, one clock before its stream.
    load = Stage("load", (Loop("words", p.k, pipeline=1),), ("top",), until=(1, -1))
    beats = Loop("words", p.m, (_multiply(p.k * p.n),), pipeline=1)
    stages = (
        Stage("stream", (beats,), ("left",)),
        Stage("drain", (drain,), ("result",), offset=latency),
    )
    return Task(name, (Section((load,)), Section(stages, after=p.k + 1)), tail=p.n - 1)


def _row_stages(latency: int, p: ArrayPass) -> tuple[Stage, ...]:
    """Stages of a rows pass.

    An element multiplies in the last T clocks of a stream and of every further fire, when the taps
    pass it; before that the values of its window come up.
    """
    taps, values = Loop("taps", p.taps, pipeline=1), Loop("values", p.k, pipeline=1)
    products = Loop("taps", p.taps, (_multiply(p.m * p.n),), pipeline=1)
    reading = [Loop("streams", p.streams, (taps, values))]
    window = Loop("values come up", p.k, pipeline=1)
    making = [Loop("streams", p.streams, (window, products))]
    held = []
    if p.fires > 1:
        more, ahead = Loop("values", p.n, pipeline=1), window._replace(trip=p.n - p.taps)
        reading.append(Loop("more fires", p.fires - 1, (more,)))
        making.append(Loop("more fires", p.fires - 1, (ahead, products)))
        held.append(Loop("earlier fires", p.fires - 1, (more,)))
    first = p.streams * (p.taps + p.k)
    return (
        Stage("read", tuple(reading), ("left", "top")),
        Stage("multiply", tuple(making), ()),
        Stage(
            "drain",
            (*held, _drain(p)),
            ("result",),
            offset=first - 1 + latency,
        ),
    )


def _drain(p: ArrayPass) -> Loop:
    """The result port; sums that stay in the array take a clock of it."""
    if p.opcode in STATIONARY or p.emit:
        return Loop("results", p.m, pipeline=1)
    return Loop("sums stay", 1, pipeline=1)


def _multiply(elements: int) -> Loop:
    return Loop(MULTIPLY, elements, unroll=elements)


def nest(array: SystolicArray, body: Body, name: str = "sequence") -> Loop:
    """The loop nest of a sequence; without `overlap` its passes run one after another."""
    loop = Loop(name, 1, _nodes(array, body), dataflow=True)
    return loop if array.overlap else sequential(loop)


def _nodes(array: SystolicArray, body: Body) -> tuple[Loop | Task, ...]:
    return tuple(
        Loop(part.name, part.trips, _nodes(array, part.body), dataflow=True)
        if isinstance(part, Repeat)
        else task(array.result_latency, part)
        for part in body
    )


def joint(array: SystolicArray, body: Body) -> Joint | None:
    """How passes of os, or of ws and is, join others of their kind: the closed form from above.

    Without `overlap` they are done before anything behind them begins. None of rows, whose last
    streams alone wait for the result port, and where kinds are mixed.
    """
    kinds = {p.opcode if p.opcode not in STATIONARY else Opcode.WS for p in distinct(body)}
    if len(kinds) > 1 or Opcode.ROWS in kinds:
        return None
    if not array.overlap:
        clocks = nest(array, body).latency
        return Joint(load=0, inner=clocks, drain=0, end=clocks)
    return _joint(array, body)


def _joint(array: SystolicArray, body: Body) -> Joint:
    made: Joint | None = None
    for part in body:
        if isinstance(part, Repeat):
            each = _joint(array, part.body).times(part.trips)
        else:
            stationary = part.opcode in STATIONARY
            drain = part.m if stationary or part.emit else 1
            # A stream begins a clock behind the swap of its tile, results of os with the last load.
            end = array.result_latency + drain + part.n - (0 if stationary else 2)
            each = Joint(part.k, inner=0, drain=drain, end=end)
        made = each if made is None else made.then(each)
    assert made is not None
    return made


def bound(array: SystolicArray, convs: Sequence[Conv], body: Body) -> Bound:
    """What multipliers and result port allow: products, and C results a clock."""
    return least_clocks(convs, array.multipliers, array.columns)


def traffic(array: SystolicArray, p: ArrayPass) -> Traffic:
    """What a pass moves and does."""
    used = array_words(p)
    rows = p.k if p.opcode in STATIONARY else p.m
    depth = p.taps * p.streams * p.fires if p.opcode == Opcode.ROWS else p.k
    width = -(-array.operands.accumulator_bits // 8)
    return Traffic(
        read_bytes=(used.left * rows + used.top * p.n) * array.operands.value_bytes,
        write_bytes=used.results * p.n * width,
        macs=p.m * p.n * depth,
    )


def accesses(array: SystolicArray, p: ArrayPass) -> Accesses:
    """What a pass does that takes energy.

    Operands of the left pass all columns, those of the top all rows, also behind the last that the
    pass uses. In ws and is a word of the tile moves down to its row, and then beside the sums,
    which move down through all rows. In rows, values move right by two registers an element as long
    as their line comes in: what moves on behind it meets no tap. A result that is captured leaves
    by the rows below its own.
    """
    moved = traffic(array, p)
    macs = moved.macs
    words, stationary = array_words(p), p.opcode in STATIONARY
    results = p.m * p.n * p.fires
    left = words.left * (p.k if stationary else p.m)
    top = words.top * p.n
    if stationary:
        tile = p.n * p.k * (p.k + 1) // 2 + top
        operand_moves, sum_moves = tile + left * array.columns, results * array.rows
    else:
        operand_moves = left * array.columns + top * array.rows
        sum_moves = macs + p.emit * p.fires * p.n * p.m * (p.m + 1) // 2
    taps = tap_reads = 0
    if p.opcode == Opcode.ROWS:
        taps, tap_reads = p.m * p.taps * p.streams, p.m * p.taps * p.streams * p.fires
        line = p.m * p.streams * _line_moves(p.k + (p.fires - 1) * p.n, array.columns)
        operand_moves = line + tap_reads * array.columns
    accumulated, kept = results * stationary * p.accumulate, results * stationary * (1 - p.emit)
    return Accesses(
        multiply=macs,
        add=macs + accumulated,
        operand_move=operand_moves,
        sum_move=sum_moves,
        row_bank_read=left,
        row_bank_write=left,
        column_bank_read=top,
        column_bank_write=top,
        tap_read=tap_reads,
        tap_write=taps,
        accumulator_read=accumulated,
        accumulator_write=kept,
        result_read=results * p.emit,
        result_write=results * p.emit,
        fill=moved.read_bytes,
    )


def _line_moves(values: int, columns: int) -> int:
    """Moves of so many values that follow each other along a row, until the last has come in.

    The value in front of x others is in min(x + 1, columns) registers a by then, and in
    min(x, columns) registers b.
    """
    first = min(values, columns)
    before = first * (first - 1) // 2 + (values - first) * columns
    return 2 * before + first


def stores(array: SystolicArray) -> dict[str, Store]:
    """What the accesses of the array are accesses to: a bank is that of a row or of a column."""
    operand, total = array.operands.bits, array.operands.accumulator_bits
    bank = Store(operand, array.bank_depth * operand)
    accumulators = Store(total, array.accumulator_depth * total)
    results = Store(total, array.result_depth * total)
    return {
        "multiply": Store(operand),
        "add": Store(total),
        "operand_move": Store(operand),
        "sum_move": Store(total),
        "row_bank_read": bank,
        "row_bank_write": bank,
        "column_bank_read": bank,
        "column_bank_write": bank,
        "tap_read": Store(operand),
        "tap_write": Store(operand),
        "accumulator_read": accumulators,
        "accumulator_write": accumulators,
        "result_read": results,
        "result_write": results,
    }


def used(array: SystolicArray, p: ArrayPass) -> tuple[int, int]:
    """Rows and columns of elements that multiply in a pass."""
    return p.k if p.opcode in STATIONARY else p.m, p.n


def resources(array: SystolicArray) -> tuple[Resource, ...]:
    """Multipliers, flip-flops and memory bits of the generated core, part by part.

    All memories and all registers that hold operands, taps and sums, with the control bits that
    travel beside them in every element. Left out are the frames of the edge, the sequencer,
    addresses and counters: they grow with R + C where the elements grow with R x C.
    """
    operand, total = array.operands.bits, array.operands.accumulator_bits
    elements, rows, columns = array.multipliers, array.rows, array.columns
    # a, b, w, x, y and z; the product twice; acc and s; f and g.
    element = (6 + 4) * operand + 2 * total + FLAG_BITS + 3 * SUM_FLAG_BITS
    edge = 2 * operand + FLAG_BITS
    # What fills a bank, and what it reads, is in a register; sums are, for as long as they may be
    # read again before the bank has them.
    bank, sums = 2 * operand, ACCUMULATOR_REGISTERS * total
    return (
        Resource("processing elements", elements, elements * element),
        Resource("edge cells", 0, rows * edge),
        Resource("tap buffers", 0, rows * array.max_taps * operand),
        Resource("commands", 0, 0, array.command_depth * command_bits()),
        Resource("row banks", 0, rows * bank, rows * array.bank_depth * operand),
        Resource("column banks", 0, columns * bank, columns * array.bank_depth * operand),
        Resource("accumulators", 0, columns * sums, columns * array.accumulator_depth * total),
        result_memory(array.result_depth, columns * total),
    )
