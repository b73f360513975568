"""Commands of the post-processing unit, which follows the sums of a layer."""

from enum import IntEnum
from typing import Annotated, NamedTuple

from accelsim.passes.base import Bits, Signed


class Rule(IntEnum):
    """How integers times factors are rounded; accelsim.numerics says what each is."""

    ORT = 0  # onnxruntime's, in float32
    TFL_DOUBLE = 1  # TFLite's
    TFL_SINGLE = 2  # TFLite's, built to round once
    TFL_AWAY = 3  # once, ties away from 0: TFLite's mean


_RULES = ", ".join(f"{rule.value} {rule.name.lower()}" for rule in Rule)


class PostChannel(NamedTuple):
    """What belongs to a channel, and comes with every word of it: bias and factor.

    A sum plus bias, modulo 2**32, is multiplied by multiplier 2**-shift. For tfl_double a
    multiplier other than 0 is 2**9 or more, unless the shift is 31 or more.
    """

    bias: Annotated[int, Signed(32), "added to the sums, modulo 2**32"]
    multiplier: Annotated[int, Bits(31), "24 bits with the highest set for ort, to 31 for others"]
    shift: Annotated[int, Bits(6), "from 0 for ort, from 1 to 62 for others"]


class Operation(IntEnum):
    """What becomes of two bytes of one pixel, of the layer and of another map."""

    NONE = 0  # the first
    ADD = 1  # both times factors, added and rounded
    ALIGNED_ADD = 2  # both brought to one scale, added and requantised
    MULTIPLY = 3  # multiplied and requantised


_OPERATIONS = ", ".join(f"{each.value} {each.name.lower()}" for each in Operation)
ADD_BITS = 36  # of a factor of an add
OFFSET_BITS = 46  # of what is added to both, in two's complement
LEAST_DOUBLE = 1 << 9  # of multipliers of tfl_double, so that what it saturates is beyond a byte
LEFT_SHIFT = 20  # of bytes less their zero points, in front of an aligned add


class PostPair(NamedTuple):
    """What becomes of two bytes of one pixel, the layer's and that of another map.

    none         the first.
    add          first first_multiplier + (second second_multiplier + offset), over 2**first_shift,
                 rounded half to even. With `rounded`, either sum is rounded to 24 bits before, half
                 to even.
    aligned_add  either less its zero point is shifted left by 20 bits and multiplied by its factor,
                 multiplier 2**-shift, as the rule says (tfl_double with a shift of at least 31, the
                 others of at least 21). Their sum is requantised.
    multiply     either less its zero point, multiplied and requantised. `offset` is added to the
                 product times its factor before ort rounds it.

    With `subtract` the second less its zero point is negated.

    To requantise is to multiply by multiplier 2**-shift and to round by the rule. The result plus
    zero_point is clamped.
    """

    operation: Annotated[int, Bits(2), Operation, _OPERATIONS]
    first_unsigned: Annotated[int, Bits(1), "1 where the first byte is uint8"]
    second_unsigned: Annotated[int, Bits(1), "1 where the second byte is uint8"]
    first_zero_point: Annotated[int, Signed(9), "of the first, of aligned_add and multiply"]
    second_zero_point: Annotated[int, Signed(9), "of the second, likewise"]
    first_multiplier: Annotated[int, Bits(ADD_BITS), "of the first, of add and aligned_add"]
    second_multiplier: Annotated[int, Bits(ADD_BITS), "of the second, likewise"]
    offset: Annotated[int, Signed(OFFSET_BITS), "of add and multiply"]
    first_shift: Annotated[int, Bits(6), "of the first, in add of both"]
    second_shift: Annotated[int, Bits(6), "of the second, of aligned_add"]
    rounded: Annotated[int, Bits(1), "1 where the sums of add are rounded to 24 bits"]
    subtract: Annotated[int, Bits(1), "1 where the second is negated, less its zero point"]
    rule: Annotated[int, Bits(2), Rule, _RULES]
    multiplier: Annotated[int, Bits(31), "of what is requantised"]
    shift: Annotated[int, Bits(6), "of what is requantised"]
    zero_point: Annotated[int, Signed(9), "added to the integers"]
    low: Annotated[int, Signed(9), "the least result"]
    high: Annotated[int, Signed(9), "the greatest result"]


# The first byte, of either type.
UNPAIRED = PostPair(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, low=-128, high=255)


class PostLayer(NamedTuple):
    """What belongs to a layer: how sums are rounded, and what becomes of the integers.

    The integer next to a sum times its factor, plus the zero point, is clamped to what a byte
    holds, of int8 or uint8, or to less; it may be looked up in a table; and then it may meet the
    byte of another map.
    """

    rule: Annotated[int, Bits(2), Rule, _RULES]
    zero_point: Annotated[int, Signed(9), "added to the integers"]
    low: Annotated[int, Signed(9), "the least result"]
    high: Annotated[int, Signed(9), "the greatest result"]
    looks_up: Annotated[int, Bits(1), "1 where a table maps bytes to bytes"]
    table: Annotated[int, Bits(3), "which table"]
    pair: PostPair = UNPAIRED
