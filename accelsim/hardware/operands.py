"""Widths of operands and sums, which all engines of a design share."""

from dataclasses import dataclass
from typing import Any

from accelsim.errors import HardwareError
from accelsim.hardware.checks import check_whole


@dataclass(frozen=True)
class Operands:
    """Widths of what the multipliers see and of the sums.

    bits : width of an operand; 9 carries int8 or uint8 less its zero point, 8 carries int8 alone.
        Operands of more bits are there for values of more than a byte.
    accumulator_bits : width of a sum, at least that of a product, twice `bits`. Sums wrap to it as
        in hardware; layers whose sums could exceed it are refused.
    """

    bits: int = 9
    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        check_whole("operands.bits", self.bits, 8, 16)
        check_whole("operands.accumulator_bits", self.accumulator_bits, 2 * self.bits, 32)

    @property
    def value_bytes(self) -> int:
        """Of a value where it lies in memory and where it is filled: one, or two above 9 bits."""
        return -(-(self.bits - 1) // 8)


def check_operands(engine: str, value: Any) -> None:
    """HardwareError where an engine of that name is given anything else."""
    if not isinstance(value, Operands):
        raise HardwareError(
            f"{engine}.operands must be a record such as Operands(9), not {value!r}"
        )
