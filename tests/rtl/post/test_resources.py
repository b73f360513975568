"""What a post-processing unit is not asked to do, its hardware does not have."""

import json

import pytest

from accelsim.hardware import PostProcessing
from rtl.flow.synthesis import ECP5
from rtl.flow.verilog import verilog
from rtl.flow.yowasp import run_yosys
from rtl.post.unit import PostProcessor


def cells(folder, *sizes):
    """Cells of an ECP5 that a unit of one lane takes, by their names."""
    (folder / "core.sv").write_text(verilog(PostProcessor(PostProcessing(1, *sizes))))
    run_yosys(folder, "ecp5", ECP5, ["ecp5.json"])
    found = json.loads((folder / "ecp5.json").read_text())["design"]["num_cells_by_type"]
    return [found.get(name, 0) for name in ("LUT4", "TRELLIS_FF", "MULT18X18D", "DP16KD")]


@pytest.mark.full
def test_what_is_not_wanted_is_left_out(tmp_path):
    luts, ffs, multipliers, memories = cells(tmp_path, ("ort", "tfl_double"), ("multiply",), 1)
    assert memories == 1
    of_sums = cells(tmp_path, ("ort", "tfl_double"), (), 1)
    assert of_sums[0] < luts
    assert of_sums[1] < ffs
    # Operands of 9 bits take one, and what is requantised one for 17 bits of the multiplier.
    assert multipliers - of_sums[2] == 3
    floats = cells(tmp_path, ("ort",), (), 0)
    fixed = cells(tmp_path, ("tfl_double",), (), 0)
    assert floats[3] == fixed[3] == 0
    assert fixed[0] < 0.75 * floats[0]
    # Registers are counted: what the mapper makes of the logic between them varies by more.
    both = cells(tmp_path, ("ort", "tfl_double"), (), 0)
    assert max(floats[1], fixed[1]) < both[1]
