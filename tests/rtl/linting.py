"""Verilator's strictest lint of generated Verilog."""

import subprocess
from pathlib import Path

from rtl.flow.simulators import lint_command


def lint(text: str, folder: Path) -> None:
    """AssertionError where Verilator has anything to say of a core, or is told to be silent."""
    (folder / "core.sv").write_text(text)
    lint_files(folder, "core.sv")


def lint_files(folder: Path, *names: str) -> None:
    """The same for files that belong together."""
    paths = [folder / name for name in names]
    assert not [path for path in paths if "lint_off" in path.read_text()]
    command = lint_command(*paths)
    assert not [word for word in command if word.startswith("-W") and word != "-Wall"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
