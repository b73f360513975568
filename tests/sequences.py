"""Random passes and sequences for any array, as operand banks and commands."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.systolic_array import limits, words
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode


class Sequence(NamedTuple):
    """A sequence of passes with its data; `used` marks the result words' meaningful columns."""

    passes: tuple[ArrayPass, ...]
    commands: npt.NDArray[np.int64]
    left: npt.NDArray[np.int16]
    top: npt.NDArray[np.int16]
    used: npt.NDArray[np.bool_]


def random_pass(rng: np.random.Generator, array: SystolicArray, opcode: Opcode) -> ArrayPass:
    """A pass of the given mode within the limits of the array, small sizes preferred."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, max(low, high) + 1))

    n = draw(1, array.columns)
    if opcode == Opcode.OS:
        return ArrayPass(opcode, draw(1, array.rows), n, draw(1, 12))
    if opcode in (Opcode.WS, Opcode.IS):
        return ArrayPass(opcode, draw(1, 12), n, draw(1, array.rows))
    taps = draw(1, min(array.max_taps, 5))
    m = draw(1, array.rows)
    fires = draw(1, 3)
    if fires > 1 and n > taps and n >= m:
        return ArrayPass(opcode, m, n, max(2, n - 1 + draw(0, taps)), taps, 1, fires)
    return ArrayPass(opcode, m, n, max(2, n - 1 + draw(0, taps)), taps, draw(1, 4))


def random_sequence(
    rng: np.random.Generator,
    array: SystolicArray,
    length: int,
    opcodes: tuple[Opcode, ...] = tuple(Opcode),
) -> Sequence:
    """Passes with random operands; ws and is passes come with chains of accumulation."""
    passes: list[ArrayPass] = []
    while len(passes) < length:
        p = random_pass(rng, array, opcodes[int(rng.integers(len(opcodes)))])
        if limits(array, p):
            continue
        stationary = p.opcode in (Opcode.WS, Opcode.IS)
        if stationary and p.m <= array.accumulator_depth and rng.random() < 0.5:
            links = int(rng.integers(2, 4))
            for link in range(links):
                k = int(rng.integers(1, array.rows + 1))
                last = link == links - 1
                passes.append(p._replace(k=k, accumulate=int(link > 0), emit=int(last)))
        else:
            passes.append(p)
    return sequence(rng, array, tuple(passes))


def sequence(
    rng: np.random.Generator, array: SystolicArray, passes: tuple[ArrayPass, ...]
) -> Sequence:
    """The passes with random operands, unused rows and columns included, in fresh words."""
    high = 1 << (array.operands.bits - 1)
    commands, used = [], []
    left_at = top_at = 0
    for index, p in enumerate(passes):
        lefts, tops, results = words(p)
        commands.append([*p, left_at, top_at, int(index == len(passes) - 1)])
        left_at, top_at = left_at + lefts, top_at + tops
        used += [np.arange(array.columns) < p.n] * results
    return Sequence(
        passes,
        np.array(commands, np.int64),
        rng.integers(-high, high, (left_at, array.rows)).astype(np.int16),
        rng.integers(-high, high, (top_at, array.columns)).astype(np.int16),
        np.array(used).reshape(-1, array.columns),
    )
