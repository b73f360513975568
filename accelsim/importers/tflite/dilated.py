"""Dilated convolutions as TensorFlow writes them, as single operators.

SPACE_TO_BATCH_ND deals the rows and columns of a map out to as many images as a block has values,
a convolution without padding works on these, and BATCH_TO_SPACE_ND puts them together: the
convolution is dilated by the block, and padded by what the first adds and the last does not crop.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from accelsim.graph.types import Array
from accelsim.importers.tflite.read import File, Operator, Tensor

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
    tensors: list[Tensor] = []
    gone: set[int] = set()
    for operator in file.operators:
        chain = _chain(operator, makers, readers)
        whole = _whole(file, chain, len(tensors) // 2) if chain else ()
        operators += whole or (operator,)
        if len(whole) > 1:  # other tensors than those of the file, which hold parts
            parts = (chain[3].outputs[0], chain[2].outputs[0])
            tensors += (_renamed(file.tensors[place]) for place in parts)
        gone |= {id(each) for each in chain} if whole else set()
    return file._replace(
        tensors=(*file.tensors, *tensors),
        operators=tuple(each for each in operators if id(each) not in gone),
    )


def _renamed(tensor: Tensor) -> Tensor:
    return tensor._replace(name=f"{tensor.name}/whole")


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


def _whole(file: File, chain: Sequence[Operator], chains: int) -> tuple[Operator, ...]:
    """The operators that a chain becomes; () where it is no dilated convolution.

    chains : of sequences that were found before.
    """
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
        return _of_sequences(chain, block[0], sides, len(file.tensors) + 2 * chains)
    return ()


def _of_sequences(
    chain: Sequence[Operator], dilation: int, sides: Sequence[int], place: int
) -> tuple[Operator, ...]:
    """The operators that a chain on sequences becomes.

    place : of the first of two tensors that it takes: the map of one row, and the result.
    """
    after, _, middle, first, before = chain
    made = _dilated(middle, [1, dilation], [0, 0, *sides], place, (place + 1,))
    row = Operator(first.kind, (before.inputs[0], *first.inputs[1:]), (place,), first.options)
    last = Operator("SQUEEZE", (place + 1,), after.outputs, {"SqueezeDims": np.array([1])})
    return (row, *made, last) if made else ()


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
