"""Chunks: every pass finds its words, halves alternate, and nobody waits for each other."""

import numpy as np
import pytest

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode, array_words
from rtl.engines.systolic_array.job import LEFT, TOP, words
from rtl.host.chunks import Reads, chunks
from tests.engines.systolic_array import random_sequence

SEEDS = range(12)
SHAPES = ((1, 1), (3, 7), (8, 2))
DEPTH = 75  # of banks; no power of two


def split(commands, depth):
    """The commands with their addresses in banks of a depth, and the chunks."""
    used = words(commands)
    reads = Reads(commands[:, LEFT], used.left), Reads(commands[:, TOP], used.top)
    placed = commands.copy()
    (placed[:, LEFT], placed[:, TOP]), parts = chunks(reads, (depth, depth))
    return placed, parts


def long_sequence(seed, shape):
    array = SystolicArray(*shape, bank_depth=DEPTH)
    return random_sequence(np.random.default_rng(seed), array, 120)


@pytest.mark.parametrize("seed", SEEDS)
def test_words_are_those_of_the_engine(seed):
    sequence = long_sequence(seed, (4, 5))
    expected = [array_words(p) for p in sequence.passes]
    assert np.array_equal(np.stack(words(sequence.commands), axis=1), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_pass_reads_its_own_words(seed, shape):
    """Banks filled chunk by chunk hold at the new addresses what was at the old ones."""
    commands = long_sequence(seed, shape).commands
    placed, parts = split(commands, DEPTH)
    used = words(commands)
    banks = np.full((2, DEPTH), -1)
    for number, part in enumerate(parts):
        half = range(DEPTH // 2 * (number % 2), DEPTH // 2 * (number % 2 + 1))
        for bank, blocks in zip(banks, part.blocks, strict=True):
            written = [
                at for block in blocks for at in range(block.address, block.address + block.length)
            ]
            assert len(set(written)) == len(written)
            assert set(written) <= set(half)
            for block in blocks:
                source = np.arange(block.source, block.source + block.length)
                bank[block.address : block.address + block.length] = source
        for index in range(part.first, part.end):
            for bank, column, count in ((0, LEFT, used.left), (1, TOP, used.top)):
                new, old, length = placed[index, column], commands[index, column], count[index]
                assert np.array_equal(banks[bank, new : new + length], np.arange(old, old + length))
    assert [part.first for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert (parts[0].first, parts[-1].end) == (0, len(commands))
    others = [column for column in range(12) if column not in (LEFT, TOP)]
    assert np.array_equal(placed[:, others], commands[:, others])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_chunk_holds_as_many_passes_as_a_half(seed, shape):
    """With the first pass of the next one, it would not fit into a half of one of the banks."""
    commands = long_sequence(seed, shape).commands
    _, parts = split(commands, DEPTH)
    assert len(parts) > 3
    used = words(commands)
    for part in parts[:-1]:
        more = slice(part.first, part.end + 1)
        sides = (commands[more, LEFT], used.left[more]), (commands[more, TOP], used.top[more])
        blocks = (set(zip(*map(np.ndarray.tolist, side), strict=True)) for side in sides)
        assert max(sum(count for _, count in side) for side in blocks) > DEPTH // 2


def test_a_long_sequence_has_many_chunks():
    table = np.array([[*ArrayPass(Opcode.OS, 2, 2, 10), 10 * i, 10 * i, 0] for i in range(1000)])
    assert len(split(table, DEPTH)[1]) == -(-1000 // (DEPTH // 2 // 10))


def test_a_pass_may_fill_a_half():
    table = np.array([[*ArrayPass(Opcode.OS, 2, 2, 10), 10 * i, 10 * i, 0] for i in range(5)])
    placed, parts = split(table, 20)
    assert [(part.first, part.end) for part in parts] == [(i, i + 1) for i in range(5)]
    assert placed[:, LEFT].tolist() == [0, 10, 0, 10, 0]


def test_equal_blocks_are_stored_once():
    one = ArrayPass(Opcode.OS, 2, 2, 10)
    table = [[*one, 0, 10 * index, int(index == 5)] for index in range(6)]
    placed, (part,) = split(np.array(table), 256)
    assert [block.length for block in part.blocks[0]] == [10]
    assert [block.length for block in part.blocks[1]] == [10] * 6
    assert set(placed[:, LEFT]) == {0}
