"""The flexible-kernel depthwise engine, L lanes x P pixels: its schedule.

After Chen et al. (arXiv 2104.14125): the taps of a kernel follow each other in time, pixels and
channels lie side by side, so that no kernel shape leaves a multiplier idle. A lane holds one
channel in a bank of words of P values, even and odd words apart, so that P neighbours come out in
one clock wherever they begin; all lanes read the same place. A tap is an entry of the tap memory:
where its values lie relative to the tile, and one weight per lane. Stride, dilation and padding
are in those places and in a mask of P bits; nothing in a lane knows them (see
rtl/engines/depthwise, and cycle.py for the register-accurate simulation). So a pass may also run
any list of taps, as dataflows cut kernels of which only some are live; what follows is of the
kernel rows and columns that its command says.

A tile is P output pixels. It runs the kernel rows and columns between the first and the last that
meet the map anywhere in the tile (`tiles`), M clocks and at least one. Its results leave in
D = ceil(channels / (results_per_clock / P)) clocks, behind those of the tile before it. So with
`c` the last tap of a tile, c' = c + max(M', D), and a sequence takes

    10 + sum over tiles of max(M, D of the tile before) + D of the last

clocks from its first tap to its last result, 10 being the registers between. A fill port of limited
width adds a stage in front: a pass begins once its map and its taps are in, and its first tile has
been made (`lead` of the engine); they come in while the pass before it runs, and the clocks then
count from the first word of the fill.

Ports per clock: two words of every bank (read), one entry of the tap memory with all its weights
(read; with a fill port, one more is written), `results_per_clock` sums, `fill_port` operands.

Not modelled here: where the results go, and the filling itself where `fill_port` is 0.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.base import Accesses, Bound, Store, Traffic, least_clocks, result_memory
from accelsim.engines.depthwise.area import command_bits, tile_bits
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import MULTIPLY, Loop, Section, Stage, Task
from accelsim.hls.reports import Resource
from accelsim.ir import Conv
from accelsim.passes import Body, DepthwiseOpcode, DepthwisePass, Repeat

Int = npt.NDArray[np.int64]
REMEMBERED = 1024  # passes and sequences

# Registers from an address to the sum: weight 2, place, words 3, value, operand, product, term.
PIPELINE = 10
LOADED = 6  # clocks between the last word of a fill and the first tap
RELEASED = 2  # clocks between the last tap of a pass and the first word that takes its place

Counts = npt.NDArray[np.int64]


class TileRun(NamedTuple):
    """`trips` neighbouring tiles, each with so many kernel rows and columns; 0 where none meets."""

    trips: int
    rows: int
    columns: int

    @property
    def clocks(self) -> int:
        """Clocks of one of the tiles, M."""
        return max(1, self.rows * self.columns)


def words(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Words of the map of a pass in a lane's bank."""
    total: int = p.layout(engine.pixels).words
    return total


def fill_clocks(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Clocks of the fill port for a pass: its map, and beside it a tap a clock; 0 if wide."""
    if not engine.fill_port:
        return 0
    beats = -(-p.channels * engine.pixels // engine.fill_port)
    return max(words(engine, p) * beats, p.fh * p.fw)


def drain_clocks(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Clocks of the result port for a tile, D."""
    return -(-p.channels // engine.result_lanes)


@lru_cache(maxsize=REMEMBERED)
def tiles(pixels: int, p: DepthwisePass) -> tuple[tuple[int, tuple[TileRun, ...]], ...]:
    """The tiles of a pass in order: so many times each group of runs, the rows of tiles.

    Along an axis, a tile that spans the outputs a to b meets kernel positions from
    ceil((padding - b stride) / dilation) to floor((size - 1 + padding - a stride) / dilation).
    """
    if p.opcode == DepthwiseOpcode.ROW:
        y, x = np.arange(p.oh), np.arange(0, p.ow, pixels)
        rows = _meets(p.fh, p.sh, p.dh, p.pt, p.h, y, y)
        columns = _meets(p.fw, p.sw, p.dw, p.pl, p.w, x, np.minimum(x + pixels, p.ow) - 1)
        return tuple(
            (trips, _runs(np.full_like(columns, row), columns)) for trips, row in _lengths(rows)
        )
    pitch = p.layout(pixels).pitch
    end = (p.oh - 1) * pitch + p.ow
    first = np.arange(0, end, pixels)
    (top, left), (bottom, right) = (
        np.divmod(n, pitch) for n in (first, np.minimum(first + pixels, end) - 1)
    )
    one_row = top == bottom
    left = np.where(one_row, np.minimum(left, p.ow - 1), 0)
    right = np.where(one_row, np.minimum(right, p.ow - 1), p.ow - 1)
    rows = _meets(p.fh, p.sh, p.dh, p.pt, p.h, top, bottom)
    columns = _meets(p.fw, p.sw, p.dw, p.pl, p.w, left, right)
    return ((1, _runs(rows, columns)),)


def _meets(
    kernel: int, stride: int, dilation: int, padding: int, size: int, a: Counts, b: Counts
) -> Counts:
    low = np.maximum(0, -((b * stride - padding) // dilation))
    high = np.minimum(kernel - 1, (size - 1 + padding - a * stride) // dilation)
    taps: Counts = np.maximum(0, high - low + 1)
    return taps


def _runs(rows: Counts, columns: Counts) -> tuple[TileRun, ...]:
    met = (rows > 0) & (columns > 0)
    pairs = np.where(met, rows, 0) << 16 | np.where(met, columns, 0)
    return tuple(TileRun(trips, pair >> 16, pair & 0xFFFF) for trips, pair in _lengths(pairs))


def _lengths(values: Counts) -> list[tuple[int, int]]:
    """Run lengths: (how many, value)."""
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    lengths = np.diff(starts, append=len(values))
    return list(zip(lengths.tolist(), values[starts].tolist(), strict=True))


@lru_cache(maxsize=REMEMBERED)
def _task(engine: DepthwiseEngine, p: DepthwisePass, half: int) -> Task:
    """The loop nest of one pass; with a fill port, its map and taps take `half` of the memories.

    Every tile but the first waits for the results of the one before it: their port is taken for
    D clocks a tile. How long the first one waits depends on the pass in front; it is its last tap
    that waits.
    """
    drain = drain_clocks(engine, p)
    work = p.channels * engine.pixels
    (rows, runs), *others = tiles(engine.pixels, p)
    first = runs[0].clocks
    rest = runs[0]._replace(trips=runs[0].trips - 1), *runs[1:]
    groups = ((1, rest), (rows - 1, runs), *others)
    loops = [_tile(runs[0]._replace(trips=1), work, 0)]
    for trips, runs in groups:
        if trips and (inner := _tiles(runs, work, drain)):
            loops.append(Loop("output rows", trips, inner))
    multiply = Stage("multiply", tuple(loops), ("lanes",))
    results = Loop("results", multiply.latency - first + drain, pipeline=1)
    compute = (multiply, Stage("drain", (results,), ("result",), offset=first + PIPELINE))
    name = f"{DepthwiseOpcode(p.opcode).name.lower()} {p.fh}x{p.fw} channels={p.channels}"
    if not engine.fill_port:
        return Task(name, (Section(compute, ahead=first - 1),))
    fill = fill_clocks(engine, p)
    load = (
        Stage("fill", (Loop("words", fill, pipeline=1),), ("fill",)),
        Stage("half", (), (f"half {half}",), until=(1, multiply.latency + RELEASED)),
    )
    return Task(name, (Section(load), Section(compute, after=max(fill + LOADED, engine.lead))))


def _tiles(runs: tuple[TileRun, ...], work: int, drain: int) -> tuple[Loop, ...]:
    return tuple(_tile(run, work, drain) for run in runs if run.trips)


def _tile(run: TileRun, work: int, drain: int) -> Loop:
    """Tiles of a run, each at least as long as the results of the one before it take."""
    body: tuple[Loop, ...] = (Loop("nothing", 1),)
    if run.rows * run.columns:
        multiply = Loop(MULTIPLY, work, unroll=work)
        body = (Loop("kernel rows", run.rows, (Loop("taps", run.columns, (multiply,), 1),)),)
    if drain > run.clocks:
        body += (Loop("wait for the result port", drain - run.clocks, pipeline=1),)
    return Loop("tiles", run.trips, body)


def nest(engine: DepthwiseEngine, body: Body, name: str = "sequence") -> Loop:
    """The loop nest of a sequence."""
    if not engine.fill_port:
        passes = tuple(_repeat(trips, (_task(engine, p, 0),)) for trips, p in _equal(body))
        return Loop(name, 1, passes, dataflow=True)
    # The halves of the memories take turns.
    nodes, turn = [], 0
    for trips, p in _equal(body):
        pair = _task(engine, p, turn), _task(engine, p, 1 - turn)
        if trips > 1:
            nodes.append(_repeat(trips // 2, pair))
        if trips % 2:
            nodes.append(_repeat(1, pair[:1]))
            turn = 1 - turn
    return Loop(name, 1, tuple(nodes), dataflow=True)


def _equal(body: Body) -> Iterator[tuple[int, DepthwisePass]]:
    """Equal passes that follow each other: how many, and the pass."""
    for part in body:
        if not isinstance(part, Repeat):
            yield 1, part
        elif len(part.body) == 1 and not isinstance(part.body[0], Repeat):
            yield part.trips, part.body[0]
        else:
            yield from part.trips * list(_equal(part.body))


def _repeat(trips: int, tasks: tuple[Task, ...]) -> Loop:
    return Loop("passes", trips, tasks, dataflow=True)


def bound(engine: DepthwiseEngine, convs: Sequence[Conv], body: Body) -> Bound:
    """What multipliers and ports allow: products, the results, and the fill."""
    fills = sum(trips * fill_clocks(engine, p) for trips, p in _equal(body))
    results = engine.results_per_clock or engine.pixels
    return least_clocks(convs, engine.multipliers, results)._replace(fill=fills)


def traffic(engine: DepthwiseEngine, p: DepthwisePass) -> Traffic:
    """What a pass moves and does."""
    values = words(engine, p) * engine.pixels + p.fh * p.fw
    width = -(-engine.operands.accumulator_bits // 8)
    return Traffic(
        read_bytes=p.channels * values * engine.operands.value_bytes,
        write_bytes=p.channels * tile_count(engine, p) * engine.pixels * width,
        macs=macs(engine, p),
    )


def macs(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Multiply-accumulates that a pass executes, those of masked pixels included."""
    return _taps(engine, p) * p.channels * engine.pixels


def _taps(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Taps of all tiles of a pass; one that meets no map has none."""
    return sum(
        trips * run.trips * run.rows * run.columns
        for trips, runs in tiles(engine.pixels, p)
        for run in runs
    )


def accesses(engine: DepthwiseEngine, p: DepthwisePass) -> Accesses:
    """What a pass does that takes energy, in the lanes that have a channel.

    A tap reads two words of the bank, whatever it needs of them, and one weight; a value of every
    pixel and the weight come to the multipliers. The sums of a tile move to the shadows, and from
    lane to lane with every result word that leaves before theirs.
    """
    moved, pixels = traffic(engine, p), engine.pixels
    taps, outputs = _taps(engine, p) * p.channels, tile_count(engine, p) * pixels
    results = outputs * p.channels
    full, rest = divmod(p.channels, engine.result_lanes)
    lanes_moved = full * (full - 1) // 2 * engine.result_lanes + rest * full
    return Accesses(
        multiply=moved.macs,
        add=moved.macs,
        operand_move=taps * (pixels + 1),
        sum_move=moved.macs + results + outputs * lanes_moved,
        lane_bank_read=2 * taps * pixels,
        lane_bank_write=p.channels * pixels * words(engine, p),
        tap_read=taps,
        tap_write=p.channels * p.fh * p.fw,
        result_read=results,
        result_write=results,
        fill=moved.read_bytes,
    )


def stores(engine: DepthwiseEngine) -> dict[str, Store]:
    """What the accesses of the engine are accesses to.

    A bank is that of a lane, of which even and odd words are memories of their own.
    """
    operand, total = engine.operands.bits, engine.operands.accumulator_bits
    bank = Store(operand, -(-engine.bank_depth // 2) * engine.pixels * operand)
    taps = Store(operand, engine.tap_depth * engine.lanes * operand)
    port = engine.results_per_clock or engine.pixels
    results = Store(total, engine.result_depth * port * total)
    return {
        "multiply": Store(operand),
        "add": Store(total),
        "operand_move": Store(operand),
        "sum_move": Store(total),
        "lane_bank_read": bank,
        "lane_bank_write": bank,
        "tap_read": taps,
        "tap_write": taps,
        "result_read": results,
        "result_write": results,
    }


def used(engine: DepthwiseEngine, p: DepthwisePass) -> tuple[int, int]:
    """Lanes and pixels that multiply in a pass: all pixels, whether or not results are kept."""
    return p.channels, engine.pixels


def skipped(engine: DepthwiseEngine, conv: Conv, body: Body) -> int:
    """MACs of a Conv that its passes leave out: taps that meet no map in a whole tile.

    Only those are left out for which a tile takes fewer clocks than taps are live: one that is not
    may take the clock of one that is.
    """
    runs = list(_equal(body))
    work = runs[0][1]
    stripes = sum(trips * p.channels for trips, p in runs) // (conv.n * conv.k)
    last = conv.oh - (stripes - 1) * work.oh  # rows of the last stripe that are kept
    run = (stripes - 1) * _kept_taps(engine.pixels, work, work.oh, conv.depth)
    return conv.macs - conv.n * conv.k * (run + _kept_taps(engine.pixels, work, last, conv.depth))


def _kept_taps(pixels: int, p: DepthwisePass, rows: int, most: int) -> int:
    """Taps that a pass runs for the outputs in its first `rows` rows, of a channel.

    most : of a tile; the others are zeros.
    """
    flat = p.opcode == DepthwiseOpcode.FLAT
    pitch = p.layout(pixels).pitch if flat else -(-p.ow // pixels) * pixels
    taps, left = 0, rows
    for trips, runs in tiles(pixels, p):
        lines, times = (rows, 1) if flat else (1, min(trips, left))
        at = kept = 0
        for run in runs:
            at += run.trips * pixels
            y, x = divmod(at, pitch)
            before, kept = kept, min(y * p.ow + min(x, p.ow), lines * p.ow)
            taps += times * min(run.rows * run.columns, most) * (kept - before)
        left -= times
    return taps


def tile_count(engine: DepthwiseEngine, p: DepthwisePass) -> int:
    """Tiles of a pass."""
    count: int = p.tiles(engine.pixels)
    return count


def resources(engine: DepthwiseEngine) -> tuple[Resource, ...]:
    """Multipliers, flip-flops and memory bits of the generated core, part by part.

    Left out are the sequencer and the mask, which all lanes share, and addresses and counters.
    """
    bits, total = engine.operands.bits, engine.operands.accumulator_bits
    lanes, slots = engine.lanes, engine.multipliers
    place = (engine.bank_depth - 1).bit_length() + max(1, (engine.pixels - 1).bit_length())
    results = engine.results_per_clock or engine.pixels
    return (
        # Two words that were read, twice, value, operand, product, term, sum, shadow of a pixel.
        Resource("multiply-accumulators", slots, slots * (6 * bits + 4 * bits + 2 * total)),
        Resource("weights", 0, lanes * 7 * bits),
        Resource("commands", 0, 0, engine.command_depth * command_bits()),
        Resource("banks", 0, 0, slots * engine.bank_depth * bits),
        Resource("tap memory", 0, 0, engine.tap_depth * (lanes * bits + place)),
        Resource("tiles", 0, 0, engine.queue_depth * sum(tile_bits(engine))),
        result_memory(engine.result_depth, results * total),
    )
