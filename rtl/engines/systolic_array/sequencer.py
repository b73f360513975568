"""The sequencer of the systolic array: when a pass starts, and what each clock of it does."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode
from rtl.engines.systolic_array.commands import CLOCK_BITS, decoded_layout
from rtl.engines.systolic_array.frame import frame_layout, load_layout
from rtl.lib.layout import layout


class Stream(NamedTuple):
    """The pass whose operands are read.

    Known in this clock, so that the next can be decided:

    running, one, two : there is one; and its clocks that remain are at most 1, at most 2. In the
        clock of a swap `two` is `one` of the stream that begins.
    keeps : it is a pass of os or rows, which owns the array.
    sends : ... and its sums leave it.  results : how many of a column.
    sending : running, and sends.
    begins : this is the first clock of a stream.
    free : no word of the stream in progress is behind that of this clock.
    is_last, is_last_fire : no stream, no fire, is behind the one in progress.
    over : free and is_last, no word of any pass is behind that of this clock.
    idle : over, and no stationary tile waits or is swapped in.

    Known a clock later, when its words are read; a stream that has fires or streams behind it is
    longer than that:

    is_first : the stream begins its sums.
    of_os, of_rows : the mode of its pass, for its frames; `work` has it for the column banks.
    length, short : clocks of a stream, and the rows of the array if those are fewer.

    behind_taps : one more than its taps.

    Yet a clock later:

    more : several streams are behind the one in progress.
    drains : the shadow registers can be captured at the end of a stream that begins then.
    fire_one, fire_two : clocks of a further fire are at most 1, at most 2.
    fire_last : one further fire remains at most.
    """

    keeps: Signal
    sends: Signal
    results: Signal
    running: Signal
    sending: Signal
    one: Signal
    two: Signal
    begins: Signal
    free: Signal
    over: Signal
    idle: Signal
    clocks_remaining: Signal
    is_last: Signal
    is_last_fire: Signal
    work: Any
    of_os: Signal
    of_rows: Signal
    last: Signal
    length: Signal
    short: Signal
    behind_taps: Signal
    taps_remaining: Signal  # to be written at the edge
    is_first: Signal
    streams_remaining: Signal
    fires_remaining: Signal
    more: Signal
    drains: Signal
    fire_one: Signal
    fire_two: Signal
    fire_last: Signal
    left_at: Signal  # the word that is read in the row banks
    top_at: Signal  # ... and in the column banks


class Tile(NamedTuple):
    """The stationary tile that loads in this clock, or waits for its swap.

    waits : there is such a tile.  loaded : none of its words remains for the next clock.

    From `work` on a clock later, as of a Stream.
    """

    one: Signal
    two: Signal
    waits: Signal
    loaded: Signal
    words_remaining: Signal
    work: Any
    last: Signal
    words_loaded: Signal
    left_at: Signal  # first word of its stream, in the row banks
    top_at: Signal  # the word of this clock in the column banks


class Swapped(NamedTuple):
    """The tile that is swapped in, and whose stream begins in the next clock.

    From `work` on a clock later, as of a Stream.
    """

    one: Signal
    two: Signal
    now: Signal
    work: Any
    last: Signal
    left_at: Signal


# What is decided in a clock is done in the next: a pass starts, another stream of it, a tile loads
# or is swapped in; the first word of a stream, or any, is read, so many before its end, more than
# one; sums are captured; a pass ends; a word of a tile is read, or its last.
STEP = data.StructLayout(
    {
        "starts": 1,
        "resumes": 1,
        "loads": 1,
        "swaps": 1,
        "begins": 1,
        "reads": 1,
        "clocks": CLOCK_BITS,
        "more": 1,
        "captures": 1,
        "ends": 1,
        "tile_reads": 1,
        "tile_ends": 1,
    }
)


def taken_layout(array: SystolicArray) -> data.StructLayout:
    """What is kept for a clock of a decoded command, its fields as there."""
    decoded = decoded_layout(array)
    return data.StructLayout({name: decoded[name].shape for name in ("clocks", "short")})


class Sequencer(wiring.Component):
    """Works off a queue of commands; one pass may start in every clock.

    A pass starts at the first clock at which its ports are free, its results will find the result
    port free, and its command is there. That is decided from registers, and changes few of them:
    what is wide, and the reading of words, follows a clock later. `starting` is two clocks before
    the one in which the first word is read.
    `drain_left` counts the clocks until the shadow registers may be captured again. A stationary
    tile loads behind the stream of the tile before it and waits in the b registers for the swap,
    one clock before its own stream.

    commands : decoded (see `commands`); ready where the ports of a pass are free.
    waiting : the one that is there in the next clock, if none starts in this one.
    command : the whole of the one that has started in the clock before.
    frame, load : for the edge cells, whose words have been read READ_CLOCKS before; the frame is a
        clock ahead.
    left_read, left_address, top_*: for the banks; those of the columns are told a clock later than
        those of the rows, as no edge cell is in their way.
    starting : a pass starts.  may_load : one of ws or is might.
    read_done : the last operands of a pass are being read.
    """

    READ_CLOCKS = 2  # from the reading of a word to the edge cell
    LATENCY = 2 + READ_CLOCKS + 1  # from the decision to start a pass to its first operand

    def __init__(self, array: SystolicArray, address_bits: int) -> None:
        self.array = array
        super().__init__(
            {
                "commands": In(stream.Signature(decoded_layout(array))),
                "waiting": In(decoded_layout(array)),
                "command": In(layout(ArrayCommand)),
                "frame": Out(frame_layout(array)),
                "load": Out(load_layout(array)),
                "left_read": Out(1),
                "left_address": Out(address_bits),
                "top_read": Out(1),
                "top_address": Out(address_bits),
                "starting": Out(1),
                "may_load": Out(1),
                "read_done": Out(1),
            }
        )
        address = unsigned(address_bits)
        # Registers.
        self._stream = stream_signals(array, address)
        self._tile = tile_signals(array, address)
        self._swap = swapped_signals(address)
        self._drain_left = Signal(array.rows.bit_length(), name="drain_left")
        self._drained = Signal(name="drained", init=1)  # the pass at the head may capture
        self._drains_soon = Signal(name="drains_soon", init=1)  # two clocks remain at most
        self._taken = Signal(taken_layout(array), name="taken", reset_less=True)
        self._step = Signal(STEP, name="step")
        # This clock.
        self._frame = Signal(frame_layout(array), name="next_frame")
        self._capture = Signal(name="capture")
        self._ending = Signal(name="ending")  # the last clock of a pass
        # The clock behind this one.
        self._array_busy = Signal(name="array_busy")  # an os or rows pass owns the array
        self._swaps = Signal(name="swaps")
        self._tile_may_load = Signal(name="tile_may_load")
        self._may_start = Signal(name="may_start")
        self._start, self._load = Signal(name="start"), Signal(name="load_tile")
        self._resume = Signal(name="resume")
        self._fires = Signal(name="fires")
        self._runs = Signal(name="runs")  # a word is read
        self._sends = Signal(name="sends")
        self._over = Signal(name="over")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._look_ahead(m)
        self._decide(m)
        self._step_stream(m)
        self._step_tile(m)
        self._read_stream(m)
        self._read_tile(m)
        self._capture_sums(m)
        self._keep(m)
        if self.array.overlap:
            m.d.comb += self._may_start.eq(1)
        else:
            self._wait_for_results(m)
        return m

    def _look_ahead(self, m: Module) -> None:
        """What is known of the next clock before any pass starts in it."""
        stream, tile = self._stream, self._tile
        m.d.comb += [
            self._array_busy.eq(stream.keeps & ~stream.over),
            self._swaps.eq(
                tile.waits & tile.loaded & ~self._array_busy & self._drains_soon & stream.two
            ),
            self._tile_may_load.eq(tile.loaded & (~tile.waits | self._swaps) & ~self._array_busy),
        ]

    def _decide(self, m: Module) -> None:
        """The pass at the head of the queue starts, or the next stream of the one under way.

        Sums are captured at the end of the last stream, so only that one waits for the shadow
        registers.
        """
        head, stream = self.commands.payload, self._stream
        idle = stream.free & ~self._swap.now
        # Where the stream of a pass ends in this clock, its sums are captured if it sends them.
        drained = Mux(stream.sending, head.follows, self._drained)
        may_stream, may_load = Signal(), Signal()
        m.d.comb += [
            may_stream.eq(~head.is_tile & stream.idle & drained & self._may_start),
            may_load.eq(head.is_tile & self._tile_may_load & self._may_start),
            self._start.eq(self.commands.valid & may_stream),
            self._load.eq(self.commands.valid & may_load),
            self.starting.eq(self._start | self._load),
            self.commands.ready.eq(may_stream | may_load),
            self.may_load.eq(self._tile_may_load & self._may_start),
            self._resume.eq(idle & ~stream.is_last & (stream.more | stream.drains)),
        ]

    def _step_stream(self, m: Module) -> None:
        """The stream in the next clock."""
        head, stream, swap = self.commands.payload, self._stream, self._swap
        m.d.sync += [
            stream.begins.eq(self._start | self._resume | swap.now),
            stream.over.eq(self._over),
            stream.idle.eq(self._over & ~self._tile.waits & ~self._load),
            stream.running.eq(self._runs),
            stream.sending.eq(self._runs & self._sends),
        ]
        m.d.comb += [self._over.eq(stream.over), self._runs.eq(stream.running)]
        self._prepare(m)
        with m.If(swap.now):
            m.d.sync += [
                stream.free.eq(swap.one),
                stream.one.eq(swap.one),
                stream.two.eq(swap.two),
                stream.is_last.eq(1),
                stream.is_last_fire.eq(1),
            ]
            m.d.comb += [self._runs.eq(1), self._over.eq(swap.one)]
        with m.Elif(self._start):
            m.d.sync += [
                stream.free.eq(head.free),
                stream.one.eq(head.one),
                stream.two.eq(head.two),
                stream.is_last.eq(head.one_stream),
                stream.is_last_fire.eq(head.one_fire),
            ]
            m.d.comb += [self._runs.eq(1), self._over.eq(head.over)]
        with m.Elif(stream.running):
            free = stream.one | (stream.two & stream.is_last_fire)
            m.d.sync += [
                stream.free.eq(free),
                stream.one.eq(stream.two),
                stream.two.eq(stream.clocks_remaining <= 3),
            ]
            m.d.comb += [self._runs.eq(~stream.one), self._over.eq(free & stream.is_last)]
            with m.If(self._fires):
                self._fire(m)
        with m.If(self._resume):
            m.d.sync += [
                stream.free.eq(0),
                stream.one.eq(0),  # a stream of rows has a tap and two values at least
                stream.two.eq(0),
                stream.is_last.eq(~stream.more),
                stream.streams_remaining.eq(stream.streams_remaining - 1),
            ]
            m.d.comb += [self._runs.eq(1), self._over.eq(0)]
        with m.If(self._swaps):
            m.d.sync += stream.two.eq(self._tile.one)

    def _prepare(self, m: Module) -> None:
        """What means something only if a stream is in progress, made ready for any that may begin.

        So the decision to start a pass need not reach it.
        """
        head, stream, swap = self.commands.payload, self._stream, self._swap
        begins = Mux(
            swap.now,
            self._tile.work.m,  # that of a tile that follows comes a clock later
            Mux(
                stream.is_last_fire,
                Mux(stream.is_last, head.clocks, stream.length),
                stream.work.n,
            ),
        )
        m.d.sync += stream.clocks_remaining.eq(
            Mux(
                swap.now | ~stream.running | stream.one,
                begins,
                stream.clocks_remaining - 1,
            )
        )
        m.d.comb += self._fires.eq(stream.running & stream.one & ~stream.is_last_fire)
        m.d.sync += stream.fires_remaining.eq(stream.fires_remaining - self._fires)
        m.d.comb += self._sends.eq(stream.sends)
        m.d.sync += stream.sends.eq(self._sends)
        with m.If(swap.now):
            m.d.comb += self._sends.eq(0)
            m.d.sync += stream.keeps.eq(0)
        with m.Elif(stream.over):
            m.d.comb += self._sends.eq(head.emit)
            m.d.sync += [stream.keeps.eq(1), stream.results.eq(head.results)]

    def _fire(self, m: Module) -> None:
        """The next fire of a stream."""
        stream = self._stream
        m.d.sync += [
            stream.free.eq(stream.fire_one & stream.fire_last),
            stream.one.eq(stream.fire_one),
            stream.two.eq(stream.fire_two),
            stream.is_last_fire.eq(stream.fire_last),
        ]
        m.d.comb += [
            self._runs.eq(1),
            self._over.eq(stream.fire_one & stream.fire_last & stream.is_last),
        ]

    def _step_tile(self, m: Module) -> None:
        """The tile in the next clock, and the one that is swapped in then."""
        head, tile, swap = self.commands.payload, self._tile, self._swap
        words = head.words
        m.d.sync += [swap.now.eq(self._swaps), swap.one.eq(tile.one), swap.two.eq(tile.two)]
        remaining = tile.words_remaining
        with m.If(~tile.waits | self._swaps):
            # Of any tile that may load; without one they mean nothing.
            m.d.sync += [tile.waits.eq(self._load), tile.one.eq(head.one), tile.two.eq(head.two)]
        m.d.sync += [
            tile.loaded.eq(Mux(self._load, words <= 1, remaining <= 2)),
            remaining.eq(Mux(self._load, words, Mux(remaining != 0, remaining - 1, 0))),
        ]

    def _keep(self, m: Module) -> None:
        """What is wide of a pass, a clock behind the decision."""
        head, taken, command = self.commands.payload, self._taken, self.command
        stream, tile, swap, step = self._stream, self._tile, self._swap, self._step
        m.d.sync += [
            taken.clocks.eq(head.clocks),
            taken.short.eq(head.short),
            step.starts.eq(self._start),
            step.resumes.eq(self._resume),
            step.loads.eq(self._load),
            step.swaps.eq(swap.now),
            step.begins.eq(stream.begins),
            step.reads.eq(stream.running),
            step.clocks.eq(stream.clocks_remaining),
            step.more.eq(~stream.one),
            step.captures.eq(self._capture),
            step.ends.eq(self._ending),
            step.tile_reads.eq(tile.words_remaining != 0),
            step.tile_ends.eq(tile.words_remaining == 1),
            # Those of the tile that is swapped in are replaced a clock later at the earliest.
            swap.work.eq(tile.work),
            swap.last.eq(tile.last),
            swap.left_at.eq(tile.left_at),
        ]
        self._keep_stream(m)
        with m.If(step.loads):
            m.d.sync += [
                tile.work.eq(command.work),
                tile.last.eq(command.last),
                tile.left_at.eq(command.left),
                tile.top_at.eq(command.top),
            ]
        with m.Elif(step.tile_reads):
            m.d.sync += tile.top_at.eq(tile.top_at + 1)
        with m.If(step.tile_ends):
            m.d.sync += tile.words_loaded.eq(0)
        with m.Elif(step.tile_reads):
            m.d.sync += tile.words_loaded.eq(tile.words_loaded + 1)

    def _keep_stream(self, m: Module) -> None:
        """The work of the stream and its next words, a clock behind the decision."""
        taken, command, step = self._taken, self.command, self._step
        stream, swap = self._stream, self._swap
        with m.If(step.swaps):
            m.d.sync += [
                stream.work.eq(swap.work),
                stream.of_os.eq(0),
                stream.of_rows.eq(0),
                stream.last.eq(swap.last),
                stream.left_at.eq(swap.left_at),
            ]
        with m.Elif(step.starts):
            m.d.sync += [
                stream.work.eq(command.work),
                stream.of_os.eq(command.work.opcode == Opcode.OS),
                stream.of_rows.eq(command.work.opcode == Opcode.ROWS),
                stream.last.eq(command.last),
                stream.length.eq(taken.clocks),
                stream.short.eq(taken.short),
                stream.behind_taps.eq(command.work.taps + 1),
                stream.is_first.eq(~command.work.accumulate),
                stream.streams_remaining.eq(command.work.streams - 1),
                stream.fires_remaining.eq(command.work.fires - 1),
                stream.left_at.eq(command.left),
                stream.top_at.eq(command.top),
            ]
        with m.Elif(step.reads):
            m.d.sync += [
                stream.left_at.eq(stream.left_at + 1),
                stream.top_at.eq(stream.top_at + 1),
            ]
        with m.If(step.resumes):
            m.d.sync += stream.is_first.eq(0)
        # Nothing waits between the first tap of a stream and the last.
        remaining = stream.taps_remaining
        m.d.sync += remaining.eq(
            Mux(
                step.starts | step.resumes,
                Mux(step.resumes, stream.work.taps, command.work.taps),
                Mux(remaining != 0, remaining - 1, 0),
            )
        )
        m.d.sync += [
            stream.more.eq(stream.streams_remaining > 1),
            stream.drains.eq(self._drain_left <= stream.short + 1),
            stream.fire_one.eq(stream.work.n <= 1),
            stream.fire_two.eq(stream.work.n <= 2),
            stream.fire_last.eq(
                Mux(self._fires, stream.fires_remaining <= 2, stream.fires_remaining <= 1)
            ),
        ]

    def _read_stream(self, m: Module) -> None:
        """One clock of a stream: the words that are read, and what the edge does with them."""
        stream, frame, step = self._stream, self._frame, self._step
        with m.If(step.reads):
            m.d.comb += [
                self.left_read.eq(1),
                frame.valid.eq(1),
                frame.token.columns.eq(stream.work.n),
            ]
            with m.If(stream.of_os):
                self._read_products(m)
            with m.Elif(stream.of_rows):
                self._read_row(m)
            with m.Else():
                self._read_beat(m)
        m.d.comb += [
            self.left_address.eq(stream.left_at),
            frame.swap.eq(step.swaps),
            frame.token.end.eq(step.ends),
            frame.token.last.eq(step.ends & stream.last),
            self.read_done.eq(step.ends),
        ]
        with m.If(step.captures):
            m.d.comb += [frame.capture.eq(1), frame.token.drain.eq(stream.work.m)]
        m.d.sync += self.frame.eq(frame)

    def _read_products(self, m: Module) -> None:
        """os: operands from both sides, one product for every sum."""
        stream, frame = self._stream, self._frame
        m.d.comb += [
            frame.shift_operands.eq(1),
            frame.rows.eq(stream.work.m),
            frame.first.eq(self._step.begins & stream.is_first),
        ]

    def _read_row(self, m: Module) -> None:
        """rows: first the taps, which the edge keeps, then values.

        The taps leave the edge, one clock late each, in the last clocks of the stream and of every
        further fire.
        """
        stream, step, frame = self._stream, self._step, self._frame
        taps, clocks = stream.work.taps, step.clocks
        m.d.comb += [
            frame.half_speed.eq(1),
            frame.rows.eq(stream.work.m),
            frame.tap_write.eq(stream.taps_remaining != 0),
            frame.tap_in.eq(taps - stream.taps_remaining),
            frame.tap_read.eq(step.more & (clocks <= stream.behind_taps)),
            frame.tap_out.eq(stream.behind_taps - clocks),
            frame.first.eq((clocks == taps) & stream.is_first),
        ]

    def _read_beat(self, m: Module) -> None:
        """ws, is: a word meets the stationary tile, and its sums pass down."""
        stream, frame = self._stream, self._frame
        m.d.comb += [
            frame.stationary.eq(1),
            frame.capture.eq(1),
            frame.from_top.eq(1),
            frame.rows.eq(stream.work.k),
            frame.token.beat.eq(1),
            frame.token.start.eq(self._step.begins),
            frame.token.accumulate.eq(stream.work.accumulate),
            frame.token.emit.eq(stream.work.emit),
        ]

    def _read_tile(self, m: Module) -> None:
        """One clock of a load: a word of the stationary tile from the column banks."""
        stream, tile = self._stream, self._tile
        reads = self._step.tile_reads
        m.d.sync += [
            self.top_read.eq(reads | (self._step.reads & (stream.work.opcode == Opcode.OS))),
            self.top_address.eq(Mux(reads, tile.top_at, stream.top_at)),
        ]
        delayed = {"loading": reads, "beat": tile.words_loaded}
        for clock in range(self.READ_CLOCKS):
            later = Signal(self.load.shape(), name=f"load_in_{clock + 1}")
            m.d.sync += [later[name].eq(value) for name, value in delayed.items()]
            delayed = {name: later[name] for name in delayed}
        m.d.comb += self.load.eq(later)

    def _capture_sums(self, m: Module) -> None:
        """Sums of os and rows go to the shadow registers, and leave them row by row."""
        stream = self._stream
        ends = stream.running & stream.one & stream.is_last
        m.d.comb += [
            self._capture.eq(ends & stream.sends),
            self._ending.eq(ends & stream.is_last_fire),
        ]
        # A pass that starts and reads one word only has found the shadow registers free.
        m.d.sync += [
            self._drains_soon.eq(Mux(self._capture, stream.results <= 3, self._drain_left <= 3)),
            self._drained.eq(
                self.starting
                | ~self.waiting.one_stream
                | Mux(
                    self._capture,
                    self.waiting.follows_later,
                    self._drain_left <= self.waiting.later,
                )
            ),
        ]
        with m.If(self._capture):
            m.d.sync += self._drain_left.eq(stream.results - 1)
        with m.Elif(self._drain_left != 0):
            m.d.sync += self._drain_left.eq(self._drain_left - 1)

    def _wait_for_results(self, m: Module) -> None:
        """Without overlap, a pass starts after the last result of the one before it.

        That is the latency of the array behind the last operand, the results of the drain (one for
        a beat, or for sums that are kept), and the columns behind the first; four of these clocks
        pass until a pass could start that does not wait.
        """
        rows, columns, latency = self.array.rows, self.array.columns, self.array.result_latency
        work, step = self._stream.work, self._step
        wait = Signal(range(rows + columns + latency - 4 + 1))
        under_way = Signal()  # a pass has started and is still reading
        m.d.comb += self._may_start.eq(~under_way & (wait == 0))
        with m.If(step.ends):
            m.d.sync += [
                under_way.eq(0),
                wait.eq(Mux(step.captures, work.m, 1) + work.n + latency - 4),
            ]
        with m.Else():
            with m.If(self.starting):
                m.d.sync += under_way.eq(1)
            with m.If(wait != 0):
                m.d.sync += wait.eq(wait - 1)


def stream_signals(array: SystolicArray, address: Shape) -> Stream:
    """Signals of a stream; an address has a shape."""
    work = layout(ArrayPass)
    rows = unsigned(array.rows.bit_length())
    shapes = {
        "work": work,
        "results": rows,
        "length": unsigned(CLOCK_BITS),
        "short": rows,
        "clocks_remaining": unsigned(CLOCK_BITS),
        "behind_taps": unsigned(work["taps"].shape.width + 1),
        "taps_remaining": work["taps"].shape,
        "streams_remaining": work["streams"].shape,
        "fires_remaining": work["fires"].shape,
        "left_at": address,
        "top_at": address,
    }
    return Stream(
        *(
            Signal(
                shapes.get(name, 1),
                name=f"stream_{name}",
                init=int(name in ("one", "two", "free", "over", "idle", "is_last", "is_last_fire")),
            )
            if name != "work"
            else Signal(work, name="stream_work")
            for name in Stream._fields
        )
    )


def tile_signals(array: SystolicArray, address: Shape) -> Tile:
    """Signals of a tile; an address has a shape."""
    work = layout(ArrayPass)
    return Tile(
        work=Signal(work, name="tile_work"),
        last=Signal(name="tile_last"),
        one=Signal(name="tile_one"),
        two=Signal(name="tile_two"),
        waits=Signal(name="tile_waits"),
        loaded=Signal(name="tile_loaded", init=1),
        words_remaining=Signal(array.rows.bit_length(), name="tile_words_remaining"),
        words_loaded=Signal(load_layout(array)["beat"].shape, name="tile_words_loaded"),
        left_at=Signal(address, name="tile_left_at"),
        top_at=Signal(address, name="tile_top_at"),
    )


def swapped_signals(address: Shape) -> Swapped:
    """Signals of a swap; an address has a shape."""
    return Swapped(
        work=Signal(layout(ArrayPass), name="swap_work"),
        last=Signal(name="swap_last"),
        one=Signal(name="swap_one"),
        two=Signal(name="swap_two"),
        now=Signal(name="swap_now"),
        left_at=Signal(address, name="swap_left_at"),
    )
