"""Register-accurate simulation of the depthwise engine: every register, every clock, real data.

Control is stepped clock by clock, by kernels that each stand for a component of
rtl/engines/depthwise: loader, tile generator, issue stage, and the lanes with their result port,
all next state from current state. Between generator and issue stage the hardware keeps tiles in a
queue, so deep that it is never what a tile waits for; here the generator makes the tile at its
head, the next one to be issued. Clocks in which only counters move are taken at once, except on
the way to a clock that is asked for. The data follow from that state:

* Registers that only delay (weights, masks, operands, products) are views of the taps issued in
  the last clocks.
* The sum of a tile is formed in the clock in which its last product is added, all its taps at
  once, with the accumulators in vector registers, 32 bits wide; a tile lives in the ring of the
  generator until then. Sums are wrapped where they are read.
* At the clock that is asked for, every register is rebuilt from the same ring.

Pixel p and lane l make slot p L + l, and a bank holds its values in that order, so that the
operands of a tap are one run of values wherever they begin; a pixel's coordinates are kept once
per slot, so that a mask is a comparison of vectors. No formula of the schedule is used.
"""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from accelsim.engines.base import Run
from accelsim.engines.vectors import BIT, INT16, INT32, filled, load, pointers, splat, store, widen
from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine
from accelsim.kernels import component, kernel, registers
from accelsim.numerics.integers import wrap
from accelsim.passes import (
    DepthwiseCommand,
    DepthwiseOpcode,
    DepthwisePass,
    check_earliest,
    columns,
    depthwise_results,
)

ROW = int(DepthwiseOpcode.ROW)
PIPELINE = 10  # clocks from a tap's issue to its addition
ENTERED = 2  # to where its weights are known
ADDRESSED = 3  # to where its operands are read
SHIFTED = 6  # to where its operands are shifted
MULTIPLIED = 8  # to where they are multiplied
LOADED = 6  # clocks between the last word of a fill and the first tap
TAP, FIRST, LAST = (1 << bit for bit in range(3))  # tag of a tap in the pipeline
RING = 16  # tiles: the generator's, the one at the issue stage, those in the pipeline
NEVER = np.iinfo(np.int64).max  # a clock that does not come

Register = npt.NDArray[Any]
Int = npt.NDArray[np.int64]
Short = npt.NDArray[np.int16]


# ---- registers as they are shown -----------------------------------------------------------


class Tile(NamedTuple):
    """A tile that the generator or the issue stage holds; all zero where it holds none.

    y, x : int64[P], first input row and column of each pixel, padding not counted.
    word : of the banks, where the tile's pixel 0 lies in plane (0, 0).
    """

    y: Int
    x: Int
    word: int


class Counters(NamedTuple):
    """Control registers.

    generator_valid : there is a tile behind that of the issue stage; row_word: where its row
        begins, in mode row.
    issue_valid : the issue stage holds a tile, of which `taps_left` are to be issued.
    drain_left : clocks for which the result port is still taken, as the issue stage sees it.
    beats_left : result words of the shadows that have not left.
    words_left, parts_left, entries_left : what has not come in of the pass that is being filled:
        words, parts of the present one, entries of the tap memory.
    passes_held : passes in the memories or coming in.
    """

    generator_valid: int
    row_word: int
    issue_valid: int
    taps_left: int
    drain_left: int
    beats_left: int
    words_left: int
    parts_left: int
    entries_left: int
    passes_held: int


class Registers(NamedTuple):
    """Registers of the engine at the beginning of a clock.

    value, operand : int16[P, L], of the map, and a clock later at the multipliers.
    product, term, total, shadow : int32[P, L]; products are added as terms, a clock later, and the
        total is 0 in the clock in which the first term of a tile is.
    weights : int16[7, L], of the taps issued 2 to 8 clocks ago, the last ones at the multipliers;
        the tap memory keeps its last entry.
    masks : bool[6, P], of the taps issued 1 to 6 clocks ago.
    shifts, odds : int64[4], 3 to 6 clocks ago: operands to skip, and whether the first of the two
        words read is odd.
    tags : int64[10], TAP, FIRST and LAST of the taps issued 1 to 10 clocks ago; 0 for none.
    next, tile : at the head of the queue of tiles and at the issue stage.
    """

    value: Register
    operand: Register
    product: Register
    term: Register
    total: Register
    shadow: Register
    weights: Register
    masks: Register
    shifts: Register
    odds: Register
    tags: Int
    next: Tile
    tile: Tile
    counters: Counters


# ---- registers as they are stepped ---------------------------------------------------------
#
# Every component has a record of integers, in an array of one. Tiles have numbers from 1 on, and
# lie in the ring at their number modulo RING; 0 is none.


COMMAND = registers(*columns(DepthwiseCommand))

# Kernel rows and columns that meet the map run from ky0 to before ky1, from kx0 to before kx1.
# cut : some pixels are masked.  beats : result words.
TILE = registers("command", "word", "ky0", "ky1", "kx0", "kx1", "beats", "cut")

# queued, filled, handed : commands that have been taken, filled and handed to the generator;
# without a fill port the loader only hands them on.
# releasing : a pass has ended in the clock before.
LOADER = registers(
    "queued", "filled", "handed", "words_left", "parts_left", "entries_left", "releasing",
    "passes_held",
)  # fmt: skip
# tile : the number of the tile that it holds, or will hold next.
# tiles_left, rows_left : behind it, in its row, and rows behind that.
# per_dh, per_dw : reciprocals of the dilations of its command.
GENERATOR = registers(
    "valid", "command", "tile", "row_word", "tiles_left", "rows_left", "per_dh", "per_dw"
)
# pass_begins : the next tap starts a pass that has not started with its fill.
ISSUE = registers("valid", "tile", "pass_begins", "ends_pass", "taps_left", "drain_left")
# lasts : whether the taps issued 1, 2, ... clocks ago were the last of their tiles, bit by bit.
# tile, command : whose sums are in the shadows.  words_sent : result words that have left.
LANES = registers("lasts", "tile", "command", "beats_left", "words_sent")


class _Sizes(NamedTuple):
    """Of an engine.

    lead : clocks from where a command is taken to where its pass can start.
    made : from where a fill starts to where the generator can have the first tile.
    loaded : from the last word of a fill to there.
    """

    lanes: int
    pixels: int
    result_lanes: int
    fill_port: int
    lead: int
    made: int
    loaded: int


class _Passes(NamedTuple):
    """What is to be done, and when it was.

    commands : COMMAND[passes].  earliest, started, filled, retired : int64[passes]; -1 for not yet.
        A pass has been filled in the clock in which its last word comes.
    """

    commands: Register
    earliest: Int
    started: Int
    filled: Int
    retired: Int


class _Memories(NamedTuple):
    """What taps read.

    bank : int16[...], the banks slot by slot, a tile of zeros in front and behind.
    first : int64[entries], of every tap: where its operands begin, relative to its tile.
    weights : int32[entries, L + GROUP], in the upper halves, the first lanes again at the end.
    lane : int64[groups], of the first slot of each group.
    """

    bank: Short
    first: Int
    weights: npt.NDArray[np.int32]
    lane: Int


class _Pixels(NamedTuple):
    """How far the pixels of the generator's command lie apart.

    steps : int64[P + 1, 2], rows and columns of pixels 0 to P, counted from pixel 0.
    y, x : int16[slots], the same for slots.
    """

    steps: Int
    y: Short
    x: Short


class _Masks(NamedTuple):
    """Which slots are alive for a kernel row, and for a column, a bit each.

    rows, columns : uint32[positions, slots / PAIR].
    """

    rows: npt.NDArray[np.uint32]
    columns: npt.NDArray[np.uint32]


class _State(NamedTuple):
    """All registers, or what they are rebuilt from.

    tiles : TILE[RING].  y, x : int16[RING, slots], coordinates of the tiles in the ring.
    total : int32[slots], sums of the tile that was complete last.
    issued : int64[PIPELINE + 1, 3], of the taps issued 1 to 10 clocks ago, and of the last one
        before: tile, taps left with it, whether there was one; where not, the last one before.
        Kept only on the way to a clock that is asked for.
    """

    loader: Register
    generator: Register
    issue: Register
    lanes: Register
    tiles: Register
    y: Short
    x: Short
    total: npt.NDArray[np.int32]
    issued: Int

    def copy(self) -> "_State":
        """The same, kept as it is."""
        return _State(*map(np.copy, self))


class _Parts(NamedTuple):
    """What is stepped; words: int32[values of all result words]."""

    sizes: _Sizes
    passes: _Passes
    memories: _Memories
    pixels: _Pixels
    state: _State
    words: npt.NDArray[np.int32]


def simulate(
    engine: DepthwiseEngine,
    commands: Int,
    maps: Short,
    taps: Register,
    clock: int | None = None,
    earliest: Sequence[int] | Int | None = None,
) -> Run:
    """Run one sequence of commands register by register.

    Parameters
    ----------
    commands : int64[passes, fields], the fields of DepthwiseCommand.
    maps : int16[words, P, L], the banks.
    taps : integers[entries, 2 + L], the tap memory: word and shift of a tap, weights, which fit
        int16. Lanes without a channel have zero weights.
    clock : the clock at whose start registers are recorded; in clock 0 the first tap could be
        issued, or the first word of a fill port come in.
    earliest : int64[passes], clocks before which passes do not start; all 0 without.

    Returns
    -------
    Words int32[result words, results_per_clock]. A pass starts with the issue of its first tap,
    or with the first clock of its fill. Registers are `Registers`.
    """
    parts = _parts(engine, commands, maps, taps, earliest)
    sizes, passes, state = parts.sizes, parts.passes, parts.state
    words = parts.words.reshape(-1, engine.result_lanes * engine.pixels)
    results = len(words)
    start, seen = -sizes.lead, None
    if clock is not None:
        _run(*parts, start, clock)
        start, seen = clock, _Replay(engine, passes.commands, maps, taps, state.copy())
    _run(*parts, start, NEVER)
    sent = int(state.lanes["words_sent"][0])
    if sent > results:
        raise UnsupportedError(f"the sequence leaves more than {results} result words")
    if sent < results:
        raise UnsupportedError(f"the sequence left {sent} result words instead of {results}")
    busy = int(passes.retired[-1] - passes.started[0]) if len(commands) else 0
    recorded = seen.registers() if seen else None
    words = wrap(words, engine.operands.accumulator_bits)
    return Run(words, busy, passes.started, passes.retired, recorded)


class Stage(NamedTuple):
    """Registers behind a clock: records of LOADER, LANES and TILE.

    tap : the tile of the tap that was issued in the clock, None where there was none.
    shown : the tile whose sums are in the shadows, None before the first.
    """

    loader: Register
    lanes: Register
    tap: Register | None
    shown: Register | None


def stages(engine: DepthwiseEngine, commands: Int, maps: Short, taps: Register) -> Iterator[Stage]:
    """The registers of a sequence behind every clock, up to the last result."""
    parts = _parts(engine, commands, maps, taps, None)
    state, clock = parts.state, -parts.sizes.lead
    results = len(parts.words) // (engine.result_lanes * engine.pixels)
    while state.lanes["words_sent"][0] < results:
        _run(*parts, clock, clock + 1)
        clock += 1
        number, _, issued = state.issued[0].tolist()
        shown = int(state.lanes["tile"][0])
        yield Stage(
            state.loader[0].copy(),
            state.lanes[0].copy(),
            state.tiles[number % RING].copy() if issued else None,
            state.tiles[shown % RING].copy() if shown else None,
        )


def _parts(
    engine: DepthwiseEngine,
    commands: Int,
    maps: Short,
    taps: Register,
    earliest: Sequence[int] | Int | None,
) -> _Parts:
    """What `_run` steps, at the beginning of a sequence."""
    passes = _Passes(
        np.ascontiguousarray(commands, np.int64).view(COMMAND)[:, 0],
        check_earliest(earliest, len(commands)),
        *(np.full(len(commands), -1) for _ in range(3)),
    )
    sizes = _Sizes(
        engine.lanes, engine.pixels, engine.result_lanes, engine.fill_port,
        lead=1 if engine.fill_port else 2, made=engine.lead - 2, loaded=LOADED - 1,
    )  # fmt: skip
    work = DepthwisePass(*commands.T[: len(DepthwisePass._fields)])
    results = int(depthwise_results(work, engine.pixels, engine.result_lanes).sum())
    words = np.empty(results * engine.result_lanes * engine.pixels, np.int32)
    return _Parts(
        sizes, passes, _memories(engine, maps, taps), _pixels(engine), _reset(engine), words
    )


def _memories(engine: DepthwiseEngine, maps: Short, taps: Register) -> _Memories:
    slots = engine.multipliers
    groups = -(-slots // GROUP)
    # Taps whose pixels are all masked may lie anywhere; reads are kept within a tile of the banks.
    bank = np.empty(slots + maps.size + groups * GROUP, np.int16)
    bank[:slots] = bank[slots + maps.size :] = 0
    bank[slots : slots + maps.size] = maps.reshape(-1)
    lane = np.arange(engine.lanes + GROUP) % engine.lanes
    weights = taps[:, 2 + lane].astype(np.int32, order="C")
    weights <<= 16
    first = taps[:, :2] @ np.array((slots, engine.lanes)) + slots
    return _Memories(
        bank,
        first,
        weights,
        (GROUP * np.arange(groups)) % engine.lanes,
    )


def _slots(engine: DepthwiseEngine) -> int:
    """Slots of a tile, in whole vectors of coordinates."""
    return -(-engine.multipliers // PAIR) * PAIR


def _pixels(engine: DepthwiseEngine) -> _Pixels:
    steps, slots = np.zeros((engine.pixels + 1, 2), np.int64), _slots(engine)
    return _Pixels(steps, np.zeros(slots, np.int16), np.zeros(slots, np.int16))


def _reset(engine: DepthwiseEngine) -> _State:
    """All registers before the first clock."""
    # Vectors begin at multiples of their size, so that none lies across lines of the cache.
    slots = _slots(engine)
    space = np.zeros((2 * RING + 3) * slots, np.int16)
    first = -(space.ctypes.data // space.itemsize) % PAIR
    rows = space[first : first + (2 * RING + 2) * slots].reshape(-1, slots)
    state = _State(
        loader=np.zeros(1, LOADER),
        generator=np.zeros(1, GENERATOR),
        issue=np.zeros(1, ISSUE),
        lanes=np.zeros(1, LANES),
        tiles=np.zeros(RING, TILE),
        y=rows[:RING],
        x=rows[RING : 2 * RING],
        total=rows[2 * RING :].reshape(-1).view(np.int32),
        issued=np.zeros((PIPELINE + 1, 3), np.int64),
    )
    state.generator["tile"] = 1
    return state


# ---- registers at one clock ----------------------------------------------------------------


class _Tap(NamedTuple):
    """What a tap puts into the registers that it passes.

    operand : int16[P, L], masked.  weights : int16[L].  mask : bool[P].
    word : the first of the two that it reads.
    """

    operand: Register
    weights: Register
    mask: Register
    word: int
    shift: int
    tag: int

    @property
    def product(self) -> Register:
        """int32[P, L]."""
        product: Register = self.operand.astype(np.int32) * self.weights
        return product

    def bubble(self) -> "_Tap":
        """What follows a tap where none is issued."""
        return self._replace(operand=0 * self.operand, mask=self.mask & False, word=0, tag=0)


def _named(record: np.void) -> SimpleNamespace:
    """A record as integers with names."""
    return SimpleNamespace(**dict(zip(record.dtype.names or (), record.item(), strict=True)))


class _Replay(NamedTuple):
    """Rebuilds registers from the ring of tiles."""

    engine: DepthwiseEngine
    commands: Register
    maps: Register
    taps: Register
    state: _State

    def registers(self) -> Registers:
        """All of them."""
        loader, generator, issue, lanes = (_named(register[0]) for register in self.state[:4])
        stages = [self.stage(*place) for place in self.state.issued[:-1].tolist()]
        held, multiplied, added = stages[SHIFTED], stages[MULTIPLIED - 1], stages[PIPELINE - 1]
        entered, read = stages[ENTERED - 1 : MULTIPLIED], stages[ADDRESSED - 1 : SHIFTED]
        number, left, _ = self.state.issued[-1].tolist()
        return Registers(
            value=held.operand,
            operand=multiplied.operand,
            product=stages[MULTIPLIED].product,
            term=added.product,
            total=self.total(number, left) * (added.tag & FIRST == 0),
            shadow=self.shadow(lanes),
            weights=np.array([stage.weights for stage in entered]),
            masks=np.array([stage.mask for stage in stages[:SHIFTED]]),
            shifts=np.array([stage.shift for stage in read]),
            odds=np.array([stage.word & 1 for stage in read]),
            tags=np.array([stage.tag for stage in stages]),
            next=self.tile(generator.tile if generator.valid else 0),
            tile=self.tile(issue.tile if issue.valid else 0),
            counters=Counters(
                generator_valid=generator.valid,
                row_word=generator.row_word * generator.valid,
                issue_valid=issue.valid,
                taps_left=issue.taps_left,
                drain_left=issue.drain_left,
                beats_left=lanes.beats_left,
                words_left=loader.words_left,
                parts_left=loader.parts_left,
                entries_left=loader.entries_left,
                passes_held=loader.passes_held,
            ),
        )

    def ring(self, number: int) -> SimpleNamespace:
        """The record of a tile."""
        return _named(self.state.tiles[number % RING])

    def tile(self, number: int) -> Tile:
        """A tile of the ring; zeros for number 0."""
        first, held = np.arange(self.engine.pixels) * self.engine.lanes, number > 0
        at = number % RING, first
        y, x = (grid[at].astype(np.int64) * held for grid in (self.state.y, self.state.x))
        return Tile(y, x, self.ring(number).word * held)

    def total(self, number: int, left: int) -> Register:
        """int32[P, L], sums of a tile with the tap of which `left` are left, wrapped."""
        grid = np.zeros((self.engine.pixels, self.engine.lanes), np.int32)
        for i in range(self.taps_of(number), left - 1, -1):
            tap = self.tap(number, i)
            grid += tap.product
        return wrap(grid, self.engine.operands.accumulator_bits)

    def shadow(self, lanes: SimpleNamespace) -> Register:
        """int32[P, L], sums that have moved up with every result word but the last."""
        sums = self.total(lanes.tile, 1)
        moves = self.ring(lanes.tile).beats - max(lanes.beats_left, 1) if lanes.tile else 0
        moved = moves * self.engine.result_lanes
        return np.pad(sums[:, moved:], ((0, 0), (0, min(moved, self.engine.lanes))))

    def taps_of(self, number: int) -> int:
        """Taps of a tile, the empty slot of one that meets nothing included."""
        tile = self.ring(number)
        taps = (tile.ky1 - tile.ky0) * (tile.kx1 - tile.kx0)
        return max(1, taps) if number else 0

    def stage(self, number: int, left: int, valid: int) -> _Tap:
        """What a stage of the pipeline holds."""
        tap = self.tap(number, left)
        return tap if valid else tap.bubble()

    def tap(self, number: int, left: int) -> _Tap:
        """The tap of a tile with which `left` are left; number 0 before the first."""
        lanes, mask = self.engine.lanes, np.zeros(self.engine.pixels, np.bool_)
        operand = np.zeros((self.engine.pixels, lanes), np.int16)
        if not number:
            return _Tap(operand, np.zeros(lanes, np.int16), mask, 0, 0, 0)
        tile, (y, x, at) = self.ring(number), self.tile(number)
        c = _named(self.commands[tile.command])
        done = self.taps_of(number) - left
        ky, kx = np.add(divmod(done, max(1, tile.kx1 - tile.kx0)), (tile.ky0, tile.kx0)).tolist()
        if tile.ky0 < tile.ky1:
            down, across = y + ky * c.dh - c.pt, x + kx * c.dw - c.pl
            mask = (down >= 0) & (down < c.h) & (across >= 0) & (across < c.w)
            mask &= (y <= c.bottom) & (x <= c.right)
        word, shift, *weights = self.taps[c.taps + ky * c.fw + kx].tolist()
        place = (at + word) * self.engine.pixels + shift + np.flatnonzero(mask)
        operand[mask] = self.maps.reshape(-1, lanes)[place]
        tag = TAP | (FIRST if done == 0 else 0) | (LAST if left == 1 else 0)
        return _Tap(operand, np.array(weights, np.int16), mask, at + word, shift, tag)


# ---- all slots of a tile, as LLVM vectors --------------------------------------------------
#
# A group is a vector of neighbouring slots. Weights repeat from pixel to pixel, so those of a
# group begin at lane (first slot mod L) of an entry that goes on with its first lanes. They are
# kept in the upper half of 32 bits and shifted down, which x86 makes one multiply-add of int16;
# from an extended int16 it makes a slower multiply of int32. Integers wrap as in hardware.

GROUP, PAIR = 16, 32  # slots of a vector of sums, and of one of coordinates
BLOCKS = (16, 4, 1)  # groups whose accumulators are in vector registers together
_SIZE = numba.types.intp
_FLAG = numba.types.boolean


def _coordinates(builder: Any, *values: Any) -> list[Any]:
    """Integers as int16, each on all slots of a vector of coordinates."""
    return [splat(builder, builder.trunc(value, INT16), PAIR) for value in values]


def _clamp(builder: Any, value: Any, low: Any, high: Any) -> Any:
    value = builder.select(builder.icmp_signed("<", value, low), low, value)
    return builder.select(builder.icmp_signed(">", value, high), high, value)


@intrinsic
def _move(typing, y, x, source, target, dy, dx, wrap, sh):
    """y[target], x[target] = y[source], x[source], all moved by (dy, dx) with one wrap."""
    signature = numba.types.void(y, x, *[_SIZE] * 6)

    def generate(context, builder, signature, args):
        ys, xs = pointers(context, builder, signature, args, 2)
        pitch = _length(context, builder, signature, args, 0, 1)
        source, target, dy, dx, wrap, sh = args[2:]
        dy, dx, wrap, sh = _coordinates(builder, dy, dx, wrap, sh)
        none = filled(INT16, 0, PAIR)
        with cgutils.for_range(builder, builder.udiv(pitch, pitch.type(PAIR))) as loop:
            slot = builder.mul(loop.index, pitch.type(PAIR))
            out = builder.add(builder.mul(source, pitch), slot)
            into = builder.add(builder.mul(target, pitch), slot)
            right = builder.add(load(builder, xs, out, PAIR), dx)
            down = builder.add(load(builder, ys, out, PAIR), dy)
            over = builder.icmp_signed(">=", right, wrap)
            right = builder.sub(right, builder.select(over, wrap, none))
            down = builder.add(down, builder.select(over, sh, none))
            store(builder, right, xs, into)
            store(builder, down, ys, into)

    return signature, generate


@intrinsic
def _mask(typing, bits, coordinates, slot, first, end, dilation, padding, length, last):
    """Bits of the slots that are alive along an axis, of kernel position k at bits[k - first].

    A slot of coordinates[slot] is alive where its value lies in the map and it is an output.
    """
    signature = numba.types.void(bits, coordinates, *[_SIZE] * 7)

    def generate(context, builder, signature, args):
        lines, values = pointers(context, builder, signature, args, 2)
        pairs = _length(context, builder, signature, args, 0, 1)
        slot, first, end, dilation, padding, length, last = args[2:]
        size = pairs.type(PAIR)
        row = builder.mul(slot, builder.mul(pairs, size))
        length, last = _coordinates(builder, length, last)
        with cgutils.for_range_slice(builder, first, end, end.type(1), inc=True) as (k, _):
            offset = builder.sub(builder.mul(k, dilation), padding)
            (offset,) = _coordinates(builder, offset)
            line = builder.mul(builder.sub(k, first), pairs)
            with cgutils.for_range(builder, pairs) as loop:
                at = builder.add(row, builder.mul(loop.index, size))
                place = load(builder, values, at, PAIR)
                inside = builder.icmp_unsigned("<", builder.add(place, offset), length)
                alive = builder.and_(inside, builder.icmp_signed("<=", place, last))
                target = builder.gep(lines, [builder.add(line, loop.index)])
                builder.store(builder.bitcast(alive, INT32), target)

    return signature, generate


@intrinsic
def _accumulate(
    typing, total, rows, columns, bank, first, weights, lane, masked, at, entry, fw, window
):
    """total[slot] = sum over the taps of operand x weight, masked slots adding zero.

    The operands of tap (ky, kx) begin at `at` + first[entry], its weights are row `entry`; entries
    count from `entry`, a kernel row being `fw` of them.  window : ky0, ky1, kx0, kx1 of the tile.
    A slot is alive for a tap where both its row and its column say so.
    """
    arrays = total, rows, columns, bank, first, weights, lane
    signature = numba.types.void(*arrays, _FLAG, *[_SIZE] * 3, window)

    def generate(context, builder, signature, args):
        sums, down, across, values, places, entries, lanes = pointers(
            context, builder, signature, args, len(arrays)
        )
        masked, at, entry, fw, window = args[len(arrays) :]
        ky0, ky1, kx0, kx1 = (builder.extract_value(window, i) for i in range(4))
        pairs, size, pitch, groups = (
            _length(context, builder, signature, args, place, axis)
            for place, axis in ((1, 1), (3, 0), (5, 1), (6, 0))
        )
        zero, one = groups.type(0), groups.type(1)
        limit = builder.sub(size, builder.mul(groups, groups.type(GROUP)))
        none, half = filled(INT32, 0, GROUP), filled(INT32, 16, GROUP)

        # Masks hold pairs of groups, that of the lower slots in the lower half.
        def alive(table, k, first, group):
            halves = builder.bitcast(table, INT16.as_pointer())
            line = builder.mul(builder.sub(k, first), builder.mul(pairs, pairs.type(2)))
            return builder.load(builder.gep(halves, [builder.add(line, group)]))

        def block(start, count, masks):
            members = [builder.add(start, start.type(i)) for i in range(count)]
            begins = [builder.load(builder.gep(lanes, [group])) for group in members]
            slot = builder.mul(start, start.type(GROUP))
            acc = [cgutils.alloca_once(builder, none.type) for _ in members]
            for register in acc:
                builder.store(none, register)
            with cgutils.for_range_slice(builder, ky0, ky1, one, inc=True) as (ky, _):
                line = builder.add(entry, builder.mul(ky, fw))
                with cgutils.for_range_slice(builder, kx0, kx1, one, inc=True) as (kx, _):
                    tap = builder.add(line, kx)
                    source = builder.add(at, builder.load(builder.gep(places, [tap])))
                    source = builder.add(_clamp(builder, source, zero, limit), slot)
                    row = builder.mul(tap, pitch)
                    for i, group in enumerate(members):
                        place = builder.add(source, source.type(i * GROUP))
                        operand = widen(builder, load(builder, values, place, GROUP))
                        if masks:
                            bits = builder.and_(
                                alive(down, ky, ky0, group), alive(across, kx, kx0, group)
                            )
                            bits = builder.bitcast(bits, ir.VectorType(BIT, GROUP))
                            operand = builder.select(bits, operand, none)
                        place = builder.add(row, begins[i])
                        weight = builder.ashr(load(builder, entries, place, GROUP), half)
                        product = builder.mul(operand, weight)
                        builder.store(builder.add(builder.load(acc[i]), product), acc[i])
            for i, register in enumerate(acc):
                place = builder.add(slot, slot.type(i * GROUP))
                store(builder, builder.load(register), sums, place)

        def blocks(masks):
            done = zero
            for count in BLOCKS:
                size = groups.type(count)
                number = builder.udiv(builder.sub(groups, done), size)
                with cgutils.for_range(builder, number) as loop:
                    block(builder.add(done, builder.mul(loop.index, size)), count, masks)
                done = builder.add(done, builder.mul(number, size))

        with builder.if_else(masked) as (some, all_):
            with some:
                blocks(True)
            with all_:
                blocks(False)

    return signature, generate


def _length(context: Any, builder: Any, signature: Any, args: Any, place: int, axis: int) -> Any:
    """Length of an array argument along an axis."""
    array = context.make_array(signature.args[place])(context, builder, args[place])
    return builder.extract_value(array.shape, axis)


SQUARES = (8, 4)  # sides of the squares in which sums are transposed


@intrinsic
def _transpose(typing, target, source, at, pixels, lanes, pitch):
    """target.flat[at + lane pixels + pixel] = source[pixel pitch + lane].

    In the largest squares that both fit, the last ones overlapping those before; there are at
    least as many pixels and lanes as the smallest square has.
    """
    signature = numba.types.void(target, source, *[_SIZE] * 4)

    def generate(context, builder, signature, args):
        into, out = pointers(context, builder, signature, args, 2)
        at, pixels, lanes, pitch = args[2:]

        def squares(side, total, body):
            size = total.type(side)
            number = builder.udiv(builder.add(total, total.type(side - 1)), size)
            last = builder.sub(total, size)
            with cgutils.for_range(builder, number) as loop:
                place = builder.mul(loop.index, size)
                body(builder.select(builder.icmp_signed("<", place, last), place, last))

        def transpose(side):
            def square(pixel, lane):
                place = builder.add(builder.mul(pixel, pitch), lane)
                rows = []
                for _ in range(side):
                    rows.append(load(builder, out, place, side))
                    place = builder.add(place, pitch)
                place = builder.add(at, builder.add(builder.mul(lane, pixels), pixel))
                for row in _turned(builder, rows):
                    store(builder, row, into, place)
                    place = builder.add(place, pixels)

            squares(side, pixels, lambda p: squares(side, lanes, lambda lane: square(p, lane)))

        least = builder.select(builder.icmp_signed("<", pixels, lanes), pixels, lanes)
        large = builder.icmp_signed(">=", least, least.type(SQUARES[0]))
        with builder.if_else(large) as (both, else_):
            with both:
                transpose(SQUARES[0])
            with else_:
                transpose(SQUARES[1])

    return signature, generate


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """The transpose of a square: its quarters, then theirs, change places."""
    side = half = len(rows)
    rows = list(rows)
    while half := half // 2:
        low = [i if not i & half else i - half + side for i in range(side)]
        high = [i + half if not i & half else i + side for i in range(side)]
        for i in range(side):
            if not i & half:
                pair = rows[i], rows[i + half]
                for place, mask in ((i, low), (i + half, high)):
                    which = ir.Constant(ir.VectorType(INT32, side), mask)
                    rows[place] = builder.shuffle_vector(*pair, which)
    return rows


# ---- the clock -----------------------------------------------------------------------------

SHIFT = 32  # reciprocals are exact for numbers of 16 bits and divisors of 6 bits
IN_FLIGHT = (1 << PIPELINE) - 1
SUMMED = 1 << (PIPELINE - 1)  # of `lasts`: the last product of a tile is added in this clock


@kernel
def _run(sizes, passes, memories, pixels, state, words, clock, until):
    """Step from the beginning of a clock to that of another; NEVER: to the end.

    Only to the end are taps not noted, and clocks taken at once in which control only counts.
    """
    loader, generator = state.loader[0], state.generator[0]
    issue, lanes = state.issue[0], state.lanes[0]
    masks = _new_masks(passes, state)
    acts = clock  # when loader, generator or issue stage do more than count
    while clock < until:
        _send(passes, lanes, clock, 1)
        if lanes.lasts & SUMMED and not _capture(sizes, passes, memories, masks, state, words):
            return
        final = False
        if clock == acts:
            taps_left = issue.taps_left
            final = _issue(passes, state, clock)
            if until != NEVER:
                _note(state.issued, issue.tile, taps_left, issue.taps_left < taps_left)
            released = final and issue.ends_pass != 0
            free = generator.valid == 0
            if final or issue.valid == 0:
                issue.valid = generator.valid
                if generator.valid != 0:
                    _take_tile(sizes, passes, state)
                    free = _next_tile(passes, pixels, state)
                    issue.ends_pass = free
            command = _load(sizes, passes, loader, free, released, clock)
            if free:
                generator.valid = command >= 0
            if command >= 0:
                _take_command(sizes, passes, pixels, state, command)
            acts = min(_loader_acts(sizes, passes, loader, generator, clock + 1), until)
            acts = min(acts, _issue_acts(generator, issue, clock + 1))
            if until != NEVER and (issue.valid != 0 or lanes.lasts != 0 or final):
                acts = clock + 1
            _wait(sizes, issue, loader, acts - clock - 1)
        lanes.lasts = (lanes.lasts << 1 | final) & IN_FLIGHT
        clock += 1
        rests = min(acts, _lanes_act(lanes, clock))
        if rests > clock:
            _send(passes, lanes, clock, rests - clock)
            if lanes.lasts != 0:
                lanes.lasts <<= rests - clock
            clock = rests


@kernel
def _new_masks(passes, state):
    """Room for the masks of any tile of the sequence."""
    side = 0
    for c in passes.commands:
        side = max(side, c.fh, c.fw)
    shape = side, state.y.shape[1] // PAIR
    return _Masks(np.empty(shape, np.uint32), np.empty(shape, np.uint32))


@component
def _send(passes, lanes, clock, clocks):
    """Result words leave in clocks from this one on, and the shadows behind them move up."""
    leaving = min(clocks, lanes.beats_left)
    if leaving > 0:
        lanes.beats_left -= leaving
        lanes.words_sent += leaving
        passes.retired[lanes.command] = clock + leaving


@component
def _capture(sizes, passes, memories, masks, state, words):
    """The sums of a tile go to the shadows; False where there is no room for its result words."""
    lanes = state.lanes[0]
    lanes.tile += 1
    slot = lanes.tile & (RING - 1)
    tile = state.tiles[slot]
    lanes.command, lanes.beats_left = tile.command, tile.beats
    port = sizes.result_lanes * sizes.pixels
    if (lanes.words_sent + tile.beats) * port > words.shape[0]:
        lanes.words_sent += tile.beats
        return False
    c = passes.commands[tile.command]
    ky0, ky1, kx0, kx1 = tile.ky0, tile.ky1, tile.kx0, tile.kx1
    if tile.cut != 0:
        _mask(masks.rows, state.y, slot, ky0, ky1, c.dh, c.pt, c.h, c.bottom)
        _mask(masks.columns, state.x, slot, kx0, kx1, c.dw, c.pl, c.w, c.right)
    _accumulate(
        state.total, masks.rows, masks.columns,
        memories.bank, memories.first, memories.weights, memories.lane, tile.cut != 0,
        tile.word * sizes.pixels * sizes.lanes, c.taps, c.fw, (ky0, ky1, kx0, kx1),
    )  # fmt: skip
    _put(sizes, state.total, words, lanes.words_sent * port, tile.beats * sizes.result_lanes)
    return True


@component
def _put(sizes, total, words, at, lanes):
    """The result words of a tile, pixels of one lane after another; 0 behind the last lane."""
    pixels, used = sizes.pixels, min(lanes, sizes.lanes)
    for i in range(at + used * pixels, at + lanes * pixels):
        words[i] = 0
    if min(used, pixels) >= SQUARES[-1]:
        _transpose(words, total, at, pixels, used, sizes.lanes)
        return
    for lane in range(used):
        for p in range(pixels):
            words[at + lane * pixels + p] = total[p * sizes.lanes + lane]


@component
def _issue(passes, state, clock):
    """Issue a tap, unless it is the last of its tile and the port is taken; whether it was."""
    issue = state.issue[0]
    tile = state.tiles[issue.tile & (RING - 1)]
    final = (issue.taps_left == 1) & (issue.drain_left <= 1)
    if final | (issue.taps_left > 1):
        issue.taps_left -= 1
        if issue.pass_begins != 0:
            passes.started[tile.command] = clock
            issue.pass_begins = 0
    issue.drain_left = tile.beats if final else max(issue.drain_left - 1, 0)
    return final


@component
def _note(issued, tile, taps_left, tap):
    """Keep the taps of the last clocks."""
    for back in range(PIPELINE, 0, -1):
        for i in range(3):
            issued[back, i] = issued[back - 1, i]
    if tap:
        issued[0, 0], issued[0, 1] = tile, taps_left
    issued[0, 2] = tap


@component
def _take_tile(sizes, passes, state):
    """The issue stage takes the generator's tile, and finds the taps that meet it.

    They follow from the smallest rectangle that holds the tile: whole rows of outputs, where it
    spans several.
    """
    generator, issue = state.generator[0], state.issue[0]
    c = passes.commands[generator.command]
    slot, end = generator.tile & (RING - 1), (sizes.pixels - 1) * sizes.lanes
    tile = state.tiles[slot]
    top, left = np.int64(state.y[slot, 0]), np.int64(state.x[slot, 0])
    last_y, last_x = np.int64(state.y[slot, end]), np.int64(state.x[slot, end])

    beyond = last_y > c.bottom
    low = min(last_y, c.bottom)
    one_row = top == low
    first = min(left, c.right) if one_row else 0
    last = min(last_x, c.right) if one_row & (not beyond) else c.right
    ky0, ky1 = _reach(c.fh, c.dh, generator.per_dh, c.pt, c.h, top, low)
    kx0, kx1 = _reach(c.fw, c.dw, generator.per_dw, c.pl, c.w, first, last)
    if (ky0 >= ky1) | (kx0 >= kx1):
        ky0, ky1, kx0, kx1 = 0, 0, 0, 0

    no_output = beyond | (last_x > c.right) | ((not one_row) & (c.wrap > c.right + 1))
    before = (top + ky0 * c.dh < c.pt) | (first + kx0 * c.dw < c.pl)
    behind = (low + (ky1 - 1) * c.dh >= c.h + c.pt) | (last + (kx1 - 1) * c.dw >= c.w + c.pl)
    tile.command, tile.cut = generator.command, no_output | before | behind
    tile.ky0, tile.ky1, tile.kx0, tile.kx1 = ky0, ky1, kx0, kx1
    tile.beats = c.beats
    issue.tile, issue.pass_begins = generator.tile, passes.started[generator.command] < 0
    issue.taps_left = max(1, (ky1 - ky0) * (kx1 - kx0))


@component
def _reach(size, dilation, per_dilation, padding, length, low, high):
    """First kernel position that meets the map, and the one behind the last; none if not less."""
    before, room = padding - high, length - 1 + padding - low
    first = ((before + dilation - 1) * per_dilation) >> SHIFT if before > 0 else 0
    behind = ((room * per_dilation) >> SHIFT) + 1 if room >= 0 else 0
    return first, min(behind, size)


@component
def _next_tile(passes, pixels, state):
    """The tile behind the one that was taken: further along, or in the next row.

    True where there is none in this pass.
    """
    generator = state.generator[0]
    c = passes.commands[generator.command]
    slot, into = generator.tile & (RING - 1), (generator.tile + 1) & (RING - 1)
    last = pixels.steps.shape[0] - 1
    dy, dx = pixels.steps[last, 0], pixels.steps[last, 1]
    word = state.tiles[slot].word + 1
    ends = generator.tiles_left == 0 and generator.rows_left == 0
    if generator.tiles_left == 0:
        dy, dx = c.sh, -np.int64(state.x[slot, 0])
        generator.row_word += c.row_words
        word = generator.row_word
        generator.tiles_left, generator.rows_left = c.row_tiles, generator.rows_left - 1
    generator.tiles_left -= 1
    _move(state.y, state.x, slot, into, dy, dx, c.wrap, c.sh)
    state.tiles[into].word = word
    generator.tile += 1
    return ends


@component
def _due(sizes, passes, loader, clock):
    """Whether there is a command left, and its pass may start so many clocks from now."""
    queued = loader.queued
    return queued < len(passes.earliest) and clock + sizes.lead >= passes.earliest[queued]


@component
def _load(sizes, passes, loader, free, released, clock):
    """Fill, and take the next command; the one that the generator takes, where it is free, or -1.

    Without a fill port, commands go straight to the generator.
    """
    if sizes.fill_port == 0:
        if not free or not _due(sizes, passes, loader, clock):
            return -1
        loader.queued += 1
        return loader.queued - 1

    if loader.filled < loader.queued:
        c = passes.commands[loader.filled]
        if passes.started[loader.filled] < 0:
            passes.started[loader.filled] = clock
        if loader.words_left > 0:
            loader.parts_left -= 1
            if loader.parts_left == 0:
                loader.words_left -= 1
                loader.parts_left = c.parts
        loader.entries_left = max(loader.entries_left - 1, 0)
        if loader.words_left == 0 and loader.entries_left == 0:
            passes.filled[loader.filled] = clock
            loader.filled += 1
    handed = -1
    if free and loader.handed < loader.filled and clock >= _made(sizes, passes, loader):
        handed = loader.handed
        loader.handed += 1
    room = loader.passes_held <= 1
    loader.passes_held -= loader.releasing
    loader.releasing = released
    if loader.filled == loader.queued and room and _due(sizes, passes, loader, clock):
        c = passes.commands[loader.queued]
        loader.queued += 1
        loader.passes_held += 1
        loader.words_left, loader.parts_left, loader.entries_left = c.words, c.parts, c.entries
    return handed


@component
def _made(sizes, passes, loader):
    """The first clock in which the generator can take the next command that was filled."""
    number = loader.handed
    return max(passes.started[number] + sizes.made, passes.filled[number] + sizes.loaded)


@component
def _take_command(sizes, passes, pixels, state, command):
    """The generator takes a command; its tile is the first one of the pass."""
    generator = state.generator[0]
    c = passes.commands[command]
    before = passes.commands[max(command - 1, 0)]
    if command == 0 or c.wrap != before.wrap or c.sh != before.sh or c.sw != before.sw:
        _step_pixels(sizes, pixels, c.wrap, c.sh, c.sw)
    generator.command = command
    generator.row_word = c.map
    generator.tiles_left = c.row_tiles - 1
    generator.rows_left = c.oh - 1 if c.opcode == ROW else 0
    generator.per_dh, generator.per_dw = (1 << SHIFT) // c.dh + 1, (1 << SHIFT) // c.dw + 1
    slot = generator.tile & (RING - 1)
    state.tiles[slot].word = c.map
    for i in range(len(pixels.y)):
        state.y[slot, i] = pixels.y[i]
    for i in range(len(pixels.x)):
        state.x[slot, i] = pixels.x[i]


@component
def _step_pixels(sizes, pixels, wrap, sh, sw):
    """Pixels 0 to P of a pass, each the sum of two that are half as far, with one wrap."""
    steps, half = pixels.steps, 1
    for n in range(1, sizes.pixels + 1):
        if 2 * half < n:
            half *= 2
        y = steps[half, 0] + steps[n - half, 0] if n > 1 else 0
        x = steps[half, 1] + steps[n - half, 1] if n > 1 else sw
        wraps = x >= wrap
        steps[n, 0], steps[n, 1] = y + wraps * sh, x - wraps * wrap
    for p in range(sizes.pixels):
        for slot in range(p * sizes.lanes, (p + 1) * sizes.lanes):
            pixels.y[slot], pixels.x[slot] = steps[p, 0], steps[p, 1]


@component
def _loader_acts(sizes, passes, loader, generator, clock):
    """The first clock from this one on in which a command moves, or a word of the fill ends.

    If no tile is taken before.
    """
    free, acts = generator.valid == 0, NEVER
    if sizes.fill_port > 0:
        if loader.releasing != 0:
            return clock
        if free and loader.handed < loader.filled:
            acts = max(clock, _made(sizes, passes, loader))
        if loader.filled < loader.queued:
            if passes.started[loader.filled] < 0:
                return clock
            left = loader.parts_left if loader.words_left > 0 else loader.entries_left
            return min(acts, clock + left - 1)
        free = loader.passes_held <= 1
    if free and loader.queued < len(passes.earliest):
        acts = min(acts, max(passes.earliest[loader.queued] - sizes.lead, clock))
    return acts


@component
def _issue_acts(generator, issue, clock):
    """The first clock from this one on in which a tile is taken, or a pass may start."""
    if issue.valid == 0:
        return NEVER if generator.valid == 0 else clock
    if issue.pass_begins != 0:
        return clock
    return clock + (issue.taps_left - 1 if issue.taps_left > 1 else max(issue.drain_left - 1, 0))


@component
def _wait(sizes, issue, loader, clocks):
    """Clocks in which the issue stage only issues taps or waits, and the loader only fills."""
    issue.drain_left = max(issue.drain_left - clocks, 0)
    issue.taps_left -= min(clocks, max(issue.taps_left - 1, 0))
    if loader.words_left > 0:
        loader.parts_left -= clocks
    loader.entries_left = max(loader.entries_left - clocks, 0)


@component
def _lanes_act(lanes, clock):
    """The first clock from this one on in which the last product of a tile is added."""
    if lanes.lasts == 0:
        return NEVER
    lasts = lanes.lasts
    while lasts & SUMMED == 0:
        lasts <<= 1
        clock += 1
    return clock
