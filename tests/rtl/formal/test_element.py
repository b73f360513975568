"""The element of the array, in arithmetic over what came to its ports, for any order of modes."""

import pytest
from amaranth.hdl import Assert, Cover, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.engines.systolic_array import element
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import past
from tests.rtl.mutants import Mutant, load

OPERAND_BITS, TOTAL_BITS = 3, 7  # sums wrap


class History(wiring.Component):
    """What leaves an element follows from the ports of the clocks before.

    a, b, w, s : into the element, with control bits f.
    """

    def __init__(self, module):
        self.dut, self.flags = module.ProcessingElement(OPERAND_BITS, TOTAL_BITS), module.Flags
        operand = signed(OPERAND_BITS)
        super().__init__(
            {"a": In(operand), "b": In(operand), "w": In(operand), "s": In(signed(TOTAL_BITS))}
            | {"f": In(module.FLAG_BITS)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name in "abwsf":
            m.d.comb += getattr(dut, f"{name}_i").eq(getattr(self, name))
        self._move(m)
        self._add(m)
        return m

    def _move(self, m):
        """Operands, taps and control bits on their way right and down."""
        dut, before = self.dut, self.flags(past(m, self.f))
        held_b, held_w = past(m, dut.b_o), past(m, dut.w_o)
        m.d.comb += [
            Assert(dut.f_o == before.as_value()),
            # Right: in one clock, and in two at half speed.
            Assert(dut.element.a == past(m, self.a)),
            Assert(dut.a_o == Mux(before.half_speed, past(m, self.a, 2), past(m, self.a))),
            # Down, unless at half speed, where the register is in the way of a.
            Assert(before.half_speed | ~before.shift_operands | (dut.b_o == past(m, self.b))),
            Assert(before.half_speed | before.shift_operands | (dut.b_o == held_b)),
            # Taps move right, stationary operands stay until the swap.
            Assert(~before.swap | (dut.w_o == held_b)),
            Assert(before.swap | ~before.stationary | (dut.w_o == held_w)),
            Assert(before.swap | before.stationary | (dut.w_o == past(m, self.w))),
        ]

    def _add(self, m):
        """Sums, of which products come to be part five clocks after their operands."""
        dut, f = self.dut, self.flags(self.f)
        factor = past(m, Mux(f.stationary | f.half_speed, dut.w_o, self.b))
        y, z = past(m, self.a, 2), past(m, factor)
        product = past(m, y * z)
        added = past(m, product)
        before, then = self.flags(past(m, self.f, 4)), self.flags(past(m, self.f, 5))
        total = Signal(signed(TOTAL_BITS))  # of os and rows, since the last `first`
        with m.If(~before.stationary):
            m.d.sync += total.eq(Mux(before.first, 0, total) + added)
        with m.Elif(before.first):
            m.d.sync += total.eq(0)
        above, held = past(m, self.s), past(m, dut.s_o)
        passing = Signal(signed(TOTAL_BITS))  # of ws and is
        m.d.comb += [
            passing.eq(above + past(m, added)),
            Assert(dut.element.x == factor),
            Assert((dut.element.y == y) & (dut.element.z == z)),
            Assert(dut.element.p == product),
            Assert(dut.element.q == added),
            Assert(dut.element.acc == Mux(before.first, 0, total)),
            *(
                Assert(dut.element.g[age][name] == self.flags(past(m, self.f, 2 + age))[name])
                for age in range(3)
                for name in ("first", "capture", "stationary", "shift_shadow")
            ),
            Assert(~(then.capture & then.stationary) | (dut.s_o == passing)),
            Assert(~then.capture | then.stationary | (dut.s_o == total)),
            Assert(then.capture | ~then.shift_shadow | (dut.s_o == above)),
            Assert(then.capture | then.shift_shadow | (dut.s_o == held)),
            Cover((dut.s_o == -1) & then.capture & then.first),
            Cover((dut.s_o == -1) & then.capture & then.stationary & (dut.w_o != 0)),
        ]


MUTANTS = (
    Mutant("os: operand of w", "Mux(f.stationary | f.half_speed, self.w, i.b)", "self.w"),
    Mutant("rows: operand from above", "Mux(f.stationary | f.half_speed,", "Mux(f.stationary,"),
    Mutant("first a clock early", "coming.first", "self.f.first"),
    Mutant("acc not held in ws", "m.Elif(~adding.stationary)", "m.Else()"),
    Mutant("w not held in ws", "Mux(f.stationary, self.w, i.w)", "i.w"),
    Mutant("values at full speed", "Mux(self.f.half_speed, self.b, self.a)", "self.a"),
    Mutant("sums pass the shadow", "Mux(adding.capture, total,", "Mux(adding.capture, self.acc,"),
    Mutant("a product one bit short", "signed(2 * operand_bits)", "signed(2 * operand_bits - 1)"),
)


def test_what_leaves_an_element():
    prove(History(element), 7)


@planted(MUTANTS)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    with pytest.raises(RefutedError):
        prove(History(load(element, mutant, tmp_path, monkeypatch)), 7, induction=0)
