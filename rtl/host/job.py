"""What the host of a core sends, as bits of the core's ports, and sums from the bits it returns."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError
from accelsim.passes import addresses, columns
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


def check_sequence(record: type, commands: Int, wrong: Callable[[Any], str | None]) -> None:
    """Raise AccelsimError where a table is not one sequence of commands that a core can run.

    A core checks nothing: what it does with any other command is undefined.

    record : of the commands.
    wrong : wrong(command), why the core cannot run it, in one sentence, or None; addresses and
        `last` are 0.
    """
    names, kind = columns(record), get_type_hints(record)["work"]
    if commands.shape[1:] != (len(names),) or commands.dtype != np.int64:
        raise AccelsimError(
            f"commands are int64[passes, {len(names)}], not {commands.dtype} of shape "
            f"{commands.shape}"
        )
    last = commands[:, names["last"]]
    if len(last) == 0 or last[-1] != 1 or last[:-1].any():
        raise AccelsimError("a sequence has `last` at its end and nowhere else")
    table = commands.copy()
    table[:, [*addresses(record), names["last"]]] = 0
    _, first = np.unique(table, axis=0, return_index=True)
    for place in sorted(first.tolist()):
        row = table[place].tolist()
        work = kind(*row[: len(kind._fields)])
        if reason := wrong(record(work, *row[len(kind._fields) :])):
            raise AccelsimError(f"command {place} of {len(commands)}: {reason}")


def check_memory(name: str, memory: Memory) -> None:
    """Raise AccelsimError where passes read what is not there."""
    first, count = memory.reads
    begin, end = int(first.min()), int((first + count).max())
    if begin < 0 or end > len(memory.words):
        word = begin if begin < 0 else end - 1
        raise AccelsimError(f"commands read {name} word {word} of {len(memory.words)}")


def check_bits(name: str, values: Operands, bits: int) -> None:
    """Raise AccelsimError where values are no integers of so many bits."""
    if values.dtype.kind not in "iu":
        raise AccelsimError(f"{name} operands are integers, not {values.dtype}")
    most = 1 << (bits - 1)
    if values.size and not -most <= values.min() <= values.max() < most:
        raise AccelsimError(f"{name} operands do not fit {bits} bits")


def make_job(
    component: Any, commands: Int, memories: Sequence[Memory], results: int, patience: int
) -> Job:
    """The job of a checked sequence on a core, its payloads laid out as the core's ports are."""
    places, parts = chunks([each.reads for each in memories], [each.depth for each in memories])
    chunk_of = np.repeat(np.arange(len(parts)), [part.end - part.first for part in parts])
    return Job(
        commands=pack_commands(component, commands, memories, places),
        command_after=chunk_of + 1,
        fills=tuple(
            _chunked(component, memory, parts, [part.blocks[index] for part in parts])
            for index, memory in enumerate(memories)
        ),
        results=results,
        patience=patience,
    )


def pack_commands(
    component: Any, commands: Int, memories: Sequence[Memory], places: Sequence[Int]
) -> Bytes:
    """Payloads of the commands, int64[passes, fields], with addresses of their own.

    AccelsimError where a value does not fit its field.
    """
    placed, fields = commands.copy(), payload(component, "commands")
    for memory, address in zip(memories, places, strict=True):
        placed[:, memory.column] = address
    for field, column in zip(fields, placed.T, strict=True):
        most = (1 << field.bits) - 1
        wrong = np.flatnonzero((column < 0) | (column > most))
        if len(wrong):
            raise AccelsimError(
                f"{field.name} of command {wrong[0]} is from 0 to {most}, not {column[wrong[0]]}"
            )
    return pack(fields, placed)


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
    fields = payload(component, "results")
    values = np.zeros((len(bits), len(fields)), np.int32)
    for column, field in enumerate(fields):
        (rows,) = np.nonzero(column < used)
        value = bits[rows, field.offset : field.offset + field.bits]
        if (value == UNDEFINED).any():
            raise AccelsimError(f"column {column} of the results has undefined bits")
        weights = 1 << np.arange(field.bits, dtype=np.int64)
        weights[-1] = -weights[-1]
        values[rows, column] = value.astype(np.int64) @ weights
    return values
