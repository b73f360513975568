"""C synthesis: the HLS report of one layer, from the loop nest of its passes."""

from dataclasses import dataclass
from typing import Any

from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.hardware import Hardware
from accelsim.hls.reports import Report, report
from accelsim.lowering import AUTO, Choice
from accelsim.networks.variants import variant_keys
from accelsim.request import Request
from accelsim.result import batch_keys, region_keys


@dataclass(frozen=True)
class Synthesis:
    """The report of a layer.

    engine : the name of the one that runs the layer.
    dataflow : its name, where the engine has several; else None.
    macs : dense multiply-accumulates of the layer, for the batch.
    live_macs : those of them with a value of the map.
    skipped_macs : see LayerResult.
    batch : images.
    way, cycles_min, cycles_max : as of a LayerResult; the report is that of the most cycles.
    """

    network: str
    variant: str
    layer: str
    op: str
    engine: str
    dataflow: str | None
    macs: int
    live_macs: int
    skipped_macs: int
    bound_cycles: int
    hardware: Hardware
    report: Report
    batch: int = 1
    way: str | None = None
    cycles_min: int = 0
    cycles_max: int = 0

    @property
    def utilization(self) -> float:
        """Live MACs / (multipliers x cycles)."""
        return self.report.share(self.live_macs)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "network": self.network,
            **variant_keys(self.variant),
            "layer": self.layer,
            "op": self.op,
            "engine": self.engine,
            "dataflow": self.dataflow,
            "macs": self.macs,
            "live_macs": self.live_macs,
            "skipped_macs": self.skipped_macs,
            "bound_cycles": self.bound_cycles,
            "utilization": self.utilization,
            "hardware": self.hardware.to_dict(),
            **self.report.to_dict(),
            "clock_source": self.hardware.clock.source,
            **batch_keys(self.batch),
            **region_keys(self.way, self.cycles_min, self.cycles_max),
        }


def csynth(
    network: AnyNetwork,
    layer: str,
    hardware: AnyHardware,
    dataflow: Choice = "auto",
    depthwise_on: str = AUTO,
    batch: int | None = None,
) -> Synthesis:
    """The report of the layer of that name.

    Parameters
    ----------
    dataflow : what the array may use, as in `simulate`.
    depthwise_on : where depthwise layers run: array, engine, or auto.
    batch : images that the layer takes at once; None for the network's.
    """
    network, hardware = as_network(network), as_hardware(hardware)
    request = Request(network, hardware, dataflow, depthwise_on, batch=batch)
    chosen, _, lowered = request.layer_on(layer, "a loop nest")
    made = report(lowered.nest(layer), lowered.resources, hardware.clock_mhz)
    return Synthesis(
        network.name,
        network.variant,
        layer,
        chosen.op.name,
        lowered.engine,
        lowered.dataflow,
        request.macs(chosen),
        lowered.live_macs,
        lowered.skipped_macs,
        lowered.bound.cycles,
        hardware,
        made,
        request.images,
        lowered.way,
        lowered.cycles_min,
        lowered.cycles_max,
    )
