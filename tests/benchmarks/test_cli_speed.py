"""How long a user waits: from shell to table, and one evaluation of the closed form."""

import subprocess
import sys
import time

import accelsim as ax

COMMAND = ("run", "mobilenet_v2", "--variant", "fuse_half", "--array", "64x64")
REPEATS = 5


def test_from_shell_to_table():
    program = "from accelsim.cli import main; main()"
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program, *COMMAND], capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - start)
    assert "total" in done.stdout
    print(f"\naccelsim {' '.join(COMMAND)}: {min(seconds):.2f} s, from shell to table")


def test_closed_form_of_a_whole_network():
    network = ax.networks.mobilenet_v2(variant="fuse_half")
    totals, seconds = set(), []
    for side in range(32, 96):  # every array is new, so nothing is remembered from the last one
        hardware = ax.Hardware(ax.SystolicArray(side, side))
        start = time.perf_counter()
        totals.add(ax.simulate(network, hardware).total_cycles)
        seconds.append(time.perf_counter() - start)
    assert len(totals) > 1
    print(f"\nclosed form of {network.name}: {1e3 * min(seconds):.2f} ms new, ", end="")
    start = time.perf_counter()
    ax.simulate(network, hardware)
    print(f"{1e3 * (time.perf_counter() - start):.2f} ms again")
