"""What the area of the array is estimated from: R rows, C columns, T taps, and its memories."""

from accelsim.engines.area import Area, Memories
from accelsim.engines.systolic_array.schedule import result_depth
from accelsim.hardware import SystolicArray


def features(array: SystolicArray, lut_blocks: int) -> tuple[float, ...]:
    """1, R, C, R C, R T, blocks of LUT memory."""
    rows, columns = array.rows, array.columns
    return 1, rows, columns, rows * columns, rows * array.max_taps, lut_blocks


def memories(array: SystolicArray) -> tuple[Memories, ...]:
    """Operand banks of rows and columns, accumulators, and results."""
    bits, total = array.operands.bits, array.operands.accumulator_bits
    return (
        Memories(array.rows + array.columns, array.bank_depth, bits),
        Memories(array.columns, array.accumulator_depth, total),
        Memories(array.columns, result_depth(array), total),
    )


def calibrated(array: SystolicArray) -> bool:
    """Whether synthesised cores are like this one: they are for all sizes and options."""
    return True


AREA = Area(features, memories, calibrated)
