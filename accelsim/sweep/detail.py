"""One point of a sweep, layer by layer."""

from collections.abc import Mapping
from typing import Any

import polars

from accelsim.find import find_network
from accelsim.ir import Network
from accelsim.result import LayerResult, Result
from accelsim.reuse import Moved, moved
from accelsim.simulation import simulate
from accelsim.sweep.spec import Spec

MEMORY, PORTS, MULTIPLIES = BOUNDS = ("memory", "ports", "multiplies")


def result(spec: Spec, row: Mapping[str, Any]) -> Result:
    """What `simulate` says of the design of a row, which the row says of it too."""
    network = find_network(row["network"], row["variant"], row["input"])
    hardware = spec.hardware(row)
    return simulate(network, hardware, row["dataflow"], depthwise_on=row["depthwise_on"])


def layers(spec: Spec, row: Mapping[str, Any]) -> polars.DataFrame:
    """The frame of `result` with what each layer moves off chip and waits for.

    offchip_read_bytes, offchip_write_bytes : see accelsim.reuse.
    memory_cycles : clocks of the memory port, not always whole ones; null where it is as wide as
        needed.
    bound : what the layer waits for: memory, ports or multiplies; null on the host.
    """
    simulated = result(spec, row)
    network: Network = simulated.graph
    bytes_moved = moved(network, row["activation_kib"] << 10, row["weight_kib"] << 10)
    width = row["memory_width_bytes"]
    return simulated.to_frame().with_columns(
        polars.Series("offchip_read_bytes", [each.read for each in bytes_moved]),
        polars.Series("offchip_write_bytes", [each.write for each in bytes_moved]),
        polars.Series(
            "memory_cycles",
            [sum(each) / width if width else None for each in bytes_moved],
            polars.Float64,
        ),
        polars.Series(
            "bound",
            [
                _bound(simulated, layer, each, width)
                for layer, each in zip(simulated.layers, bytes_moved, strict=True)
            ],
            polars.String,
        ),
    )


def _bound(simulated: Result, layer: LayerResult, bytes_moved: Moved, width: int) -> str | None:
    if layer.not_modelled:
        return None
    if width and sum(bytes_moved) > layer.cycles * width:
        return MEMORY
    engine = simulated.hardware.engine(layer.engine)
    assert layer.bound_cycles is not None
    return PORTS if layer.bound_cycles > -(-layer.live_macs // engine.multipliers) else MULTIPLIES
