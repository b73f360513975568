"""Register-accurate simulation of the depthwise engine: every register, every clock, real data.

Control is stepped clock by clock: the loader, the tile generator, the issue counters, the tags
that taps carry through the pipeline, and the beats of the result port, all next state from
current state as in rtl/engines/depthwise. Clocks in which only counters move are taken at
once, except on the way to a clock that is asked for. The data follow from that state:

* Registers that only delay (weights, masks, operands, products) are views of the taps issued in
  the last four clocks.
* The sum of a tile is formed in the clock in which its last product is added, all its taps at
  once, with the accumulators in vector registers; a tile lives in the ring of the generator
  until then.
* At the clock that is asked for, every register is rebuilt from the same ring.

Pixel p and lane l make slot p L + l, and a bank holds its values in that order, so that the
operands of a tap are one run of values wherever they begin; a pixel's coordinates are kept once
per slot, so that a mask is a comparison of vectors. No formula of the schedule is used.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from accelsim.errors import UnsupportedError
from accelsim.hardware import DepthwiseEngine
from accelsim.numerics import kernel
from accelsim.passes import DepthwiseOpcode

ROW = int(DepthwiseOpcode.ROW)
PIPELINE = 4  # clocks from a tap's issue to its addition
TAP, FIRST, LAST = (1 << bit for bit in range(3))  # tag of a tap in the pipeline

# Fields of a DepthwiseCommand.
OPCODE, CHANNELS, H, W, OH, OW, FH, FW, SH, SW, DH, DW, PT, PL = range(14)
WRAP, BOTTOM, RIGHT, ROW_WORDS, WORDS, MAP, TAPS = range(14, 21)
FIELDS = 22

# The ring of tiles: the generator's, the one at the issue stage, and those in the pipeline. Kernel
# rows and columns run from KY0 to before KY1, from KX0 to before KX1; CUT: some pixels are masked.
RING = 8
COMMAND, WORD, KY0, KY1, KX0, KX1, DRAIN, CUT, TILE_FIELDS = range(9)

# Scalar registers, as they are recorded; beside them tile of the generator, tile whose sums are in
# the shadows, and how often these have moved up.
COUNTERS = (
    "ready", "row_word", "current", "left", "owed", "beats",
    "loading", "words", "operands", "taps", "passes",
)  # fmt: skip
MADE, SHADOW, MOVES = (len(COUNTERS) + i for i in range(3))
RECORDED = len(COUNTERS) + 3

NOT_SIMULATED = -1

Register = npt.NDArray[Any]
Int = npt.NDArray[np.int64]


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

    ready : the generator holds a tile; row_word: where its row begins, in mode row.
    current : the issue stage holds a tile, of which `left` taps are to be issued.
    owed : clocks for which the result port is still taken, as the issue stage sees it.
    beats : result words of the shadows that have not left.
    loading : the loader holds a command; words, operands, taps: words of it that have not come
        in, operands of the present word, entries; passes: in the memories or coming in.
    """

    ready: int
    row_word: int
    current: int
    left: int
    owed: int
    beats: int
    loading: int
    words: int
    operands: int
    taps: int
    passes: int


class Registers(NamedTuple):
    """Registers of the engine at the beginning of a clock.

    x : int16[P, L], operands.  pr, acc, s : int32[P, L], products, sums, shadows.
    w1, w2 : int16[L], weights behind the tap memory, which keeps its last entry.
    mask1, mask2 : bool[P].
    shift, odd : operands to skip, and whether the first of the two words read is odd.
    tags : int64[4], TAP, FIRST and LAST of the taps issued 1 to 4 clocks ago; 0 for none.
    next, tile : at the generator and at the issue stage.
    """

    x: Register
    pr: Register
    acc: Register
    s: Register
    w1: Register
    w2: Register
    mask1: Register
    mask2: Register
    shift: int
    odd: int
    tags: Int
    next: Tile
    tile: Tile
    counters: Counters


class Done(NamedTuple):
    """Outcome of a sequence.

    words : int32[result words, results_per_clock], as they leave.
    busy_cycles : first tap, or first word of a fill port, to last result at the result port.
    registers : at the clock asked for, else None.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    registers: Registers | None


class _Seen(NamedTuple):
    """What is recorded at the clock asked for.

    counters : int64[RECORDED].
    issued : int64[PIPELINE + 1, 3], of the taps issued 1 to 4 clocks ago, and of the last one
        before: tile, taps left with it, whether there was one; where not, the last one before.
    tiles : int64[RING, TILE_FIELDS].  y, x : int16[RING, slots], coordinates.
    """

    counters: Int
    issued: Int
    tiles: Int
    y: npt.NDArray[np.int16]
    x: npt.NDArray[np.int16]


def simulate(
    engine: DepthwiseEngine,
    commands: npt.NDArray[np.int64],
    maps: npt.NDArray[np.int16],
    taps: npt.NDArray[np.int16],
    clock: int | None = None,
) -> Done:
    """Run one sequence of commands register by register.

    Parameters
    ----------
    commands : int64[passes, 22], the fields of DepthwiseCommand.
    maps : int16[words, P, L], the banks.
    taps : int16[entries, 2 + L], the tap memory: word and shift of a tap, weights. Lanes without
        a channel have zero weights.
    clock : the clock (0 = first tap, or first word of a fill port) at whose start registers are
        recorded.
    """
    slots = engine.lanes * engine.pixels
    groups = -(-slots // GROUP)
    seen = _Seen(
        np.zeros(RECORDED, np.int64),
        np.full((PIPELINE + 1, 3), -1, np.int64),
        *_ring(slots),
    )
    # Taps whose pixels are all masked may lie anywhere; reads are kept within a tile of the banks.
    bank = np.empty(slots + maps.size + groups * GROUP, np.int16)
    bank[:slots] = bank[slots + maps.size :] = 0
    bank[slots : slots + maps.size] = maps.reshape(-1)
    lane = np.arange(engine.lanes + GROUP) % engine.lanes
    offsets = (taps[:, 0].astype(np.int64) * engine.pixels + taps[:, 1]) * engine.lanes
    port = engine.result_lanes * engine.pixels
    words = np.empty((_result_words(engine, commands), port), np.int32)
    count, busy = _run(
        np.ascontiguousarray(commands, np.int64),
        bank,
        offsets + slots,
        np.ascontiguousarray(taps[:, 2 + lane], np.int32) << 16,
        (GROUP * np.arange(groups)) % engine.lanes,
        (engine.lanes, engine.pixels, engine.result_lanes, engine.fill_port),
        words.reshape(-1),
        seen,
        NOT_SIMULATED if clock is None else clock,
    )
    if count != len(words):
        raise UnsupportedError(f"the sequence left {count} result words instead of {len(words)}")
    found = None if clock is None else _Replay(engine, commands, maps, taps, seen).registers()
    return Done(words, int(busy), found)


def _result_words(engine: DepthwiseEngine, commands: Int) -> int:
    """Result words of a sequence: all tiles of a pass cover its outputs."""
    c = commands.T
    across = -(-c[OW] // engine.pixels)
    pitch = c[WRAP] // c[SW]
    flat = -(-((c[OH] - 1) * pitch + c[OW]) // engine.pixels)
    tiles = np.where(c[OPCODE] == ROW, c[OH] * across, flat)
    return int((tiles * -(-c[CHANNELS] // engine.result_lanes)).sum())


def _ring(slots: int) -> tuple[Int, npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    grids = [np.zeros((RING, -(-slots // PAIR) * PAIR), np.int16) for _ in range(2)]
    return np.zeros((RING, TILE_FIELDS), np.int64), grids[0], grids[1]


# ---- registers at one clock ----------------------------------------------------------------


class _Tap(NamedTuple):
    """What a tap puts into the registers that it passes.

    x : int16[P, L], masked operands.  weights : int16[L].  mask : bool[P].
    word : the first of the two that it reads.
    """

    x: Register
    weights: Register
    mask: Register
    word: int
    shift: int
    tag: int

    def bubble(self) -> "_Tap":
        """What follows a tap where none is issued."""
        return self._replace(x=0 * self.x, mask=self.mask & False, word=0, tag=0)


class _Replay(NamedTuple):
    """Rebuilds registers from the ring of tiles."""

    engine: DepthwiseEngine
    commands: Int
    maps: Register
    taps: Register
    seen: _Seen

    def registers(self) -> Registers:
        """All of them."""
        *scalars, made, shadow, moves = self.seen.counters.tolist()
        counters = Counters._make(scalars)
        one, two, three, four = (self.stage(*place) for place in self.seen.issued[:-1].tolist())
        number, left, _ = self.seen.issued[-1].tolist()
        sums = self.total(shadow, 1)
        moved = moves * self.engine.result_lanes
        return Registers(
            x=three.x,
            pr=four.x.astype(np.int32) * four.weights,
            acc=self.total(number, left),
            s=np.pad(sums[:, moved:], ((0, 0), (0, min(moved, self.engine.lanes)))),
            w1=two.weights,
            w2=three.weights,
            mask1=one.mask,
            mask2=two.mask,
            shift=two.shift,
            odd=two.word & 1,
            tags=np.array([stage.tag for stage in (one, two, three, four)]),
            next=self.tile(made if counters.ready else -1),
            tile=self.tile(made - 1 if counters.current else -1),
            counters=counters,
        )

    def tile(self, number: int) -> Tile:
        """A tile of the ring; zeros for number -1."""
        first, held = np.arange(self.engine.pixels) * self.engine.lanes, number >= 0
        y, x = (grid[number % RING, first].astype(np.int64) * held for grid in self.seen[-2:])
        return Tile(y, x, int(self.seen.tiles[number % RING, WORD]) * held)

    def total(self, number: int, left: int) -> Register:
        """int32[P, L], sums of a tile with the tap of which `left` are left."""
        grid = np.zeros((self.engine.pixels, self.engine.lanes), np.int32)
        for i in range(self.taps_of(number), left - 1, -1):
            tap = self.tap(number, i)
            grid += tap.x.astype(np.int32) * tap.weights
        return grid

    def taps_of(self, number: int) -> int:
        """Taps of a tile, the empty slot of one that meets nothing included."""
        ky0, ky1, kx0, kx1 = self.seen.tiles[number % RING, KY0 : KX1 + 1].tolist()
        return max(1, (ky1 - ky0) * (kx1 - kx0)) if number >= 0 else 0

    def stage(self, number: int, left: int, valid: int) -> _Tap:
        """What a stage of the pipeline holds."""
        found = self.tap(number, left)
        return found if valid > 0 else found.bubble()

    def tap(self, number: int, left: int) -> _Tap:
        """The tap of a tile with which `left` are left; number -1 before the first."""
        lanes, mask = self.engine.lanes, np.zeros(self.engine.pixels, np.bool_)
        x = np.zeros((self.engine.pixels, lanes), np.int16)
        if number < 0:
            return _Tap(x, np.zeros(lanes, np.int16), mask, 0, 0, 0)
        command, _, ky0, ky1, kx0, kx1, *_ = self.seen.tiles[number % RING].tolist()
        c, (y, column, at) = self.commands[command].tolist(), self.tile(number)
        done = self.taps_of(number) - left
        ky, kx = np.add(divmod(done, max(1, kx1 - kx0)), (ky0, kx0)).tolist()
        if ky0 < ky1:
            down, across = y + ky * c[DH] - c[PT], column + kx * c[DW] - c[PL]
            mask = (down >= 0) & (down < c[H]) & (across >= 0) & (across < c[W])
            mask &= (y <= c[BOTTOM]) & (column <= c[RIGHT])
        word, shift, *weights = self.taps[c[TAPS] + ky * c[FW] + kx].tolist()
        place = (at + word) * self.engine.pixels + shift + np.flatnonzero(mask)
        x[mask] = self.maps.reshape(-1, lanes)[place]
        tag = TAP | (FIRST if done == 0 else 0) | (LAST if left == 1 else 0)
        return _Tap(x, np.array(weights, np.int16), mask, at + word, shift, tag)


# ---- all slots of a tile, as LLVM vectors --------------------------------------------------
#
# A group is a vector of neighbouring slots. Weights repeat from pixel to pixel, so those of a
# group begin at lane (first slot mod L) of an entry that goes on with its first lanes. They are
# kept in the upper half of 32 bits and shifted down, which x86 makes one multiply-add of int16;
# from an extended int16 it makes a slower multiply of int32. Integers wrap as in hardware.

GROUP, PAIR = 16, 32  # slots of a vector of sums, and of one of coordinates
BLOCKS = (16, 4, 1)  # groups whose accumulators are in vector registers together
_BIT, _SHORT, _INT = ir.IntType(1), ir.IntType(16), ir.IntType(32)
_BITS, _SHORTS, _INTS = (ir.VectorType(element, GROUP) for element in (_BIT, _SHORT, _INT))
_PLACES = ir.VectorType(_SHORT, PAIR)
_ZEROS = ir.Constant(_INTS, [0] * GROUP)
_HALF = ir.Constant(_INTS, [16] * GROUP)
_SIZE = numba.types.intp
_FLAG = numba.types.boolean


def _pointers(context: Any, builder: Any, signature: Any, args: Any, count: int) -> list[Any]:
    """Pointers to the first elements of the leading `count` array arguments."""
    return [
        context.make_array(signature.args[i])(context, builder, args[i]).data for i in range(count)
    ]


def _load(builder: Any, pointer: Any, offset: Any, vector: Any) -> Any:
    place = builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())
    return builder.load(place, align=vector.element.width // 8)


def _store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    place = builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer())
    builder.store(value, place, align=value.type.element.width // 8)


def _splat(builder: Any, value: Any) -> Any:
    """An integer as int16 on all slots of a vector of coordinates."""
    none = ir.Constant(_PLACES, ir.Undefined)
    single = builder.insert_element(none, builder.trunc(value, _SHORT), ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, PAIR), [0] * PAIR)
    return builder.shuffle_vector(single, none, zeros)


def _clamp(builder: Any, value: Any, low: Any, high: Any) -> Any:
    value = builder.select(builder.icmp_signed("<", value, low), low, value)
    return builder.select(builder.icmp_signed(">", value, high), high, value)


@intrinsic
def _step(typing, y, x, source, target, dy, dx, wrap, sh, pairs):
    """Tile `target` of the ring = tile `source`, all pixels moved by (dy, dx) with one wrap."""
    signature = numba.types.void(y, x, *[_SIZE] * 7)

    def generate(context, builder, signature, args):
        ys, xs = _pointers(context, builder, signature, args, 2)
        source, target, dy, dx, wrap, sh, pairs = args[2:]
        pitch = builder.mul(pairs, pairs.type(PAIR))
        dy, dx, wrap, sh = (_splat(builder, value) for value in (dy, dx, wrap, sh))
        none = ir.Constant(_PLACES, [0] * PAIR)
        with cgutils.for_range(builder, pairs) as loop:
            slot = builder.mul(loop.index, pairs.type(PAIR))
            out = builder.add(builder.mul(source, pitch), slot)
            into = builder.add(builder.mul(target, pitch), slot)
            right = builder.add(_load(builder, xs, out, _PLACES), dx)
            down = builder.add(_load(builder, ys, out, _PLACES), dy)
            over = builder.icmp_signed(">=", right, wrap)
            right = builder.sub(right, builder.select(over, wrap, none))
            down = builder.add(down, builder.select(over, sh, none))
            _store(builder, right, xs, into)
            _store(builder, down, ys, into)

    return signature, generate


@intrinsic
def _masks(typing, rows, columns, y, x, commands, command, slot, ky0, ky1, kx0, kx1, pairs):
    """Bits of the slots that are alive, of kernel row ky at rows[ky - ky0], of column likewise.

    A slot is alive for a tap where both its row and its column say so. rows, columns :
    uint32[positions, pairs].
    """
    signature = numba.types.void(rows, columns, y, x, commands, *[_SIZE] * 7)

    def generate(context, builder, signature, args):
        down, across, ys, xs, table = _pointers(context, builder, signature, args, 5)
        command, slot, ky0, ky1, kx0, kx1, pairs = args[5:]
        fields = builder.gep(table, [builder.mul(command, command.type(FIELDS))])
        one, size = pairs.type(1), pairs.type(PAIR)

        def value(index):
            return builder.load(builder.gep(fields, [pairs.type(index)]))

        def splat(index):
            return _splat(builder, value(index))

        bottom, right = splat(BOTTOM), splat(RIGHT)

        def lines(bits, first, end, dilation, padding, length, alive):
            length = splat(length)
            with cgutils.for_range_slice(builder, first, end, one, inc=True) as (k, _):
                offset = builder.sub(builder.mul(k, value(dilation)), value(padding))
                offset = _splat(builder, offset)
                line = builder.mul(builder.sub(k, first), pairs)
                with cgutils.for_range(builder, pairs) as loop:
                    inside = alive(builder.add(slot, builder.mul(loop.index, size)), offset, length)
                    target = builder.gep(bits, [builder.add(line, loop.index)])
                    builder.store(builder.bitcast(inside, _INT), target)

        def column_alive(at, offset, length):
            column = _load(builder, xs, at, _PLACES)
            inside = builder.icmp_unsigned("<", builder.add(column, offset), length)
            return builder.and_(inside, builder.icmp_signed("<=", column, right))

        def row_alive(at, offset, length):
            row = _load(builder, ys, at, _PLACES)
            inside = builder.icmp_unsigned("<", builder.add(row, offset), length)
            return builder.and_(inside, builder.icmp_signed("<=", row, bottom))

        lines(down, ky0, ky1, DH, PT, H, row_alive)
        lines(across, kx0, kx1, DW, PL, W, column_alive)

    return signature, generate


@intrinsic
def _sums(
    typing, sums, bank, weights, offsets, turns, rows, columns, masked,
    at, entry, fw, ky0, ky1, kx0, kx1, groups, limit, pitch,
):  # fmt: skip
    """sums[slot] = sum over the taps of operand x weight, masked slots adding zero.

    The operands of tap (ky, kx) begin at `at` + offsets[entry], its weights are row `entry`.
    """
    arrays = sums, bank, weights, offsets, turns, rows, columns
    signature = numba.types.void(*arrays, _FLAG, *[_SIZE] * 10)

    def generate(context, builder, signature, args):
        total, values, entries, offset, turn, down, across = _pointers(
            context, builder, signature, args, len(arrays)
        )
        masked, at, entry, fw, ky0, ky1, kx0, kx1, groups, limit, pitch = args[len(arrays) :]
        zero, one = groups.type(0), groups.type(1)

        # Tables hold pairs of groups, that of the lower slots in the lower half.
        table_pitch = builder.and_(builder.add(groups, one), groups.type(-2))

        def bits(table, k, first, group):
            halves = builder.bitcast(table, _SHORT.as_pointer())
            line = builder.mul(builder.sub(k, first), table_pitch)
            return builder.load(builder.gep(halves, [builder.add(line, group)]))

        def block(first, count, masks):
            members = [builder.add(first, first.type(i)) for i in range(count)]
            starts = [builder.load(builder.gep(turn, [group])) for group in members]
            slot = builder.mul(first, first.type(GROUP))
            acc = [cgutils.alloca_once(builder, _INTS) for _ in members]
            for register in acc:
                builder.store(_ZEROS, register)
            with cgutils.for_range_slice(builder, ky0, ky1, one, inc=True) as (ky, _):
                line = builder.add(entry, builder.mul(ky, fw))
                with cgutils.for_range_slice(builder, kx0, kx1, one, inc=True) as (kx, _):
                    tap = builder.add(line, kx)
                    source = builder.add(at, builder.load(builder.gep(offset, [tap])))
                    source = builder.add(_clamp(builder, source, zero, limit), slot)
                    lanes = builder.mul(tap, pitch)
                    for i, group in enumerate(members):
                        place = builder.add(source, source.type(i * GROUP))
                        operand = builder.sext(_load(builder, values, place, _SHORTS), _INTS)
                        if masks:
                            alive = builder.and_(
                                bits(down, ky, ky0, group), bits(across, kx, kx0, group)
                            )
                            operand = builder.select(builder.bitcast(alive, _BITS), operand, _ZEROS)
                        place = builder.add(lanes, starts[i])
                        weight = builder.ashr(_load(builder, entries, place, _INTS), _HALF)
                        product = builder.mul(operand, weight)
                        builder.store(builder.add(builder.load(acc[i]), product), acc[i])
            for i, register in enumerate(acc):
                place = builder.add(slot, slot.type(i * GROUP))
                _store(builder, builder.load(register), total, place)

        def blocks(masks):
            done = zero
            for count in BLOCKS:
                size = groups.type(count)
                number = builder.udiv(builder.sub(groups, done), size)
                with cgutils.for_range(builder, number) as loop:
                    block(builder.add(done, builder.mul(loop.index, size)), count, masks)
                done = builder.add(done, builder.mul(number, size))

        with builder.if_else(masked) as (some, none):
            with some:
                blocks(True)
            with none:
                blocks(False)

    return signature, generate


SQUARES = (8, 4)  # sides of the squares in which sums are transposed


@intrinsic
def _transpose(typing, target, source, at, pixels, lanes, pitch):
    """target.flat[at + lane pixels + pixel] = source[pixel pitch + lane].

    In the largest squares that both fit, the last ones overlapping those before; there are at
    least as many pixels and lanes as the smallest square has.
    """
    signature = numba.types.void(target, source, *[_SIZE] * 4)

    def generate(context, builder, signature, args):
        into, out = _pointers(context, builder, signature, args, 2)
        at, pixels, lanes, pitch = args[2:]

        def squares(side, total, body):
            size = total.type(side)
            number = builder.udiv(builder.add(total, total.type(side - 1)), size)
            last = builder.sub(total, size)
            with cgutils.for_range(builder, number) as loop:
                place = builder.mul(loop.index, size)
                body(builder.select(builder.icmp_signed("<", place, last), place, last))

        def transpose(side):
            vector = ir.VectorType(_INT, side)

            def square(pixel, lane):
                place = builder.add(builder.mul(pixel, pitch), lane)
                rows = []
                for _ in range(side):
                    rows.append(_load(builder, out, place, vector))
                    place = builder.add(place, pitch)
                place = builder.add(at, builder.add(builder.mul(lane, pixels), pixel))
                for row in _turned(builder, rows):
                    _store(builder, row, into, place)
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
                    which = ir.Constant(ir.VectorType(_INT, side), mask)
                    rows[place] = builder.shuffle_vector(*pair, which)
    return rows


# ---- the clock -----------------------------------------------------------------------------

SHIFT = 32  # reciprocals are exact for numbers of 16 bits and divisors of 6 bits
IN_FLIGHT = (1 << PIPELINE) - 1


@kernel
def _run(commands, bank, offsets, weights, turns, sizes, words, seen, snapshot):
    lanes, pixels, port, fill = sizes
    passes = commands.shape[0]
    groups, pitch = turns.shape[0], weights.shape[1]
    pairs = (groups + 1) // 2
    slots = pairs * PAIR
    tiles = np.zeros((RING, TILE_FIELDS), np.int64)
    ys, xs = np.zeros((RING, slots), np.int16), np.zeros((RING, slots), np.int16)
    end = (pixels - 1) * lanes  # a slot of the last pixel
    limit = bank.shape[0] - groups * GROUP
    steps = np.zeros((pixels + 1, 2), np.int64)  # pixels 0 to P, counted from pixel 0
    known_wrap, known_sh, known_sw = 0, 0, 0  # for which `steps` were made
    start_y, start_x = np.zeros(slots, np.int16), np.zeros(slots, np.int16)
    side = 0
    for i in range(passes):
        side = max(side, commands[i, FH], commands[i, FW])
    rows, columns = np.zeros((side, pairs), np.uint32), np.zeros((side, pairs), np.uint32)
    sums = np.zeros(slots, np.int32)
    issued = np.full((RING, 3), -1, np.int64)

    # Loader, with the command that it holds.
    head, loading, load_words, operands, load_taps, in_memory, loader = 0, 0, 0, 0, 0, 0, -1
    # Tile generator, with its command and the reciprocals of the dilations; its tile is number
    # `made` of the ring.
    ready, made, row_word, command = 0, 0, 0, -1
    h, w, fh, fw, sh, dh, dw, pt, pl, wrap, bottom, right, drain = (
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    )
    per_dh, per_dw = 0, 0
    # Issue stage: tile made - 1, of which so many taps are left; whether it ends its pass.
    current, left, owed, ends = 0, 0, 0, 0
    # Last taps in the pipeline, tiles whose sums are complete, the result port.
    lasts, summed, beats, moves = 0, -1, 0, 0

    count = 0
    last = -1
    clock = -2 if fill > 0 else -3  # a command is taken so long before the first tap or word
    while True:
        clock += 1
        if clock == snapshot:
            _record(
                seen, tiles, ys, xs, issued, clock,
                (
                    ready, row_word * ready, current, left * current, owed, beats, loading,
                    load_words, operands, load_taps, in_memory, made, summed, moves,
                ),
            )  # fmt: skip

        # ---- result port, and the sums that go to the shadows in this clock --------------------
        if beats > 0:
            count += 1
            last = clock
            beats -= 1
            moves += beats > 0
        if lasts & (1 << (PIPELINE - 1)):
            summed += 1
            slot = summed & (RING - 1)
            at = tiles[slot, COMMAND]
            beats, moves = tiles[slot, DRAIN], 0
            if (count + beats) * port * pixels > words.shape[0]:
                return -1, -1
            ky0, ky1, kx0, kx1 = (
                tiles[slot, KY0],
                tiles[slot, KY1],
                tiles[slot, KX0],
                tiles[slot, KX1],
            )
            if tiles[slot, CUT]:
                _masks(rows, columns, ys, xs, commands, at, slot * slots, ky0, ky1, kx0, kx1, pairs)
            _sums(
                sums, bank, weights, offsets, turns, rows, columns, tiles[slot, CUT] != 0,
                tiles[slot, WORD] * pixels * lanes, commands[at, TAPS], commands[at, FW],
                ky0, ky1, kx0, kx1, groups, limit, pitch,
            )  # fmt: skip
            place, used = count * port * pixels, min(beats * port, lanes)
            for i in range(place + used * pixels, place + beats * port * pixels):
                words[i] = 0
            if min(used, pixels) >= SQUARES[1]:
                _transpose(words, sums, place, pixels, used, lanes)
            else:
                for lane in range(used):
                    for p in range(pixels):
                        words[place + lane * pixels + p] = sums[p * lanes + lane]

        # ---- issue stage -------------------------------------------------------------------
        final = current & (left == 1) & (owed <= 1)
        tap = current & ((left > 1) | final)
        if clock <= snapshot:
            _note(issued, clock, made - 1, left, tap)
        lasts = ((lasts << 1) | final) & IN_FLIGHT
        owed = tiles[(made - 1) & (RING - 1), DRAIN] if final else max(owed - 1, 0)
        left -= tap
        released = final & ends
        free = 1 - ready
        if final or not current:
            current = ready
            if ready:
                slot, into = made & (RING - 1), (made + 1) & (RING - 1)
                made += 1
                y, x = np.int64(ys[slot, 0]), np.int64(xs[slot, 0])

                # Its corners, in the smallest rectangle that holds it, and the taps that meet it.
                low, behind = np.int64(ys[slot, end]), np.int64(xs[slot, end])
                cut = (low > bottom) | (behind > right)
                level = y == min(low, bottom)
                first = min(x, right) if level else 0
                behind = min(behind, right) if level and low <= bottom else right
                cut |= (not level) & (wrap > right + 1)
                low = min(low, bottom)
                ky0, ky1 = _meet(fh, dh, per_dh, pt, h, y, low)
                kx0, kx1 = _meet(fw, dw, per_dw, pl, w, first, behind)
                if ky0 >= ky1 or kx0 >= kx1:
                    ky0, ky1, kx0, kx1 = 0, 0, 0, 0
                cut |= (y + ky0 * dh < pt) | (low + (ky1 - 1) * dh >= h + pt)
                cut |= (first + kx0 * dw < pl) | (behind + (kx1 - 1) * dw >= w + pl)
                tiles[slot, COMMAND], tiles[slot, DRAIN], tiles[slot, CUT] = command, drain, cut
                tiles[slot, KY0], tiles[slot, KY1] = ky0, ky1
                tiles[slot, KX0], tiles[slot, KX1] = kx0, kx1
                left = max(1, (ky1 - ky0) * (kx1 - kx0))

                # ---- tile generator: the tile behind, further along or in the next row -----------
                down, along = steps[pixels, 0], steps[pixels, 1]
                over = x + along >= wrap
                next_y, next_x = y + down + over * sh, x + along - over * wrap
                over = next_x > right
                ends = (next_y > bottom) | ((next_y == bottom) & over)
                free = ends
                tiles[into, WORD] = tiles[slot, WORD] + 1
                if over and commands[command, OPCODE] == ROW:
                    down, along = sh, -x
                    row_word += commands[command, ROW_WORDS]
                    tiles[into, WORD] = row_word
                _step(ys, xs, slot, into, down, along, wrap, sh, pairs)

        # ---- loader, and the command that the generator takes --------------------------------
        new = -1
        if fill == 0:
            if free and head < passes:
                new = head
                head += 1
        else:
            word_end = operands <= fill
            loaded = loading & (load_words <= word_end) & (load_taps <= 1)
            if load_words > 0:
                operands -= fill
                if word_end:
                    load_words -= 1
                    operands = commands[loader, CHANNELS] * pixels
            load_taps = max(load_taps - 1, 0)
            if loaded and free:
                new = loader
                loading = 0
            room = in_memory <= 1
            in_memory -= released
            if not loading and room and head < passes:
                loader = head
                head += 1
                loading = 1
                in_memory += 1
                load_words = commands[loader, WORDS]
                operands = commands[loader, CHANNELS] * pixels
                load_taps = commands[loader, FH] * commands[loader, FW]
        if free:
            ready = int(new >= 0)
        if new >= 0:
            command = new
            h, w, fh, fw = (
                commands[new, H], commands[new, W], commands[new, FH], commands[new, FW],
            )  # fmt: skip
            sh, sw, dh, dw = (
                commands[new, SH], commands[new, SW], commands[new, DH], commands[new, DW],
            )  # fmt: skip
            pt, pl, wrap = commands[new, PT], commands[new, PL], commands[new, WRAP]
            bottom, right = commands[new, BOTTOM], commands[new, RIGHT]
            drain = (commands[new, CHANNELS] + port - 1) // port
            per_dh, per_dw = (1 << SHIFT) // dh + 1, (1 << SHIFT) // dw + 1
            if wrap != known_wrap or sh != known_sh or sw != known_sw:
                known_wrap, known_sh, known_sw = wrap, sh, sw
                _steps(steps, start_y, start_x, wrap, sh, sw, lanes)
            row_word = commands[new, MAP]
            into = made & (RING - 1)
            tiles[into, WORD] = row_word
            for i in range(slots):
                ys[into, i] = start_y[i]
                xs[into, i] = start_x[i]

        if clock <= snapshot:
            continue
        if current:
            # Until the last tap of the tile, or the next sums, only counters move: all at once.
            waiting = ready if loading else (in_memory > 1) | (head == passes)
            if fill == 0 or (load_words == 0 and load_taps == 0 and waiting):
                clocks = left - 1 if left > 1 else max(owed - 1, 0)
                if lasts:
                    clocks = min(clocks, PIPELINE)
                    while lasts << clocks > IN_FLIGHT:
                        clocks -= 1
                    lasts <<= clocks
                clock += clocks
                left = max(left - clocks, 1)
                owed = max(owed - clocks, 0)
                leaving = min(beats, clocks)
                count += leaving
                beats -= leaving
                last += leaving
        elif head == passes and not ready and not loading and lasts == 0 and beats == 0:
            return count, last + 1


@kernel
def _steps(steps, start_y, start_x, wrap, sh, sw, lanes):
    """Pixels 0 to P of a pass, each the sum of two that are half as far, with one wrap."""
    half = 1
    for n in range(1, steps.shape[0]):
        if 2 * half < n:
            half *= 2
        y = steps[half, 0] + steps[n - half, 0] if n > 1 else 0
        x = steps[half, 1] + steps[n - half, 1] if n > 1 else sw
        over = x >= wrap
        steps[n, 0] = y + sh if over else y
        steps[n, 1] = x - wrap if over else x
    for p in range(steps.shape[0] - 1):
        for slot in range(p * lanes, (p + 1) * lanes):
            start_y[slot] = steps[p, 0]
            start_x[slot] = steps[p, 1]


@kernel
def _meet(size, dilation, factor, padding, length, low, high):
    """First kernel position that meets the map, and the one behind the last; none if not less."""
    before, room = padding - high, length - 1 + padding - low
    first = ((before + dilation - 1) * factor) >> SHIFT if before > 0 else 0
    behind = ((room * factor) >> SHIFT) + 1 if room >= 0 else 0
    return first, min(behind, size)


@kernel
def _note(issued, clock, tile, left, tap):
    """Keep the taps of the last clocks."""
    now, before = clock & (RING - 1), (clock - 1) & (RING - 1)
    issued[now, 0] = tile if tap else issued[before, 0]
    issued[now, 1] = left if tap else issued[before, 1]
    issued[now, 2] = tap


@kernel
def _record(seen, tiles, ys, xs, issued, clock, counters):
    for i in range(RECORDED):
        seen.counters[i] = counters[i]
    for back in range(PIPELINE + 1):
        for i in range(3):
            seen.issued[back, i] = issued[(clock - 1 - back) & (RING - 1), i]
    for slot in range(RING):
        for i in range(TILE_FIELDS):
            seen.tiles[slot, i] = tiles[slot, i]
        for i in range(ys.shape[1]):
            seen.y[slot, i], seen.x[slot, i] = ys[slot, i], xs[slot, i]
