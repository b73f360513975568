"""Cycles of a single layer: all that a study asks of lowering."""

from accelsim.hardware import Hardware
from accelsim.ir import Layer, Network
from accelsim.lower import AUTO, lower, parse_dataflows


def layer_cycles(
    network: Network,
    layer: Layer,
    hardware: Hardware,
    dataflow: str = AUTO,
    depthwise_on: str = AUTO,
) -> int:
    """Busy cycles by the schedule, 0 for what runs on the host; the options are `simulate`'s."""
    dataflows = parse_dataflows(dataflow)
    lowered = lower(layer, network.in_shapes(layer), hardware, dataflows, depthwise_on)
    return lowered.cycles if lowered else 0
