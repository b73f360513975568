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
from rtl.post.points import point, pointed, rounded
from rtl.post.rounding import Cut, cut, float_half_even, half_up, nudge

RULES = tuple(Rule)
OFFSET = 4  # clocks in which an offset is added
PIECE = 17  # bits that a multiplier of usual FPGAs takes, without a sign


class Widths(NamedTuple):
    """Bits of what a requantisation computes with.

    total : of the integers, which are signed.
    significant : of a float32, and of the multiplier of ort.
    multiplier : of the others.
    shift : all its values are legal for ort, for the others all but 0.
    result : of the magnitude of results; with ort two fewer than `significant` at most.
    left : by which integers are shifted to the left before, without ort; the shift is that of a
        factor less as many, and more than the multiplier's bits less as many for tfl_double, or
        as many.
    """

    total: int = 32
    significant: int = 24
    multiplier: int = 31
    shift: int = 6
    result: int = 8
    left: int = 0


WIDTHS = Widths()


class Requantise(wiring.Component):
    """An integer of every lane times a factor of all of them, rounded to an integer.

    rules : those that the hardware has; what only others need is left out.
    offsets : whether ort adds an offset, as float32, before it rounds to an integer.

    totals, multiplier, shift, rule : the integers of a word, and by what and how.
    offset : with `offsets`, of ort; 0 for the others.
    values : what comes of them, `latency` clocks later; 2**result stands for all from there on, and
        its negative likewise.
    """

    def __init__(
        self,
        lanes: int,
        rules: Sequence[Rule] = RULES,
        widths: Widths = WIDTHS,
        offsets: bool = False,
    ) -> None:
        self.rules, self.widths = frozenset(rules), widths
        self.offsets = offsets and Rule.ORT in rules
        self.floats, self.fixed = Rule.ORT in rules, self.rules != {Rule.ORT}
        self.cuts = self.floats and widths.total > widths.significant + 1
        self.latency = 8 + (2 if self.cuts else 0) + (OFFSET if self.offsets else 0)
        self.multiplier_bits = widths.multiplier if self.fixed else widths.significant
        self.product_bits = widths.total - 1 + self.multiplier_bits
        # A bit beyond those of a float32 below 1, and one more below 1/2 in front of an offset.
        self.fraction_bits = widths.significant + 1 + self.offsets if self.floats else 1
        self.first_bits = widths.multiplier - widths.left  # that tfl_double drops first
        super().__init__(
            {
                "totals": In(data.ArrayLayout(signed(widths.total), lanes)),
                "multiplier": In(self.multiplier_bits),
                "shift": In(widths.shift),
                "rule": In(2),
                **({"offset": In(signed(widths.result + 1))} if self.offsets else {}),
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
                twice=self._is(Rule.TFL_DOUBLE) & (self.shift > self.first_bits),
                **({"offset": self.offset} if self.offsets else {}),
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
            parts = cut(now.size, self.widths.significant, words[0].ort)
            now = later(m, f"cut{n}", **parts._asdict(), negative=now.negative)
            size = Cut.rounded(now.kept, now.step, now.up)[:bits]
            now = later(m, f"significant{n}", size=size, negative=now.negative)
            words = words[2:]
        now = self._multiplied(m, n, now, words[0].multiplier)
        now = self._added(m, n, now, words[1])
        shifts = words[3].shift, words[4].shift
        now = pointed(m, n, now, shifts, self.fraction_bits, self.widths.result)
        words = words[5:]
        if self.offsets:
            now = self._moved(m, n, now, words)
            words = words[OFFSET:]
        up = half_up(point(now))
        if self.floats:
            up = Mux(words[0].ort, float_half_even(point(now)), up)
        return rounded(m, n, now, up)

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
            apart = apart + nudge(negative, word.twice, self.first_bits, bits)
        now = later(m, f"sums{n}", apart=apart[:bits], between=between, negative=now.negative)
        product = (now.apart + (now.between << PIECE))[:bits]
        return later(m, f"product{n}", size=product, negative=now.negative)

    def _moved(
        self, m: Module, n: str, now: SimpleNamespace, words: list[SimpleNamespace]
    ) -> SimpleNamespace:
        """Products as float32, plus an offset, in four clocks.

        Below 1/4 they keep bits that a float32 would keep, too, but for those dropped already:
        no offset brings them near to a half.
        """
        behind, front = self.fraction_bits, self.widths.result
        product, significant = Cat(now.fraction, now.front), self.widths.significant
        parts = cut(product, significant, words[0].ort, now.rest)
        same = {"negative": now.negative, "beyond": now.beyond}
        now = later(m, f"float{n}", **parts._asdict(), **same)
        size = Cut.rounded(now.kept, now.step, now.up)
        now = later(m, f"nearest{n}", size=size, negative=now.negative, beyond=now.beyond)
        offset = words[2].offset
        total = now.size + (Mux(now.negative, -offset, offset) << behind)
        now = later(m, f"moved{n}", total=total, negative=now.negative, beyond=now.beyond)
        turned = now.total[-1] & ~now.beyond
        size = abs(now.total)
        return later(
            m, f"offset{n}", fraction=size[1:behind], front=size[behind : behind + front],
            rest=size[0], beyond=now.beyond | (size >> behind + front).any(),
            negative=now.negative ^ turned,
        )  # fmt: skip


_PLACES = ("00", "01", "10", "11")  # of the pieces of both factors


def _pieces(factor: Value) -> list[Value]:
    """A factor of at most two pieces, the lower one first."""
    return [factor[at : at + PIECE] for at in range(0, len(factor), PIECE)]
