"""Requantisation follows the definitions of its rules, for all integers and all factors.

At full width it is proved in parts, since no solver multiplies 32 bits by 31: what becomes of the
integer, that products of pieces are added to the product, and what becomes of any product. At small
widths all is proved at once.
"""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from accelsim.passes import Rule
from rtl.post import points, requantise, rounding
from tests.rtl.formal.proof import RefutedError, planted, prove
from tests.rtl.formal.words import Inside, past
from tests.rtl.mutants import Mutant, load_last

SMALL = requantise.Widths(total=6, significant=4, multiplier=5, shift=4, result=2)


class Definitions:
    """The rules by their definitions, on integers of `bits` bits, of which nothing is lost."""

    def __init__(self, m, bits):
        self._m, self._bits = m, bits

    def named(self, value):
        """A value in a signal of its own that is wide enough for all."""
        named = Signal(signed(self._bits), name="value")
        self._m.d.comb += named.eq(value)
        return named

    def _half(self, places):
        """Half of 2**places, 0 of 1."""
        return self.named((Const(1, self._bits) << places)[: self._bits] >> 1)

    def half_even(self, value, places):
        """value / 2**places of a value of at least 0, a tie to the even integer."""
        over = self.named(value >> places)
        return self.named((value + self._half(places) - ((places != 0) & ~over[0])) >> places)

    def as_float(self, value, significant):
        """The nearest value of so many significant bits, a tie to the even one."""
        places = Signal(range(self._bits), name="places")
        for place in range(significant, self._bits):
            with self._m.If(value[place]):
                self._m.d.comb += places.eq(place + 1 - significant)
        return self.named(self.half_even(value, places) << places)

    def ort(self, size, shift, significant):
        """The magnitude of a product of floats."""
        return self.half_even(self.as_float(size, significant), shift)

    def tfl_double(self, product, shift, multiplier):
        """gemmlowp's two roundings; what TFLite shifts to the left is not dropped on the right."""
        first = Mux(shift < multiplier, shift, multiplier)[: len(shift)]
        second = Mux(shift < multiplier, 0, shift - multiplier)[: len(shift)]
        high = self.named((product + self._half(first)) >> first)
        mask = self.named((Const(1, self._bits) << second)[: self._bits] - 1)
        return self.named((high >> second) + ((high & mask) > (mask >> 1) + (high < 0)))

    def tfl_single(self, product, shift):
        """Rounded once, a tie upwards."""
        return self.named((product + self._half(shift)) >> shift)


def between(value, low, high):
    """The nearest value from low to high."""
    return Mux(value < low, low, Mux(value > high, high, value))


def clamped(value, bits):
    """What the hardware says of a value: 2**bits for all from there on, and likewise below 0."""
    most = 1 << bits
    return Mux(value > most, most, Mux(value < -most, -most, value))


FACTOR = ("multiplier", "shift", "rule")
BEHIND = 6  # clocks from products of pieces to the value


class Rules(wiring.Component):
    """What leaves is what the definitions say of what came.

    total : an integer. Without `multiplies` any products of pieces stand in place of its own.
    offset : with `offsets`, a zero point of one of two types, whose values results are clamped to.
    """

    def __init__(self, module, widths, multiplies, offsets=False):
        self.widths, self.multiplies = widths, multiplies
        self.dut = module.Requantise(1, module.RULES, widths, offsets)
        ports = {"total": In(signed(widths.total)), "multiplier": In(widths.multiplier)}
        ports |= {"shift": In(widths.shift), "rule": In(2)}
        if offsets:
            ports |= {"offset": In(signed(widths.result + 1))}
        if not multiplies:
            self.dut._multiplied = self._any_products
            pieces = [
                (module.PIECE, factor - module.PIECE)
                for factor in (widths.total, widths.multiplier)
            ]
            ports |= {
                f"of_{i}{j}": In(a + b)
                for i, a in enumerate(pieces[0])
                for j, b in enumerate(pieces[1])
            }
            ports |= {"negative": In(1)}
        super().__init__(ports)

    def _any_products(self, m, n, now, multiplier):
        names = [name for name in self.signature.members if name.startswith("of_")]
        return SimpleNamespace(negative=self.negative, **{n: getattr(self, n) for n in names})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        math = Definitions(m, max(dut.product_bits, 1 << self.widths.shift) + 3)
        m.d.comb += [
            dut.totals[0].eq(self.total),
            *(getattr(dut, name).eq(getattr(self, name)) for name in FACTOR),
            Assume((self.rule == Rule.ORT) | (self.shift != 0)),
        ]
        multiplier, shift, rule = (past(m, getattr(self, name), dut.latency) for name in FACTOR)
        negative, size = self._product(m, math, multiplier, rule)
        product = math.named(Mux(negative, -size, size))
        significant, bits = self.widths.significant, self.widths.multiplier
        magnitude, away = math.ort(size, shift, significant), math.tfl_single(size, shift)
        value, value_of = dut.values[0], {
            Rule.ORT: math.named(Mux(negative, -magnitude, magnitude)),
            Rule.TFL_DOUBLE: math.tfl_double(product, shift, bits),
            Rule.TFL_SINGLE: math.tfl_single(product, shift),
            Rule.TFL_AWAY: math.named(Mux(negative, -away, away)),
        }  # fmt: skip
        started = past(m, Const(1, 1), dut.latency)
        if dut.offsets:
            self._with_offset(m, math, shift, rule, negative, size)
            return m
        for each, wanted in value_of.items():
            asked = started & (rule == each)
            m.d.comb += [
                Assert(~asked | (value == clamped(wanted, self.widths.result))),
                Cover(asked & (value == -3)),
            ]
        return m

    def _with_offset(self, m, math, shift, rule, negative, size):
        """Of ort: product and offset are added as floats; values of either type are right."""
        dut, bits = self.dut, self.widths.result
        m.d.comb += [Assume(self.rule == Rule.ORT), dut.offset.eq(self.offset)]
        offset = past(m, self.offset, dut.latency)
        product = math.as_float(size, self.widths.significant)
        moved = math.named((offset << shift) + Mux(negative, -product, product))
        total = math.named(abs(moved))
        whole = math.half_even(math.as_float(total, self.widths.significant), shift)
        wanted = math.named(Mux(moved < 0, -whole, whole))
        started = past(m, Const(1, 1), dut.latency)
        for low, high in ((0, (1 << bits) - 1), (-(1 << bits - 1), (1 << bits - 1) - 1)):
            asked = started & (offset >= low) & (offset <= high)
            m.d.comb += [
                Assert(~asked | (between(dut.values[0], low, high) == between(wanted, low, high))),
                Cover(asked & (wanted == high - 1) & negative),
            ]

    def _product(self, m, math, multiplier, rule):
        """Sign and magnitude of the product that is now a value."""
        if self.multiplies:
            total = past(m, self.total, self.dut.latency)
            size = math.named(abs(total))
            as_float = math.as_float(size, self.widths.significant)
            return total < 0, math.named(Mux(rule == Rule.ORT, as_float, size) * multiplier)
        piece = len(self.of_00) // 2
        between = self.of_01 + self.of_10
        size = math.named(self.of_00 + (between << piece) + (self.of_11 << 2 * piece))
        known = past(m, self.multiplier, self.dut.latency - BEHIND)
        m.d.comb += [
            Assume(size <= (1 << self.dut.product_bits) - (1 << self.widths.multiplier)),
            Assume(~self.negative | ((size == 0) == (known == 0))),
        ]
        return past(m, self.negative, BEHIND), past(m, size, BEHIND)


class Multiplied(wiring.Component):
    """What is multiplied: the magnitude of any integer, as a float for ort, and any multiplier."""

    def __init__(self, module):
        self.module = module
        self.dut = module.Requantise(1, module.RULES)
        widths = self.dut.widths
        super().__init__(
            {
                "total": In(signed(widths.total)),
                "multiplier": In(widths.multiplier),
                "rule": In(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        component, widths = self.dut, self.dut.widths
        dut = Inside(m, component)
        math = Definitions(m, widths.total + 2)
        m.d.comb += [
            component.totals[0].eq(self.total),
            component.multiplier.eq(self.multiplier),
            component.rule.eq(self.rule),
        ]
        started, total, rule = (past(m, each, 3) for each in (Const(1, 1), self.total, self.rule))
        size = math.named(abs(total))
        number = Mux(rule == Rule.ORT, math.as_float(size, widths.significant), size)
        factors = past(m, dut.significant_0_size), past(m, self.multiplier, 4)
        (a0, a1), (b0, b1) = map(self.module._pieces, factors)
        m.d.comb += [
            Assert(~started | (dut.significant_0_size == number)),
            Assert(~started | (dut.significant_0_negative == (total < 0))),
            Assert(dut.pieces_0_of_00 == a0 * b0),
            Assert(dut.pieces_0_of_01 == a0 * b1),
            Assert(dut.pieces_0_of_10 == a1 * b0),
            Assert(dut.pieces_0_of_11 == a1 * b1),
            Cover((rule == Rule.ORT) & (total == -(1 << widths.total - 1) + 63)
                  & (dut.significant_0_size == 1 << widths.total - 1)),
        ]  # fmt: skip
        return m


def prove_small(module, monkeypatch, induction=True):
    """The whole of small widths, whose factors are of two pieces, too."""
    monkeypatch.setattr(module, "PIECE", 3)
    rules = Rules(module, SMALL, multiplies=True)
    latency = rules.dut.latency
    prove(rules, latency + 2, latency + 1 if induction else 0)


def test_small_widths(monkeypatch):
    prove_small(requantise, monkeypatch)


@pytest.mark.full
def test_offsets(monkeypatch):
    monkeypatch.setattr(requantise, "PIECE", 3)
    rules = Rules(requantise, SMALL, multiplies=True, offsets=True)
    prove(rules, rules.dut.latency + 2, rules.dut.latency + 1)


def test_what_is_multiplied():
    prove(Multiplied(requantise), 5, induction=5)


@pytest.mark.full  # a minute
def test_any_product():
    rules = Rules(requantise, requantise.WIDTHS, multiplies=False)
    prove(rules, rules.dut.latency + 2, induction=rules.dut.latency + 1)


ROUNDING = (
    Mutant("integers: ties up", "& (rest | odd)", "& 1"),
    Mutant("integers: ties to odd", "& (rest | odd)", "& (rest | ~odd)"),
    Mutant("integers: dropped bits stay", "Cat(low & ~Cat(dropped, zero),", "Cat(low,"),
    Mutant("integers: what is not wanted is cut", "!= 0) & wanted for", "!= 0) for"),
    Mutant("negative ties away from 0", "Cat(negative.replicate(half), negative ^ twice,",
           "Cat(Const(0, half), twice,"),
    Mutant("rounded once", "negative ^ twice, (negative & ~twice)", "negative, (negative)"),
    Mutant("dropped bits are forgotten", "i.rest | _chosen", "_chosen"),
    Mutant("what is in front is forgotten", "i.beyond | _chosen", "_chosen"),
    Mutant("products: ties up", "rounds_up = (low & up_to & ~below).any() & (",
           "rounds_up = (low & up_to & ~below).any() & 1 | ("),
    Mutant("products: halves stay above", "(low & ~up_to).any() | rounds_up)", "low.any())"),
    Mutant("products: what becomes a half stays below", "half | becomes_half", "half"),
    Mutant("products: ties to odd", "Mux(front[0], half", "Mux(~front[0], half"),
)  # fmt: skip
REQUANTISE = (
    Mutant("0 is negative", "up=nudged & (self.multiplier != 0)", "up=nudged"),
    Mutant("twice where it is once", "self.shift > self.first_bits",
           "self.shift >= self.first_bits"),
    Mutant("a rule too late", "words = words[5:]", "words = words[4:]"),
    Mutant("no rule of floats", "up = Mux(words[0].ort, float_half_even(point(now)), up)",
           "up = up"),
    Mutant("pieces do not overlap", "(now.between << PIECE)", "(now.between << PIECE + 1)"),
)  # fmt: skip
POINTS = (
    Mutant("signs are lost", "^ negative.replicate(bits)", "^ 0"),
    Mutant("negative ones are rounded down", "turned + (negative ^ now.up)", "turned + now.up"),
    Mutant("results wrap", "Mux(now.beyond, Mux(negative, -most, most), near)",
           "near"),
    Mutant("a shift of another clock", "move(moved, shifts[1][low", "move(moved, shifts[0][low"),
)  # fmt: skip


def check_refuted(part, mutant, path, monkeypatch):
    twin = load_last((rounding, points, requantise), part, mutant, path, monkeypatch)
    with pytest.raises(RefutedError):
        prove_small(twin, monkeypatch, induction=False)


@planted(ROUNDING)
def test_planted_errors_of_rounding_are_found(mutant, tmp_path, monkeypatch):
    check_refuted(rounding, mutant, tmp_path, monkeypatch)


@planted(POINTS)
def test_planted_errors_of_points_are_found(mutant, tmp_path, monkeypatch):
    check_refuted(points, mutant, tmp_path, monkeypatch)


@planted(REQUANTISE)
def test_planted_errors_are_found(mutant, tmp_path, monkeypatch):
    check_refuted(requantise, mutant, tmp_path, monkeypatch)
