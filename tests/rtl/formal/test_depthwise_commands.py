"""Commands of the depthwise engine on their way to its tiles: their order, and what is decided."""

from itertools import pairwise

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import DepthwiseEngine
from accelsim.passes import DepthwiseOpcode
from rtl.engines.depthwise import commands
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past, stays
from tests.rtl.mutants import Mutant, load

ENGINE = DepthwiseEngine(2, 2)
NUMBER_BITS = 3  # commands are counted modulo the words of the memory


class Order(wiring.Component):
    """Any command leaves by its number as it came: what decides, and with its first tile the whole.

    At most one command has left whose pass has not begun, as behind a loader.

    which : the number of the command that is followed.
    """

    def __init__(self, dut):
        self.dut = dut
        ports = dut.signature.members
        super().__init__(
            {name: ports[name] for name in ("i", "o", "begun")} | {"which": In(NUMBER_BITS)}
        )

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.i), dut.i)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        m.d.comb += dut.begun.eq(self.begun)
        stays(m, self.which)
        parts = dut._noted, dut._decided
        counts = [Signal(NUMBER_BITS, name=f"count_{place}") for place in range(4)]
        moves = [part.i.valid & part.i.ready for part in parts]
        moves += [self.o.valid & self.o.ready, self.begun]
        m.d.sync += [count.eq(count + moving) for count, moving in zip(counts, moves, strict=True)]
        followed = Signal.like(self.i.payload)
        with m.If(moves[0] & (counts[0] == self.which)):
            m.d.sync += followed.eq(self.i.payload)
        left = (counts[2] - counts[3])[:NUMBER_BITS]
        comes = past(m, moves[0])
        m.d.comb += [
            Assume((left + moves[2] - moves[3]) <= 1),
            Assume((left != 0) | ~self.begun | moves[2]),
            Assert(left <= 1),
            *(Assert((begin - end)[:NUMBER_BITS] <= 2) for begin, end in pairwise(counts[:3])),
            Assert(inside.comes == comes),
            # One that came in the clock before is in the first queue: nobody could take it yet.
            Assert(~comes | (counts[0] != counts[1])),
            Assert(inside.write == (counts[0] - comes)[:NUMBER_BITS]),
            Assert(inside.read == counts[3]),
        ]
        for part, word, (begin, end) in zip(
            parts, self._words(m, followed), pairwise(counts[:3]), strict=True
        ):
            held, front = (begin - end)[:NUMBER_BITS], (self.which - end)[:NUMBER_BITS]
            m.d.comb += [
                Assert(part.o.valid == (held != 0)),
                Assert(part.i.ready == (held != 2)),
                Assert((held == 0) | (front != 0) | (part.o.payload == word)),
                Assert((held != 2) | (front != 1) | (part._second == word)),
            ]
        self._keep(m, inside, counts, followed, comes)
        return m

    def _keep(self, m, inside, counts, followed, comes):
        """Its place in the memory is written before its pass can begin, and not again before."""
        place = (self.which - counts[3])[:NUMBER_BITS]
        waits = place < (inside.write - counts[3])[:NUMBER_BITS]
        comes_now = comes & (inside.write == self.which)
        kept = Value.cast(inside.word(m, "memory", self.which))
        begun = past(m, self.begun & (counts[3] == self.which))
        m.d.comb += [
            Assert(~comes_now | (inside.came_command == Value.cast(followed))),
            Assert(~waits | (kept == self._whole(m, followed))),
            Assert(~begun | (Value.cast(self.dut.command) == self._whole(m, followed))),
            Cover(begun & (self.which == 1)),
        ]

    def _words(self, m, command):
        """What the two queues hold of a command."""
        work = command.work
        fill = {name: command[name] for name in ("words", "parts", "entries")}
        noted, decided = (
            Signal.like(part.o.payload) for part in (self.dut._noted, self.dut._decided)
        )
        m.d.comb += [
            *(
                word.fill[name].eq(value)
                for word in (noted, decided)
                for name, value in fill.items()
            ),
            *(word.last.eq(command.last) for word in (noted, decided)),
            noted.opcode.eq(work.opcode),
            noted.oh.eq(work.oh),
            noted.row_tiles.eq(command.row_tiles),
            decided.extent.one_row.eq((work.opcode != DepthwiseOpcode.ROW) | (work.oh == 1)),
            decided.extent.one_tile.eq(command.row_tiles == 1),
            decided.extent.tiles_left.eq(command.row_tiles - 1 - 2),
            decided.extent.rows_left.eq(work.oh - 1 - 2),
        ]
        return noted, decided

    def _whole(self, m, command):
        whole = Signal.like(self.dut.command)
        m.d.comb += [
            whole.command.eq(command),
            whole.over_y.eq(command.work.sh + command.stride_y),
            whole.over_x.eq(command.stride_x - command.wrap),
        ]
        return Value.cast(whole)


MUTANTS = (
    Mutant("a command that is not taken is kept", "self.i.valid & self.i.ready", "self.i.valid"),
    Mutant("a command in the place of another", "write.eq(write + comes)", "write.eq(write + 1)"),
    Mutant("tiles of the next command", "read_port.addr.eq(read)", "read_port.addr.eq(read + 1)"),
    Mutant("a row of one tile goes on", "i.row_tiles == 1", "i.row_tiles == 0"),
    Mutant("a step that does not wrap", "command.stride_x - command.wrap", "command.stride_x"),
)


def test_order_and_what_is_decided():
    prove(Order(commands.Commands(ENGINE)), 8)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(commands, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Order(twin.Commands(ENGINE)), 7, induction=0)
