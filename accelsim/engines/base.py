"""What an engine is to everybody else.

An engine executes passes of its own kind, in order. Four levels say what comes out and how long it
takes, and all four agree: `golden` the values, `nest` the clocks, `simulate` both, and the
hardware of the folder of the same name in rtl/engines.

Clocks count from the first one at which the first pass could start. A pass *starts* when its first
operand is at a port. It has *retired* when its last result, and that of every pass before it, has
left: from then on, whatever waits for it may proceed.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.engines.area import Area
from accelsim.errors import UnsupportedError
from accelsim.hls.nest import Loop
from accelsim.hls.reports import Resource
from accelsim.ir import Conv
from accelsim.passes import Body, Repeat

REMEMBERED = 1024  # sequences: some come back in later layers

Times = npt.NDArray[np.int64]


def result_memory(depth: int, bits: int) -> Resource:
    """What holds so many result words: of both engines, in front of their result ports.

    In registers are a word behind the banks, and one that the reader has not taken.
    """
    return Resource("result memory", 0, 2 * bits, depth * bits)


class Traffic(NamedTuple):
    """What passes move and do.

    read_bytes : operands filled into the banks of the lanes, or rows and columns, that a pass
        uses, a byte each or two (see Operands); what im2col or several passes repeat counts as
        often as it is filled.
    write_bytes : results at the result port, in the lanes or columns that a pass uses, thrown-away
        ones included, each as wide as an accumulator.
    macs : multiply-accumulates executed, those with padding and zero taps included.
    """

    read_bytes: int
    write_bytes: int
    macs: int


class Accesses(NamedTuple):
    """What passes do that takes energy, by kind: how often.

    Counted are values, each as wide as its kind (see Store), wherever they go: also through
    elements of rows and columns that a pass does not use. Registers that only shorten a clock
    count for nothing: a value that comes to a register of an element or a lane is one move, however
    many registers it is delayed by on its way.

    multiply : products, those with padding and zero taps included; as Traffic.macs.
    add : additions of these products to sums, and of sums to accumulators.
    operand_move : an operand or tap comes to a register of an element or a lane, from a bank, from
        a neighbour, or from another register of its own.
    sum_move : a sum comes to a register of an element or a lane: with every product that is added
        to it, and on its way out.
    row_bank_read, column_bank_read, lane_bank_read : operands read from banks; the writes are
        those that are filled in for a pass.
    tap_read, tap_write : taps read from the tap buffers of rows or the tap memory of lanes, and
        written there.
    accumulator_read, accumulator_write : partial sums.
    result_write, result_read : results into the result memory, and out of it.
    fill : bytes that come from the buffers on chip to fill banks and tap memory; as
        Traffic.read_bytes.
    offchip_read, offchip_write : bytes between off-chip memory and buffers. No engine does these:
        they are those of the model of accelsim.reuse.
    """

    multiply: int = 0
    add: int = 0
    operand_move: int = 0
    sum_move: int = 0
    row_bank_read: int = 0
    row_bank_write: int = 0
    column_bank_read: int = 0
    column_bank_write: int = 0
    lane_bank_read: int = 0
    lane_bank_write: int = 0
    tap_read: int = 0
    tap_write: int = 0
    accumulator_read: int = 0
    accumulator_write: int = 0
    result_read: int = 0
    result_write: int = 0
    fill: int = 0
    offchip_read: int = 0
    offchip_write: int = 0


class Store(NamedTuple):
    """What an access is an access to.

    bits : of the value, or of an operand of the multiplication and of the sum of the addition.
    capacity_bits : of the memory that it lies in; 0 for registers and arithmetic.
    """

    bits: int
    capacity_bits: int = 0


class Run(NamedTuple):
    """Outcome of a sequence, from registers alone.

    words : int32[result words, values], as they leave.
    busy_cycles : first operand at a port to last result at the result port.
    started, retired : int64[passes], the clocks at which each pass did.
    registers : at the clock asked for, in the engine's own record, else None.
    """

    words: npt.NDArray[np.int32]
    busy_cycles: int
    started: Times
    retired: Times
    registers: Any


class Bound(NamedTuple):
    """The least clocks that each of what an engine has takes for a layer.

    array : the multipliers.
    results : the result port.
    fill : the port that fills the banks; 0 where it is as wide as it takes.
    """

    array: int
    results: int
    fill: int = 0

    @property
    def cycles(self) -> int:
        """The least that all of them allow together."""
        return max(self)

    @property
    def by(self) -> str:
        """The name of what allows no fewer; the first of those that are equal."""
        return self._fields[self.index(self.cycles)]


class Joint(NamedTuple):
    """How the clocks of passes join those of the passes before and behind them in a sequence.

    A pass *captures*, clocks after its load and behind the drain of the one before it: the first of
    these passes captures max(load, drain of what stands before) clocks behind the last capture
    there, or `load` clocks after the beginning.

    load : of the first pass.
    inner : clocks from the capture of the first pass to that of the last.
    drain : of the last pass.
    end : clocks from the capture of the first pass to the end of all of them.
    """

    load: int
    inner: int
    drain: int
    end: int

    def then(self, other: "Joint") -> "Joint":
        """Both, one behind the other."""
        begin = self.inner + max(self.drain, other.load)
        end = max(self.end, begin + other.end)
        return Joint(self.load, begin + other.inner, other.drain, end)

    def times(self, trips: int) -> "Joint":
        """So many of them, one behind the other."""
        before = (trips - 1) * (self.inner + max(self.drain, self.load))
        return Joint(self.load, before + self.inner, self.drain, before + self.end)


@dataclass(frozen=True)
class Registers:
    """The levels of an engine at which values are computed; what only counts clocks has none.

    command : the record of its commands, in accelsim.passes. Commands are int64[passes, fields],
        and have a column of addresses for every memory of the engine.
    golden : golden(sizes, commands, *memories), the result words int32[result words, values].
    simulate : simulate(sizes, commands, *memories, clock=None, earliest=None), a Run. `clock` is
        the one at whose start registers are recorded, `earliest` int64[passes] the clocks before
        which passes do not start.
    activity : activity(sizes, commands, memories, used, clocks), an Activity, of operands that are
        0 where the layer has a zero and `used` result words that are not thrown away.
    elements : elements(sizes), rows and columns of what a film shows.
    sides : what one of these rows and one of these columns is called.
    used : used(sizes, p), how many of these rows and of these columns multiply in a pass, each with
        each; None where that is not known.
    accesses : accesses(sizes, commands), the Accesses of every pass, counted clock by clock from
        registers and control; None where they are not counted.
    """

    command: type
    golden: Callable[..., npt.NDArray[np.int32]]
    simulate: Callable[..., Run]
    activity: Callable[..., Any]
    elements: Callable[[Any], tuple[int, int]]
    sides: tuple[str, str] = ("row", "column")
    used: Callable[[Any, Any], tuple[int, int]] | None = None
    accesses: Callable[[Any, npt.NDArray[np.int64]], list[Accesses]] | None = None


@dataclass(frozen=True, eq=False)
class Engine:
    """An engine: what follows from its sizes.

    name : in reports, files and JSON.
    sizes : its record in accelsim.hardware.
    takes : takes(convs, depthwise), whether it is made for a layer of these convolutions;
        `depthwise` says whether every output channel sees one input channel.
    limits : limits(sizes, p), why it cannot run a pass, in one sentence, or None.
    nest : nest(sizes, body, name), the loop nest of passes.
    bound : bound(sizes, convs, body), a Bound for the products with values of the map and the
        results of a layer; never above its cycles.
    traffic : traffic(sizes, p), what a pass moves and does; None where that is not modelled.
    resources : what the engine consists of.
    registers : None for an engine that only counts clocks.
    area : what its cells are estimated from; None where no core was synthesised.
    misplaced : misplaced(before, after), why a pass cannot follow another, in one sentence, or
        None; where None stands for a pass, there is none. None where any pass can follow any.
    skipped : skipped(sizes, conv, body), the MACs of a convolution on which its passes spend no
        multiplier, as their taps lie outside the map; None for an engine that skips none.
    accesses : accesses(sizes, p), the Accesses of a pass, whatever stands before and behind it;
        None where they are not known, and there is no energy then.
    stores : stores(sizes), the Store of every kind of access that the engine has.
    joint : joint(sizes, body), the Joint of passes, or None where their clocks do not join so; None
        for an engine of which that is not known.
    """

    name: str
    sizes: type
    takes: Callable[[Iterable[Conv], bool], bool]
    limits: Callable[[Any, Any], str | None]
    nest: Callable[[Any, Body, str], Loop]
    bound: Callable[[Any, Sequence[Conv], Body], Bound]
    traffic: Callable[[Any, Any], Traffic] | None
    resources: Callable[[Any], tuple[Resource, ...]]
    registers: Registers | None = None
    area: Area | None = None
    misplaced: Callable[[Any, Any], str | None] | None = None
    skipped: Callable[[Any, Conv, Body], int] | None = None
    accesses: Callable[[Any, Any], Accesses] | None = None
    stores: Callable[[Any], Mapping[str, Store]] | None = None
    joint: Callable[[Any, Body], Joint | None] | None = None

    def cycles(self, sizes: Any, body: Body) -> int:
        """Busy clocks of a sequence: first operand at a port to last result at a result port."""
        return _cycles(self, sizes, body)

    def check(self, sizes: Any, body: Body) -> None:
        """Raise UnsupportedError where the engine cannot run the body, or a pass of it."""
        for p in distinct(body):
            if reason := self.limits(sizes, p):
                raise UnsupportedError(reason)
        if self.misplaced is not None:
            for before, after in _neighbours((None, *body, None)):
                if reason := self.misplaced(before, after):
                    raise UnsupportedError(reason)


@lru_cache(maxsize=REMEMBERED)
def _cycles(engine: Engine, sizes: Any, body: Body) -> int:
    return engine.nest(sizes, body, "").latency


def least_clocks(convs: Iterable[Conv], multipliers: int, results: int) -> Bound:
    """Clocks for the products and the results of convolutions.

    Products are those with values of the map: an engine may skip the others.

    results : a clock, at the result port.
    """
    macs = outputs = 0
    for conv in convs:
        macs += conv.live_macs
        outputs += prod(conv.out_shape)
    return Bound(-(-macs // multipliers), -(-outputs // results))


def when_called(module: str, function: str) -> Callable[..., Any]:
    """A function of a module that is loaded when it is first called: kernels need Numba."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*arguments, **options)

    return call


def distinct(body: Body) -> set[Any]:
    """The passes of a body, equal ones once."""
    passes: set[Any] = set()
    for part in body:
        passes |= distinct(part.body) if isinstance(part, Repeat) else {part}
    return passes


def _neighbours(body: Body) -> Iterator[tuple[Any, Any]]:
    """What stands side by side in the order of execution, at least once."""
    for part in body:
        if isinstance(part, Repeat):
            yield from _neighbours(part.body)
            if part.trips > 1:
                yield _end(part, -1), _end(part, 0)
    for before, after in pairwise(body):
        yield _end(before, -1), _end(after, 0)


def _end(part: Any, place: int) -> Any:
    """The first (0) or the last (-1) pass of a part of a body."""
    return _end(part.body[place], place) if isinstance(part, Repeat) else part


def passes_of(body: Body) -> list[Any]:
    """The passes of a body in the order of execution."""
    passes: list[Any] = []
    for part in body:
        passes += part.trips * passes_of(part.body) if isinstance(part, Repeat) else [part]
    return passes
