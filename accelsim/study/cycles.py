"""Cycles of a single layer: all that a study asks of lowering."""

from accelsim.hardware import Hardware
from accelsim.ir import Layer, Network
from accelsim.lowering import Allowed, lower


def layer_cycles(network: Network, layer: Layer, hardware: Hardware, allowed: Allowed) -> int:
    """Busy cycles by the schedule; 0 for what runs on the host."""
    lowered = lower(layer, network.in_shapes(layer), hardware, allowed)
    return lowered.cycles if lowered else 0
