"""Rounding of magnitudes, without registers: what each rule does at its ties and in front of them.

Rounding to nearest is odd but for its ties, so that signs are kept apart and only say where a tie
goes. The rules are those of accelsim.numerics.

ort         as float32 computes: the integer is rounded to its 24 highest bits, the product is, and
            the result to an integer, all half to even. A float32 has as many fewer bits behind the
            point as it has in front. The halves between integers are float32s, so all that the
            second rounding does to the third is to bring what is very near to a half onto it, where
            the even integer is taken.
tfl_double  the product over 2**31, ties towards infinity, and that over a power of two, ties away
            from 0. To add halves and drop bits twice is to add both halves and drop bits once.
tfl_single  once, ties towards infinity.
tfl_away    once, ties away from 0.

What ties towards infinity is below a half if it is negative: 1 is taken off its magnitude before.
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Value, ValueLike


class Cut(NamedTuple):
    """A magnitude without the bits that it has too many.

    up : whether rounding adds the lowest bit that stays, `step`, to what is kept.
    """

    kept: Value
    step: Value
    up: Value

    @staticmethod
    def rounded(kept: Value, step: Value, up: Value) -> Value:
        """The sum, which has no more bits than the magnitude, unless that has all of them set."""
        return kept + (step & up.replicate(len(step)))


def cut(size: Value, bits: int, wanted: Value, behind: ValueLike = 0) -> Cut:
    """The highest `bits` of a magnitude that has more, rounded half to even; all of it unwanted.

    `behind` is whether any bit was set behind the magnitude.
    """
    zero = Const(0, 1)
    # A bit for every place beyond, the lowest ones set, as many as are dropped.
    dropped = Cat((size[place:] != 0) & wanted for place in range(bits, len(size)))
    below_half = Cat(dropped[1:], zero)
    # One bit, the lowest that stays; none where all stay.
    lowest = Cat(zero, dropped) & ~Cat(dropped, zero)
    low = size[: len(lowest)]
    rest, odd = (low & below_half).any() | behind, (low & lowest).any()
    up = (low & dropped & ~below_half).any() & (rest | odd)
    kept = Cat(low & ~Cat(dropped, zero), size[len(low) :])
    return Cut(kept, lowest, up)


def nudge(negative: Value, twice: Value, multiplier_bits: int, width: int) -> Value:
    """What is added to a product before its half, modulo 2**width.

    That is 1 less for a negative one, and with `twice` the half of the first rounding.
    """
    half = multiplier_bits - 1
    above = width - half - 1
    return Cat(negative.replicate(half), negative ^ twice, (negative & ~twice).replicate(above))


class Moved(NamedTuple):
    """Bits on their way to their place.

    rest : whether any bit was set that has been dropped behind them.
    beyond : whether any was set in front of them, so that they mean nothing.
    """

    bits: Value
    rest: Value
    beyond: Value


def move(i: Moved, places: Value, step: int, kept: int) -> Moved:
    """Bits shifted right by `places` steps, of which so many are kept."""
    numbers = range(1 << len(places))
    values = [Cat(i.bits, Const(0, kept))[n * step :] for n in numbers]
    return Moved(
        _chosen(places, [value[:kept] for value in values]),
        i.rest | _chosen(places, [i.bits[: n * step].any() for n in numbers]),
        i.beyond | _chosen(places, [value[kept:].any() for value in values]),
    )


class Point(NamedTuple):
    """A magnitude with a binary point.

    front, fraction : its bits in front of the point, and behind it.
    rest : whether any bit was set behind these.
    """

    front: Value
    fraction: Value
    rest: Value


def _chosen(number: Value, values: list[Value]) -> Value:
    """One of so many values as a number can choose."""
    for bit in number:
        values = [Mux(bit, odd, even) for even, odd in zip(values[::2], values[1::2], strict=True)]
    (value,) = values
    return value


def half_up(point: Point) -> Value:
    """Whether a magnitude is rounded up; ties are."""
    return point.fraction[-1]


def half_even(point: Point) -> Value:
    """Whether a magnitude is rounded up; ties to even."""
    below_half = point.fraction[:-1].any() | point.rest
    return point.fraction[-1] & (below_half | point.front[0])


def float_half_even(point: Point) -> Value:
    """Whether a magnitude is rounded up after it has become a float32; ties to even, both times.

    The fraction has one bit more than a float32 below 1. With L bits in front of the point, those
    above bit L of the fraction stay in the float32, and bit L is its half.
    """
    front, fraction = point.front, point.fraction
    low, half = fraction[:-1], fraction[-1]
    none = Const(0, len(low) - len(front))
    below = Cat(*((front[place:] != 0) for place in range(len(front))), none)  # bit j: j < L
    up_to = Cat(Const(1, 1), below)[: len(low)]  # bit j: j <= L
    rounds_up = (low & up_to & ~below).any() & (point.rest | (low & below).any())
    above_half = half & ((low & ~up_to).any() | rounds_up)
    becomes_half = ~half & (low | below).all()
    return Mux(front[0], half | becomes_half, above_half)
