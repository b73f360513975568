"""C synthesis: the HLS report of one layer, from the loop nest of its passes."""

from dataclasses import dataclass
from typing import Any

from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware
from accelsim.hls.report import Report, report
from accelsim.ir import Network
from accelsim.lower import AUTO, Choice, check_depthwise, lower, parse_dataflows


@dataclass(frozen=True)
class Synthesis:
    """The report of a layer.

    engine : array or depthwise.
    dataflow : os, ws, is or rows, in which the array runs the layer.
    macs : dense multiply-accumulates of the layer.
    """

    network: str
    variant: str
    layer: str
    op: str
    engine: str
    dataflow: str | None
    macs: int
    bound_cycles: int
    hardware: Hardware
    report: Report

    @property
    def utilization(self) -> float:
        """Dense MACs / (multipliers x cycles)."""
        return self.report.share(self.macs)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "network": self.network,
            "variant": self.variant,
            "layer": self.layer,
            "op": self.op,
            "engine": self.engine,
            "dataflow": self.dataflow,
            "macs": self.macs,
            "bound_cycles": self.bound_cycles,
            "utilization": self.utilization,
            "hardware": self.hardware.to_dict(),
            **self.report.to_dict(),
        }


def csynth(
    network: Network,
    layer: str,
    hardware: Hardware,
    dataflow: Choice = "auto",
    depthwise_on: str = AUTO,
) -> Synthesis:
    """The report of the layer of that name.

    Parameters
    ----------
    dataflow : what the array may use, as in `simulate`.
    depthwise_on : where depthwise layers run: array, engine, or auto.
    """
    check_depthwise(hardware, depthwise_on)
    chosen, allowed = network.layer(layer), parse_dataflows(dataflow)
    lowered = lower(chosen, network.in_shapes(chosen), hardware, allowed, depthwise_on)
    if lowered is None:
        raise UnsupportedError(
            f"layer {layer} ({chosen.op.name}) runs on the host; only layers on an engine have a "
            "loop nest"
        )
    made = report(lowered.nest(layer), lowered.resources, hardware.clock_mhz)
    return Synthesis(
        network.name,
        network.variant,
        layer,
        chosen.op.name,
        lowered.engine,
        lowered.dataflow,
        network.macs(chosen),
        lowered.bound_cycles,
        hardware,
        made,
    )
