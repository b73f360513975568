"""What the host of a core sends, as bits of the core's ports, and sums from the bits it returns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError
from rtl.flow.ports import Field, payload
from rtl.host.chunks import Block, Chunk, Int, Reads, chunks
from rtl.host.driver import UNDEFINED, Bytes, Fill, Job

Operands = npt.NDArray[np.integer[Any]]


class Memory(NamedTuple):
    """A memory of a core, filled by the host, and what a sequence keeps in it.

    stream : that fills it, its payload an address and then one value per column of `words`.
    column : of the commands, where the address of a pass stands.
    reads : words of every pass.
    words : integers[words, values].
    depth : of the memory.
    """

    stream: str
    column: int
    reads: Reads
    words: Operands
    depth: int


def check_last(last: Int) -> None:
    """Raise AccelsimError where flags int64[passes] do not mark the end of one sequence."""
    if len(last) == 0 or last[-1] != 1 or last[:-1].any():
        raise AccelsimError("a sequence has `last` at its end and nowhere else")


def check_memory(name: str, memory: Memory, bits: int) -> None:
    """Raise AccelsimError where passes read what is not there, or operands need more bits."""
    count = memory.reads.words
    end = int((memory.reads.first + count).max())
    if end > len(memory.words):
        raise AccelsimError(f"commands read {name} word {end - 1} of {len(memory.words)}")
    if count.max() > memory.depth // 2:
        raise AccelsimError(
            f"a pass reads {count.max()} {name} words, more than half a bank of {memory.depth}"
        )
    check_bits(name, memory.words, bits)


def check_bits(name: str, values: Operands, bits: int) -> None:
    """Raise AccelsimError where values need more bits."""
    most = 1 << (bits - 1)
    if values.size and not -most <= values.min() <= values.max() < most:
        raise AccelsimError(f"{name} operands do not fit {bits} bits")


def make_job(
    component: Any, commands: Int, memories: Sequence[Memory], results: int, patience: int
) -> Job:
    """The job of a checked sequence on a core, its payloads laid out as the core's ports are."""
    addresses, parts = chunks([each.reads for each in memories], [each.depth for each in memories])
    chunk_of = np.repeat(np.arange(len(parts)), [part.end - part.first for part in parts])
    return Job(
        commands=pack_commands(component, commands, memories, addresses),
        command_after=chunk_of + 1,
        fills=tuple(
            _chunked(component, memory, parts, [part.blocks[index] for part in parts])
            for index, memory in enumerate(memories)
        ),
        results=results,
        patience=patience,
    )


def pack_commands(
    component: Any, commands: Int, memories: Sequence[Memory], addresses: Sequence[Int]
) -> Bytes:
    """Payloads of the commands, int64[passes, fields], with addresses of their own."""
    placed = commands.copy()
    for memory, address in zip(memories, addresses, strict=True):
        placed[:, memory.column] = address
    return pack(payload(component, "commands"), placed)


def _chunked(
    component: Any, memory: Memory, parts: list[Chunk], blocks: list[tuple[Block, ...]]
) -> Fill:
    """The fill of a memory; a chunk's words are sent once the chunk before last has been read."""
    counts = [sum(block.length for block in chunk) for chunk in blocks]
    before = [0, 0, *(part.end for part in parts)][: len(parts)]
    table = np.array([block for chunk in blocks for block in chunk], np.int64).reshape(-1, 3)
    source, length, address = table.T
    within = steps(length)
    values = [
        (np.repeat(address, length) + within)[:, None],
        memory.words[np.repeat(source, length) + within],
    ]
    return Fill(
        memory.stream,
        pack(payload(component, memory.stream), np.concatenate(values, axis=1)),
        after=np.repeat(np.array(before, np.int64), counts),
        ends=np.cumsum(np.array(counts, np.int64)),
        always_ready=True,
    )


def steps(lengths: Int) -> Int:
    """0 .. length - 1 for each length, one after another."""
    numbers: Int = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return numbers


def pack(fields: list[Field], values: npt.NDArray[Any]) -> Bytes:
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


def sums(component: Any, used: Int, bits: Bytes) -> npt.NDArray[np.int32]:
    """Sums in result words given as bits, uint8[words, width].

    used : int64[words], how many sums of each word mean something; the others are zero.
    """
    columns = payload(component, "results")
    values = np.zeros((len(bits), len(columns)), np.int32)
    for column, field in enumerate(columns):
        (rows,) = np.nonzero(column < used)
        value = bits[rows, field.offset : field.offset + field.bits]
        if (value == UNDEFINED).any():
            raise AccelsimError(f"column {column} of the results has undefined bits")
        weights = 1 << np.arange(field.bits, dtype=np.int64)
        weights[-1] = -weights[-1]
        values[rows, column] = value.astype(np.int64) @ weights
    return values
