"""Files that are nearly right are refused in one sentence, or read: no crash, no hang, no flood."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.accelsim.importers.onnx.fuzz import SECONDS


def _outcomes(first: int, last: int) -> Counter[str]:
    """What became of mutants, counted."""
    command = [sys.executable, "-m", "tests.accelsim.importers.onnx.fuzz", str(first), str(last)]
    made = subprocess.run(
        command, capture_output=True, text=True, timeout=(last - first) * SECONDS, check=False
    )
    lines = made.stdout.splitlines()
    assert made.returncode == 0, f"mutant {lines[-1]} ends with {made.returncode}:\n{made.stderr}"
    assert len(lines) == last - first
    return Counter(line.split()[1].rstrip(":") for line in lines)


def test_mutants() -> None:
    outcomes = _outcomes(0, 80)
    assert set(outcomes) == {"refused", "imported", "executed"}  # all are tried


@pytest.mark.full
@pytest.mark.parametrize("part", range(5))
def test_many_mutants(part: int) -> None:
    _outcomes(part * 300, (part + 1) * 300)
