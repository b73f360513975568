"""The sequencer of the systolic array: when a pass starts, and what each clock of it does."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, largest
from rtl.engines.systolic_array.frame import frame_layout, load_layout
from rtl.lib.layout import layout

# The longest stream has all taps and values of a pass.
CLOCK_BITS = (largest(ArrayPass, "k") + largest(ArrayPass, "taps")).bit_length()


class Stream(NamedTuple):
    """The pass whose operands are being read."""

    work: data.View
    clocks_remaining: Signal  # of the stream in progress
    taps_remaining: Signal  # to be written at the edge
    is_first: Signal  # the stream in progress begins its sums
    streams_remaining: Signal  # behind the one in progress
    fires_remaining: Signal  # behind the one in progress
    left_at: Signal  # next word in the row banks
    top_at: Signal  # next word in the column banks


class Tile(NamedTuple):
    """The stationary tile that loads, or waits for its swap."""

    work: data.View
    waits: Signal  # there is such a tile
    words_remaining: Signal  # to be loaded
    words_loaded: Signal
    left_at: Signal  # first word of its stream, in the row banks
    top_at: Signal  # next word of the tile, in the column banks


class Sequencer(wiring.Component):
    """Works off a queue of ArrayCommands; one pass may start in every clock.

    A pass starts at the first clock at which its ports are free and its results will find the
    result port free. `drain_left` counts the clocks until then for the capture of os and rows. A
    stationary tile loads behind the stream of the tile before it and waits in the b registers for
    the swap, one clock before its own stream.

    frame, load : for the edge, registered.  left_read, left_address, top_*: for the banks, one
        clock earlier.  quiet : nothing is left on its way to the result port (for overlap=False).
    starting : a pass starts.  needs : a command is needed now to keep to the schedule.
    read_done : the last operands of a pass are being read.
    """

    def __init__(self, array: SystolicArray, address_bits: int) -> None:
        self.array = array
        super().__init__(
            {
                "commands": In(stream.Signature(layout(ArrayCommand))),
                "quiet": In(1),
                "frame": Out(frame_layout(array)),
                "load": Out(load_layout(array)),
                "left_read": Out(1),
                "left_address": Out(address_bits),
                "top_read": Out(1),
                "top_address": Out(address_bits),
                "starting": Out(1),
                "needs": Out(1),
                "read_done": Out(1),
            }
        )
        address = unsigned(address_bits)
        # Registers.
        self._stream = stream_signals("stream", address)
        self._tile = tile_signals(array, address)
        self._drain_left = Signal(array.rows.bit_length(), name="drain_left")
        # This clock: the stream with a pass that starts now, and what the edge is told.
        self._now = stream_signals("now", address)
        self._frame = Signal(frame_layout(array), name="next_frame")
        self._array_busy = Signal(name="array_busy")  # an os or rows pass owns the array
        self._tile_may_load = Signal(name="tile_may_load")
        self._swap, self._load = Signal(name="swap"), Signal(name="load_tile")
        self._capture = Signal(name="capture")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._find_room(m)
        self._start(m)
        self._read_stream(m)
        self._capture_sums(m)
        self._swap_tile(m)
        self._load_tile(m)
        m.d.sync += self.frame.eq(self._frame)
        return m

    @property
    def _may_start(self) -> Value | int:
        """Without overlap, a pass starts after the last result of the one before it."""
        return 1 if self.array.overlap else self.quiet

    def _find_room(self, m: Module) -> None:
        """What is known of this clock before any pass starts: a swap, or room for a new tile."""
        stream, tile = self._stream, self._tile
        keeps = (stream.work.opcode == Opcode.OS) | (stream.work.opcode == Opcode.ROWS)
        reads = (stream.clocks_remaining != 0) | (stream.streams_remaining != 0)
        loaded = tile.words_remaining == 0
        m.d.comb += [
            self._array_busy.eq(reads & keeps),
            self._swap.eq(
                tile.waits & loaded & (stream.clocks_remaining <= 1) & ~self._array_busy
                & (self._drain_left <= 1)
            ),
            self._tile_may_load.eq(loaded & (~tile.waits | self._swap) & ~self._array_busy),
            self.needs.eq(self._tile_may_load & self._may_start),
        ]  # fmt: skip

    def _start(self, m: Module) -> None:
        """The pass at the head of the queue starts, or the next stream of the one under way.

        Sums are captured at the end of the last stream, so only that one waits for the shadow
        registers.
        """
        head, stream, now = self.commands.payload, self._stream, self._now
        ready = self.commands.valid & self._may_start
        is_tile = (head.work.opcode == Opcode.WS) | (head.work.opcode == Opcode.IS)
        is_rows = head.work.opcode == Opcode.ROWS
        length = Signal.like(now.clocks_remaining)
        next_length = stream.work.k + stream.work.taps
        idle, more = stream.clocks_remaining == 0, stream.streams_remaining != 0
        start = Signal()
        resume = Signal()
        m.d.comb += [
            length.eq(head.work.k + Mux(is_rows, head.work.taps, 0)),
            start.eq(
                ready & ~is_tile & idle & ~more & ~self._tile.waits
                & ((head.work.streams > 1) | (self._drain_left < length))
            ),
            resume.eq(
                idle & more & ((stream.streams_remaining > 1) | (self._drain_left < next_length))
            ),
            self._load.eq(ready & is_tile & self._tile_may_load),
            self.starting.eq(start | self._load),
            self.commands.ready.eq(start | self._load),
            *(value.eq(register) for value, register in zip(now, stream, strict=True)),
        ]  # fmt: skip
        with m.If(start):
            m.d.comb += [
                now.work.eq(head.work),
                now.clocks_remaining.eq(length),
                now.taps_remaining.eq(head.work.taps),
                now.is_first.eq(~head.work.accumulate),
                now.streams_remaining.eq(head.work.streams - 1),
                now.fires_remaining.eq(head.work.fires - 1),
                now.left_at.eq(head.left),
                now.top_at.eq(head.top),
            ]
        with m.If(resume):
            m.d.comb += [
                now.clocks_remaining.eq(next_length),
                now.taps_remaining.eq(stream.work.taps),
                now.is_first.eq(0),
                now.streams_remaining.eq(stream.streams_remaining - 1),
            ]
        m.d.sync += [register.eq(value) for register, value in zip(stream, now, strict=True)]

    def _read_stream(self, m: Module) -> None:
        """One clock of a stream: the words that are read, and what the edge does with them."""
        now, stream, frame = self._now, self._stream, self._frame
        with m.If(now.clocks_remaining != 0):
            m.d.comb += [
                self.left_read.eq(1),
                frame.valid.eq(1),
                frame.token.columns.eq(now.work.n),
            ]
            m.d.sync += [
                stream.clocks_remaining.eq(now.clocks_remaining - 1),
                stream.left_at.eq(now.left_at + 1),
            ]
            ending = now.clocks_remaining == 1
            with m.Switch(now.work.opcode):
                with m.Case(Opcode.OS):
                    self._read_products(m, ending)
                with m.Case(Opcode.ROWS):
                    self._read_row(m, ending)
                with m.Default():
                    self._read_beat(m, ending)

    def _read_products(self, m: Module, ending: Value) -> None:
        """os: operands from both sides, one product for every sum."""
        now, frame = self._now, self._frame
        m.d.comb += [
            self.top_read.eq(1),
            frame.shift_operands.eq(1),
            frame.rows.eq(now.work.m),
            frame.first.eq((now.clocks_remaining == now.work.k) & now.is_first),
            self._capture.eq(ending & now.work.emit),
            frame.token.end.eq(ending),
        ]
        m.d.sync += self._stream.top_at.eq(now.top_at + 1)

    def _read_row(self, m: Module, ending: Value) -> None:
        """rows: first the taps, which the edge keeps, then values.

        The taps leave the edge, one clock late each, in the last clocks of the stream and of every
        further fire.
        """
        now, stream, frame = self._now, self._stream, self._frame
        taps, clocks = now.work.taps, now.clocks_remaining
        tapping = now.taps_remaining != 0
        captures = ending & (now.streams_remaining == 0)
        fires = now.fires_remaining != 0
        m.d.comb += [
            frame.half_speed.eq(1),
            frame.rows.eq(now.work.m),
            frame.tap_write.eq(tapping),
            frame.tap_in.eq(taps - now.taps_remaining),
            frame.tap_read.eq((clocks >= 2) & (clocks <= taps + 1)),
            frame.tap_out.eq(taps + 1 - clocks),
            frame.first.eq((clocks == taps) & now.is_first),
            self._capture.eq(captures & now.work.emit),
            frame.token.end.eq(captures & ~fires),
        ]
        with m.If(tapping):
            m.d.sync += stream.taps_remaining.eq(now.taps_remaining - 1)
        with m.If(ending & fires):
            m.d.sync += [
                stream.fires_remaining.eq(now.fires_remaining - 1),
                stream.clocks_remaining.eq(now.work.n),
            ]

    def _read_beat(self, m: Module, ending: Value) -> None:
        """ws, is: a word meets the stationary tile, and its sums pass down."""
        now, frame = self._now, self._frame
        m.d.comb += [
            frame.stationary.eq(1),
            frame.capture.eq(1),
            frame.from_top.eq(1),
            frame.rows.eq(now.work.k),
            frame.token.beat.eq(1),
            frame.token.start.eq(now.clocks_remaining == now.work.m),
            frame.token.end.eq(ending),
            frame.token.accumulate.eq(now.work.accumulate),
            frame.token.emit.eq(now.work.emit),
        ]

    def _capture_sums(self, m: Module) -> None:
        """Sums of os and rows go to the shadow registers, and leave them row by row."""
        results = self._now.work.m
        with m.If(self._capture):
            m.d.comb += [self._frame.capture.eq(1), self._frame.token.drain.eq(results)]
            m.d.sync += self._drain_left.eq(results - 1)
        with m.Elif(self._drain_left != 0):
            m.d.sync += self._drain_left.eq(self._drain_left - 1)
        m.d.comb += self.read_done.eq(self._frame.token.end)

    def _swap_tile(self, m: Module) -> None:
        """The tile that waits becomes the stationary one, and its stream begins behind it."""
        stream, tile = self._stream, self._tile
        with m.If(self._swap):
            m.d.comb += self._frame.swap.eq(1)
            m.d.sync += [
                stream.work.eq(tile.work),
                stream.clocks_remaining.eq(tile.work.m),
                stream.left_at.eq(tile.left_at),
                tile.waits.eq(0),
            ]

    def _load_tile(self, m: Module) -> None:
        """One clock of a load: a word of the stationary tile from the column banks."""
        head, tile = self.commands.payload, self._tile
        reads = Signal()
        remaining = Signal.like(tile.words_remaining)
        loaded = Signal.like(tile.words_loaded)
        at = Signal.like(tile.top_at)
        m.d.comb += [
            remaining.eq(Mux(self._load, head.work.k, tile.words_remaining)),
            loaded.eq(Mux(self._load, 0, tile.words_loaded)),
            at.eq(Mux(self._load, head.top, tile.top_at)),
            reads.eq(remaining != 0),
        ]
        with m.If(self._load):
            m.d.sync += [tile.work.eq(head.work), tile.left_at.eq(head.left), tile.waits.eq(1)]
        with m.If(reads):
            m.d.comb += self.top_read.eq(1)
            m.d.sync += [
                tile.words_remaining.eq(remaining - 1),
                tile.words_loaded.eq(loaded + 1),
                tile.top_at.eq(at + 1),
            ]
        m.d.comb += [
            self.left_address.eq(self._now.left_at),
            self.top_address.eq(Mux(reads, at, self._now.top_at)),
        ]
        m.d.sync += [self.load.loading.eq(reads), self.load.beat.eq(loaded)]


def stream_signals(name: str, address: Shape) -> Stream:
    """Signals of a stream; an address has a shape."""
    work = layout(ArrayPass)
    return Stream(
        work=Signal(work, name=f"{name}_work"),
        clocks_remaining=Signal(CLOCK_BITS, name=f"{name}_clocks_remaining"),
        taps_remaining=Signal(work["taps"].shape, name=f"{name}_taps_remaining"),
        is_first=Signal(name=f"{name}_is_first"),
        streams_remaining=Signal(work["streams"].shape, name=f"{name}_streams_remaining"),
        fires_remaining=Signal(work["fires"].shape, name=f"{name}_fires_remaining"),
        left_at=Signal(address, name=f"{name}_left_at"),
        top_at=Signal(address, name=f"{name}_top_at"),
    )


def tile_signals(array: SystolicArray, address: Shape) -> Tile:
    """Signals of a tile; an address has a shape."""
    work = layout(ArrayPass)
    return Tile(
        work=Signal(work, name="tile_work"),
        waits=Signal(name="tile_waits"),
        words_remaining=Signal(work["k"].shape, name="tile_words_remaining"),
        words_loaded=Signal(load_layout(array)["beat"].shape, name="tile_words_loaded"),
        left_at=Signal(address, name="tile_left_at"),
        top_at=Signal(address, name="tile_top_at"),
    )
