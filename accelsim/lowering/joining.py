"""Fewer pieces than sets of live taps: where a piece has too few outputs to fill an engine.

Joined pieces are one Conv, whose live taps are those of any of them: a tap that only some have is
multiplied for all. That pays where the products of zeros take fewer clocks than outputs that stay
empty beside each piece by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from operator import or_
from typing import NamedTuple

from accelsim.ir import Conv, Piece, Runs, live_runs

MOST_PIECES = 128  # that are looked at: to know the clocks of all sets takes time

Pieces = tuple[Piece, ...]


def fewest(pieces: Pieces, clocks: Callable[[Pieces], int]) -> Pieces:
    """The pieces, or some of them joined, in the fewest clocks of all ways to halve them in order.

    clocks : those of pieces as one sequence.
    """
    return _fewest(_halved(pieces), clocks)


@lru_cache(maxsize=1 << 5)
def few(pieces: Pieces) -> Pieces:
    """The pieces, or where there are very many joined by twos, by fours and so on, in order."""
    while len(pieces) > MOST_PIECES and len(paired := _pairs(pieces)) < len(pieces):
        pieces = paired
    return pieces


def joinable(pieces: Pieces) -> bool:
    """Whether some of them differ in nothing but their live taps, channels and outputs."""
    kinds = [_others(piece) for piece in pieces if _is_packed(piece)]
    return len(set(kinds)) < len(kinds)


def joined(pieces: Sequence[Piece]) -> Piece | None:
    """One Piece of several; None where they differ in more than their live taps and outputs.

    Groups that read the same channels become one with the outputs of all; there have to be as many
    in each.
    """
    first = pieces[0]
    if any(not _is_packed(piece) or _others(piece) != _others(first) for piece in pieces):
        return None
    made: dict[tuple[int, ...], list[int]] = {}
    for piece in pieces:
        for channels, outputs in _groups(piece):
            made.setdefault(channels, []).extend(outputs)
    if len({len(outputs) for outputs in made.values()}) > 1:
        return None
    read = tuple(channel for channels in made for channel in channels)
    outputs = tuple(output for each in made.values() for output in each)
    images = _images(first)
    conv = first.conv._replace(
        c=images * len(read),
        k=images * len(outputs),
        groups=images * len(made),
        live=_union([piece.conv for piece in pieces]),
    )
    parts = tuple(part for piece in pieces for part in piece.parts or (piece,))
    everything = all(piece.channels is None for piece in pieces)  # flattened, maybe
    return Piece(conv, None if everything else read, outputs, parts=parts)


class _Node(NamedTuple):
    """Pieces as one, or None where they cannot be, and in two halves."""

    whole: Piece | None
    halves: "tuple[_Node, ...]" = ()


@lru_cache(maxsize=1 << 5)  # the same for every dataflow, engine and design
def _halved(pieces: Pieces) -> _Node:
    if len(pieces) == 1:
        return _Node(pieces[0])
    middle = len(pieces) // 2
    return _Node(joined(pieces), (_halved(pieces[:middle]), _halved(pieces[middle:])))


def _fewest(node: _Node, clocks: Callable[[Pieces], int]) -> Pieces:
    apart: Pieces = sum((_fewest(half, clocks) for half in node.halves), ())
    if node.whole is None:
        return apart
    together = (node.whole,)
    return min(apart, together, key=clocks) if apart else together


def _pairs(pieces: Pieces) -> Pieces:
    """Every two joined, where they can be."""
    paired: list[Piece] = []
    for place in range(0, len(pieces), 2):
        pair = pieces[place : place + 2]
        whole = joined(pair)
        paired.extend(pair if whole is None else (whole,))
    return tuple(paired)


def _is_packed(piece: Piece) -> bool:
    """Whether the weights of its outputs have places of their own."""
    return piece.weights is not None or bool(piece.parts)


def _others(piece: Piece) -> tuple[object, ...]:
    """What joined pieces have in common."""
    conv = piece.conv
    each = conv._replace(c=conv.c // conv.groups, k=0, groups=_images(piece), live=None)
    return each, piece.reads, piece.taps, piece.writes


def _images(piece: Piece) -> int:
    """Images that are groups of the Conv, as each has a kernel of its own."""
    return piece.conv.k // len(piece.outputs or (0,))


def _groups(piece: Piece) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Input and output channels of every group of an image."""
    conv, outputs = piece.conv, piece.outputs or ()
    images = _images(piece)
    channels = piece.channels or tuple(range(conv.c // images))
    groups = conv.groups // images
    depth, filters = len(channels) // groups, len(outputs) // groups
    for group in range(groups):
        yield (
            channels[group * depth : (group + 1) * depth],
            outputs[group * filters : (group + 1) * filters],
        )


def _union(convs: Sequence[Conv]) -> Runs:
    """The taps that are live in any of them."""
    every = zip(*(conv.live_bits for conv in convs), strict=True)
    return live_runs(((1, reduce(or_, bits)) for bits in every), convs[0].fh * convs[0].fw)
