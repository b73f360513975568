"""What a mutant of the hardware calls: a shape that is one bit narrower."""

from typing import Any

from amaranth.hdl import Shape


class StillbornError(Exception):
    """The mutant is no hardware at all, so that nothing is learned from it."""


def narrower(shape: Any) -> Any:
    """An integer shape of a bit less; one without bits where it had one."""
    if not isinstance(shape, int | range | Shape):
        raise StillbornError("records and enumerations are as wide as their fields")
    whole = Shape.cast(shape)
    return Shape(max(0, whole.width - 1), whole.signed)
