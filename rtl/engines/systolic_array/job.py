"""Sequences of the systolic array as jobs of its host."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayCommand, ArrayPass, Opcode
from rtl.host.chunks import Int, Reads
from rtl.host.driver import Job
from rtl.host.job import Memory, Operands, check_last, check_memory, make_job

# Columns of a table of commands.
COLUMNS = ArrayPass._fields.index("n")
LEFT = len(ArrayPass._fields)
TOP = LEFT + 1
LAST = LEFT + 2
assert ArrayCommand._fields[1:] == ("left", "top", "last")

# Clocks beyond the longest pass that the sequencer may look ahead, with its pipeline.
_SLACK = 32


class Words(NamedTuple):
    """Words per pass: read from the left banks, from the top banks, and sent as results."""

    left: Int
    top: Int
    results: Int


def words(commands: Int) -> Words:
    """Operand and result words of every pass of a table of commands, int64[passes, 12]."""
    opcode, m, n, k, taps, streams, fires, _, emit = commands[:, :LEFT].T
    rows = opcode == Opcode.ROWS
    os = opcode == Opcode.OS
    lines = streams * (taps + k) + (fires - 1) * n
    return Words(
        left=np.where(rows, lines, np.where(os, k, m)),
        top=np.where(rows, 0, k),
        results=np.where(rows, m * fires, np.where(os, m, m * emit)),
    )


def bank_depth(commands: Int, rows: int, columns: int) -> int:
    """Depth of bank with which a sequence runs, however long it is.

    A half holds two of the longest passes and as many words as the last row or column reads
    later than the first. So while the core waits for the first command of a chunk, the passes
    of the chunk before last have been read completely, and the host is not waiting for the core.
    """
    used = words(commands)
    longest = max(int(used.left.max(initial=1)), int(used.top.max(initial=1)))
    half = 2 * longest + max(rows, columns) + _SLACK
    return 1 << (2 * half - 1).bit_length()


def deep_array(array: SystolicArray, commands: Int) -> SystolicArray:
    """The array with banks deep enough for a sequence, in powers of two so that few differ."""
    depth = bank_depth(commands, array.rows, array.columns)
    return dataclasses.replace(array, bank_depth=max(array.bank_depth, depth))


def array_memories(
    array: SystolicArray, commands: Int, left: Operands, top: Operands
) -> tuple[Memory, Memory]:
    """What a sequence keeps in the operand banks; AccelsimError where it is not one sequence."""
    check_last(commands[:, LAST])
    used, depth, bits = words(commands), array.bank_depth, array.operands.bits
    found = (
        Memory("left_fill", LEFT, Reads(commands[:, LEFT], used.left), left, depth),
        Memory("top_fill", TOP, Reads(commands[:, TOP], used.top), top, depth),
    )
    for name, memory, width in zip(
        ("left", "top"), found, (array.rows, array.columns), strict=True
    ):
        shape = memory.words.shape
        if len(shape) != 2 or shape[1] != width:
            raise AccelsimError(f"{name} words have {width} operands, not shape {shape}")
        check_memory(name, memory, bits)
    return found


def array_job(
    array: SystolicArray, component: Any, commands: Int, memories: tuple[Memory, Memory]
) -> Job:
    """The job of a sequence on a core."""
    used = words(commands)
    longest = int(max(used.left.max(), used.top.max()))
    patience = 4 * (longest + array.rows + array.columns) + 1000
    return make_job(component, commands, memories, int(used.results.sum()), patience)


def used_columns(commands: Int) -> Int:
    """Sums of every result word that mean something."""
    return np.repeat(commands[:, COLUMNS], words(commands).results)
