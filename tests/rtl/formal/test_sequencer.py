"""The clocks of the array's sequencer are those of the closed form, for all that fields can hold.

The law is that of accelsim/engines/systolic_array/schedule.py, as arithmetic over the clocks in
which the ports are free again. From it follows, and is proved as well, that passes of os and rows
whose commands are there in time have read their operands at

    e' = e + max(load, drain of the pass before),  drain = m, or 0 where it keeps its sums,

and that the stream of a stationary tile follows that of the tile before it by max(m before, k).
"""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode
from rtl.engines.systolic_array import sequencer
from rtl.engines.systolic_array.commands import CLOCK_BITS
from rtl.lib.layout import layout
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import past
from tests.rtl.mutants import Mutant, load, named

ARRAY = SystolicArray(64, 64)
ADDRESS_BITS = 4  # of the banks, where addresses begin again
TILES = (Opcode.WS, Opcode.IS)


def most(first, *others):
    for other in others:
        first = Mux(first > other, first, other)
    return first


def one_of(opcode, opcodes):
    return sum(((opcode == one) for one in opcodes), start=Value.cast(0)) != 0


def legal(work, opcodes):
    """What limits allow, as far as clocks depend on it."""
    one_line = (work.fires == 1) | ((work.streams == 1) & (work.n >= work.m))
    tile = one_of(work.opcode, TILES)
    return (
        one_of(work.opcode, opcodes)
        & (work.m >= 1) & (work.n >= 1) & (work.k >= 1) & (work.streams >= 1) & (work.fires >= 1)
        & (work.n <= ARRAY.columns) & (Mux(tile, work.k, work.m) <= ARRAY.rows)
        & Mux(
            work.opcode == Opcode.ROWS,
            (work.taps >= 1) & (work.k >= 2) & one_line,
            (work.taps == 0) & (work.streams == 1) & (work.fires == 1),
        )
    )  # fmt: skip


def unless(condition, *claims):
    def either(claim):
        return Assert(condition | claim, src_loc_at=2)

    return list(map(either, claims))


class Law(wiring.Component):
    """Any legal passes with these opcodes; their commands come late.

    Things are told for the clock behind the decision to start a pass; its first word is read one
    later.

    valid, command : the one at the head of the queue, or that will be, and that it is there.
    time_bits : of clocks since reset; the law is that of as many as a quarter of them can count.
    """

    def __init__(self, dut, opcodes, time_bits):
        self.dut, self.opcodes, self.latest = dut, opcodes, 1 << (time_bits - 2)
        super().__init__({"valid": In(1), "command": In(layout(ArrayCommand))})

        def time(name):
            return Signal(time_bits, name=name)

        # The command that was there in the clock before, whether there was one, and it was taken.
        self.head = Signal.like(self.command)
        self.offered, self.started = Signal(), Signal()
        self.before = Signal(layout(ArrayPass))  # the pass that started last
        # The pass whose words are read, or were the last ones, by its command; its streams and
        # fires behind the one in progress, and when that one's words have been read.
        self.reading = Signal.like(self.command)
        self.streams, self.fires = Signal(8), Signal(16)
        self.read_end = time("read_end")
        # Its next words, and when the taps of its stream have been read.
        self.left, self.top = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        self.taps_end = time("taps_end")
        # The stationary tile that loads, or waits for its stream, and when that begins.
        self.tile, self.waits = Signal.like(self.command), Signal()
        self.load_end, self.stream_at = time("load_end"), time("stream_at")
        self.tile_top = Signal(ADDRESS_BITS)
        # From when on sums may be captured again.
        self.result_free = time("result_free")
        self.now = time("now")
        # What happens in this clock: a pass begins, or another stream of one; a tile begins to
        # load, or is swapped in; a word is read, the last one of a pass or fire; sums are captured.
        self.begins, self.resumes, self.loads, self.swaps, self.reads, self.ends, self.captures = (
            Signal(name=name)
            for name in ("begins", "resumes", "loads", "swaps", "reads", "ends", "captures")
        )
        # As above, with what begins in this clock.
        self.reading_now, self.tile_now = Signal.like(self.command), Signal.like(self.command)
        self.streams_now, self.fires_now = Signal(8), Signal(16)
        self.read_end_now, self.load_end_now = time("read_end_now"), time("load_end_now")
        self.taps_end_now, self.next_stream_at = time("taps_end_now"), time("next_stream_at")
        self.left_now, self.top_now, self.tile_top_now = (
            Signal(ADDRESS_BITS, name=f"{name}_now") for name in ("left", "top", "tile_top")
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        self._offer(m)
        self._begin(m)
        self._go_on(m)
        self._registers(m)
        self._claim(m)
        return m

    def _offer(self, m):
        """Commands, decoded as test_commands proves."""
        dut, work, head = self.dut, self.command.work, self.dut.commands.payload
        with m.If(dut.starting):
            m.d.sync += self.before.eq(work)
        tile, length = one_of(work.opcode, TILES), Signal(CLOCK_BITS)
        m.d.comb += [
            Assume(~self.valid | legal(work, self.opcodes)),
            Assume((self.now == 0) | self.started | (self.command == self.head)),
            Assume(~self.offered | self.started | self.valid),
            dut.commands.valid.eq(self.valid),
            dut.command.eq(self.head),
            head.is_tile.eq(tile),
            length.eq(work.k + work.taps),
            head.clocks.eq(Mux(tile, work.m, length)),
            head.one.eq(head.clocks <= 1),
            head.two.eq(head.clocks <= 2),
            head.one_stream.eq(work.streams == 1),
            head.one_fire.eq(work.fires == 1),
            head.free.eq(head.one & head.one_fire),
            head.over.eq(head.free & head.one_stream),
            head.short.eq(Mux(length < ARRAY.rows, length, ARRAY.rows)),
            head.later.eq(head.short + 1),
            head.follows.eq((work.streams > 1) | (self.before.m <= head.short)),
            head.follows_later.eq(self.before.m <= head.later),
            head.results.eq(work.m),
            head.words.eq(work.k),
            head.emit.eq(work.emit),
            Value.cast(dut.waiting).eq(head),
        ]
        m.d.sync += [
            self.offered.eq(self.valid),
            self.started.eq(dut.starting),
            self.head.eq(self.command),
        ]

    def _begin(self, m):
        """The law: a pass begins as soon as its ports are free."""
        now, head, work = self.now, self.head.work, self.reading.work
        length, again = Signal(CLOCK_BITS), Signal(CLOCK_BITS)
        left_free, top_free = Signal.like(now, name="left_free"), Signal.like(now, name="top_free")
        owned = ~one_of(work.opcode, TILES)
        under_way = (self.streams != 0) | (self.fires != 0)
        tile = one_of(head.opcode, TILES)
        m.d.comb += [
            Assume(now < self.latest),
            length.eq(head.k + head.taps),
            again.eq(work.k + work.taps),
            left_free.eq(Mux(self.waits, self.stream_at + self.tile.work.m, self.read_end)),
            # A tile may follow the one before it into the b registers in the clock of its swap.
            top_free.eq(Mux(self.waits, self.stream_at - 1, Mux(owned, self.read_end, 0))),
            # The last stream captures the sums, with its last word.
            self.begins.eq(
                self.offered & ~tile & ~under_way & (now >= left_free)
                & ((head.streams > 1) | (now + length > self.result_free))
            ),
            self.resumes.eq(
                (self.streams != 0) & (now >= self.read_end)
                & ((self.streams > 1) | (now + again > self.result_free))
            ),
            self.loads.eq(self.offered & tile & ~under_way & (now >= top_free)),
            self.next_stream_at.eq(most(now + head.k + 1, left_free, self.result_free)),
            self.swaps.eq(self.waits & (now + 1 == self.stream_at)),
            self.reading_now.eq(Mux(self.begins, self.head, self.reading)),
            self.tile_now.eq(Mux(self.loads, self.head, self.tile)),
            self.streams_now.eq(Mux(self.begins, head.streams - 1, self.streams - self.resumes)),
            self.fires_now.eq(Mux(self.begins, head.fires - 1, self.fires)),
            self.load_end_now.eq(Mux(self.loads, now + head.k, self.load_end)),
            self.taps_end_now.eq(
                Mux(self.begins, now + head.taps, Mux(self.resumes, now + work.taps, self.taps_end))
            ),
            self.left_now.eq(Mux(self.begins, self.head.left, self.left)),
            self.top_now.eq(Mux(self.begins, self.head.top, self.top)),
            self.tile_top_now.eq(Mux(self.loads, self.head.top, self.tile_top)),
            self.read_end_now.eq(
                Mux(self.begins, now + length, Mux(self.resumes, now + again, self.read_end))
            ),
        ]  # fmt: skip

    def _go_on(self, m):
        """What is known in the next clock."""
        now, work = self.now, self.reading_now.work
        m.d.comb += [
            self.reads.eq(now < self.read_end_now),
            self.ends.eq((now + 1 == self.read_end_now) & (self.streams_now == 0)),
            self.captures.eq(self.ends & ~one_of(work.opcode, TILES) & work.emit),
        ]
        m.d.sync += [
            self.now.eq(now + 1),
            self.reading.eq(self.reading_now),
            self.tile.eq(self.tile_now),
            self.streams.eq(self.streams_now),
            self.fires.eq(self.fires_now),
            self.read_end.eq(self.read_end_now),
            self.load_end.eq(self.load_end_now),
            self.taps_end.eq(self.taps_end_now),
            self.left.eq(self.left_now + self.reads),
            self.top.eq(self.top_now + self.reads),
            self.tile_top.eq(self.tile_top_now + 1),
            self.waits.eq(self.loads | (self.waits & ~self.swaps)),
        ]
        with m.If(self.ends & (self.fires_now != 0)):
            m.d.sync += [
                self.read_end.eq(self.read_end_now + work.n),
                self.fires.eq(self.fires_now - 1),
            ]
        with m.If(self.swaps):
            m.d.sync += [
                self.reading.eq(self.tile),
                self.left.eq(self.tile.left),
                self.read_end.eq(self.stream_at + self.tile.work.m),
            ]
        with m.If(self.loads):
            m.d.sync += self.stream_at.eq(self.next_stream_at)
        with m.If(self.captures):
            m.d.sync += self.result_free.eq(now + work.m)

    def _registers(self, m):
        """What the registers of the sequencer mean; the claims follow by induction."""
        now, stream, tile, swap = self.now, self.dut._stream, self.dut._tile, self.dut._swap
        work, waiting = self.reading.work, self.tile.work
        offered = self.dut.commands.payload
        owned = ~one_of(work.opcode, TILES)
        under_way = (self.streams != 0) | (self.fires != 0)
        reading, loading = self.reading_now.work, self.tile_now.work
        active = self.reads | (self.streams_now != 0) | (self.fires_now != 0)
        length = Signal(CLOCK_BITS)
        m.d.comb += length.eq(reading.k + reading.taps)

        def until(clock):
            return Mux(now < clock, clock - now, 0)

        m.d.comb += [
            *unless(~self.offered, legal(self.head.work, self.opcodes)),
            *unless(self.read_end == 0, legal(work, self.opcodes)),
            *unless(self.read_end != 0, ~under_way, self.result_free == 0),
            *unless(self.read_end <= now, self.read_end - now <= 1 << CLOCK_BITS),
            Assert(self.result_free <= now + ARRAY.rows),
            *unless(
                ~under_way,
                work.opcode == Opcode.ROWS,
                (self.fires == 0) | ((self.streams == 0) & (now < self.read_end)),
                (self.fires == 0) | (work.fires != 1),
            ),
            *unless(
                ~self.waits,
                legal(waiting, self.opcodes) & one_of(waiting.opcode, TILES),
                ~under_way & (~owned | (now >= self.read_end)),
                (now < self.stream_at) & (self.load_end < self.stream_at),
                (self.read_end <= self.stream_at) & (self.result_free <= self.stream_at),
                (self.stream_at == now + 1)
                | (self.stream_at == self.load_end + 1)
                | (self.stream_at == self.read_end)
                | (self.stream_at == self.result_free),
            ),
            *unless(self.waits, self.load_end <= now),
            Assert(self.dut._drain_left == until(self.result_free)),
            Assert(self.dut._drains_soon == (self.dut._drain_left <= 2)),
            *unless(
                self.started,
                self.dut._drained
                == (~offered.one_stream | (self.dut._drain_left <= offered.short)),
            ),
            Assert(~self.started | self.dut._drained),
            *unless(~active | one_of(reading.opcode, TILES), self.before == reading),
            Assert(stream.running == self.reads),
            Assert(stream.sending == (stream.running & stream.sends)),
            Assert(stream.free == (~stream.running | (stream.one & stream.is_last_fire))),
            *unless(~self.reads, stream.clocks_remaining == self.read_end_now - now),
            Assert(stream.one == (~self.reads | (stream.clocks_remaining <= 1))),
            *unless(swap.now, stream.two == (~self.reads | (stream.clocks_remaining <= 2))),
            *unless(~swap.now, stream.two == swap.one),
            Assert(stream.is_last == (self.streams_now == 0)),
            Assert(stream.over == (stream.free & stream.is_last)),
            Assert(stream.idle == (stream.over & ~swap.now & ~tile.waits)),
            Assert(stream.is_last_fire == (self.fires_now == 0)),
            # Those are loaded behind the first clock of a pass.
            *unless(
                (self.streams_now == 0) | self.begins,
                stream.streams_remaining == self.streams_now,
            ),
            *unless((self.fires_now == 0) | self.begins, stream.fires_remaining == self.fires_now),
            *unless(
                ~active,
                stream.keeps == ~one_of(reading.opcode, TILES),
                stream.sends == (stream.keeps & reading.emit),
                ~stream.keeps | (stream.results == reading.m),
            ),
            Assert(tile.waits == (self.loads | (self.waits & ~self.swaps))),
            Assert(tile.words_remaining == until(self.load_end_now)),
            Assert(tile.loaded == (tile.words_remaining <= 1)),
            *unless(
                ~tile.waits,
                (tile.one == (loading.m <= 1)) & (tile.two == (loading.m <= 2)),
            ),
            Assert(swap.now == self.swaps),
            *unless(~swap.now, (swap.one == (waiting.m <= 1)) & (swap.two == (waiting.m <= 2))),
        ]
        self._wide_registers(m, active)

    def _wide_registers(self, m, active):
        """What the wide ones mean, of the clock before; and what that has to do with this one."""
        stream, tile, swap = self.dut._stream, self.dut._tile, self.dut._swap
        step, taken = self.dut._step, self.dut._taken
        reads, loading = past(m, self.reads), past(m, self.now < self.load_end_now)
        reading, kept = past(m, self.reading_now), past(m, self.tile_now)
        was_active, was_tile = past(m, active), past(m, tile.waits)
        left, top, tile_top = (
            past(m, at) for at in (self.left_now, self.top_now, self.tile_top_now)
        )
        now, taps_end = past(m, self.now), past(m, self.taps_end_now)
        # From the third clock of a pass on, the last of a stream that another follows or a fire.
        began = self.begins | past(m, self.begins)
        columns = self.reading_now.work.n
        lengths = [Signal(CLOCK_BITS, name=f"length_{name}") for name in ("taken", "reading")]
        shorts = [Mux(length < ARRAY.rows, length, ARRAY.rows) for length in lengths]
        works = (self.head.work, reading.work)
        swapped, swaps = past(m, self.tile), past(m, self.swaps)
        goes_on = active & ~self.begins & ~swaps
        m.d.comb += [
            *(length.eq(work.k + work.taps) for length, work in zip(lengths, works, strict=True)),
            *unless(self.now == 0, now + 1 == self.now),
            *unless(self.now != 0, ~reads),
            *unless(
                ~goes_on,
                was_active & (reading == self.reading) & (taps_end == self.taps_end),
                (self.left == (left + reads)[:ADDRESS_BITS])
                & (self.top == (top + reads)[:ADDRESS_BITS]),
                reads | ~self.reads | self.resumes,
            ),
            *unless(
                began | (self.streams_now == 0) | self.resumes,
                stream.more == (self.streams_now > 1),
            ),
            *unless(
                began | (self.streams_now == 0),
                stream.drains == (self.dut._drain_left <= stream.short),
            ),
            *unless(
                began | (self.fires_now == 0),
                (stream.fire_one == (columns <= 1)) & (stream.fire_two == (columns <= 2)),
                stream.fire_last == (self.fires_now <= 1),
            ),
            *unless(
                ~past(m, self.begins) | (self.reading.work.opcode != Opcode.ROWS),
                self.now + 1 < self.read_end,
            ),
            *unless(
                ~swaps,
                swapped == self.reading,
                swapped.left[:ADDRESS_BITS] == self.left,
                one_of(self.reading.work.opcode, TILES) & (self.now < self.read_end),
            ),
            *unless(~self.waits, was_tile, kept == self.tile),
            *unless(
                (self.now >= self.load_end_now) | self.loads,
                loading & (self.tile_top == (tile_top + 1)[:ADDRESS_BITS]),
            ),
            Assert(step.starts == self.begins),
            Assert(step.resumes == self.resumes),
            Assert(step.loads == self.loads),
            Assert(step.swaps == swaps),
            Assert(step.reads == reads),
            Assert(step.tile_reads == loading),
            *unless(
                ~self.started,
                one_of(self.head.work.opcode, TILES)
                | ((taken.clocks == lengths[0]) & (taken.short == shorts[0])),
            ),
            *unless(
                ~was_active,
                stream.work == reading.work,
                stream.of_os == (reading.work.opcode == Opcode.OS),
                stream.of_rows == (reading.work.opcode == Opcode.ROWS),
                stream.left_at == left,
                (reading.work.opcode != Opcode.OS) | (stream.top_at == top),
                one_of(reading.work.opcode, TILES)
                | ((stream.length == lengths[1]) & (stream.short == shorts[1])),
            ),
            *unless(
                ~reads | (reading.work.opcode != Opcode.ROWS),
                stream.taps_remaining == Mux(now < taps_end, taps_end - now, 0),
            ),
            *unless(~was_tile, tile.work == kept.work, tile.left_at == kept.left[:ADDRESS_BITS]),
            *unless(~loading, tile.top_at == tile_top),
            *unless(
                ~step.swaps,
                swap.work == swapped.work,
                swap.left_at == swapped.left[:ADDRESS_BITS],
            ),
        ]

    def _claim(self, m):
        """The sequencer does what the law says, clock by clock, and the closed form follows."""
        dut, work, head = self.dut, self.reading.work, self.head.work
        opcode = self.reading_now.work.opcode
        owned = ~one_of(work.opcode, TILES)
        drain = Mux(work.emit, work.m, 0)
        done = (
            owned
            & (self.read_end != 0)
            & (self.streams == 0)
            & (self.fires == 0)
            & (self.now >= self.read_end)
        )
        prompt = Signal()  # nothing has been late since the last pass began
        m.d.sync += prompt.eq(self.begins | self.loads | (prompt & self.offered))
        loading = self.now < self.load_end_now
        stream, tile, step = dut._stream, dut._tile, dut._step
        tops = past(m, (self.reads & (opcode == Opcode.OS)) | loading)
        top = past(m, Mux(loading, self.tile_top_now, self.top_now))
        writes_tap = self.reads & (opcode == Opcode.ROWS) & (self.now < self.taps_end_now)
        m.d.comb += [
            Assert(self.started == (self.begins | self.loads)),
            Assert(dut.left_read == past(m, self.reads)),
            Assert(~dut.left_read | (dut.left_address == past(m, self.left_now))),
            Assert(tops == (step.tile_reads | (step.reads & (stream.work.opcode == Opcode.OS)))),
            Assert(~tops | (top == Mux(step.tile_reads, tile.top_at, stream.top_at))),
            Assert(dut.top_read == past(m, tops)),
            Assert(~dut.top_read | (dut.top_address == past(m, top))),
            Assert(dut._frame.tap_write == past(m, writes_tap)),
            Assert(dut._capture == self.captures),
            Assert(dut._ending == (self.ends & (self.fires_now == 0))),
            Assert(
                ~owned
                | done
                | (self.read_end == 0)
                | (self.streams != 0)
                | (self.result_free < self.read_end)
            ),
            Assert(
                ~done
                | Mux(
                    work.emit,
                    self.result_free + 1 == self.read_end + work.m,
                    self.result_free < self.read_end,
                )
            ),
            Assert(
                ~(self.begins & prompt & self.offered & done & (head.streams == 1))
                | (self.read_end_now == self.read_end + most(head.k + head.taps, drain))
            ),
            Cover(self.ends & (self.read_end != 0)),
            Assert(
                ~(self.loads & self.waits)
                | (self.next_stream_at == self.stream_at + most(self.tile.work.m, head.k))
            ),
        ]


# By the passes that refute them, the fewest.
MUTANTS = {
    Opcode.OS: (
        Mutant("a drain too short", "_drain_left.eq(stream.results - 1)",
               "_drain_left.eq(stream.results >> 1)"),
        Mutant("a drain too long", "_drain_left.eq(stream.results - 1)",
               "_drain_left.eq(stream.results)"),
        Mutant("streams of 8 bits", 'remaining": unsigned(CLOCK_BITS)', 'remaining": 8'),
        Mutant("a stream too short", "clocks_remaining <= 3", "clocks_remaining <= 4"),
        Mutant("sums that are kept are sent", "ends & stream.sends", "ends"),
        Mutant("a command that is none", "self.commands.valid & may_stream", "may_stream"),
    ),
    Opcode.WS: (
        Mutant("a tile too short", "words <= 1", "words <= 2"),
        Mutant("a swap too late", "two.eq(self._tile.one)", "two.eq(0)"),
        Mutant("words of the tile", "tile.left_at.eq(command.left)", "tile.left_at.eq(0)"),
    ),
    Opcode.ROWS: (
        Mutant("streams without drain", "(stream.more | stream.drains)", "1"),
        Mutant("fires of 8 bits", '"fires_remaining": work["fires"].shape', '"fires_remaining": 8'),
        Mutant("3 streams", '"streams_remaining": work["streams"].shape', '"streams_remaining": 3'),
        Mutant("taps of 4 bits", '"taps_remaining": work["taps"].shape', '"taps_remaining": 4'),
    ),
}  # fmt: skip


def check(module, opcodes, time_bits):
    prove(Law(module.Sequencer(ARRAY, ADDRESS_BITS), opcodes, time_bits), 8)


def refute(mutant, opcode, tmp_path, monkeypatch):
    twin = load(sequencer, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        check(twin, (opcode,), time_bits=24)


def test_clocks_of_passes_that_keep_or_send_their_sums():
    check(sequencer, (Opcode.OS,), time_bits=24)


@pytest.mark.full
def test_clocks_of_all_passes_in_any_order():
    check(sequencer, tuple(Opcode), time_bits=48)


@planted(MUTANTS[Opcode.OS])
def test_planted_errors_in_os_are_found(mutant, tmp_path, monkeypatch):
    refute(mutant, Opcode.OS, tmp_path, monkeypatch)


@pytest.mark.full
@named(MUTANTS[Opcode.WS])
def test_planted_errors_in_ws_are_found(mutant, tmp_path, monkeypatch):
    refute(mutant, Opcode.WS, tmp_path, monkeypatch)


@pytest.mark.full
@named(MUTANTS[Opcode.ROWS])
def test_planted_errors_in_rows_are_found(mutant, tmp_path, monkeypatch):
    refute(mutant, Opcode.ROWS, tmp_path, monkeypatch)
