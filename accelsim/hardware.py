"""The hardware that is simulated and generated: sizes and options, valid from birth."""

from dataclasses import dataclass, field
from typing import Any

from accelsim.errors import HardwareError


def _check(what: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise HardwareError(f"{what} must be a whole number from {low} to {high}, not {value!r}")


@dataclass(frozen=True)
class Operands:
    """Widths of what the multipliers see and of the sums.

    bits : width of an operand; 9 carries int8 or uint8 less its zero point.
    accumulator_bits : width of a sum; layers that could exceed it are refused, never wrapped.
    """

    bits: int = 9
    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        _check("operands.bits", self.bits, 8, 16)
        _check("operands.accumulator_bits", self.accumulator_bits, 2 * self.bits, 32)


@dataclass(frozen=True)
class SystolicArray:
    """A systolic array of rows x columns processing elements.

    max_taps : taps that a row's buffer holds, the longest kernel side of mode rows.
    accumulator_depth : words of each column's accumulator, for ws and is.
    overlap : whether consecutive passes overlap; False gives the plain machine.
    bank_depth : words of each operand bank in the generated core.
    """

    rows: int
    columns: int
    max_taps: int = 8
    accumulator_depth: int = 256
    overlap: bool = True
    bank_depth: int = 1024
    operands: Operands = field(default_factory=Operands)

    def __post_init__(self) -> None:
        _check("array rows", self.rows, 1, 1024)
        _check("array columns", self.columns, 1, 1024)
        _check("array max_taps", self.max_taps, 1, 64)
        _check("array accumulator_depth", self.accumulator_depth, 1, 65535)
        _check("array bank_depth", self.bank_depth, 2, 1 << 24)

    @property
    def multipliers(self) -> int:
        """One per processing element."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Hardware:
    """The engines of one design and its clock."""

    array: SystolicArray
    clock_mhz: float = 500.0

    def __post_init__(self) -> None:
        if not self.clock_mhz > 0:
            raise HardwareError(f"clock must be a positive number of MHz, not {self.clock_mhz!r}")
