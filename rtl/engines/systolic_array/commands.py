"""The commands of the systolic array on their way to its sequencer."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, Wait, largest
from rtl.lib.layout import layout
from rtl.lib.memory import memory
from rtl.lib.skid import Skid
from rtl.lib.waits import command_layout

# The longest stream has all taps and values of a pass.
CLOCK_BITS = (largest(ArrayPass, "k") + largest(ArrayPass, "taps")).bit_length()

# Fields of a pass that decide about its start, with its fires.
NOTED = ("opcode", "m", "k", "taps", "streams", "emit")
# So many terms of a product, or sums of them, are added in a clock.
TERMS = 2


def _waits(units: int) -> dict[str, data.StructLayout]:
    return {"wait": layout(Wait)} if units else {}


def _is_tile(opcode: Value) -> Value:
    """Of ws or is."""
    return (opcode == Opcode.WS) | (opcode == Opcode.IS)


def _groups(terms: int) -> int:
    """Of TERMS terms each."""
    return -(-terms // TERMS)


def _grouped(terms: list[Value]) -> list[Value]:
    """Sums of TERMS terms each."""
    return [
        sum(terms[place : place + TERMS], Value.cast(0)) for place in range(0, len(terms), TERMS)
    ]


def noted_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """Those fields of a command that decide about the start of its pass.

    each, times : their product are the words that it sends: as many as it has rows, but one of a
        tile, with each fire, with each beat of a tile, or 0 times where it keeps its sums.
    """
    work = layout(ArrayPass)
    fields = {name: work[name].shape for name in (*NOTED, "fires")}
    fields |= {"each": unsigned(array.rows.bit_length()), "times": fields["fires"], "last": 1}
    return data.StructLayout(fields | _waits(units))


def measured_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """What `summed_layout` is made from.

    length : clocks of a stream of os or rows.  m : of a tile, clocks of its stream.
    parts : their sum are the words that it sends; those of TERMS bits of `each` in each.
    """
    parts = _groups(array.rows.bit_length())
    return data.StructLayout(
        {
            "is_tile": 1,
            "length": unsigned(CLOCK_BITS),
            "m": layout(ArrayPass)["m"].shape,
            "k": unsigned(array.rows.bit_length()),
            "one_stream": 1,
            "one_fire": 1,
            "emit": 1,
            "parts": data.ArrayLayout(array.result_depth.bit_length(), parts),
            "last": 1,
        }
        | _waits(units)
    )


def summed_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """What `decoded_layout` is made from, fields as there.

    parts : TERMS of those before in each.
    """
    rows = unsigned(array.rows.bit_length())
    parts = _groups(_groups(array.rows.bit_length()))
    return data.StructLayout(
        {
            "is_tile": 1,
            "clocks": unsigned(CLOCK_BITS),
            "short": rows,
            "later": unsigned((array.rows + 1).bit_length()),
            "results": rows,
            "words": rows,
            "one_stream": 1,
            "one_fire": 1,
            "emit": 1,
            "parts": data.ArrayLayout(array.result_depth.bit_length(), parts),
            "last": 1,
        }
        | _waits(units)
    )


def decoded_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """What decides about a pass, prepared so that the sequencer compares little.

    is_tile : of ws or is.
    clocks : of its first stream; of the stream behind the tile of ws or is.
    one, two : it has at most so many.
    one_stream, one_fire : it has no more.  free : one and one_fire.  over : one_stream, too.
    short : clocks of a stream, or the rows of the array if those are fewer.
    later : one more than that.
    follows, follows_later : results of a column of the pass before it are at most `short`, or it
        has several streams; they are at most `later`.
    results, words : of a column, if it is of os or rows; of the tile, if it is one.
    emit, last, wait : as in the command.
    """
    rows = unsigned(array.rows.bit_length())
    return data.StructLayout(
        {
            "is_tile": 1,
            "clocks": unsigned(CLOCK_BITS),
            "one": 1,
            "two": 1,
            "one_stream": 1,
            "one_fire": 1,
            "free": 1,
            "over": 1,
            "short": rows,
            "later": unsigned((array.rows + 1).bit_length()),
            "follows": 1,
            "follows_later": 1,
            "results": rows,
            "words": rows,
            "emit": 1,
            "last": 1,
        }
        | _waits(units)
    )


def left_shape(array: SystolicArray) -> Shape:
    """Of words that are left: those of a command before a full result memory are missing."""
    return signed(array.result_depth.bit_length() + 1)


class Commands(wiring.Component):
    """Commands from a host: first what decides about their passes, the whole of them at the start.

    i : commands, with `units` those that wait for them.
    o : what `decoded_layout` says, LATENCY clocks later.
    has_room : there is room for the results of that pass.  handed : a result word has been handed
        over.
    moves, coming : in the next clock `o` has what is coming, if anything is.
    coming_opens, staying_opens : what is coming, or what `o` has and keeps, may start then, if
        there is room.  may_start : there is one, it may, and has room, from a register; holds :
        not so, from a register of its own, for what moves the queue.
    command : of the pass that has left `o` in the clock before, the whole of it.
    """

    LATENCY = 5
    ROOM_LATENCY = 3  # from the clock in which a result word is handed over

    def __init__(self, array: SystolicArray, units: int = 0) -> None:
        self.array, self.units = array, units
        decoded = decoded_layout(array, units)
        self._noted = Skid(noted_layout(array, units))
        self._measured = Skid(measured_layout(array, units))
        self._summed = Skid(summed_layout(array, units))
        self._decoded, self._head = Skid(decoded), Skid(decoded)
        super().__init__(
            {
                "i": In(stream.Signature(command_layout(ArrayCommand, units))),
                "o": Out(self._head.o.signature),
                "has_room": Out(1),
                "handed": In(1),
                "moves": Out(1),
                "coming": Out(decoded),
                "coming_opens": In(1),
                "staying_opens": In(1),
                "may_start": Out(1),
                "holds": Out(1, init=1),
                "command": Out(layout(ArrayCommand)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.noted = noted = self._noted
        m.submodules.measured = measured = self._measured
        m.submodules.summed = summed = self._summed
        m.submodules.decoded = decoded = self._decoded
        m.submodules.head = head = self._head
        self._note(m, noted.i)
        self._measure(m, noted.o, measured.i)
        self._sum(m, measured.o, summed.i)
        self._decode(m, summed.o, decoded.i)
        wiring.connect(m, decoded.o, head.i)
        wiring.connect(m, head.o, wiring.flipped(self.o))
        m.d.comb += [self.moves.eq(head.moves), self.coming.eq(head.coming)]
        self._promise(m, summed.o, decoded, head)
        self._keep(m)
        return m

    def _note(self, m: Module, noted: stream.Interface) -> None:
        command, work, o = self.i.payload, self.i.payload.work, noted.payload
        tile = _is_tile(work.opcode)
        m.d.comb += [
            self.i.ready.eq(noted.ready),
            noted.valid.eq(self.i.valid),
            *(o[name].eq(work[name]) for name in (*NOTED, "fires")),
            o.each.eq(Mux(tile, 1, work.m)),
            o.times.eq(Mux(work.emit, Mux(tile, work.m, work.fires), 0)),
            o.last.eq(command.last),
        ]
        if self.units:
            m.d.comb += o.wait.eq(command.wait)

    def _measure(self, m: Module, noted: stream.Interface, measured: stream.Interface) -> None:
        i, o = noted.payload, measured.payload
        self._pass_on(m, noted, measured, "m", "k", "emit", "last")
        m.d.comb += [
            o.is_tile.eq(_is_tile(i.opcode)),
            o.length.eq(i.k + i.taps),
            o.one_stream.eq(i.streams <= 1),
            o.one_fire.eq(i.fires <= 1),
        ]
        bits = len(o.parts[0])
        terms = [Mux(each, i.times << bit, 0)[:bits] for bit, each in enumerate(i.each)]
        for place, part in enumerate(_grouped(terms)):
            m.d.comb += o.parts[place].eq(part)

    def _sum(self, m: Module, measured: stream.Interface, summed: stream.Interface) -> None:
        i, o = measured.payload, summed.payload
        self._pass_on(m, measured, summed, "is_tile", "one_stream", "one_fire", "emit", "last")
        for place, part in enumerate(_grouped([i.parts[at] for at in range(len(i.parts))])):
            m.d.comb += o.parts[place].eq(part)
        m.d.comb += [
            o.clocks.eq(Mux(i.is_tile, i.m, i.length)),
            o.short.eq(Mux(i.length < self.array.rows, i.length, self.array.rows)),
            o.later.eq(Mux(i.length < self.array.rows, i.length, self.array.rows) + 1),
            o.results.eq(i.m),
            o.words.eq(i.k),
        ]

    def _decode(self, m: Module, summed: stream.Interface, decoded: stream.Interface) -> None:
        i, o = summed.payload, decoded.payload
        same = ("is_tile", "clocks", "one_stream", "one_fire", "short", "later", "results", "words")
        self._pass_on(m, summed, decoded, *same, "emit", "last")
        results = Signal.like(i.results)  # of the command before this one
        m.d.comb += [
            o.one.eq(i.clocks <= 1),
            o.two.eq(i.clocks <= 2),
            o.free.eq(o.one & i.one_fire),
            o.over.eq(o.free & i.one_stream),
            o.follows.eq(~i.one_stream | (results <= i.short)),
            o.follows_later.eq(results <= i.later),
        ]
        with m.If(summed.valid & summed.ready):
            m.d.sync += results.eq(i.results)

    def _pass_on(
        self, m: Module, before: stream.Interface, behind: stream.Interface, *names: str
    ) -> None:
        """A stream goes on, with some fields as they are."""
        m.d.comb += [before.ready.eq(behind.ready), behind.valid.eq(before.valid)]
        for name in (*names, *_waits(self.units)):
            m.d.comb += behind.payload[name].eq(before.payload[name])

    def _promise(self, m: Module, summed: stream.Interface, decoded: Skid, head: Skid) -> None:
        """Whether there is room for what a command and all before it send, as of the clock before.

        The words that are left then are counted beside every command that waits to be decided
        about, so that their sign is a register.
        """
        parts = summed.payload.parts
        sent = sum((parts[place] for place in range(len(parts))), Value.cast(0))
        left = Signal(left_shape(self.array), init=self.array.result_depth)  # behind all of them
        following = left - sent + self.handed
        takes = summed.valid & summed.ready
        m.d.sync += left.eq(Mux(takes, following, left + self.handed))
        given, _ = self._count(m, "decoded", decoded, following)
        staying, kept = self._count(m, "head", head, given + self.handed)
        coming_lacks, staying_lacks = Mux(head.i.ready, given[-1], kept[-1]), staying[-1]
        may_start = Mux(
            head.moves,
            (head.i.valid | ~head.i.ready) & self.coming_opens & ~coming_lacks,
            self.staying_opens & ~staying_lacks,
        )
        m.d.sync += [
            self.has_room.eq(~Mux(head.moves, coming_lacks, staying_lacks)),
            self.may_start.eq(may_start),
            self.holds.eq(~may_start),
        ]

    def _count(self, m: Module, name: str, queue: Skid, given: Value) -> tuple[Signal, Signal]:
        """The words that are left for the first and the second of a queue.

        given : those of what comes in, in the next clock.
        """
        first, second = (
            Signal(left_shape(self.array), name=f"{name}_{place}_left", reset_less=True)
            for place in ("first", "second")
        )
        coming = Mux(queue.i.ready, given, second + self.handed)
        m.d.sync += [
            first.eq(Mux(queue.moves, coming, first + self.handed)),
            second.eq(coming),
        ]
        return first, second

    def _keep(self, m: Module) -> None:
        """Whole commands wait in a memory: nothing asks for them before their passes start."""
        # Those whose passes have not started are fewer: two in each of the skid buffers.
        depth = self.array.command_depth
        words = memory(layout(ArrayCommand), depth)
        m.submodules.commands = words
        write_port, read_port = words.write_port(), words.read_port()
        write = Signal(range(depth))
        read = Signal.like(write)
        m.d.comb += [
            write_port.en.eq(self.i.valid & self.i.ready),
            write_port.addr.eq(write),
            Value.cast(write_port.data).eq(self.i.payload),  # without its Wait, the highest bits
            read_port.en.eq(1),
            read_port.addr.eq(read),
            self.command.eq(read_port.data),
        ]
        m.d.sync += [
            write.eq(write + write_port.en),
            read.eq(read + (self.o.valid & self.o.ready)),
        ]
