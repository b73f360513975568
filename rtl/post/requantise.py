"""Requantisation: integers of many lanes times a factor, rounded by the rule of a runtime.

A factor is multiplier 2**-shift. Magnitudes are multiplied, piece by piece, shifted to their binary
point and rounded (rtl.post.rounding), all in integers.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from accelsim.passes import Rule
from rtl.lib.pipeline import later
from rtl.post.rounding import Moved, Point, cut, float_half_even, half_up, move, nudge

RULES = tuple(Rule)
PIECE = 16  # bits that a multiplier of any FPGA takes, without a sign


class Widths(NamedTuple):
    """Bits of what a requantisation computes with.

    total : of the integers, which are signed.
    significant : of a float32, and of the multiplier of ort.
    multiplier : of the others.
    shift : all its values are legal for ort, for the others all but 0.
    result : of the magnitude of results; with ort two fewer than `significant` at most.
    """

    total: int = 32
    significant: int = 24
    multiplier: int = 31
    shift: int = 6
    result: int = 8


WIDTHS = Widths()


class Requantise(wiring.Component):
    """An integer of every lane times a factor of all of them, rounded to an integer.

    rules : those that the hardware has; what only others need is left out.

    totals, multiplier, shift, rule : the integers of a word, and by what and how.
    values : what comes of them, `latency` clocks later; 2**result stands for all from there on, and
        its negative likewise.
    """

    def __init__(self, lanes: int, rules: Sequence[Rule] = RULES, widths: Widths = WIDTHS) -> None:
        self.rules, self.widths = frozenset(rules), widths
        self.floats, self.fixed = Rule.ORT in rules, self.rules != {Rule.ORT}
        self.cuts = self.floats and widths.total > widths.significant + 1
        self.latency = 10 if self.cuts else 8
        self.multiplier_bits = widths.multiplier if self.fixed else widths.significant
        self.product_bits = widths.total - 1 + self.multiplier_bits
        self.fraction_bits = widths.significant + 1 if self.floats else 1
        super().__init__(
            {
                "totals": In(data.ArrayLayout(signed(widths.total), lanes)),
                "multiplier": In(self.multiplier_bits),
                "shift": In(widths.shift),
                "rule": In(2),
                "values": Out(data.ArrayLayout(signed(widths.result + 2), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ort, nudged = self._is(Rule.ORT), self._is(Rule.TFL_DOUBLE) | self._is(Rule.TFL_SINGLE)
        words = [
            SimpleNamespace(
                multiplier=self.multiplier,
                shift=self.shift,
                ort=ort,
                up=nudged & (self.multiplier != 0),  # ties towards infinity, and 0 is not negative
                twice=self._is(Rule.TFL_DOUBLE) & (self.shift > self.widths.multiplier),
            )
        ]
        for clock in range(1, self.latency):
            words.append(later(m, f"word{clock}", **vars(words[-1])))
        for n, total in enumerate(self.totals):
            m.d.comb += self.values[n].eq(self._lane(m, f"_{n}", total, words))
        return m

    def _is(self, wanted: Rule) -> Value:
        """Whether a word has a rule; known where the hardware has no other, or not that one."""
        if wanted in self.rules and len(self.rules) > 1:
            return self.rule == wanted.value
        return Const(int(wanted in self.rules), 1)

    def _lane(self, m: Module, n: str, total: Value, words: list[SimpleNamespace]) -> Value:
        """The pipeline of a lane; words[t] is what came with the integer that came t clocks ago."""
        negative, bits = total[-1], self.widths.total
        size = (total.as_unsigned() ^ negative.replicate(bits)) + negative
        now = later(m, f"size{n}", size=size[:bits], negative=negative)
        words = words[1:]
        if self.cuts:
            kept, up = cut(now.size, self.widths.significant, words[0].ort)
            now = later(m, f"cut{n}", kept=kept, up=up, negative=now.negative)
            size = (now.kept + now.up)[:bits]
            now = later(m, f"significant{n}", size=size, negative=now.negative)
            words = words[2:]
        now = self._multiplied(m, n, now, words[0].multiplier)
        now = self._added(m, n, now, words[1])
        now = self._pointed(m, n, now, words[3:])
        return self._rounded(m, n, now, words[5].ort)

    def _multiplied(self, m: Module, n: str, now: SimpleNamespace, b: Value) -> SimpleNamespace:
        """Products of the pieces of a magnitude and a multiplier."""
        products = {
            f"of_{i}{j}": first * second
            for i, first in enumerate(_pieces(now.size))
            for j, second in enumerate(_pieces(b))
        }
        return later(m, f"pieces{n}", **products, negative=now.negative)

    def _added(
        self, m: Module, n: str, now: SimpleNamespace, word: SimpleNamespace
    ) -> SimpleNamespace:
        """Their sum, in two clocks: first of those that do not overlap, with what ties need."""
        low, left, right, high = (getattr(now, f"of_{ij}", Const(0)) for ij in _PLACES)
        apart, between, bits = Cat(low, high), left + right, self.product_bits
        if self.rules & {Rule.TFL_DOUBLE, Rule.TFL_SINGLE}:
            negative = now.negative & word.up
            apart = apart + nudge(negative, word.twice, self.widths.multiplier, bits)
        now = later(m, f"sums{n}", apart=apart[:bits], between=between, negative=now.negative)
        product = (now.apart + (now.between << PIECE))[:bits]
        return later(m, f"product{n}", product=product, negative=now.negative)

    def _pointed(
        self, m: Module, n: str, now: SimpleNamespace, words: list[SimpleNamespace]
    ) -> SimpleNamespace:
        """A product with its point, in two clocks: the last two bits of the shift in the second."""
        behind, none = self.fraction_bits, Const(0, 1)
        kept = behind + self.widths.result
        moved = Moved(Cat(Const(0, behind), now.product), none, none)
        for low in reversed(range(2, self.widths.shift, 2)):
            moved = move(moved, words[0].shift[low : low + 2], 1 << low, kept + (1 << low) - 1)
        now = later(m, f"near{n}", **moved._asdict(), negative=now.negative)
        bits, rest, beyond = move(
            Moved(now.bits, now.rest, now.beyond), words[1].shift[:2], 1, kept
        )
        return later(
            m, f"pointed{n}", fraction=bits[:behind], front=bits[behind:], rest=rest,
            beyond=beyond, negative=now.negative,
        )  # fmt: skip

    def _rounded(self, m: Module, n: str, now: SimpleNamespace, ort: Value) -> Value:
        """The integer next to it, in two clocks: where it goes, and there."""
        point = Point(now.front, now.fraction, now.rest)
        up = half_up(point)
        if self.floats:
            up = Mux(ort, float_half_even(point), up)
        now = later(m, f"up{n}", front=now.front, up=up, beyond=now.beyond, negative=now.negative)
        size = Mux(now.beyond, 1 << self.widths.result, now.front + now.up)
        return later(m, f"value{n}", value=Mux(now.negative, -size, size)).value


_PLACES = ("00", "01", "10", "11")  # of the pieces of both factors


def _pieces(factor: Value) -> list[Value]:
    """A factor of at most two pieces, the lower one first."""
    return [factor[at : at + PIECE] for at in range(0, len(factor), PIECE)]
