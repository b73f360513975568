"""Sizes of the systolic array."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from accelsim.hardware.checks import check_flag, check_whole
from accelsim.hardware.operands import Operands, check_operands

PRODUCT_REGISTERS = 4  # of an element, that an operand passes before its product is added
RESULT_REGISTERS = 16  # at least as many as a result passes behind the array


@dataclass(frozen=True)
class SystolicArray:
    """A systolic array of rows x columns processing elements.

    max_taps : taps that a row's buffer holds, the longest kernel side of mode rows.
    accumulator_depth : words of each column's accumulator, for ws and is.
    overlap : whether consecutive passes overlap; False gives the plain machine.
    bank_depth : words of each operand bank; a pass reads half of one at most.
    """

    name: ClassVar[str] = "array"
    runs_all: ClassVar[bool] = True
    rows: int
    columns: int
    max_taps: int = 8
    accumulator_depth: int = 256
    overlap: bool = True
    bank_depth: int = 1024
    operands: Operands = field(default_factory=Operands)

    def __post_init__(self) -> None:
        check_whole("array.rows", self.rows, 1, 1024)
        check_whole("array.columns", self.columns, 1, 1024)
        check_whole("array.max_taps", self.max_taps, 1, 64)
        check_whole("array.accumulator_depth", self.accumulator_depth, 1, 65535)
        check_whole("array.bank_depth", self.bank_depth, 2, 1 << 24)
        check_flag("array.overlap", self.overlap)
        check_operands("array", self.operands)

    @property
    def multipliers(self) -> int:
        """One per processing element."""
        return self.rows * self.columns

    @property
    def most_read(self) -> int:
        """Words that a pass reads from a bank at most; the host fills the other half meanwhile."""
        return self.bank_depth // 2

    @property
    def result_latency(self) -> int:
        """Clocks from an operand at the port of row 0 to the sum with it at the bottom of column 0.

        One in every row, and those of the product.
        """
        return self.rows + PRODUCT_REGISTERS

    @property
    def results_on_their_way(self) -> int:
        """Result words at most between their capture in the array and the reader of the core.

        They leave a row after the other and a column after the other, one in a clock, and then pass
        the registers of result port, result memory and credit.
        """
        return self.rows + self.columns + RESULT_REGISTERS

    @cached_property
    def result_depth(self) -> int:
        """Words of the result memory: the next power of two above three times what is on its way.

        A pass starts when there is room for all of its results. With as many words no pass waits
        for room while the reader takes every word at once; see most_streamed and most_fired.
        """
        return 1 << (3 * self.results_on_their_way - 1).bit_length()

    @property
    def command_depth(self) -> int:
        """Words of the memory of commands: those that are taken, and not started, are fewer."""
        return 16

    @cached_property
    def most_streamed(self) -> int:
        """Result words of a pass of ws or is at most.

        Two of them are in the result memory: while one streams, the next one loads.
        """
        return (self.result_depth - self.results_on_their_way) // 2

    @cached_property
    def most_fired(self) -> int:
        """Result words of a pass of os or rows at most, which starts behind all other captures.

        In front of it are, at most, the results of one capture, one for every row.
        """
        return self.result_depth - self.results_on_their_way - self.rows

    @property
    def label(self) -> str:
        """The array in words."""
        return f"{self.name} {self.rows}x{self.columns}" + (
            "" if self.overlap else " without overlap"
        )
