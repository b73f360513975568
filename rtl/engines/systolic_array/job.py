"""Sequences of the systolic array as jobs of its host."""

from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from accelsim.limits.systolic_array import limits
from accelsim.passes import (
    ArrayCommand,
    ArrayPass,
    ArrayWords,
    addresses,
    array_words,
    check_sums,
    columns,
)
from rtl.engines.systolic_array.core import LEAD, ROOM_LEAD
from rtl.host.chunks import Int, Reads
from rtl.host.driver import Job
from rtl.host.job import (
    Memory,
    Operands,
    check_bits,
    check_memory,
    check_sequence,
    make_job,
)
from rtl.host.starts import Room

FIELDS = len(ArrayPass._fields)
COLUMNS = columns(ArrayCommand)["n"]
LEFT, TOP = addresses(ArrayCommand)


def words(commands: Int) -> ArrayWords:
    """Operand and result words of every pass of a table of commands, int64[passes, fields]."""
    return array_words(ArrayPass(*commands[:, :FIELDS].T))


def memories(
    array: SystolicArray, commands: Int, left: Operands, top: Operands
) -> tuple[Memory, Memory]:
    """What a sequence keeps in the operand banks; AccelsimError where it is not one sequence."""
    check_sequence(ArrayCommand, commands, lambda command: limits(array, command.work))
    check_sums(ArrayPass(*commands[:, :FIELDS].T))
    read, depth, bits = words(commands), array.bank_depth, array.operands.bits
    held = (
        Memory("left_fill", LEFT, Reads(commands[:, LEFT], read.left), left, depth),
        Memory("top_fill", TOP, Reads(commands[:, TOP], read.top), top, depth),
    )
    for name, memory, width in zip(("left", "top"), held, (array.rows, array.columns), strict=True):
        shape = memory.words.shape
        if len(shape) != 2 or shape[1] != width:
            raise AccelsimError(f"{name} words have {width} operands, not shape {shape}")
        check_memory(name, memory)
        check_bits(name, memory.words, bits)
    return held


def of_sequence(
    array: SystolicArray, component: Any, commands: Int, held: tuple[Memory, Memory]
) -> Job:
    """The job of a sequence on a core."""
    moved = words(commands)
    longest = int(max(moved.left.max(), moved.top.max()))
    patience = 4 * (longest + array.rows + array.columns) + 1000
    return make_job(component, commands, held, int(moved.results.sum()), patience)


def used(array: SystolicArray, commands: Int) -> Int:
    """Sums of every result word that mean something."""
    return np.repeat(commands[:, COLUMNS], words(commands).results)


def lead(array: SystolicArray) -> int:
    """Clocks from taking a command to the first operand at a port."""
    return LEAD


def room(array: SystolicArray, commands: Int) -> Room:
    """Result words that must have been taken before each pass starts, all of its own reserved."""
    promised = np.cumsum(words(commands).results)
    return Room(np.maximum(promised - array.result_depth, 0), ROOM_LEAD)
