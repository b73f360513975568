"""Division of small numbers by multiplying with a reciprocal."""

from typing import NamedTuple


class Reciprocal(NamedTuple):
    """n // divisor == (n * factor) >> shift for every n up to the one it was made for."""

    factor: int
    shift: int


def reciprocal(most: int, divisor: int, shift: int | None = None) -> Reciprocal:
    """Reciprocal of `divisor`, exact for 0 .. most.

    With factor = ceil(2^shift / divisor) the product is too large by n / divisor * e, where
    e < divisor is what the rounding added; less than the 2^shift / divisor to the next quotient as
    long as n e < 2^shift. (Granlund and Montgomery, "Division by Invariant Integers using
    Multiplication", PLDI 1994.)

    shift : at least that of the largest divisor, to share it among several; its own if None.
    """
    own = (most * divisor).bit_length()
    shift = own if shift is None else max(shift, own)
    return Reciprocal(-(-(1 << shift) // divisor), shift)
