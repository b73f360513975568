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
    multiplier other than 0 has its highest bit set, unless the shift is 31 or more.
    """

    bias: Annotated[int, Signed(32), "added to the sums, modulo 2**32"]
    multiplier: Annotated[int, Bits(31), "24 bits with the highest set for ort, to 31 for others"]
    shift: Annotated[int, Bits(6), "from 0 for ort, from 1 to 62 for others"]


class PostLayer(NamedTuple):
    """What belongs to a layer: how sums are rounded, and what becomes of the integers.

    The integer next to a sum times its factor, plus the zero point, is clamped to what a byte
    holds, of int8 or uint8, or to less; and it may be looked up in a table.
    """

    rule: Annotated[int, Bits(2), Rule, _RULES]
    zero_point: Annotated[int, Signed(9), "added to the integers"]
    low: Annotated[int, Signed(9), "the least result"]
    high: Annotated[int, Signed(9), "the greatest result"]
    looks_up: Annotated[int, Bits(1), "1 where a table maps bytes to bytes"]
    table: Annotated[int, Bits(3), "which table"]
