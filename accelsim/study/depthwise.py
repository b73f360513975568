"""Change the network or the hardware? Depthwise layers six ways, over array sizes.

On the array as it is, left with some of its dataflows (accelsim.study.ways):

im2col       os alone: depthwise layers run in one column
row_streams  os and rows
blocks       os, ws and is
both         all of them

and with every dataflow, but something changed:

fuse_half    the network: every square depthwise layer becomes two of half the channels each with
             one-dimensional kernels (FuSeConv, arXiv 2105.13434)
engine       the hardware: depthwise layers run on a depthwise engine beside the array where that
             is faster

A way restricts the whole network, not its depthwise layers alone. Its cycles are therefore the
total of `accelsim run` with the options of that way, and what an array built with no more than
these dataflows would take.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from accelsim.checks import check
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.find import find_network
from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.ir import IMAGES, BaseNetwork
from accelsim.lowering import AUTO
from accelsim.request import Request
from accelsim.simulation import answer
from accelsim.study.ways import ON_ARRAY, depthwise_layers

BASELINE, FUSE = "baseline", "fuse_half"


class Way(NamedTuple):
    """A way of running a network, as the options of `accelsim run`.

    name : in files.  label : in tables.  about : how depthwise layers run.
    dataflow, variant : of the options of these names.
    engine : whether a depthwise engine stands beside the array.
    """

    name: str
    label: str
    about: str
    dataflow: str = AUTO
    variant: str = BASELINE
    engine: bool = False


_CHANGED = "replaced in the network by pairs of one-dimensional layers"
_BESIDE = "on a depthwise engine, or on the array where it is faster"
FUSE_HALF = Way(FUSE, "FuSe half", _CHANGED, variant=FUSE)
ENGINE = Way("engine", "with engine", _BESIDE, engine=True)
WAYS = (
    *(Way(way.name, way.label, way.about, way.dataflow) for way in ON_ARRAY),
    *(FUSE_HALF, ENGINE),
)


@dataclass(frozen=True)
class Point:
    """A network on an array of one size, in one of the WAYS.

    way : its name.
    cycles : of all layers that an engine runs; None where the way does not apply.
    depthwise_cycles : of its depthwise layers.
    multipliers : of the design.
    memory_cycles : clocks of the network with the memory of the design; None where it has none.
    time_ms : milliseconds at the clock of the design, with memory where it has one.
    clock_mhz, clock_source : of the design, see accelsim.hardware.Clock.
    why_not : why the way does not apply, in a sentence; None where it does.
    batch : images, which the figures are of.
    """

    network: str
    way: str
    array: str
    cycles: int | None
    depthwise_cycles: int | None
    multipliers: int
    memory_cycles: int | None = None
    time_ms: float | None = None
    clock_mhz: float | None = None
    clock_source: str | None = None
    why_not: str | None = None
    batch: int = 1


def depthwise_study(
    make: Callable[[str], BaseNetwork] | str | Path,
    arrays: Iterable[tuple[int, int]],
    engine: DepthwiseEngine,
    base: Hardware | None = None,
    batch: int | None = None,
) -> tuple[Point, ...]:
    """Every way on every array, of any network.

    Parameters
    ----------
    make : the network of a variant; also the name of a network, or its file.
    arrays : rows and columns.
    engine : that stands beside the array in the way of that name.
    base : a design with an array, for all but these sizes; None for the defaults.
    batch : images that every layer takes at once; None for the network's.
    """
    if isinstance(make, str | Path):
        make = partial(find_network, make)
    plain = make(BASELINE)
    batch = plain.batch if batch is None else batch
    check("batch", batch, IMAGES, UnsupportedError)
    fused = _fused(make, plain)
    points = []
    for rows, columns in arrays:
        alone = _array(rows, columns, engine, base)
        for way in WAYS:
            network = fused if way.variant == FUSE else plain
            design = alone.with_engine(engine) if way.engine else alone
            points.append(_point(way, network, plain, design, batch))
    return tuple(points)


def _fused(make: Callable[[str], BaseNetwork], plain: BaseNetwork) -> BaseNetwork | str:
    """The network with FuSe half, or why there is none."""
    try:
        return make(FUSE)
    except NetworkError as error:
        return f"{plain.name} has no {FUSE_HALF.label}: {error}"


def _array(rows: int, columns: int, engine: DepthwiseEngine, base: Hardware | None) -> Hardware:
    """The design with an array of that size, and without a depthwise engine."""
    if base is None:
        return Hardware(SystolicArray(rows, columns, operands=engine.operands))
    if base.array is None or base.third_party:
        raise UnsupportedError(f"a study needs a design with an array, not {base.label}")
    return base.without(engine.name).with_engine(replace(base.array, rows=rows, columns=columns))


def _point(
    way: Way, network: BaseNetwork | str, plain: BaseNetwork, design: Hardware, batch: int
) -> Point:
    assert design.array is not None
    size = f"{design.array.rows}x{design.array.columns}"
    about = (plain.name, way.name, size)

    def inapplicable(why: str) -> Point:
        return Point(*about, None, None, design.multipliers, why_not=why, batch=batch)

    if isinstance(network, str):
        return inapplicable(network)
    depthwise = {layer.name for layer in depthwise_layers(network)}
    if way.engine and not depthwise:
        return inapplicable(f"{plain.name} has no depthwise layers for an engine to run")
    try:
        result = answer(Request(network, design, way.dataflow, batch=batch))
    except UnsupportedError as error:
        return inapplicable(f"{plain.name} cannot run {way.label}: {error}")
    costs = [layer.cycles for layer in result.layers if layer.name in depthwise]
    totals = result.total_cycles, sum(costs), design.multipliers
    times = result.total_memory_cycles, result.time_ms
    return Point(*about, *totals, *times, *design.clock, batch=batch)
