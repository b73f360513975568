"""How a sequence of any length runs through memories of limited depth.

It is cut into chunks whose words fit into half of each memory; while the core works on one chunk,
the host fills the other half with the next. A half is overwritten only after every pass that
reads it has been read, and commands of a chunk are sent after its words. Only the command with
`last` ends the sequence, so the core counts the whole layer as one, and waiting for words moves
the start of passes alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]


class Reads(NamedTuple):
    """What the passes of a sequence read from one memory.

    first, words : int64[passes], the first word of each and how many.
    """

    first: Int
    words: Int


class Block(NamedTuple):
    """Consecutive words of the sequence and where in a memory they go."""

    source: int
    length: int
    address: int


class Chunk(NamedTuple):
    """Passes [first, end) of a sequence and the words they read from each memory."""

    first: int
    end: int
    blocks: tuple[tuple[Block, ...], ...]


def chunks(reads: Sequence[Reads], depths: Sequence[int]) -> tuple[list[Int], list[Chunk]]:
    """Addresses int64[passes] in memories of such depths, and the chunks in order.

    No pass may read more than half of a memory.
    """
    table = np.stack([column for memory in reads for column in memory], axis=1)
    placed = np.zeros((len(table), len(depths)), np.int64)
    done: list[Chunk] = []
    halves = [_Half(depth // 2) for depth in depths]
    first = 0
    for index, row in enumerate(table.tolist()):
        wanted = list(zip(row[::2], row[1::2], strict=True))
        if not all(half.fits(*words) for half, words in zip(halves, wanted, strict=True)):
            done.append(Chunk(first, index, tuple(tuple(half.blocks) for half in halves)))
            first = index
            halves = [_Half(depth // 2, depth // 2 * (len(done) % 2)) for depth in depths]
        placed[index] = [half.place(*words) for half, words in zip(halves, wanted, strict=True)]
    done.append(Chunk(first, len(table), tuple(tuple(half.blocks) for half in halves)))
    return list(placed.T), done


class _Half:
    """Half of a memory while a chunk is put together; equal blocks are stored once."""

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
