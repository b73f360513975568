"""C synthesis: the HLS report of one layer, from the loop nest of its passes."""

from dataclasses import asdict, dataclass
from typing import Any

from accelsim.engines import systolic_array
from accelsim.errors import UnsupportedError
from accelsim.hardware import Hardware
from accelsim.hls.report import Report, report
from accelsim.ir import Network
from accelsim.lower import lower, parse_dataflows


@dataclass(frozen=True)
class Synthesis:
    """The report of a layer.

    dataflow : os, ws, is or rows, in which the layer runs.
    macs : dense multiply-accumulates of the layer.
    """

    network: str
    variant: str
    layer: str
    op: str
    dataflow: str
    macs: int
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
            "dataflow": self.dataflow,
            "macs": self.macs,
            "utilization": self.utilization,
            "hardware": asdict(self.hardware),
            **self.report.to_dict(),
        }


def csynth(network: Network, layer: str, hardware: Hardware, dataflow: str = "auto") -> Synthesis:
    """The report of the layer of that name.

    Parameters
    ----------
    dataflow : auto, or the allowed ones of os, ws, is, rows with commas.
    """
    chosen, array = network.layer(layer), hardware.array
    lowered = lower(chosen, network.in_shapes(chosen), array, parse_dataflows(dataflow))
    if lowered is None:
        raise UnsupportedError(
            f"layer {layer} ({chosen.op.name}) runs on the host; only layers on the array have a "
            "loop nest"
        )
    nest = systolic_array.nest(array, lowered.body, layer)
    made = report(nest, systolic_array.resources(array), hardware.clock_mhz)
    return Synthesis(
        network.name,
        network.variant,
        layer,
        chosen.op.name,
        lowered.dataflow,
        network.macs(chosen),
        hardware,
        made,
    )
