"""Specifications that several tests use, and a row's design as `simulate` takes it."""

from pathlib import Path
from typing import Any

import accelsim as ax
from accelsim.sweep import Spec, load_spec

# Every axis has a choice; some designs cannot run some layers.
LARGE = """
networks = ["mobilenet_v2", "mixnet_s"]
inputs = ["224x224", "96x128"]
dataflows = ["auto", "ws,rows"]
depthwise_on = ["auto", "array"]
[operands]
accumulator_bits = [24, 32]
[array]
rows = [3, 40]
columns = [8, 32]
overlap = [true, false]
max_taps = [4, 8]
accumulator_depth = [64, 256]
bank_depth = [40, 1024]
[depthwise]
size = ["none", "4x8", "16x16"]
fill_port = [0, 16]
bank_depth = [64, 4096]
[memory]
activation_kib = [16, 256]
weight_kib = [8, 64, 1024]
width_bytes = [0, 1, 3, 16]
[clock]
mhz = [100, 333.3]
[sample]
points = 60
seed = 7
"""

# A large grid with few engines.
CHEAP = """
networks = ["mobilenet_v1"]
[array]
size = ["8x8", "16x16"]
bank_depth = [512, 1024, 2048]
[memory]
activation_kib = [16, 32, 64, 128, 256]
weight_kib = [16, 32, 64, 128, 256]
width_bytes = [0, 1, 2, 4, 8, 16, 32]
[clock]
mhz = {from = 100, to = 1000, step = 100}
"""

SMALL = """
networks = ["mobilenet_v2"]
part_points = 40
[array]
rows = [8, 16]
columns = [8, 12, 16]
[memory]
activation_kib = [16, 64, 256]
width_bytes = [0, 4, 16]
[clock]
mhz = {from = 100, to = 1000, step = 100}
"""


def spec(tmp_path: Path, text: str, force: bool = False) -> Spec:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return load_spec(path, force)


def simulated(row: dict[str, Any]) -> ax.Result:
    """What `simulate` says of the design of a row, put together from the row's own words."""
    height, width = map(int, row["input"].split("x"))
    network = ax.networks.get(row["network"], row["variant"], (height, width))
    operands = ax.Operands(row["bits"], row["accumulator_bits"])
    array = ax.SystolicArray(
        row["rows"],
        row["columns"],
        max_taps=row["max_taps"],
        accumulator_depth=row["accumulator_depth"],
        overlap=row["overlap"],
        bank_depth=row["bank_depth"],
        operands=operands,
    )
    engine = None
    if row["lanes"]:
        engine = ax.DepthwiseEngine(
            row["lanes"],
            row["pixels"],
            fill_port=row.get("depthwise_fill_port", 0),
            bank_depth=row.get("depthwise_bank_depth", 4096),
            operands=operands,
        )
    memory = None
    if row["memory_width_bytes"]:
        memory = ax.Memory(row["activation_kib"], row["weight_kib"], row["memory_width_bytes"])
    hardware = ax.Hardware(array, row["clock_mhz"], engine, memory=memory)
    how = {"depthwise_on": row["depthwise_on"], "batch": row.get("batch")}
    return ax.simulate(network, hardware, row["dataflow"], **how)
