"""Programs of accelsim.numerics as settings of the post-processing unit."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError
from accelsim.numerics.programs import (
    RULES,
    Add,
    AlignedAdd,
    Bias,
    Clamp,
    Multiply,
    Program,
    Requantise,
    Table,
)
from accelsim.passes.post import (
    ADD_BITS,
    LEAST_DOUBLE,
    LEFT_SHIFT,
    OFFSET_BITS,
    UNPAIRED,
    Operation,
    PostChannel,
    PostLayer,
    PostPair,
)

ONE = Requantise("ort", np.array([1 << 23]), np.array([23]))  # by every rule: no bit is rounded
_BYTE = Clamp(0, -128, 255, "int8")  # of either type


class PostCommands(NamedTuple):
    """What the unit needs of a program.

    channels : one for each output channel, or one for all.
    table : the values of a table, which stands where layer.table says; None without one.
    """

    layer: PostLayer
    channels: tuple[PostChannel, ...]
    table: npt.NDArray[Any] | None


def post_commands(
    program: Program, first: str = "int8", second: str = "int8", table: int = 0
) -> PostCommands:
    """The settings with which the unit computes what a program says.

    A program is [Bias] [Requantise, Clamp] [Table], then at most one of Add, Clamp; AlignedAdd,
    Requantise, Clamp; Multiply, Requantise, Clamp. Any other, and one whose numbers exceed the
    fields of a command, is an UnsupportedError.

    Parameters
    ----------
    first : int8 or uint8, the type of the map that a program begins with, if it is not of sums.
    second : of the other map.
    table : where its table stands in the unit.
    """
    steps = deque(program)
    bias = _take(steps, Bias) or Bias(np.zeros(1, np.int32))
    factor, clamp = _take(steps, Requantise), _BYTE
    if factor is not None:
        clamp = _needed(steps, Clamp)
        first = clamp.dtype
    factor = factor or ONE
    _check_factor(factor)
    _check_offset(factor)
    values = _take(steps, Table)
    if values is not None:
        first = str(values.values.dtype)
    pair = _pair(steps, first == "uint8", second == "uint8")
    if steps:
        raise UnsupportedError(f"the post-processing unit has no {_name(steps[0])} at this place")
    layer = PostLayer(
        RULES.index(factor.rule), clamp.zero_point, clamp.low, clamp.high,
        int(values is not None), table, pair,
    )  # fmt: skip
    columns = np.broadcast_arrays(bias.values, factor.multiplier, factor.shift)
    channels = tuple(PostChannel(*map(int, row)) for row in zip(*columns, strict=True))
    return PostCommands(layer, channels, None if values is None else values.values)


def _pair(steps: deque[Any], first_unsigned: bool, second_unsigned: bool) -> PostPair:
    """What becomes of the map of the layer and another one."""
    pair = UNPAIRED._replace(
        first_unsigned=int(first_unsigned), second_unsigned=int(second_unsigned)
    )
    if not steps:
        return pair
    step = steps.popleft()
    match step:
        case Add():
            pair = pair._replace(
                operation=Operation.ADD,
                first_multiplier=step.multiplier,
                second_multiplier=step.other_multiplier,
                offset=step.offset,
                first_shift=step.shift,
                rounded=int(step.rounded),
            )
        case AlignedAdd():
            pair = pair._replace(
                operation=Operation.ALIGNED_ADD,
                first_zero_point=step.zero_point,
                second_zero_point=step.other_zero_point,
                first_multiplier=step.multiplier,
                second_multiplier=abs(step.other_multiplier),
                first_shift=step.shift,
                second_shift=step.other_shift,
                subtract=int(step.other_multiplier < 0),
            )
            least = 31 if step.rule == "tfl_double" else LEFT_SHIFT + 1
            shifts = (step.shift, step.other_shift)
            if step.left_shift != LEFT_SHIFT or not all(least <= each <= 63 for each in shifts):
                raise UnsupportedError(
                    f"the post-processing unit shifts maps left by {LEFT_SHIFT} bits and right by "
                    f"{least} to 63, not by {step.left_shift}, {step.shift} and {step.other_shift}"
                )
        case Multiply():
            pair = pair._replace(
                operation=Operation.MULTIPLY,
                first_zero_point=step.zero_point,
                second_zero_point=step.other_zero_point,
            )
        case _:
            raise UnsupportedError(f"the post-processing unit has no {_name(step)} at this place")
    if not isinstance(step, Add):
        factor = _needed(steps, Requantise)
        _check_factor(factor, channels=1)
        pair = pair._replace(
            rule=RULES.index(factor.rule), multiplier=int(factor.multiplier[0]),
            shift=int(factor.shift[0]),
        )  # fmt: skip
        if isinstance(step, Multiply):
            pair = pair._replace(offset=factor.offset)
        else:
            _check_offset(factor)
            if factor.rule != step.rule:
                raise UnsupportedError(
                    "the post-processing unit rounds maps and their sum by one rule, not by "
                    f"{step.rule} and {factor.rule}"
                )
    clamp = _needed(steps, Clamp)
    _check_widths(pair)
    return pair._replace(zero_point=clamp.zero_point, low=clamp.low, high=clamp.high)


def _check_factor(step: Requantise, channels: int | None = None) -> None:
    """UnsupportedError where a factor exceeds its field, or there are others than so many."""
    multipliers = step.multiplier
    bits = 24 if step.rule == "ort" else 31
    if not ((multipliers >= 0) & (multipliers < 1 << bits)).all():
        raise UnsupportedError(
            f"the post-processing unit multiplies by 0 to 2**{bits} - 1 by the rule {step.rule}, "
            f"not by {int(multipliers.min())} to {int(multipliers.max())}"
        )
    small = (multipliers > 0) & (multipliers < LEAST_DOUBLE) & (step.shift < 31)
    if step.rule == "tfl_double" and small.any():
        raise UnsupportedError(
            f"the post-processing unit shifts no sums left whose multiplier is below "
            f"{LEAST_DOUBLE}, as {int(multipliers[small][0])} is"
        )
    if channels not in (None, len(multipliers)):
        raise UnsupportedError(
            f"the post-processing unit has one factor for what two maps become, not "
            f"{len(multipliers)}"
        )


def _check_offset(step: Requantise) -> None:
    """UnsupportedError where something is added that only products of maps have."""
    if step.offset:
        raise UnsupportedError(
            "the post-processing unit adds a zero point before it rounds to products of two maps "
            f"only, not {step.offset} to anything else"
        )


def _check_widths(pair: PostPair) -> None:
    """UnsupportedError where a number of an add exceeds its field."""
    factors = (pair.first_multiplier, pair.second_multiplier)
    fits = all(0 <= each < 1 << ADD_BITS for each in factors) and pair.first_shift < 64
    if not fits or not -(1 << OFFSET_BITS - 1) <= pair.offset < 1 << OFFSET_BITS - 1:
        raise UnsupportedError(
            f"the post-processing unit adds maps times {ADD_BITS} bits and an offset of "
            f"{OFFSET_BITS} bits, not times {factors[0]} and {factors[1]} and {pair.offset}"
        )


def _take(steps: deque[Any], kind: type) -> Any:
    """The next step, if it is of a kind; else None."""
    return steps.popleft() if steps and isinstance(steps[0], kind) else None


def _needed(steps: deque[Any], kind: type) -> Any:
    """The next step, which must be of a kind."""
    step = _take(steps, kind)
    if step is None:
        found = _name(steps[0]) if steps else "the end"
        raise UnsupportedError(f"the post-processing unit needs a {kind.__name__}, not {found}")
    return step


def _name(step: Any) -> str:
    return type(step).__name__
