"""Memories that become block RAM, or distributed RAM, as they are."""

from typing import Any

from amaranth.hdl import ShapeLike
from amaranth.lib.memory import Memory

ANY_WHEN_WRITTEN = "no_rw_check"  # Yosys's name for it


def memory(shape: ShapeLike, depth: int) -> Any:
    """A memory without contents, of which no word is read in the clock in which it is written.

    So what comes out then may be anything: a block RAM needs no logic that finds such a word.
    """
    return Memory(shape=shape, depth=depth, init=[], attrs={ANY_WHEN_WRITTEN: 1})
