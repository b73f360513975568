"""Integer semantics in one place: rounding, saturation, programs behind the sums."""

from accelsim.numerics.integers import (
    Int8,
    Int32,
    Integers,
    divide_half_even,
    saturate,
    wrap,
)

__all__ = [
    "Int8",
    "Int32",
    "Integers",
    "divide_half_even",
    "saturate",
    "wrap",
]
