"""What the area of the array is estimated from: R rows, C columns, T taps, and its memories."""

from accelsim.engines.area import ACCUMULATORS, OPERANDS, RESULTS, Area, Memories
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, widths


def features(array: SystolicArray, lut_blocks: int) -> tuple[float, ...]:
    """1, R, C, R C, R T, blocks of LUT memory, bits of an address of results."""
    rows, columns = array.rows, array.columns
    taps, address_bits = rows * array.max_taps, array.result_depth.bit_length() - 1
    return 1, rows, columns, rows * columns, taps, lut_blocks, address_bits


def command_bits() -> int:
    """Bits of a command, without what it waits for."""
    fields = {**widths(ArrayPass), **widths(ArrayCommand)}
    return sum(width for width in fields.values() if isinstance(width, int))


def memories(array: SystolicArray) -> tuple[Memories, ...]:
    """Commands, operand banks of rows and columns, accumulators, and results."""
    bits, total = array.operands.bits, array.operands.accumulator_bits
    return (
        Memories(OPERANDS, 1, array.command_depth, command_bits()),
        Memories(OPERANDS, array.rows + array.columns, array.bank_depth, bits),
        Memories(ACCUMULATORS, array.columns, array.accumulator_depth, total),
        Memories(RESULTS, array.columns, array.result_depth, total),
    )


def calibrated(array: SystolicArray) -> bool:
    """Whether synthesised cores are like this one: they are for all sizes and options."""
    return True


AREA = Area(features, memories, calibrated)
