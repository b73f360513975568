"""When the passes of a core could start, by what the host had sent and taken."""

from typing import NamedTuple

import numpy as np

from rtl.host.chunks import Int


class Taken(NamedTuple):
    """Clocks in which the core took commands, and in which its host took result words.

    commands, results : int64[passes] and int64[result words], on any clock that both share.
    """

    commands: Int
    results: Int


class Room(NamedTuple):
    """What passes need of the result memory.

    words : int64[passes], result words that must have been taken before each starts.
    clocks : from the one in which the last of them is taken to the first operand of the pass.
    """

    words: Int
    clocks: int


def could_start(taken: Taken, lead: int, room: Room | None = None) -> Int:
    """int64[passes], clocks before which passes could not start, on the clock of `taken`.

    lead : clocks from the one in which a command is taken to the first operand of its pass.
    room : None where passes start without room for their results.
    """
    clocks = taken.commands + lead
    if room is not None:
        waits = room.words > 0
        freed = taken.results[room.words[waits] - 1] + room.clocks
        clocks[waits] = np.maximum(clocks[waits], freed)
    return clocks


def earliest(clocks: Int, first: int) -> Int:
    """int64[passes], clocks before which passes could not start, counted from the first start."""
    starts: Int = np.maximum(clocks - first, 0)
    return starts
