"""Chunks: every pass finds its words, halves alternate, and nobody waits for each other."""

import numpy as np
import pytest

from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode, array_words
from rtl.engines.systolic_array.job import LEFT, TOP, bank_depth, words
from rtl.host.chunks import Reads, chunks
from tests.engines.systolic_array import random_sequence

SEEDS = range(12)
SHAPES = ((1, 1), (3, 7), (8, 2))


def split(commands, depth):
    """The commands with their addresses in banks of a depth, and the chunks."""
    used = words(commands)
    reads = Reads(commands[:, LEFT], used.left), Reads(commands[:, TOP], used.top)
    placed = commands.copy()
    (placed[:, LEFT], placed[:, TOP]), parts = chunks(reads, (depth, depth))
    return placed, parts


def long_sequence(seed, shape):
    array = SystolicArray(*shape)
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
    depth = bank_depth(commands, *shape)
    placed, parts = split(commands, depth)
    used = words(commands)
    banks = np.full((2, depth), -1)
    for number, part in enumerate(parts):
        half = range(depth // 2 * (number % 2), depth // 2 * (number % 2 + 1))
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
def test_a_chunk_lasts_until_the_one_before_has_been_read(seed, shape):
    """Without its last pass a chunk still has a word for each clock that the skew of reads takes.

    Otherwise the core could wait for a command while the host waits for the core.
    """
    commands = long_sequence(seed, shape).commands
    _, parts = split(commands, bank_depth(commands, *shape))
    used = words(commands)
    for part in parts[:-1]:
        stored = [sum(block.length for block in blocks) for blocks in part.blocks]
        last = [used.left[part.end - 1], used.top[part.end - 1]]
        assert max(np.subtract(stored, last)) > max(shape)


def test_a_long_sequence_has_many_chunks():
    table = np.array([[*ArrayPass(Opcode.OS, 2, 2, 10), 10 * i, 10 * i, 0] for i in range(1000)])
    depth = bank_depth(table, 2, 2)
    assert len(split(table, depth)[1]) == -(-1000 // (depth // 2 // 10))


def test_equal_blocks_are_stored_once():
    one = ArrayPass(Opcode.OS, 2, 2, 10)
    table = [[*one, 0, 10 * index, int(index == 5)] for index in range(6)]
    placed, (part,) = split(np.array(table), 256)
    assert [block.length for block in part.blocks[0]] == [10]
    assert [block.length for block in part.blocks[1]] == [10] * 6
    assert set(placed[:, LEFT]) == {0}


def test_depth_is_a_power_of_two_that_holds_four_of_the_longest_passes():
    table = np.array([[*ArrayPass(Opcode.WS, 100, 2, 2), 0, 0, 1]])
    assert bank_depth(table, 2, 2) == 512
    assert bank_depth(table, 2, 200) == 1024
