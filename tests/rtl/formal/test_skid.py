"""A skid buffer is a queue of two words, whose ready and valid are registers."""

import pytest
from amaranth.hdl import Assert, Cover, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.lib import skid
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import stays
from tests.rtl.mutants import Mutant, load

NUMBER_BITS = 3  # words are counted modulo this power of two, above what can be under way


class Queue(wiring.Component):
    """Any word comes out by its number as it went in, and waits for nothing but its reader.

    which : the number of the word that is followed.
    """

    def __init__(self, dut):
        self.dut = dut
        words = stream.Signature(2)
        super().__init__({"i": In(words), "o": Out(words), "which": In(NUMBER_BITS)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.i), dut.i)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        stays(m, self.which)

        sent, taken, held = (Signal(NUMBER_BITS, name=name) for name in ("sent", "taken", "held"))
        word = Signal(2)
        goes_in, comes_out = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.sync += [sent.eq(sent + goes_in), taken.eq(taken + comes_out)]
        with m.If(goes_in & (sent == self.which)):
            m.d.sync += word.eq(self.i.payload)
        m.d.comb += held.eq(sent - taken)
        front = Signal.like(held)  # words in front of the one that is followed
        m.d.comb += [
            front.eq(self.which - taken),
            Assert((front != 1) | (held != 2) | (dut._second == word)),
            Assert((front != 0) | (held == 0) | (self.o.payload == word)),
            Assert(held <= 2),
            # Counts are registers: nothing offered or taken reaches the other side at once.
            Assert(self.o.valid == (held != 0)),
            Assert(self.i.ready == (held != 2)),
            Cover((self.which == 3) & (front == 0) & comes_out),
            Cover(held == 2),
        ]
        return m


MUTANTS = (
    Mutant("the second word is lost", "o.valid.eq(i.valid | ~self._ready)", "o.valid.eq(i.valid)"),
    Mutant("the first word is doubled", "Mux(self._ready, i.payload,", "Mux(self._ready, payload,"),
    Mutant("the second word is overwritten", "with m.If(self._ready):", "with m.If(1):"),
    Mutant("ready while it holds two", "self._ready.eq(0)", "self._ready.eq(1)"),
    Mutant(
        "ready in the same clock", "i.ready.eq(self._ready)", "i.ready.eq(self._ready | o.ready)"
    ),
)


def test_words_and_their_order():
    prove(Queue(skid.Skid(2)), 8)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    twin = load(skid, mutant, tmp_path, monkeypatch)
    with pytest.raises(RefutedError):
        prove(Queue(twin.Skid(2)), 8, induction=0)
