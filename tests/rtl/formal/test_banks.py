"""Operand banks: what was written is read, a clock later from bank to bank."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Const, Cover, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.lib import banks
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past, stays
from tests.rtl.mutants import Mutant, load

COUNT, DEPTH, BITS = 3, 4, 2
CLOCKS = COUNT + 2  # from a read to the last bank's word


class Skew(wiring.Component):
    """Any word of any bank, read and written at any time.

    bank, place : the word that is followed, by its address.
    """

    def __init__(self, dut):
        self.dut = dut
        super().__init__(
            {
                "fill": In(dut.fill.signature.flip()),
                "read": In(1),
                "address": In(dut.address_bits),
                "bank": In(range(COUNT)),
                "place": In(dut.address_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        dut, inside = self.dut, Inside(m, self.dut)
        wiring.connect(m, wiring.flipped(self.fill), dut.fill)
        m.d.comb += [dut.read.eq(self.read), dut.address.eq(self.address)]
        stays(m, self.bank)
        stays(m, self.place)
        m.d.comb += Assume(self.bank < COUNT)

        content = Signal(BITS)  # what may be read of it
        fill = self.fill.payload
        written = past(m, self.fill.valid & (fill.address == self.place))
        value = past(m, Array(fill.data)[self.bank].as_unsigned())
        with m.If(written):
            m.d.sync += content.eq(value)
        asked = self.read & (self.address == self.place)
        reads, asks = (
            Array(past(m, value, clocks) if clocks else value for clocks in range(COUNT))[self.bank]
            for value in (self.read, asked)
        )
        word = Array(dut.word)[self.bank].as_unsigned()
        kept = Array(inside.word(m, f"bank_{i}", self.place) for i in range(COUNT))[self.bank]
        m.d.comb += [
            Assert(kept.as_unsigned() == content),
            # Anything may come of a word that is written while it is read.
            Assert(~past(m, asks & ~written, 2) | (word == past(m, content, 2))),
            # It stays until the next one; nothing is said of what is there before the first.
            Assert(~past(m, Const(1), 2) | past(m, reads, 2) | (word == past(m, word))),
            Cover(past(m, asks, 2) & (self.bank == COUNT - 1) & (word == 2)),
        ]
        return m


MUTANTS = (
    Mutant("no skew of addresses", "read, address = later, later_address", "read = later"),
    Mutant("no skew of reading", "read, address = later, later_address", "address = later_address"),
    Mutant("banks share a word", "fill.data[i]", "fill.data[0]"),
    Mutant(
        "every bank is written at 0", "write_port.addr.eq(fill.address)", "write_port.addr.eq(0)"
    ),
)


def test_what_was_written_is_read():
    prove(Skew(banks.OperandBanks(COUNT, DEPTH, BITS)), 8, induction=CLOCKS)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(banks, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Skew(twin.OperandBanks(COUNT, DEPTH, BITS)), 8, induction=0)
