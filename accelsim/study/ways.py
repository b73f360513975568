"""Ways of running depthwise layers on an array: the dataflows that it is left with.

An array by im2col alone (os) runs a depthwise layer in one of its columns. Row streams (rows) give
a row to each channel; blocks of neighbouring outputs (ws, is) share a vector of inputs. A way is a
choice of `--dataflow`, so that `accelsim run` with that option has the same cycles, and the same
layers in its table.
"""

from collections import Counter
from typing import NamedTuple

from accelsim.errors import UnsupportedError
from accelsim.ir import BaseNetwork, Layer
from accelsim.lowering import AUTO, is_depthwise, lower, parse_dataflows
from accelsim.request import RTL
from accelsim.result import Result


class ArrayWay(NamedTuple):
    """What an array may do, in words and as the option that allows it.

    name : in files.  label : in tables.  dataflow : the names that `--dataflow` takes.
    about : how depthwise layers then run.
    """

    name: str
    label: str
    dataflow: str
    about: str


IM2COL = ArrayWay("im2col", "im2col", "os", "in one column of the array")
ROW_STREAMS = ArrayWay("row_streams", "row streams", "os,rows", "along its rows, or by im2col")
BLOCKS = ArrayWay("blocks", "blocks", "os,ws,is", "in blocks of outputs, or by im2col")
BOTH = ArrayWay("both", "both", AUTO, "in the fastest of these")
ON_ARRAY = (IM2COL, ROW_STREAMS, BLOCKS, BOTH)


class DepthwiseWays(NamedTuple):
    """Depthwise layers as they ran, and in every way of the array.

    ran : how many ran in which dataflow, or on which engine where it has only one.
    cycles : as they ran.
    on_array : cycles by the dataflows that the array is left with; None where one of the layers
        cannot run with them.
    """

    ran: Counter[str]
    cycles: int
    on_array: dict[ArrayWay, int | None]


def depthwise_ways(result: Result) -> DepthwiseWays | None:
    """The depthwise layers of a result as they ran, and in every way of its array.

    None where it has none, and where the ways are not known: in published timings and with
    third-party engines.
    """
    if result.timing != RTL or result.hardware.third_party:
        return None
    graph = result.graph
    costs = {layer.name: layer for layer in result.layers}
    layers = [layer for layer in depthwise_layers(graph) if layer.name in costs]
    if not layers:
        return None
    ran = [costs[layer.name] for layer in layers]
    return DepthwiseWays(
        Counter(cost.dataflow or f"{cost.engine} engine" for cost in ran),
        sum(cost.cycles for cost in ran),
        {way: _cycles(result, layers, way) for way in ON_ARRAY},
    )


def depthwise_layers(network: BaseNetwork) -> list[Layer]:
    """The layers whose output channels see one input channel each."""
    return [each for each in network.layers if is_depthwise(each, network.in_shapes(each))]


def _cycles(result: Result, layers: list[Layer], way: ArrayWay) -> int | None:
    """Cycles of the layers on the array alone, by the schedule."""
    graph, allowed = result.graph, parse_dataflows(way.dataflow, "array")
    try:
        costs = [
            lower(each, graph.in_shapes(each), result.hardware, allowed, result.batch)
            for each in layers
        ]
    except UnsupportedError:
        return None
    return sum(cost.cycles for cost in costs if cost)
