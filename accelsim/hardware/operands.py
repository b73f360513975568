"""Widths of operands and sums, which all engines of a design share."""

from dataclasses import dataclass

from accelsim.hardware.checks import check_whole


@dataclass(frozen=True)
class Operands:
    """Widths of what the multipliers see and of the sums.

    bits : width of an operand; 9 carries int8 or uint8 less its zero point.
    accumulator_bits : width of a sum; layers that could exceed it are refused, never wrapped.
    """

    bits: int = 9
    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        check_whole("operands.bits", self.bits, 8, 16)
        check_whole("operands.accumulator_bits", self.accumulator_bits, 2 * self.bits, 32)
