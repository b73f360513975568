"""Change the network or the hardware? Depthwise layers four ways, over array sizes.

im2col     plain depthwise layers by im2col, in one column of the array: what an array without row
           streams does
rows       the same layers as row streams on the array, or in another dataflow if it is faster
fuse_half  the network changed: every depthwise layer becomes two of half the channels each with
           one-dimensional kernels (FuSeConv, arXiv 2105.13434), on the same array
engine     the hardware changed: plain depthwise layers where they are faster, on the array or on
           a depthwise engine beside it

All other layers take the fastest dataflow of the array.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from accelsim.hardware import DepthwiseEngine, Hardware, SystolicArray
from accelsim.ir import Network
from accelsim.lowering import AUTO, Allowed, is_depthwise, parse_dataflows
from accelsim.study.cycles import layer_cycles
from accelsim.study.ways import ENGINE, IM2COL, ROWS

FUSE = "fuse_half"
WAYS = (IM2COL, ROWS, FUSE, ENGINE)


@dataclass(frozen=True)
class Point:
    """A network on an array of one size, in one of the WAYS.

    cycles : of all layers that an engine runs.
    depthwise_cycles : of its depthwise layers.
    multipliers : of the design.
    """

    network: str
    way: str
    array: str
    cycles: int
    depthwise_cycles: int
    multipliers: int


def depthwise_study(
    make: Callable[[str], Network], arrays: Iterable[tuple[int, int]], engine: DepthwiseEngine
) -> tuple[Point, ...]:
    """Every way on every array.

    Parameters
    ----------
    make : the network of a variant.
    arrays : rows and columns.
    engine : that stands beside the array in the way of that name.
    """
    plain, fused = make("baseline"), make(FUSE)
    points = []
    for rows, columns in arrays:
        array = SystolicArray(rows, columns, operands=engine.operands)
        points += [
            _point(IM2COL, plain, array, dataflow="os"),
            _point(ROWS, plain, array),
            _point(FUSE, fused, array),
            _point(ENGINE, plain, array, engine),
        ]
    return tuple(points)


def _point(
    way: str,
    network: Network,
    array: SystolicArray,
    engine: DepthwiseEngine | None = None,
    dataflow: str = AUTO,
) -> Point:
    """One way; depthwise layers are kept to the dataflow."""
    hardware = Hardware(array, depthwise=engine)
    allowed = Allowed(parse_dataflows(dataflow).depthwise, parse_dataflows(AUTO).others)
    total = depthwise = 0
    for layer in network.layers:
        cycles = layer_cycles(network, layer, hardware, allowed)
        total += cycles
        depthwise += cycles if is_depthwise(layer, network.in_shapes(layer)) else 0
    size = f"{array.rows}x{array.columns}"
    return Point(network.name, way, size, total, depthwise, hardware.multipliers)
