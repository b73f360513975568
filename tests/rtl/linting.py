"""Verilator's strictest lint of generated Verilog."""

import subprocess
from pathlib import Path

from rtl.flow.simulators import lint_command


def lint(text: str, folder: Path) -> None:
    """AssertionError where Verilator has anything to say of a core, or is told to be silent."""
    assert "lint_off" not in text
    (folder / "core.sv").write_text(text)
    command = lint_command(folder / "core.sv")
    assert not [word for word in command if word.startswith("-W") and word != "-Wall"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
