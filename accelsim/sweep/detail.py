"""One point of a sweep, layer by layer."""

from collections.abc import Mapping
from typing import Any

from accelsim.find import find_network
from accelsim.frames import polars
from accelsim.result import Result
from accelsim.simulation import simulate
from accelsim.sweep.spec import Spec


def result(spec: Spec, row: Mapping[str, Any]) -> Result:
    """What `simulate` says of the design of a row, which the row says of it too."""
    network = find_network(row["network"], row["variant"], row["input"])
    hardware = spec.hardware(row)
    return simulate(
        network,
        hardware,
        row["dataflow"],
        depthwise_on=row["depthwise_on"],
        batch=row.get("batch"),
        energy=spec.energy,
    )


def layers(spec: Spec, row: Mapping[str, Any]) -> polars.DataFrame:
    """The frame of `result`: what every layer takes, moves and waits for."""
    return result(spec, row).to_frame()
