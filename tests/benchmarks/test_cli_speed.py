"""How long a user waits: from shell to table, and one evaluation of the closed form."""

import os
import re
import subprocess
import sys
import time
from collections import Counter

import accelsim as ax

COMMAND = ("run", "mobilenet_v2", "--variant", "fuse_half", "--array", "64x64")
PROGRAM = "from accelsim.cli import main; main()"
REPEATS = 5
LOADED = re.compile(r"^import time: +(\d+) \| +\d+ \| +(\w+)", re.MULTILINE)


def run(*options):
    command = [sys.executable, *options, "-c", PROGRAM, *COMMAND]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def of_children():
    """Seconds of CPU that programs started from here have taken."""
    times = os.times()
    return times.children_user + times.children_system


def test_from_shell_to_table():
    seconds, cpu = [], []
    for _ in range(REPEATS):
        start, before = time.perf_counter(), of_children()
        done = run()
        seconds.append(time.perf_counter() - start)
        cpu.append(of_children() - before)
    assert "total" in done.stdout
    print(
        f"\naccelsim {' '.join(COMMAND)}: {min(seconds):.2f} s from shell to table, "
        f"{min(cpu):.2f} s of CPU"
    )


def test_where_the_time_goes():
    """Imports by package; what is left is building, scheduling and printing."""
    packages = Counter()
    for microseconds, package in LOADED.findall(run("-X", "importtime").stderr):
        packages[package] += int(microseconds)
    assert {"accelsim", "numpy", "typer"} <= set(packages)
    shown = ", ".join(f"{package} {us / 1e3:.0f} ms" for package, us in packages.most_common(6))
    print(f"\nimports: {sum(packages.values()) / 1e3:.0f} ms, of which {shown}")


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
