"""The commands of the systolic array on their way to its sequencer."""

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode, largest
from rtl.lib.skid import Skid
from rtl.lib.waits import command_layout

# The longest stream has all taps and values of a pass.
CLOCK_BITS = (largest(ArrayPass, "k") + largest(ArrayPass, "taps")).bit_length()

# In so many parts the product of results and fires is made, each an operand of the next clock.
PARTS = 4


def decoded_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """What follows from a command, so that the sequencer compares little, and the command.

    is_tile : of ws or is.
    clocks : of its first stream; of the stream behind the tile of ws or is.
    one, two : it has at most so many.
    one_stream, one_fire : it has no more.
    short : clocks of a stream, or the rows of the array if those are fewer.
    results : words that it sends.
    """
    short = unsigned(array.rows.bit_length())
    results = unsigned(array.result_depth.bit_length())
    return data.StructLayout(
        {
            "is_tile": 1,
            "clocks": unsigned(CLOCK_BITS),
            "one": 1,
            "two": 1,
            "one_stream": 1,
            "one_fire": 1,
            "short": short,
            "results": results,
            "command": command_layout(ArrayCommand, units),
        }
    )


def measured_layout(array: SystolicArray, units: int = 0) -> data.StructLayout:
    """What `decoded_layout` is made from, and the command.

    length : clocks of a stream of os or rows.
    parts : the words that a pass sends, by the bits of its fires, in PARTS equal parts.
    """
    decoded = decoded_layout(array, units)
    results = decoded["results"].shape
    return data.StructLayout(
        {
            "is_tile": 1,
            "length": unsigned(CLOCK_BITS),
            "parts": data.ArrayLayout(results, PARTS),
            "command": decoded["command"].shape,
        }
    )


class Commands(wiring.Component):
    """Commands from a host: decoded, then held back until there is room for their results.

    i : commands, with `units` those that wait for them.
    o : what `decoded_layout` says, LATENCY clocks later; those of one sequence.
    handed : a result word has been handed over.  done : the sequence is over.
    waiting, crowded : the command that comes next, and that it had no room in the clock before.
    """

    LATENCY = 4
    ROOM_LATENCY = 3  # from the clock in which a result word is handed over

    def __init__(self, array: SystolicArray, units: int = 0) -> None:
        self.array = array
        decoded = decoded_layout(array, units)
        self._taken = Skid(command_layout(ArrayCommand, units))
        self._measured = Skid(measured_layout(array, units))
        self._decoded, self._admitted = Skid(decoded), Skid(decoded)
        super().__init__(
            {
                "i": In(self._taken.i.signature.flip()),
                "o": Out(self._admitted.o.signature),
                "waiting": Out(decoded),
                "crowded": Out(1),
                "handed": In(1),
                "done": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.taken = taken = self._taken
        m.submodules.measured = measured = self._measured
        m.submodules.decoded = decoded = self._decoded
        m.submodules.admitted = admitted = self._admitted
        wiring.connect(m, wiring.flipped(self.i), taken.i)
        self._measure(m, taken.o, measured.i)
        self._decode(m, measured.o, decoded.i)
        self._admit(m, decoded.o, admitted.i)
        wiring.connect(m, admitted.o, wiring.flipped(self.o))
        return m

    def _admit(self, m: Module, waiting: stream.Interface, admitted: stream.Interface) -> None:
        """A command whose results have room, behind the end of the sequence before its own."""
        results = waiting.payload.results
        # Words of the result memory that no command has been promised.
        free = Signal(results.shape(), init=self.array.result_depth)
        closed = Signal()  # the last command of a sequence has been admitted
        has_room, admissible, take = Signal(), Signal(), Signal()
        m.d.comb += [
            self.waiting.eq(waiting.payload),
            has_room.eq(results <= free),
            admissible.eq(~closed & has_room),
            admitted.valid.eq(waiting.valid & admissible),
            admitted.payload.eq(waiting.payload),
            waiting.ready.eq(admitted.ready & admissible),
            take.eq(waiting.valid & waiting.ready),
        ]
        m.d.sync += [
            free.eq(free + self.handed - Mux(take, results, 0)),
            self.crowded.eq(waiting.valid & ~closed & ~has_room),
        ]
        with m.If(self.done):
            m.d.sync += closed.eq(0)
        with m.If(take & waiting.payload.command.last):
            m.d.sync += closed.eq(1)

    def _measure(self, m: Module, command: stream.Interface, measured: stream.Interface) -> None:
        work, o = command.payload.work, measured.payload
        bits = len(work.fires) // PARTS
        fires = Mux(work.emit, work.fires, 0)
        m.d.comb += [
            command.ready.eq(measured.ready),
            measured.valid.eq(command.valid),
            o.command.eq(command.payload),
            o.is_tile.eq((work.opcode == Opcode.WS) | (work.opcode == Opcode.IS)),
            o.length.eq(work.k + work.taps),
        ]
        for part in range(PARTS):
            some = fires.word_select(part, bits)
            m.d.comb += o.parts[part].eq(_product(work.m << part * bits, some, len(o.parts[part])))

    def _decode(self, m: Module, measured: stream.Interface, decoded: stream.Interface) -> None:
        i, o = measured.payload, decoded.payload
        work = i.command.work
        m.d.comb += [
            measured.ready.eq(decoded.ready),
            decoded.valid.eq(measured.valid),
            o.command.eq(i.command),
            o.is_tile.eq(i.is_tile),
            o.clocks.eq(Mux(i.is_tile, work.m, i.length)),
            o.one.eq(o.clocks <= 1),
            o.two.eq(o.clocks <= 2),
            o.one_stream.eq(work.streams <= 1),
            o.one_fire.eq(work.fires <= 1),
            o.short.eq(Mux(i.length < self.array.rows, i.length, self.array.rows)),
            o.results.eq(_total([i.parts[part] for part in range(PARTS)])),
        ]


def _product(a: Value, b: Value, bits: int) -> Value:
    """The lowest bits of a product, from adders: multipliers are for data."""
    return _total([Mux(b[bit], a << bit, 0)[:bits] for bit in range(len(b))])[:bits]


def _total(terms: list[Value]) -> Value:
    """The sum of terms, by a tree of adders."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return _total(terms[:half]) + _total(terms[half:])
