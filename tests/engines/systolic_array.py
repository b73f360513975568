"""Random passes and sequences for any array, as operand banks and commands."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.systolic_array.schedule import limits
from accelsim.hardware import SystolicArray
from accelsim.passes import ArrayPass, Opcode, array_words


class Sequence(NamedTuple):
    """A sequence of passes with its data; `used` marks the result words' meaningful columns."""

    passes: tuple[ArrayPass, ...]
    commands: npt.NDArray[np.int64]
    left: npt.NDArray[np.int16]
    top: npt.NDArray[np.int16]
    used: npt.NDArray[np.bool_]


def random_array(
    rng: np.random.Generator, shape: tuple[int, int], overlap: bool = True, bank_depth: int = 1024
) -> SystolicArray:
    """An array of a shape with few taps and shallow accumulators.

    One column and one tap would leave mode rows without a pass.
    """
    return SystolicArray(
        *shape,
        max_taps=int(rng.integers(1 if shape[1] > 1 else 2, 9)),
        accumulator_depth=int(rng.integers(1, 20)),
        overlap=overlap,
        bank_depth=bank_depth,
    )


def random_pass(rng: np.random.Generator, array: SystolicArray, opcode: Opcode) -> ArrayPass:
    """A pass of the given mode within the limits of the array, small sizes preferred."""

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, max(low, high) + 1))

    m, n = draw(1, array.rows), draw(1, array.columns)
    if opcode == Opcode.OS:
        return ArrayPass(opcode, m, n, draw(1, 12))
    if opcode in (Opcode.WS, Opcode.IS):
        return ArrayPass(opcode, draw(1, 12), n, m)
    taps, streams, fires = draw(1, array.max_taps), draw(1, 4), draw(1, 3)
    if fires > 1 and n > 1:
        m, taps, streams = min(m, n), min(taps, n - 1), 1
    else:
        fires = 1
    return ArrayPass(opcode, m, n, max(2, n - 1 + draw(0, taps)), taps, streams, fires)


def random_sequence(
    rng: np.random.Generator,
    array: SystolicArray,
    length: int,
    opcodes: tuple[Opcode, ...] = tuple(Opcode),
) -> Sequence:
    """At least `length` passes with random operands; ws and is also come in chains of sums."""
    passes: list[ArrayPass] = []
    while len(passes) < length:
        p = _pass_within_limits(rng, array, opcodes)
        stationary = p.opcode in (Opcode.WS, Opcode.IS)
        if not stationary or p.m > array.accumulator_depth or rng.random() < 0.5:
            passes.append(p)
            continue
        links = int(rng.integers(2, 4))
        for link in range(links):
            k = int(rng.integers(1, array.rows + 1))
            last = link == links - 1
            passes.append(p._replace(k=k, accumulate=int(link > 0), emit=int(last)))
            if not last and rng.random() < 0.2:
                # Other work may come between the links; the accumulators keep their sums.
                passes.append(_pass_within_limits(rng, array, opcodes))
    return sequence(rng, array, tuple(passes))


def _pass_within_limits(
    rng: np.random.Generator, array: SystolicArray, opcodes: tuple[Opcode, ...]
) -> ArrayPass:
    while True:
        p = random_pass(rng, array, opcodes[int(rng.integers(len(opcodes)))])
        if limits(array, p) is None:
            return p


def sequence(
    rng: np.random.Generator, array: SystolicArray, passes: tuple[ArrayPass, ...]
) -> Sequence:
    """The passes with random operands, unused rows and columns included.

    One sequence in four has operands at the ends of their range only; in one of four, all passes
    read the same words.
    """
    high = 1 << (array.operands.bits - 1)
    extreme, shared = rng.random(2) < 0.25
    commands, used = [], []
    left_words = top_words = left_at = top_at = 0
    for index, p in enumerate(passes):
        lefts, tops, results = array_words(p)
        commands.append([*p, left_at, top_at, int(index == len(passes) - 1)])
        left_words, top_words = max(left_words, left_at + lefts), max(top_words, top_at + tops)
        if not shared:
            left_at, top_at = left_words, top_words
        used += [np.arange(array.columns) < p.n] * results

    def operands(count: int, width: int) -> npt.NDArray[np.int16]:
        if extreme:
            return rng.choice(np.array([-high, high - 1], np.int16), (count, width))
        return rng.integers(-high, high, (count, width)).astype(np.int16)

    return Sequence(
        passes,
        np.array(commands, np.int64),
        operands(left_words, array.rows),
        operands(top_words, array.columns),
        np.array(used, np.bool_).reshape(-1, array.columns),
    )
