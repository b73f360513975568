"""Two maps become one: bytes of the layer, and those of another map at the same pixels."""

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from accelsim.hardware import PostProcessing
from accelsim.passes import LEFT_SHIFT, OFFSET_BITS, Operation, Rule
from rtl.lib.pipeline import later
from rtl.post.delay import delayed
from rtl.post.points import point, pointed, rounded
from rtl.post.requantise import Requantise, Widths
from rtl.post.rounding import Cut, cut, half_even

OPERAND = signed(9)  # a byte of either type, and less its zero point
PRODUCT = signed(17)
RESULT_BITS = 8  # of the magnitude of results; what needs more is 2**8
ALIGNED_BITS = 28  # of the magnitude of a byte that is brought to a scale
SIGNIFICANT = 24  # bits of a float32
HALF = 18  # bits of a factor of an add that a multiplier takes
TOTAL = OFFSET_BITS + 2  # bits of the sums of an add
ADDED = 14  # clocks of an add
ADDED_LATER = 4  # after the second byte the first is multiplied


class Pair:
    """What a unit does with two maps.

    latency : clocks from two bytes to the integer that they become.

    Not a component, since settings of every age are asked for. Of an operation, bit 1 says that
    its result is requantised, bit 0 which one it is of the two that do, or do not.
    """

    def __init__(self, sizes: PostProcessing) -> None:
        self.lanes = sizes.lanes
        rules = [Rule[rule.upper()] for rule in sizes.rules]
        self.operations = {Operation[name.upper()] for name in sizes.operations}
        self.aligns = Operation.ALIGNED_ADD in self.operations
        self.multiplies = Operation.MULTIPLY in self.operations
        fixed = [rule for rule in rules if rule != Rule.ORT]
        total = Widths(total=ALIGNED_BITS + 2 if self.aligns else PRODUCT.width)
        each = Widths(OPERAND.width, result=ALIGNED_BITS, left=LEFT_SHIFT)
        self.align = [Requantise(sizes.lanes, fixed, each) for _ in range(2 * self.aligns)]
        self.totalled = 2 + self.align[0].latency if self.aligns else 2
        self.latency = ADDED if Operation.ADD in self.operations else 0
        if self.aligns or self.multiplies:
            self.requantise = Requantise(sizes.lanes, rules, total, self.multiplies)
            self.latency = max(self.latency, self.totalled + self.requantise.latency)

    def values(
        self, m: Module, first: Signal, second: Signal, settings: list[data.View]
    ) -> list[Value]:
        """Integers of every lane.

        first, second : bytes with their sign, 9 bits each.
        settings : those of the word that came so many clocks ago.
        """
        operation = settings[self.latency].operation
        none = delayed(m, "none", first, self.latency)
        chosen: list[Any] = list(none)
        if Operation.ADD in self.operations:
            lag = self.latency - ADDED
            a, b = delayed(m, "first_added", first, lag), delayed(m, "second_added", second, lag)
            sums = [
                self._sum(m, f"_{n}", *pair, settings[lag:])
                for n, pair in enumerate(zip(a, b, strict=True))
            ]
            chosen = _where(operation[0], sums, chosen)
        if self.aligns or self.multiplies:
            lag = self.latency - self.totalled - self.requantise.latency
            a, b = delayed(m, "first_scaled", first, lag), delayed(m, "second_scaled", second, lag)
            scaled = self._requantised(m, a, b, settings[lag:])
            chosen = _where(operation[1], scaled, chosen)
        return chosen

    def _requantised(
        self, m: Module, first: Signal, second: Signal, settings: list[data.View]
    ) -> list[Value]:
        """Products, or sums on one scale, requantised."""
        now = settings[0]
        apart = []
        for n, (a, b) in enumerate(zip(first, second, strict=True)):
            a, b = a - now.first_zero_point, b - now.second_zero_point
            b = Mux(now.subtract, -b, b)
            bits = OPERAND.width
            apart.append(later(m, f"apart_{n}", a=a[:bits].as_signed(), b=b[:bits].as_signed()))
        totals: list[Any] = []
        if self.multiplies:
            products = Signal(data.ArrayLayout(PRODUCT, self.lanes), reset_less=True)
            m.d.sync += [each.eq(p.a * p.b) for each, p in zip(products, apart, strict=True)]
            totals = list(delayed(m, "products", products, self.totalled - 2))
        if self.aligns:
            sums = self._aligned(m, apart, settings)
            multiplied = settings[self.totalled].operation[0]
            totals = _where(multiplied, totals, sums) if totals else sums
        now, requantise = settings[self.totalled], self.requantise
        m.submodules.requantise_pair = requantise
        m.d.comb += [
            requantise.multiplier.eq(now.multiplier),
            requantise.shift.eq(now.shift),
            requantise.rule.eq(now.rule),
            *(place.eq(total) for place, total in zip(requantise.totals, totals, strict=True)),
        ]
        if requantise.offsets:
            m.d.comb += requantise.offset.eq(now.offset)
        return list(requantise.values)

    def _aligned(self, m: Module, apart: list[Any], settings: list[data.View]) -> list[Value]:
        """Sums of both maps on one scale."""
        now = settings[1]
        for name, align in zip(("first", "second"), self.align, strict=True):
            m.submodules[f"align_{name}"] = align
            shift = now[f"{name}_shift"] - LEFT_SHIFT
            m.d.comb += [
                align.multiplier.eq(now[f"{name}_multiplier"]),
                align.shift.eq(shift[: len(align.shift)]),
                align.rule.eq(now.rule),
                *(
                    place.eq(each.a if name == "first" else each.b)
                    for place, each in zip(align.totals, apart, strict=True)
                ),
            ]
        pairs = zip(*(align.values for align in self.align), strict=True)
        return [later(m, f"aligned_{n}", total=a + b).total for n, (a, b) in enumerate(pairs)]

    def _sum(self, m: Module, n: str, a: Value, b: Value, settings: list[data.View]) -> Value:
        """Both bytes times factors, added and rounded."""
        total = _times(m, f"second{n}", b, settings[0].second_multiplier)
        total = later(m, f"plus{n}", total=total + settings[2].offset).total
        inner = _as_float(m, f"inner{n}", total, settings[4].rounded)
        for clock in range(ADDED_LATER):
            a = later(m, f"first{n}_{clock}", a=a).a
        first = _times(m, f"first{n}", a, settings[ADDED_LATER].first_multiplier)
        total = Mux(inner.negative, -inner.size, inner.size) + first
        total = later(m, f"both{n}", total=total[:TOTAL].as_signed()).total
        outer = _as_float(m, f"outer{n}", total, settings[8].rounded)
        shifts = settings[10].first_shift, settings[11].first_shift
        now = pointed(m, f"_added{n}", outer, shifts, 1, RESULT_BITS)
        return rounded(m, f"_added{n}", now, half_even(point(now)))


def _times(m: Module, n: str, byte: Value, factor: Value) -> Value:
    """A byte times a factor, in two clocks."""
    low, high = factor[:HALF], factor[HALF:]
    now = later(m, f"halves_{n}", low=byte * low, high=byte * high)
    return later(m, f"product_{n}", product=now.low + (now.high << HALF)).product


def _as_float(m: Module, n: str, total: Value, wanted: Value) -> SimpleNamespace:
    """Size and sign of a number, in three clocks; of the next float32, if wanted then."""
    size = abs(total)[: len(total)]
    now = later(m, f"size_{n}", size=size, negative=total[-1])
    parts = cut(now.size, SIGNIFICANT, wanted)
    now = later(m, f"cut_{n}", **parts._asdict(), negative=now.negative)
    size = Cut.rounded(now.kept, now.step, now.up)[: len(total)]
    return later(m, f"float_{n}", size=size, negative=now.negative)


def _where(condition: Value, values: list[Any], others: list[Any]) -> list[Any]:
    """The values where a condition is true, else the others."""
    return [Mux(condition, *pair) for pair in zip(values, others, strict=True)]
