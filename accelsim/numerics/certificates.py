"""Certificates: programs compared with the rule of a runtime, over every input that there is.

A rule is a function of the same inputs, such as `float_rules` and `gemmlowp` make them. Sums are
compared at thresholds: both sides are monotone in the sum of a channel, so that they are equal
everywhere if every result begins at the same sum.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.numerics.integers import Integers
from accelsim.numerics.programs import (
    Add,
    AlignedAdd,
    Bias,
    Certifiable,
    ChannelSum,
    Clamp,
    Multiply,
    Program,
    Requantise,
    Rule,
    Table,
    run,
)

Bool = npt.NDArray[np.bool]
Int64 = npt.NDArray[np.int64]

_INT32 = (-(1 << 31), (1 << 31) - 1)
_GUESSED_BITS = 22  # of a threshold, which real arithmetic gives


class Certificate(NamedTuple):
    """What a comparison of a program with the rule of its runtime has shown.

    exact : whether all results are equal.
    inputs : how many inputs were compared: sums of all channels, values, or pairs of values.
    different : of how many the results differ.
    first : the first of these: (channel, sum), (value,), or the two values of a pair.
    """

    exact: bool
    inputs: int
    different: int
    first: tuple[int, ...] | None = None


def certify(program: Certifiable) -> Certificate:
    """A program compared with the rule of its runtime."""
    match program[0]:
        case Table():
            return entries(program, program.rule, *program.dtypes)
        case Add() | AlignedAdd() | Multiply():
            return pairs(program, program.rule, program.dtypes)
        case _:
            return sums(program, program.rule, program.reach)


def entries(program: Program, rule: Rule, dtype: str) -> Certificate:
    """Over all 256 values of a type."""
    values = np.arange(256).astype(np.uint8).view(dtype)
    return _compared(run(program, values), rule(values), values)


def pairs(program: Program, rule: Rule, dtypes: tuple[str, ...]) -> Certificate:
    """Over all 65,536 pairs of values of two types."""
    values = (np.arange(256).astype(np.uint8).view(dtype) for dtype in dtypes)
    maps = [np.ascontiguousarray(each) for each in np.meshgrid(*values, indexing="ij")]
    return _compared(run(program, *maps), rule(*maps), *maps)


def _compared(got: Integers, expected: Integers, *maps: Integers) -> Certificate:
    wrong = np.flatnonzero(got != expected)
    first = tuple(int(each.flat[wrong[0]]) for each in maps) if wrong.size else None
    return Certificate(not wrong.size, got.size, wrong.size, first)


def sums(program: Program, rule: Rule, reach: int = 1 << 31) -> Certificate:
    """Over all sums of every channel up to a size; biases are taken as added.

    program : with a Requantise and a Clamp, which are compared; not what follows them.
    """
    ours = tuple(each for each in program if not isinstance(each, Bias | ChannelSum | Table))
    step, bounds = ours
    assert isinstance(step, Requantise)
    assert isinstance(bounds, Clamp)
    low, high = max(-reach, _INT32[0]), min(reach, _INT32[1])
    levels = np.arange(bounds.low + 1, bounds.high + 1)
    factors = np.ldexp(step.multiplier.astype(np.float64), -step.shift)[:, None]

    def results(totals: Int64) -> Integers:
        return run(ours, totals.astype(np.int32)[..., None])[..., 0]

    guess = _guess(factors, levels - (bounds.zero_point + step.offset), low, high)
    missed = ~(_begins(results, guess, levels, low, high) & _begins(rule, guess, levels, low, high))
    inputs = len(factors) * (high - low + 1)
    if not missed.any():
        return Certificate(True, inputs, 0)
    few = np.argsort(~missed, axis=1, kind="stable")[:, : missed.sum(axis=1).max()]
    guess, levels = np.take_along_axis(guess, few, 1), levels[few]
    ends = [_thresholds(each, guess, levels, low, high) for each in (results, rule)]
    different, first = 0, None
    for k in np.flatnonzero((ends[0] != ends[1]).any(axis=1)).tolist():
        spans = _joined(ends[0][k], ends[1][k])
        different += sum(end - start for start, end in spans)
        first = first or (k, spans[0][0])
    return Certificate(not different, inputs, different, first)


def _guess(factors: npt.NDArray[np.float64], steps: Int64, low: int, high: int) -> Int64:
    """int64[k, levels]: where a result should begin, by real arithmetic; high + 1 for nowhere."""
    with np.errstate(divide="ignore"):
        real = np.ceil((steps - 0.5) / factors)
    return np.clip(real, low, high + 1).astype(np.int64)


def _begins(rule: Rule, first: Int64, levels: Int64, low: int, high: int) -> Bool:
    """bool[k, levels]: whether results of at least a level begin at `first`."""
    return _below(rule, first, levels, low) & _reached(rule, first, levels, high)


def _below(rule: Rule, first: Int64, levels: Int64, low: int) -> Bool:
    """Whether no sum before `first` has a result of at least the level."""
    return (first <= low) | (rule(np.maximum(first - 1, low)) < levels)


def _reached(rule: Rule, first: Int64, levels: Int64, high: int) -> Bool:
    """Whether `first` has such a result, or is behind all sums."""
    return (first > high) | (rule(np.minimum(first, high)) >= levels)


def _thresholds(rule: Rule, guess: Int64, levels: Int64, low: int, high: int) -> Int64:
    """int64[k, levels]: the first sum of at least a level, by bisection; high + 1 for nowhere.

    It is looked for near the guess first, about as far away as float32 may be wrong.
    """
    near = (np.abs(guess) >> _GUESSED_BITS) + 2
    start, end = np.maximum(guess - near, low), np.minimum(guess + near, high + 1)
    start = np.where(_below(rule, start, levels, low), start, low)
    end = np.where(_reached(rule, end, levels, high), end, high + 1)
    while (open := start < end).any():
        middle = (start + end) >> 1
        reached = _reached(rule, middle, levels, high)
        end = np.where(open & reached, middle, end)
        start = np.where(open & ~reached, middle + 1, start)
    return end


def _joined(ours: Int64, theirs: Int64) -> list[tuple[int, int]]:
    """Disjoint ranges of sums, in order, where the thresholds of a channel differ."""
    spans = sorted(
        (min(a, b), max(a, b))
        for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)
        if a != b
    )
    joined = spans[:1]
    for _, (start, end) in pairwise(spans):
        if start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
