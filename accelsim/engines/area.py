"""What the area of an engine's generated core is estimated from; see accelsim.sweep.area."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

OPERANDS, ACCUMULATORS, RESULTS = KINDS = ("operand", "accumulator", "result")


class Memories(NamedTuple):
    """Some memories of a core that are alike.

    kind : what they hold: OPERANDS, ACCUMULATORS or RESULTS.
    """

    kind: str
    number: int
    words: int
    bits: int

    @property
    def total_bits(self) -> int:
        """Of all of them."""
        return self.number * self.words * self.bits


class Area(NamedTuple):
    """What decides the area of an engine.

    features : features(sizes, lut_blocks), numbers in which cells are linear; `lut_blocks` is how
        many blocks of LUT memory its memories take.
    memories : memories(sizes), all of them.
    calibrated : calibrated(sizes), whether the cores that were synthesised are like this one.
    """

    features: Callable[[Any, int], tuple[float, ...]]
    memories: Callable[[Any], Sequence[Memories]]
    calibrated: Callable[[Any], bool]
