"""What is measured as the memory of a program is its own."""

import subprocess
import sys

import numpy as np

HELD = 200  # MiB
PROGRAM = """
from tests.benchmarks.memory import peak_mib
small = peak_mib()
held = bytearray(b"x" * {size})
del held
print(small, peak_mib())
"""


def test_peak_of_a_program_started_by_a_larger_one():
    held = np.ones(2 * HELD << 20, np.uint8)
    code = PROGRAM.format(size=HELD << 20)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert held.all()
    before, after = map(float, done.stdout.split())
    assert before < HELD / 2
    assert HELD <= after - before < 2 * HELD
