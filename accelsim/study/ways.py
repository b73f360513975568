"""The depthwise layers of a result in every way that its hardware offers, side by side."""

from typing import NamedTuple

from accelsim.errors import UnsupportedError
from accelsim.ir import Layer
from accelsim.lowering import AUTO, is_depthwise, parse_dataflows
from accelsim.request import RTL
from accelsim.result import Result
from accelsim.study.cycles import layer_cycles

ENGINE, ROWS, IM2COL = "engine", "rows", "im2col"
# Every way with the options of `simulate` that ask for it: dataflow and depthwise_on.
OPTIONS = {ENGINE: (AUTO, "engine"), ROWS: ("rows", "array"), IM2COL: ("os", "array")}


class DepthwiseWays(NamedTuple):
    """Depthwise layers, each way of running all of them.

    layers : how many they are.
    cycles : of every way; None where one of the layers cannot run in it.
    """

    layers: int
    cycles: dict[str, int | None]


def depthwise_ways(result: Result) -> DepthwiseWays | None:
    """The depthwise layers of a result in every way.

    None where it has none, and where the ways are not known: in published timings and with
    third-party engines.
    """
    if result.timing != RTL or result.hardware.third_party:
        return None
    graph = result.graph
    layers = [graph.layer(layer.name) for layer in result.layers]
    depthwise = [layer for layer in layers if is_depthwise(layer, graph.in_shapes(layer))]
    if not depthwise:
        return None
    ways = [way for way in OPTIONS if way != ENGINE or result.hardware.depthwise]
    return DepthwiseWays(len(depthwise), {way: _cycles(result, depthwise, way) for way in ways})


def _cycles(result: Result, layers: list[Layer], way: str) -> int | None:
    allowed = parse_dataflows(*OPTIONS[way])
    try:
        return sum(layer_cycles(result.graph, each, result.hardware, allowed) for each in layers)
    except UnsupportedError:
        return None
