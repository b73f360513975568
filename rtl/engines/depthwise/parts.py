"""The flexible-kernel depthwise engine in hardware: lanes, tap memory, and what feeds them.

Commands become tiles of P output pixels (`TileGenerator`), tiles become taps (`Issue`), one in a
clock, and a tap goes through the lanes in four clocks (`Lanes`). With s the clock of issue:

    s      the tap memory reads the tap's entry; the pixels whose values lie in the map are known
    s + 1  place of its values: two neighbouring words of every bank are read
    s + 2  they are shifted until pixel 0's value comes first; what lies outside of the map is 0
    s + 3  products
    s + 4  sums; those of a tile that is complete also go to the shadow registers
    s + 5  shadow registers of the first lanes are on the result port, the others move up

Everything here stands still together where the core is frozen. With a fill port, `Loader` takes
the commands first, and hands them on once their map and their taps are in the memories.
"""

from itertools import pairwise
from typing import NamedTuple

from amaranth.hdl import (
    Array,
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
    signed,
    unsigned,
)
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass
from rtl.lib.divide import reciprocal
from rtl.lib.layout import layout

# Rows and columns of the input that pixels look at; the engine's limits leave room for a tile
# that begins at the last output.
COORDINATE_BITS = layout(DepthwiseCommand)["bottom"].width
# Row or column of a tap relative to the pixel's: kernel times dilation on one side, padding on
# the other.
OFFSET = signed(COORDINATE_BITS)


def address_bits(depth: int) -> int:
    """Width of an address in a memory of `depth` words."""
    return max(1, (depth - 1).bit_length())


def beats_shape(engine: DepthwiseEngine) -> unsigned:
    """Shape of a number of result words of a tile."""
    return unsigned((-(-engine.lanes // engine.result_lanes)).bit_length())


def entry_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """An entry of the tap memory.

    word, shift : where pixel 0's value lies relative to the tile, the word modulo the addresses of
        a bank.  weights : one per lane.
    """
    return data.StructLayout(
        {
            "word": unsigned(address_bits(engine.bank_depth)),
            "shift": unsigned(address_bits(engine.pixels)),
            "weights": data.ArrayLayout(signed(engine.operands.bits), engine.lanes),
        }
    )


def map_fill_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A word of the stream that fills the banks, operands lane by lane.

    address : of the word in every bank.  part : with a fill port of F operands, which F of the
        word's operands these are.
    """
    count = engine.fill_port or engine.multipliers
    fields = {"address": unsigned(address_bits(engine.bank_depth))}
    if engine.fill_port:
        fields["part"] = unsigned(address_bits(-(-engine.multipliers // count)))
    operands = data.ArrayLayout(signed(engine.operands.bits), count)
    return data.StructLayout(fields | {"data": operands})


def tap_fill_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """A word of the stream that fills the tap memory: where it goes, and the entry."""
    address = unsigned(address_bits(engine.tap_depth))
    return data.StructLayout({"address": address, "entry": entry_layout(engine)})


def tile_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """P output pixels of a pass.

    y, x : of every pixel, the row and column of the input that tap 0 would read without padding.
    word : of the banks, where the first pixel's value lies; taps count from there.
    end : the last tile of its pass.
    """
    coordinates = data.ArrayLayout(unsigned(COORDINATE_BITS), engine.pixels)
    return data.StructLayout(
        {
            "command": layout(DepthwiseCommand),
            "y": coordinates,
            "x": coordinates,
            "word": unsigned(address_bits(engine.bank_depth)),
            "end": 1,
        }
    )


def step_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """What a tap means behind the lanes' multipliers.

    first : starts the sums of a tile.
    beats : ends them, for so many result words; otherwise 0.
    end : ends its pass.  last : ends the sequence.
    """
    return data.StructLayout({"first": 1, "beats": beats_shape(engine), "end": 1, "last": 1})


def slot_layout(engine: DepthwiseEngine) -> data.StructLayout:
    """One clock of the issue stage.

    valid : a tap is issued.  address : its entry in the tap memory.  word : of its tile.
    mask : pixels whose value lies in the map.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "address": unsigned(address_bits(engine.tap_depth)),
            "word": unsigned(address_bits(engine.bank_depth)),
            "mask": unsigned(engine.pixels),
            "step": step_layout(engine),
        }
    )


class Pixel(NamedTuple):
    """Row and column of an output pixel, in rows and columns of the input."""

    y: Value
    x: Value


class TileGenerator(wiring.Component):
    """Turns every command into its tiles, one in a clock where they are taken so fast.

    commands : taken as soon as the last tile of the command before it leaves.
    tiles : the next tile; the first one of a command is there in the clock after it was taken.

    Pixels are steps of `sw` columns through a map that `wrap` columns wide. Where a pixel lies n
    steps from the first follows from two that are half as far, by one addition and one wrap.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "tiles": Out(stream.Signature(tile_layout(engine))),
            }
        )
        self.valid, self.tile = Signal(), Signal(tile_layout(engine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pixels = self.engine.pixels
        valid, tile, cur = self.valid, self.tile, Signal(layout(DepthwiseCommand))
        end, take = Signal(), Signal()
        row_word = Signal.like(tile.word)  # of the first tile in this row
        stride = Pixel(Signal(COORDINATE_BITS), Signal(COORDINATE_BITS))  # from tile to tile
        m.d.comb += [
            cur.eq(tile.command),
            take.eq(~valid | (self.tiles.ready & end)),
            self.commands.ready.eq(take),
            self.tiles.valid.eq(valid),
            self.tiles.payload.eq(tile),
            self.tiles.payload.end.eq(end),
        ]

        # The command that the next tile belongs to, and pixels 0 to P from where it begins.
        command = Signal.like(cur)
        m.d.comb += command.eq(Mux(take, self.commands.payload, cur))
        starts = self._steps(m, command)

        # The tile behind this one: further along the row or the map, or in the next row.
        ahead = [
            self._add(m, f"ahead_{p}", Pixel(tile.y[p], tile.x[p]), stride, cur)
            for p in range(pixels)
        ]
        flat = cur.work.opcode == DepthwiseOpcode.FLAT
        over = Signal()
        m.d.comb += [
            over.eq(ahead[0].x > cur.right),
            end.eq((ahead[0].y > cur.bottom) | ((ahead[0].y == cur.bottom) & over)),
        ]
        with m.If(take):
            m.d.sync += [
                valid.eq(self.commands.valid),
                tile.command.eq(command),
                tile.word.eq(command.map),
                row_word.eq(command.map),
                stride.y.eq(starts[-1].y),
                stride.x.eq(starts[-1].x),
            ]
            m.d.sync += _place(tile, starts[:-1])
        with m.Elif(self.tiles.ready & over & ~flat):
            m.d.sync += [
                tile.word.eq(row_word + cur.row_words),
                row_word.eq(row_word + cur.row_words),
            ]
            m.d.sync += _place(tile, [Pixel(tile.y[0] + cur.work.sh, at.x) for at in starts[:-1]])
        with m.Elif(self.tiles.ready):
            m.d.sync += tile.word.eq(tile.word + 1)
            m.d.sync += _place(tile, ahead)
        return m

    def _steps(self, m: Module, command: data.View) -> list[Pixel]:
        """Pixels 0 to P of a command, counted from its first."""
        found = [Pixel(Const(0), Const(0))]
        one = Pixel(Const(0), command.work.sw)
        for n in range(1, self.engine.pixels + 1):
            half = 1 << (n - 1).bit_length() >> 1  # the largest power of two below n
            pair = (found[half], found[n - half]) if half else (found[0], one)
            found.append(self._add(m, f"step_{n}", *pair, command))
        return found

    def _add(self, m: Module, name: str, a: Pixel, b: Pixel, command: data.View) -> Pixel:
        """Pixel as far behind `a` as `b` is behind the first one."""
        x = Signal(COORDINATE_BITS + 1, name=f"{name}_sum")
        found = Pixel(*(Signal(COORDINATE_BITS, name=f"{name}_{axis}") for axis in Pixel._fields))
        wraps = x >= command.wrap
        m.d.comb += [
            x.eq(a.x + b.x),
            found.x.eq(x - Mux(wraps, command.wrap, 0)),
            found.y.eq(a.y + b.y + Mux(wraps, command.work.sh, 0)),
        ]
        return found


def _place(tile: data.View, pixels: list[Pixel]) -> list[object]:
    """Statements that put the pixels of a tile there."""
    return [
        statement
        for p, at in enumerate(pixels)
        for statement in (tile.y[p].eq(at.y), tile.x[p].eq(at.x))
    ]


class Reach(wiring.Component):
    """Which positions of a kernel meet the map anywhere in a tile, along one axis; no registers.

    kernel, dilation, padding, size : of the pass along the axis.
    low, high : first and last coordinate of the tile's pixels.
    first, count : of the positions that meet.

    Position k meets if low + k dilation - padding < size and high + k dilation - padding >= 0.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        work = layout(DepthwisePass)
        super().__init__(
            {
                "kernel": In(work["fh"].shape),
                "dilation": In(work["dh"].shape),
                "padding": In(work["pt"].shape),
                "size": In(work["h"].shape),
                "low": In(COORDINATE_BITS),
                "high": In(COORDINATE_BITS),
                "first": Out(work["fh"].shape),
                "count": Out(work["fh"].shape),
            }
        )

    @property
    def most(self) -> int:
        """What is divided by a dilation, at most: beyond it, every kernel has ended."""
        return self.engine.max_kernel * self.engine.max_dilation

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before, room = Signal(OFFSET), Signal(signed(COORDINATE_BITS + 1))
        skipped, last = Signal(range(self.most + 1)), Signal(range(self.most + 1))
        m.d.comb += [
            before.eq(self.padding - self.high),  # that the first position lies outside
            room.eq(self.size - 1 + self.padding - self.low),  # to the end of the map
            skipped.eq(self._divide(m, "skipped", before + self.dilation - 1)),
            last.eq(self._divide(m, "last", room)),
        ]
        with m.If((room >= 0) & (last >= skipped) & (skipped < self.kernel)):
            end = Mux(last < self.kernel, last + 1, self.kernel)
            m.d.comb += [self.first.eq(skipped), self.count.eq(end - skipped)]
        return m

    def _divide(self, m: Module, name: str, value: Value) -> Value:
        """Value // dilation, 0 where value is negative, at least max_kernel beyond `most`."""
        dilations = range(1, self.engine.max_dilation + 1)
        shift = reciprocal(self.most, self.engine.max_dilation).shift
        factors = [reciprocal(self.most, d, shift).factor for d in dilations]
        number = Signal(range(self.most + 1), name=name)
        m.d.comb += number.eq(Mux(value < 0, 0, Mux(value > self.most, self.most, value)))
        return (number * Array([0, *factors])[self.dilation]) >> shift


class Issue(wiring.Component):
    """Issues the taps of one tile after another, kernel rows outside, columns inside.

    tiles : taken in the clock in which the last tap of the tile before it is issued.
    slot : of this clock.  starting : a tile is taken.

    A tile's last tap waits until the results of the tile before it will have left: with D beats
    each on the result port, last taps are at least D clocks apart. A tile that no tap meets
    anywhere takes one slot for its zeros.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "tiles": In(stream.Signature(tile_layout(engine))),
                "slot": Out(slot_layout(engine)),
                "starting": Out(1),
            }
        )
        self.valid, self.tile = Signal(), Signal(tile_layout(engine))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slot, owed = self.slot, Signal(beats_shape(self.engine))
        valid, tile, cur = self.valid, self.tile, Signal(layout(DepthwisePass))
        inside = Signal(self.engine.pixels)  # pixels of the tile that are outputs
        fresh, final, take = Signal(), Signal(), Signal()
        rows_left, columns_left, columns = (Signal.like(cur.fh) for _ in range(3))
        ty, tx, left = Signal(OFFSET), Signal(OFFSET), Signal(OFFSET)
        address = Signal.like(slot.address)
        m.d.comb += [
            cur.eq(tile.command.work),
            final.eq((rows_left == 0) & (columns_left == 0)),
            slot.valid.eq(valid & (~final | (owed <= 1))),
            slot.address.eq(address),
            slot.word.eq(tile.word),
            slot.step.first.eq(slot.valid & fresh),
            take.eq(~valid | (slot.valid & final)),
            self.tiles.ready.eq(take),
            self.starting.eq(take & self.tiles.valid),
        ]
        for p in range(self.engine.pixels):
            y, x = (Signal(COORDINATE_BITS + 1, name=f"{axis}_{p}") for axis in Pixel._fields)
            # Above and left of the map they wrap to numbers beyond any size.
            m.d.comb += [
                y.eq(tile.y[p] + ty),
                x.eq(tile.x[p] + tx),
                slot.mask[p].eq(slot.valid & inside[p] & (y < cur.h) & (x < cur.w)),
            ]
        with m.If(slot.valid & final):
            m.d.comb += [
                slot.step.beats.eq(self._beats(cur.channels)),
                slot.step.end.eq(tile.end),
                slot.step.last.eq(tile.end & tile.command.last),
            ]
            m.d.sync += owed.eq(slot.step.beats)
        with m.Elif(owed != 0):
            m.d.sync += owed.eq(owed - 1)

        # The next tap of the tile.
        with m.If(slot.valid):
            m.d.sync += fresh.eq(0)
            with m.If(columns_left != 0):
                m.d.sync += [
                    columns_left.eq(columns_left - 1),
                    tx.eq(tx + cur.dw),
                    address.eq(address + 1),
                ]
            with m.Else():
                m.d.sync += [
                    rows_left.eq(rows_left - 1),
                    columns_left.eq(columns),
                    tx.eq(left),
                    ty.eq(ty + cur.dh),
                    address.eq(address + cur.fw - columns),
                ]

        # The first tap of the next tile.
        new = self.tiles.payload
        rows, across, met = self._reach(m, new)
        work = new.command.work
        ky, kx = Mux(met, rows.first, 0), Mux(met, across.first, 0)
        begin = Signal.like(left)
        m.d.comb += begin.eq(kx * work.dw - work.pl)
        with m.If(take):
            m.d.sync += [
                valid.eq(self.tiles.valid),
                tile.eq(new),
                fresh.eq(1),
                rows_left.eq(Mux(met, rows.count - 1, 0)),
                columns_left.eq(Mux(met, across.count - 1, 0)),
                columns.eq(Mux(met, across.count - 1, 0)),
                ty.eq(ky * work.dh - work.pt),
                tx.eq(begin),
                left.eq(begin),
                address.eq(new.command.taps + ky * work.fw + kx),
            ]
            for p in range(self.engine.pixels):
                is_output = (new.y[p] <= new.command.bottom) & (new.x[p] <= new.command.right)
                m.d.sync += inside[p].eq(is_output)
        return m

    def _reach(self, m: Module, tile: data.View) -> tuple[Reach, Reach, Value]:
        """Kernel rows and columns of a tile, and whether there are any of both.

        They follow from the smallest rectangle that holds the tile: whole rows of outputs, where
        it spans several.
        """
        rows, columns = Reach(self.engine), Reach(self.engine)
        m.submodules.rows, m.submodules.columns = rows, columns
        command, work = tile.command, tile.command.work
        first, last = Pixel(tile.y[0], tile.x[0]), Pixel(tile.y[-1], tile.x[-1])
        beyond, one_row = last.y > command.bottom, first.y == rows.high
        m.d.comb += [
            rows.kernel.eq(work.fh),
            rows.dilation.eq(work.dh),
            rows.padding.eq(work.pt),
            rows.size.eq(work.h),
            rows.low.eq(first.y),
            rows.high.eq(Mux(beyond, command.bottom, last.y)),
            columns.kernel.eq(work.fw),
            columns.dilation.eq(work.dw),
            columns.padding.eq(work.pl),
            columns.size.eq(work.w),
            columns.low.eq(Mux(one_row, _least(first.x, command.right), 0)),
            columns.high.eq(Mux(one_row & ~beyond, _least(last.x, command.right), command.right)),
        ]
        met = Signal()
        m.d.comb += met.eq((rows.count != 0) & (columns.count != 0))
        return rows, columns, met

    def _beats(self, channels: Value) -> Value:
        """Result words of a tile: its channels over the lanes that leave together, rounded up."""
        together = self.engine.result_lanes
        by = reciprocal(self.engine.lanes + together, together)
        return ((channels + together - 1) * by.factor) >> by.shift


def _least(a: Value, b: Value) -> Value:
    return Mux(a < b, a, b)


class Loader(wiring.Component):
    """Waits, command by command, until map and taps have come in through the fill port.

    commands : taken where the pass before it has been filled and at most one pass is loaded or
        running, since two share the memories.  loaded : commands whose pass may run.
    map_beat, tap_beat : a word of these streams is taken in this clock, beginning in the clock
        after the command was taken.  released : a pass has ended.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "commands": In(stream.Signature(layout(DepthwiseCommand))),
                "loaded": Out(stream.Signature(layout(DepthwiseCommand))),
                "map_beat": Out(1),
                "tap_beat": Out(1),
                "released": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine, new = self.engine, self.commands.payload
        cur, valid = Signal(layout(DepthwiseCommand)), Signal()
        operands = Signal(range(engine.multipliers + 1))  # of the word that have not come yet
        words, taps = Signal.like(cur.words), Signal(range(engine.tap_depth + 1))
        passes = Signal(2)  # that have words in the memories, or are being filled
        word_end, take = Signal(), Signal()
        m.d.comb += [
            word_end.eq(operands <= engine.fill_port),
            self.map_beat.eq(words != 0),
            self.tap_beat.eq(taps != 0),
            self.loaded.payload.eq(cur),
            self.loaded.valid.eq(valid & ((words == 0) | ((words == 1) & word_end)) & (taps <= 1)),
            self.commands.ready.eq(
                (~valid | (self.loaded.valid & self.loaded.ready)) & (passes <= 1)
            ),
            take.eq(self.commands.valid & self.commands.ready),
        ]
        with m.If(self.map_beat):
            m.d.sync += operands.eq(operands - engine.fill_port)
            with m.If(word_end):
                m.d.sync += [words.eq(words - 1), operands.eq(cur.work.channels * engine.pixels)]
        with m.If(self.tap_beat):
            m.d.sync += taps.eq(taps - 1)
        with m.If(self.loaded.valid & self.loaded.ready):
            m.d.sync += valid.eq(0)
        with m.If(take):
            m.d.sync += [
                valid.eq(1),
                cur.eq(new),
                words.eq(new.words),
                operands.eq(new.work.channels * engine.pixels),
                taps.eq(new.work.fh * new.work.fw),
            ]
        m.d.sync += passes.eq(passes + take - self.released)
        return m


class TapMemory(wiring.Component):
    """The taps of two passes: where their values lie, and their weights.

    fill : an entry written in this clock, where it is valid.
    read, address : the entry is on `entry` in the next clock.
    """

    def __init__(self, engine: DepthwiseEngine) -> None:
        self.engine = engine
        super().__init__(
            {
                "fill": In(stream.Signature(tap_fill_layout(engine), always_ready=True)),
                "read": In(1),
                "address": In(address_bits(engine.tap_depth)),
                "entry": Out(entry_layout(engine)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = entry_layout(self.engine)
        m.submodules.memory = memory = Memory(shape=entry, depth=self.engine.tap_depth, init=[])
        write_port, read_port = memory.write_port(), memory.read_port()
        m.d.comb += [
            write_port.en.eq(self.fill.valid),
            write_port.addr.eq(self.fill.payload.address),
            write_port.data.eq(self.fill.payload.entry),
            read_port.en.eq(self.read),
            read_port.addr.eq(self.address),
            self.entry.eq(read_port.data),
        ]
        return m


def lane_layouts(engine: DepthwiseEngine) -> tuple[data.Layout, data.Layout]:
    """Inputs and outputs of a lane.

    write_even, write_odd : which operands of a word to write; all of them by one bit without a
        fill port.  write_address, write_data : in the memory of even or odd words.
    even, odd : addresses to read in this clock.
    odd_first : of the words read in the clock before, the odd one comes first.
    shift, mask : operands to skip, and those of the others that lie in the map.
    weight : of the tap that is one clock behind those.
    first, capture : of the sums of this clock: start them, copy them to the shadow registers.
    move, shadow : take the shadow registers of another lane.
    sums : the shadow registers.
    """
    pixels, operand = engine.pixels, signed(engine.operands.bits)
    totals = data.ArrayLayout(signed(engine.operands.accumulator_bits), pixels)
    address = unsigned(address_bits(-(-engine.bank_depth // 2)))
    parts = unsigned(pixels if engine.fill_port else 1)
    return data.StructLayout(
        {
            "write_even": parts,
            "write_odd": parts,
            "write_address": address,
            "write_data": data.ArrayLayout(operand, pixels),
            "even": address,
            "odd": address,
            "odd_first": 1,
            "shift": unsigned(address_bits(pixels)),
            "mask": unsigned(pixels),
            "weight": operand,
            "first": 1,
            "capture": 1,
            "move": 1,
            "shadow": totals,
        }
    ), totals


class Lane:
    """One channel: a bank, a shifter and P multiply-accumulators.

    w1, w2 : weight on its way to the multipliers.  x : operands.  product, acc : of every pixel.
    s : shadow registers, from which the results leave.

    A plain set of registers, not a Component: Amaranth's simulator runs all lanes as one process.
    """

    def __init__(self, engine: DepthwiseEngine, place: str = "") -> None:
        self.engine, self.place = engine, place
        pixels, bits = engine.pixels, engine.operands.bits
        operands = data.ArrayLayout(signed(bits), pixels)
        totals = data.ArrayLayout(signed(engine.operands.accumulator_bits), pixels)
        self.w1, self.w2 = (Signal(signed(bits), name=f"w{n}{place}") for n in (1, 2))
        self.x = Signal(operands, name=f"x{place}")
        self.product = Signal(data.ArrayLayout(signed(2 * bits), pixels), name=f"product{place}")
        self.acc = Signal(totals, name=f"acc{place}")
        self.s = Signal(totals, name=f"s{place}")

    def clock(self, m: Module, en: Value, i: data.View) -> None:
        """What happens in a clock; all but writing the bank only where `en` is set."""
        even, odd = self._bank(m, en, "even", i), self._bank(m, en, "odd", i)
        low, high = Mux(i.odd_first, odd, even), Mux(i.odd_first, even, odd)
        found = self._shifted(m, Cat(low, high), i.shift)
        with m.If(en):
            m.d.sync += [self.w1.eq(i.weight), self.w2.eq(self.w1)]
            for p in range(self.engine.pixels):
                total = Mux(i.first, 0, self.acc[p]) + self.product[p]
                m.d.sync += [
                    self.x[p].eq(Mux(i.mask[p], found[p], 0)),
                    self.product[p].eq(self.x[p] * self.w2),
                    self.acc[p].eq(total),
                    self.s[p].eq(Mux(i.capture, total, Mux(i.move, i.shadow[p], self.s[p]))),
                ]

    def _bank(self, m: Module, en: Value, name: str, i: data.View) -> Value:
        """Memory of the even or the odd words; the word that was asked for one clock ago."""
        word = i.write_data.shape()
        depth = -(-self.engine.bank_depth // 2)
        memory = Memory(shape=word, depth=depth, init=[])
        m.submodules[f"{name}{self.place}"] = memory
        read_port = memory.read_port()
        write_port = memory.write_port(granularity=1 if self.engine.fill_port else None)
        m.d.comb += [
            read_port.en.eq(en),
            read_port.addr.eq(i[name]),
            write_port.en.eq(i[f"write_{name}"]),
            write_port.addr.eq(i.write_address),
            write_port.data.eq(i.write_data),
        ]
        return read_port.data.as_value()

    def _shifted(self, m: Module, values: Value, shift: Value) -> data.View:
        """P neighbours of the values of two words: a row of multiplexers per bit of the shift."""
        pixels, bits = self.engine.pixels, self.engine.operands.bits
        for bit in reversed(range(len(shift))):
            step = 1 << bit
            # What the rows behind this one can still reach.
            row = Signal((pixels + step - 1) * bits, name=f"shifted_{bit}{self.place}")
            m.d.comb += row.eq(Mux(shift[bit], values >> step * bits, values))
            values = row
        return data.View(data.ArrayLayout(signed(bits), pixels), values)


class LaneModule(wiring.Component):
    """A Lane as a module of its own, of which Verilog can have many instances."""

    def __init__(self, engine: DepthwiseEngine) -> None:
        inputs, outputs = lane_layouts(engine)
        super().__init__({"en": In(1), "i": In(inputs), "o": Out(outputs)})
        self.lane = Lane(engine)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.lane.clock(m, self.en, self.i)
        m.d.comb += self.o.eq(self.lane.s)
        return m


class Lanes(wiring.Component):
    """L lanes, and the pipeline that they share.

    fill : operands written in this clock where it is valid, also where `en` is not set.
    slot : of the issue stage.  entry : of the tap memory, for the slot of the clock before.
    write, word : a result word on the result port: P values of Q lanes, lane by lane.
    read_done : the banks are read for the last time by a pass.
    finished : the word is the last one of a sequence.

    With `shared` the lanes are instances of one module, `depthwise_lane`, to be supplied beside
    this one: far less text for many lanes, but Amaranth's simulator cannot run it.
    """

    def __init__(self, engine: DepthwiseEngine, shared: bool = False) -> None:
        self.engine, self.shared = engine, shared
        results = engine.results_per_clock or engine.pixels
        word = data.ArrayLayout(signed(engine.operands.accumulator_bits), results)
        super().__init__(
            {
                "en": In(1),
                "fill": In(stream.Signature(map_fill_layout(engine), always_ready=True)),
                "slot": In(slot_layout(engine)),
                "entry": In(entry_layout(engine)),
                "write": Out(1),
                "word": Out(word),
                "read_done": Out(1),
                "finished": Out(1),
            }
        )
        self.lanes = [Lane(engine, f"_{n}") for n in range(0 if shared else engine.lanes)]
        # The slot on its way: the number says how many clocks after its issue.
        self.word1 = Signal.like(self.slot.word)
        self.mask1, self.mask2 = (Signal(engine.pixels, name=f"mask{n}") for n in (1, 2))
        self.shift2, self.odd2 = Signal.like(self.entry.shift), Signal()
        self.steps = [Signal(step_layout(engine), name=f"step{n}") for n in range(1, 5)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine, slot = self.engine, self.slot
        inputs, totals = lane_layouts(engine)
        address = Signal.like(slot.word)
        m.d.comb += address.eq(self.word1 + self.entry.word)
        with m.If(self.en):
            m.d.sync += [
                self.word1.eq(slot.word),
                self.mask1.eq(slot.mask),
                self.mask2.eq(self.mask1),
                self.shift2.eq(self.entry.shift),
                self.odd2.eq(address[0]),
            ]
            steps = slot.step, *self.steps
            m.d.sync += [later.eq(step) for step, later in pairwise(steps)]
        summed = self.steps[-1]

        # Result words of the tile in the shadow registers that are still to leave.
        beats, ends = Signal.like(summed.beats), Signal()
        with m.If(self.en):
            with m.If(summed.beats != 0):
                m.d.sync += [beats.eq(summed.beats), ends.eq(summed.last)]
            with m.Elif(beats != 0):
                m.d.sync += beats.eq(beats - 1)
        m.d.comb += [
            self.write.eq(beats != 0),
            self.read_done.eq(self.steps[0].end),
            self.finished.eq((beats == 1) & ends),
        ]

        shadows = [Signal(totals, name=f"shadow_{n}") for n in range(engine.lanes)]
        for n in range(engine.lanes):
            lane = Signal(inputs, name=f"lane_{n}")
            m.d.comb += [
                lane.even.eq((address + 1) >> 1),
                lane.odd.eq(address >> 1),
                lane.odd_first.eq(self.odd2),
                lane.shift.eq(self.shift2),
                lane.mask.eq(self.mask2),
                lane.weight.eq(self.entry.weights[n]),
                lane.first.eq(summed.first),
                lane.capture.eq(summed.beats != 0),
                lane.move.eq(beats > 1),
            ]
            if n + engine.result_lanes < engine.lanes:
                m.d.comb += lane.shadow.eq(shadows[n + engine.result_lanes])
            self._write(m, n, lane)
            self._lane(m, n, lane, shadows[n])
        m.d.comb += self.word.eq(Cat(shadows[: engine.result_lanes]))
        return m

    def _write(self, m: Module, n: int, lane: data.View) -> None:
        """Operands of lane n among those of the fill."""
        fill, valid, port = self.fill.payload, self.fill.valid, self.engine.fill_port
        pixels = self.engine.pixels
        places = range(n * pixels, (n + 1) * pixels)
        if port:
            chosen = Cat(valid & (fill.part == place // port) for place in places)
        else:
            port, chosen = self.engine.multipliers, valid
        m.d.comb += [
            lane.write_even.eq(Mux(fill.address[0], 0, chosen)),
            lane.write_odd.eq(Mux(fill.address[0], chosen, 0)),
            lane.write_address.eq(fill.address >> 1),
            *(lane.write_data[p].eq(fill.data[place % port]) for p, place in enumerate(places)),
        ]

    def _lane(self, m: Module, n: int, inputs: data.View, outputs: data.View) -> None:
        if not self.shared:
            lane = self.lanes[n]
            lane.clock(m, self.en, inputs)
            m.d.comb += outputs.eq(lane.s)
            return
        m.submodules[f"lane_{n}"] = Instance(
            "depthwise_lane",
            i_clk=ClockSignal("sync"),
            i_rst=ResetSignal("sync"),
            i_en=self.en,
            i_i=inputs.as_value(),
            o_o=outputs.as_value(),
        )
