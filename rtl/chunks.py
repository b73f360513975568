"""How a sequence of any length runs through operand banks of limited depth.

It is cut into chunks whose operand words fit into half of each bank; while the core works on one
chunk, the host fills the other half with the next. A half is overwritten only after every pass
that reads it has been read, and commands of a chunk are sent after its words. Only the command
with `last` ends the sequence, so the core counts the whole layer as one, and waiting for words
adds stalls alone.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.passes import ArrayCommand, ArrayPass, Opcode

Int = npt.NDArray[np.int64]

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


class Block(NamedTuple):
    """Consecutive operand words of the sequence and where in a bank they go."""

    source: int
    length: int
    address: int


class Chunk(NamedTuple):
    """Passes [first, end) of a sequence and the operand words they read."""

    first: int
    end: int
    left: tuple[Block, ...]
    top: tuple[Block, ...]


def chunks(commands: Int, depth: int) -> tuple[Int, list[Chunk]]:
    """The commands with their addresses in banks of `depth` words, and the chunks in order.

    No pass may read more than half of a bank.
    """
    half = depth // 2
    used = words(commands)
    placed = commands.copy()
    done: list[Chunk] = []
    banks = (_Half(half), _Half(half))
    first = 0
    reads = np.stack([commands[:, LEFT], used.left, commands[:, TOP], used.top], axis=1)
    for index, (left, left_words, top, top_words) in enumerate(reads.tolist()):
        if not (banks[0].fits(left, left_words) and banks[1].fits(top, top_words)):
            done.append(Chunk(first, index, *(tuple(bank.blocks) for bank in banks)))
            first = index
            base = half * (len(done) % 2)
            banks = (_Half(half, base), _Half(half, base))
        placed[index, LEFT] = banks[0].place(left, left_words)
        placed[index, TOP] = banks[1].place(top, top_words)
    done.append(Chunk(first, len(commands), *(tuple(bank.blocks) for bank in banks)))
    return placed, done


class _Half:
    """Half of a bank while a chunk is put together; equal blocks are stored once."""

    def __init__(self, size: int, base: int = 0) -> None:
        self.size = size
        self.base = base
        self.blocks: list[Block] = []
        self._used = 0
        self._address: dict[tuple[int, int], int] = {}

    def fits(self, source: int, count: int) -> bool:
        return (source, count) in self._address or self._used + count <= self.size

    def place(self, source: int, count: int) -> int:
        if count == 0:
            return self.base
        address = self._address.get((source, count))
        if address is None:
            address = self.base + self._used
            self._address[source, count] = address
            self._used += count
            self.blocks.append(Block(source, count, address))
        return address
