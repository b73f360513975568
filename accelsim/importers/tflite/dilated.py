"""Dilated convolutions as TensorFlow writes them, as single operators.

SPACE_TO_BATCH_ND deals the rows and columns of a map out to as many images as a block has values,
a convolution without padding works on these, and BATCH_TO_SPACE_ND puts them together: the
convolution is dilated by the block, and padded by what the first adds and the last does not crop.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from accelsim.graph.types import Array
from accelsim.importers.tflite.read import File, Operator

SIDES = "Sides"  # an option that the schema has not: padding at the top, bottom, left and right
_VALID = 1
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def joined(file: File) -> File:
    """The file with each such three operators as one; so, too, where they work on sequences.

    These are then made maps of one row before the convolution, and sequences behind it.
    """
    readers = Counter(place for each in file.operators for place in each.inputs)
    readers.update(file.outputs)
    makers = {each.outputs[0]: each for each in file.operators if each.outputs}
    operators: list[Operator] = []
    gone: set[int] = set()
    for operator in file.operators:
        chain = _chain(operator, makers, readers)
        whole = _whole(file, chain) if chain else ()
        operators += whole or (operator,)
        gone |= {id(each) for each in chain} if whole else set()
    return file._replace(operators=tuple(each for each in operators if id(each) not in gone))


_FIRST, _LAST = ("SPACE_TO_BATCH_ND",), ("BATCH_TO_SPACE_ND",)
_CHAINS = (
    (_LAST, _CONVOLUTIONS, _FIRST),
    (_LAST, ("RESHAPE", "SQUEEZE"), _CONVOLUTIONS, ("EXPAND_DIMS",), _FIRST),
)


def _chain(
    last: Operator, makers: dict[int, Operator], readers: Counter[int]
) -> tuple[Operator, ...]:
    """The operators that end with this one, from the last to the first; () where it ends none."""
    for kinds in _CHAINS:
        chain: list[Operator] = []
        operator: Operator | None = last
        for kind in kinds:
            if operator is None or operator.kind not in kind or not operator.inputs:
                break
            if chain and readers[operator.outputs[0]] != 1:
                break
            chain.append(operator)
            operator = makers.get(operator.inputs[0])
        if len(chain) == len(kinds):
            return tuple(chain)
    return ()


def _whole(file: File, chain: Sequence[Operator]) -> tuple[Operator, ...]:
    """The operators that a chain becomes; () where it is no dilated convolution."""
    after, *between, before = chain
    block, pads = (_constant(file, before, place) for place in (1, 2))
    same, crops = (_constant(file, after, place) for place in (1, 2))
    if not (len(block) in (1, 2) and block == same and len(pads) == len(crops) == 2 * len(block)):
        return ()
    sides = [pad - crop for pad, crop in zip(pads, crops, strict=True)]
    if min(*sides, *block) < 0:
        return ()
    if len(between) == 1 and len(block) == 2:
        return _dilated(between[0], block, sides, before.inputs[0], after.outputs)
    if len(between) == 3 and len(block) == 1 and _constant(file, between[2], 1) in ([1], [-3]):
        _, middle, first = between
        row = first._replace(inputs=(before.inputs[0], *first.inputs[1:]))
        last = Operator("SQUEEZE", middle.outputs, after.outputs, {"SqueezeDims": np.array([1])})
        made = _dilated(middle, [1, *block], [0, 0, *sides], middle.inputs[0], middle.outputs)
        return (row, *made, last) if made else ()
    return ()


def _dilated(
    middle: Operator,
    block: Sequence[int],
    sides: Sequence[int],
    x: int,
    outputs: tuple[int, ...],
) -> tuple[Operator, ...]:
    """A convolution dilated by the block; () where it is no plain one."""
    options = middle.options
    plain = [options[name] for name in ("StrideH", "StrideW", "DilationHFactor", "DilationWFactor")]
    if plain != [1, 1, 1, 1] or options["Padding"] != _VALID:
        return ()
    dilation = {"DilationHFactor": block[0], "DilationWFactor": block[1], SIDES: sides}
    return (Operator(middle.kind, (x, *middle.inputs[1:]), outputs, {**options, **dilation}),)


def _constant(file: File, operator: Operator, place: int) -> Sequence[int]:
    """A constant input, [] where it is none."""
    if place >= len(operator.inputs) or operator.inputs[place] < 0:
        return []
    read = file.tensors[operator.inputs[place]].read
    values: Array | None = None if read is None else read()
    return [] if values is None else values.reshape(-1).tolist()
