"""What a dataflow is: how convolutions are cut into passes of one engine.

A Plan says which passes run, in which order; it costs nothing to make, so that many can be
compared. A Program says what every operand word and every result word of those passes holds. Both
depend on sizes only, never on data.
"""

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.ir import Conv
from accelsim.numerics import Integers
from accelsim.passes import Body

Tiles = tuple[int, int]  # (count, size): so many tiles of that size, one after another
Candidate = tuple[int | None, Hashable]  # (clocks, tiling); None: the schedule says them
Indices = npt.NDArray[np.int32]

UNBOUNDED = 1 << 200  # more clocks than anything takes


class Plan(NamedTuple):
    """How one Conv is cut into passes.

    body : the passes in execution order, as a nest of repetitions.
    tiling : what the dataflow's `program` needs besides; its own record.
    """

    body: Body
    tiling: Hashable


class Program(Protocol):
    """The passes of a Plan with the place of every operand and result.

    A class of its own for every engine, whose memories differ.
    """

    @property
    def commands(self) -> npt.NDArray[np.int64]:
        """int64[passes, fields], the engine's commands, addresses from 0 on."""

    @property
    def dest(self) -> Indices:
        """int32[result words, values], the flat index of each result in the output, Conv.out_shape.

        -1 where it is thrown away. Values that no pass uses may be left out at the end.
        """

    def operands(
        self, x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], sizes: Any
    ) -> tuple[Integers, ...]:
        """The content of the engine's memories for input and weights."""


class Dataflow(Protocol):
    """What every dataflow of this folder defines."""

    @property
    def name(self) -> str:
        """Its name in `--dataflow` and in reports, where its engine has several."""

    @property
    def engine(self) -> str:
        """Name of the engine whose passes it makes."""

    @property
    def eager(self) -> bool:
        """Whether it is tried before others: it wins most layers that it does not refuse at once.

        What cannot be as fast is then left out.
        """

    def tilings(self, conv: Conv, sizes: Any, most: int = UNBOUNDED) -> Iterator[Candidate]:
        """Candidates, at least one, or UnsupportedError with the reason.

        Those that take more than `most` clocks may be left out, so that none may be left.
        """

    def body(self, conv: Conv, sizes: Any, tiling: Hashable) -> Body:
        """The passes of a tiling, in order."""

    def program(self, conv: Conv, sizes: Any, plan: Plan) -> Program:
        """The index maps of a plan."""


def gather(dest: Indices, results: npt.NDArray[np.int32], size: int) -> npt.NDArray[np.int32]:
    """The output, int32[size], from result words int32[words, values] and where they belong."""
    out = np.zeros(size + 1, np.int32)  # index -1 is the last element: what is thrown away
    out[dest] = results[:, : dest.shape[1]]
    return out[:-1]


def stored(conv: Conv) -> Indices:
    """int32[k, c / groups x fh x fw], the place of every tap of a kernel in (0, w); 0 of no weight.

    w has live taps alone.
    """
    places = np.zeros((conv.k, conv.c // conv.groups * conv.fh * conv.fw), np.int32)
    places[:, conv.places] = np.arange(1, 1 + conv.k * conv.depth).reshape(conv.k, -1)
    return places


def ceil_div(a: int, b: int) -> int:
    """Quotient rounded up."""
    return -(-a // b)
