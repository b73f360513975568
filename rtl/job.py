"""What the host of a core sends, as bits of the core's ports, and sums from the bits it returns."""

from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError
from accelsim.hardware import SystolicArray
from rtl.chunks import COLUMNS, LAST, LEFT, TOP, Block, Chunk, Int, chunks, words
from rtl.host import UNDEFINED, Bytes, Job
from rtl.ports import Field, payload

Operands = npt.NDArray[np.integer[Any]]


def check_sequence(array: SystolicArray, commands: Int, left: Operands, top: Operands) -> None:
    """Raise AccelsimError where commands and operands are not one sequence for the array."""
    if len(commands) == 0 or commands[-1, LAST] != 1 or commands[:-1, LAST].any():
        raise AccelsimError("a sequence has `last` at its end and nowhere else")
    used = words(commands)
    for name, bank, width, base, count in (
        ("left", left, array.rows, commands[:, LEFT], used.left),
        ("top", top, array.columns, commands[:, TOP], used.top),
    ):
        if bank.ndim != 2 or bank.shape[1] != width:
            raise AccelsimError(f"{name} words have {width} operands, not shape {bank.shape}")
        end = int((base + count).max())
        if end > len(bank):
            raise AccelsimError(f"commands read {name} word {end - 1} of {len(bank)}")
        if count.max() > array.bank_depth // 2:
            raise AccelsimError(
                f"a pass reads {count.max()} {name} words, more than half a bank of "
                f"{array.bank_depth}"
            )
        most = 1 << (array.operands.bits - 1)
        if bank.size and not -most <= bank.min() <= bank.max() < most:
            raise AccelsimError(f"{name} operands do not fit {array.operands.bits} bits")


def make_job(
    array: SystolicArray, component: Any, commands: Int, left: Operands, top: Operands
) -> Job:
    """The job of a checked sequence on a core, its payloads laid out as the core's ports are."""
    placed, parts = chunks(commands, array.bank_depth)
    used = words(commands)
    chunk_of = np.repeat(np.arange(len(parts)), [part.end - part.first for part in parts])
    left_blocks = [part.left for part in parts]
    top_blocks = [part.top for part in parts]
    longest = int(max(used.left.max(), used.top.max()))
    return Job(
        commands=_pack(payload(component, "commands"), placed),
        left_fill=_fill(payload(component, "left_fill"), left_blocks, left),
        top_fill=_fill(payload(component, "top_fill"), top_blocks, top),
        command_after=chunk_of + 1,
        left_after=_passes_before(parts, left_blocks),
        top_after=_passes_before(parts, top_blocks),
        left_ends=_ends(left_blocks),
        top_ends=_ends(top_blocks),
        results=int(used.results.sum()),
        patience=4 * (longest + array.rows + array.columns) + 1000,
    )


def _passes_before(parts: list[Chunk], blocks: list[tuple[Block, ...]]) -> Int:
    """Per fill word: passes to be read before it is sent, those of the chunk before last."""
    counts = [sum(block.length for block in chunk) for chunk in blocks]
    before = [0, 0, *(part.end for part in parts)][: len(parts)]
    return np.repeat(np.array(before, np.int64), counts)


def _ends(blocks: list[tuple[Block, ...]]) -> Int:
    counts = [sum(block.length for block in chunk) for chunk in blocks]
    return np.cumsum(np.array(counts, np.int64))


def _fill(fields: list[Field], blocks: list[tuple[Block, ...]], operands: Operands) -> Bytes:
    """Payloads of a fill stream for blocks of operand words, in order."""
    table = np.array([block for chunk in blocks for block in chunk], np.int64).reshape(-1, 3)
    source, length, address = table.T
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    values = [
        (np.repeat(address, length) + within)[:, None],
        operands[np.repeat(source, length) + within],
    ]
    return _pack(fields, np.concatenate(values, axis=1))


def _pack(fields: list[Field], values: npt.NDArray[Any]) -> Bytes:
    """Words whose fields hold the columns of `values`: uint8[words, bytes], bit 0 first."""
    width = max(field.offset + field.bits for field in fields)
    packed = np.zeros((len(values), (width + 7) // 8), np.uint8)
    # In slices, since a word of bits takes eight times the memory of the word.
    for start in range(0, len(values), _SLICE):
        part = values[start : start + _SLICE].astype(np.int64)
        bits = np.zeros((len(part), width), np.uint8)
        for field, column in zip(fields, part.T, strict=True):
            place = slice(field.offset, field.offset + field.bits)
            bits[:, place] = column[:, None] >> np.arange(field.bits) & 1
        packed[start : start + _SLICE] = np.packbits(bits, axis=1, bitorder="little")
    return packed


_SLICE = 1 << 14


def sums(component: Any, commands: Int, bits: Bytes) -> npt.NDArray[np.int32]:
    """Sums in result words given as bits, uint8[words, width], zero where a pass has no column."""
    passes = np.repeat(commands[:, COLUMNS], words(commands).results)
    columns = payload(component, "results")
    found = np.zeros((len(bits), len(columns)), np.int32)
    for column, field in enumerate(columns):
        (rows,) = np.nonzero(column < passes)
        value = bits[rows, field.offset : field.offset + field.bits]
        if (value == UNDEFINED).any():
            raise AccelsimError(f"column {column} of the results has undefined bits")
        weights = 1 << np.arange(field.bits, dtype=np.int64)
        weights[-1] = -weights[-1]
        found[rows, column] = value.astype(np.int64) @ weights
    return found
