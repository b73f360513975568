"""Commands on their way to the sequencer: order, what follows from them, room for their results."""

from itertools import pairwise

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.hardware import SystolicArray
from accelsim.passes import Opcode
from rtl.engines.systolic_array import commands
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, stays
from tests.rtl.mutants import Mutant, load

ARRAY = SystolicArray(3, 2)
NUMBER_BITS = 4  # commands are counted modulo this power of two, above what can be under way


class Promises(wiring.Component):
    """Any command leaves by its number as it came, decoded, once there is room for its results.

    Words are handed over that were promised, and a sequence is done behind its last command.

    which : the number of the command that is followed.
    """

    def __init__(self, dut):
        self.dut = dut
        ports = dut.signature.members
        super().__init__(
            {name: ports[name] for name in ("i", "o", "handed", "done")}
            | {"which": In(NUMBER_BITS)}
        )

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.i), dut.i)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        m.d.comb += [dut.handed.eq(self.handed), dut.done.eq(self.done)]
        stays(m, self.which)
        self._follow(m)
        self._promise(m, inside)
        return m

    def _follow(self, m):
        """The command that is followed, through four queues of two."""
        parts = (self.dut._taken, self.dut._measured, self.dut._decoded, self.dut._admitted)
        counts = [Signal(NUMBER_BITS, name=f"count_{place}") for place in range(5)]
        streams = [*(part.i for part in parts), self.o]
        for count, moving in zip(counts, streams, strict=True):
            m.d.sync += count.eq(count + (moving.valid & moving.ready))
        command = Signal.like(self.i.payload)
        with m.If(self.i.valid & self.i.ready & (counts[0] == self.which)):
            m.d.sync += command.eq(self.i.payload)
        decoded = Signal.like(self.o.payload)
        m.d.comb += [decoded[name].eq(value) for name, value in self._decoded(command).items()]
        measured = Signal.like(self.dut._measured.o.payload)
        m.d.comb += [measured[name].eq(value) for name, value in self._measured(command).items()]
        expected = (command, measured, decoded, decoded)
        for part, word, (begin, end) in zip(parts, expected, pairwise(counts), strict=True):
            held, front = (begin - end)[:NUMBER_BITS], (self.which - end)[:NUMBER_BITS]
            m.d.comb += [
                Assert(held <= 2),
                Assert(part.o.valid == (held != 0)),
                Assert(part.i.ready == (held != 2)),
                Assert((held == 0) | (front != 0) | (part.o.payload == word)),
                Assert((held != 2) | (front != 1) | (part._second == word)),
            ]
        m.d.comb += Cover(self.o.valid & (counts[4] == self.which) & (self.which == 1))

    def _measured(self, command):
        work = command.work
        fires = Mux(work.emit, work.fires, 0)
        bits = ARRAY.result_depth.bit_length()
        return {
            "command": command,
            "is_tile": (work.opcode == Opcode.WS) | (work.opcode == Opcode.IS),
            "length": work.k + work.taps,
            "parts": Cat(((work.m * fires[at : at + 4]) << at)[:bits] for at in range(0, 16, 4)),
        }

    def _decoded(self, command):
        work = command.work
        tile = (work.opcode == Opcode.WS) | (work.opcode == Opcode.IS)
        length = work.k + work.taps
        clocks = Mux(tile, work.m, length)
        return {
            "command": command,
            "is_tile": tile,
            "clocks": clocks,
            "one": clocks < 2,
            "two": clocks < 3,
            "one_stream": work.streams < 2,
            "one_fire": work.fires < 2,
            "short": Mux(length > ARRAY.rows, ARRAY.rows, length),
            "results": Mux(work.emit, work.m * work.fires, 0),
        }

    def _promise(self, m, inside):
        """Room for what was promised, and an end for every sequence."""
        dut, depth = self.dut, ARRAY.result_depth
        waiting, admitted = dut._decoded.o, dut._admitted
        promised, over = Signal(range(depth + 1)), Signal()
        admits = admitted.i.valid & admitted.i.ready
        m.d.sync += promised.eq(promised + Mux(admits, waiting.payload.results, 0) - self.handed)
        with m.If(self.done):
            m.d.sync += over.eq(0)
        with m.If(self.o.valid & self.o.ready & self.o.payload.command.last):
            m.d.sync += over.eq(1)
        first = self.o.valid & self.o.payload.command.last
        second = ~admitted.i.ready & admitted._second.command.last
        m.d.comb += [
            Assume((promised != 0) | ~self.handed),
            Assume(over | ~self.done),
            Assert(promised <= depth),
            Assert(inside.free == depth - promised),
            # Nothing comes behind the last command until the sequence is done.
            Assert(inside.closed == (over | first | second)),
            Assert(~(over & self.o.valid)),
            Assert(~(first & ~admitted.i.ready)),
            # A command waits for nothing but its reader, room, and the end of what is before it.
            Assert(
                admits
                == (
                    waiting.valid & admitted.i.ready & ~inside.closed
                    & (promised + waiting.payload.results <= depth)
                )
            ),
            Cover(promised == depth),
            Cover(over & waiting.valid),
        ]  # fmt: skip


MUTANTS = (
    Mutant("room for one too many", "results <= free", "results <= free + 1"),
    Mutant("no end", "closed.eq(1)", "closed.eq(0)"),
    Mutant("kept sums are promised", "Mux(work.emit, work.fires, 0)", "work.fires"),
    Mutant("taps are forgotten", "work.k + work.taps", "work.k"),
    Mutant("room is lost", "free + self.handed", "free"),
    Mutant(
        "promised before it is taken", "Mux(take, results, 0)", "Mux(waiting.valid, results, 0)"
    ),
)


def test_order_room_and_ends():
    prove(Promises(commands.Commands(ARRAY)), 9)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(commands, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Promises(twin.Commands(ARRAY)), 6, induction=0)
