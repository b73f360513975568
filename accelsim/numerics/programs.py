"""Post-processing programs: what follows the sums of a layer, in integers only.

A program is a tuple of steps that a post-processing unit executes one after another for every
value. What runs through it is int32, from a Clamp or Table on int8 or uint8:

    Bias         adds an integer of its channel
    Requantise   multiplies by a factor of its channel, by the rule of a runtime, and rounds
    Clamp        adds the zero point and clamps to the bounds of an activation and of the type
    Table        replaces a value by one of 256
    Add          adds another map, both times factors, and rounds (onnxruntime)
    AlignedAdd   adds another map, both brought to one scale first (TFLite)
    Multiply     multiplies by another map, which may be a gate of every channel
    ChannelSum   adds up all values of a channel

`onnx_rules` and `tflite_rules` make them from scales; `run` executes them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.numerics.integers import Int32, Integers
from accelsim.numerics.softfloat import nearest_even, to_float

Int64 = npt.NDArray[np.int64]

RULES = ("ort", "tfl_double", "tfl_single", "tfl_away")


class Bias(NamedTuple):
    """Adds an integer to the sums of a channel, modulo 2**32.

    values : int32[k], or int32[1] for all channels.
    """

    values: Int32


class Requantise(NamedTuple):
    """Multiplies by multiplier 2**-shift, plus an offset, and rounds to int32.

    rule : one of RULES. `ort` rounds as float32 does: the sum to 24 bits, the product to 24 bits,
        with an offset the sum of both again, then to an integer, all half to even. `tfl_double`
        is TFLite's rounding doubling high multiply, ties towards infinity, then its rounding
        shift, ties away from 0. `tfl_single` rounds once, ties towards infinity, `tfl_away` once,
        ties away from 0. Where a result, or the sum of `tfl_double` shifted left, exceeds int32,
        it is its nearest value.
    multiplier : int64[k], or int64[1] for all channels. 24 bits with the highest set for `ort`; at
        most 31 bits for the others.
    shift : int64, shaped like multiplier; from 0 to 63 for `ort`, at most 54 with an offset; from
        1 to 62 for the others, where up to 31 `tfl_double` shifts the sum left by 31 - shift.
    offset : of `ort` only: a zero point that is added before the last rounding.
    """

    rule: str
    multiplier: Int64
    shift: Int64
    offset: int = 0


class Clamp(NamedTuple):
    """Adds the zero point and clamps.

    low, high : least and greatest result, within the type: that of int8 or uint8, or an
        activation's (ReLU is low = zero point of the result).
    dtype : int8 or uint8.
    """

    zero_point: int
    low: int
    high: int
    dtype: str


class Table(NamedTuple):
    """Replaces a value of int8 or uint8 by another.

    values : int8[256] or uint8[256]; the index is the byte of the value: q modulo 256.
    """

    values: npt.NDArray[Any]


class Add(NamedTuple):
    """Adds another map: x multiplier + (other other_multiplier + offset), times 2**-shift.

    The result is rounded half to even to int32. The zero point of the sum and those of both maps
    are in the offset. All terms and sums fit int64.

    rounded : whether either sum is first rounded to 24 bits, half to even, as float32 rounds it.
    """

    multiplier: int
    other_multiplier: int
    offset: int
    shift: int
    rounded: bool


class AlignedAdd(NamedTuple):
    """Adds another map after both were brought to one scale: int32.

    Either map less its zero point is shifted left by left_shift bits and multiplied by multiplier
    2**-shift, as the rule of a Requantise says.

    rule : one of RULES but the first.
    other_multiplier : below 0 where the other map is subtracted.
    """

    rule: str
    left_shift: int
    zero_point: int
    multiplier: int
    shift: int
    other_zero_point: int
    other_multiplier: int
    other_shift: int


class Multiply(NamedTuple):
    """Multiplies by another map, both less their zero points: int32 of at most 17 bits.

    A gate is another map with one value for every channel (h = w = 1).
    """

    zero_point: int
    other_zero_point: int


class ChannelSum(NamedTuple):
    """Adds up the values of every channel less the zero point: int32[..., 1, 1].

    axes : those of rows and columns.
    """

    zero_point: int
    axes: tuple[int, ...] = (-2, -1)


Step = Bias | Requantise | Clamp | Table | Add | AlignedAdd | Multiply | ChannelSum
Program = tuple[Step, ...]
Rule = Callable[..., Integers]


class Certifiable(tuple[Step, ...]):
    """A program, and the rule of a runtime that it is to follow: see `certificates`.

    rule : what the runtime makes of the same inputs: of sums int32[k, m] with their biases, or of
        the maps that the program reads.
    dtypes : of these maps; () for sums.
    reach : the greatest size that sums have.
    """

    rule: Rule
    dtypes: tuple[str, ...]
    reach: int

    def __new__(
        cls,
        steps: Iterable[Step],
        rule: Rule,
        dtypes: tuple[str, ...] = (),
        reach: int = 1 << 31,
    ) -> "Certifiable":
        """All of them."""
        made = super().__new__(cls, steps)
        made.rule, made.dtypes, made.reach = rule, dtypes, reach
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is pickled."""
        return Certifiable, (tuple(self), self.rule, self.dtypes, self.reach)


def run(program: Program, x: Integers, *others: Integers) -> Integers:
    """What a program makes of sums or of a map; of the type that its last step says.

    x : int32[..., k, h, w], or int8 or uint8 for programs that begin with a step that reads a map;
        of any shape, where no step has a value for every channel.
    others : the further maps of steps that read one, in their order, shaped like x or broadcast.
    """
    maps = iter(others)
    for step in program:
        x = _run(step, x, maps)
    return x


def _run(step: Step, x: Integers, maps: Iterator[Integers]) -> Integers:
    match step:
        case Bias(values):
            return _wide(x) + (values[0] if len(values) == 1 else values[:, None, None])
        case Requantise():
            return requantise(step, _wide(x))
        case Clamp():
            return clamp(step, _wide(x))
        case Table(values):
            return np.asarray(np.take(values, x.view(np.uint8)))
        case Add():
            return add(step, x, next(maps))
        case AlignedAdd():
            return aligned_add(step, x, next(maps))
        case Multiply(zero_point, other):
            return (_wide(x) - zero_point) * (_wide(next(maps)) - other)
        case ChannelSum(zero_point, axes):
            return np.asarray((_wide(x) - zero_point).sum(axes, np.int32, keepdims=True))


def _wide(x: Integers) -> Int32:
    return x.astype(np.int32, copy=False)


def clamp(step: Clamp, x: Int32) -> Integers:
    """int8 or uint8, shaped as int32 x: the zero point added, between the bounds."""
    bounded = np.clip(x, step.low - step.zero_point, step.high - step.zero_point)
    return (bounded + step.zero_point).astype(step.dtype)


def requantise(step: Requantise, sums: Int32) -> Int32:
    """int32, shaped as the sums int32[..., k, h, w]: every one times the factor of its channel."""
    from accelsim.numerics import kernels  # compiled by Numba, which nothing else here needs

    channels = len(step.multiplier)
    shape = (1, 1, -1) if channels == 1 else (-1, channels, sums.shape[-2] * sums.shape[-1])
    rows = np.ascontiguousarray(sums).reshape(shape)
    out = np.empty_like(rows)
    rule = RULES.index(step.rule)
    kernels.requantise(rule, rows, step.multiplier, step.shift, step.offset, out)
    return out.reshape(sums.shape)


def add(step: Add, x: Integers, other: Integers) -> Int32:
    """int32: two maps, of one shape or broadcast, times their factors, added and rounded."""
    inner = other.astype(np.int64) * step.other_multiplier + step.offset
    if step.rounded:
        inner = to_float(inner)
    total = x.astype(np.int64) * step.multiplier + inner
    if step.rounded:
        total = to_float(total)
    ends = np.iinfo(np.int32)
    return np.clip(nearest_even(total, step.shift), ends.min, ends.max).astype(np.int32)


def aligned_add(step: AlignedAdd, x: Integers, other: Integers) -> Int32:
    """int32: two maps, of one shape or broadcast, on the scale that both are brought to, added."""
    aligned = _align(step, x, step.zero_point, step.multiplier, step.shift)
    others = _align(step, other, step.other_zero_point, step.other_multiplier, step.other_shift)
    return aligned + others


def _align(step: AlignedAdd, x: Integers, zero_point: int, multiplier: int, shift: int) -> Int32:
    factor = Requantise(step.rule, np.array([multiplier]), np.array([shift]))
    return requantise(factor, (x.astype(np.int32) - zero_point) << step.left_shift)
