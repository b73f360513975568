"""Speed of the generated hardware in Verilator, and the cost of writing a large core; printed.

`pytest -n 0 -m full -s tests/benchmarks` shows the figures.
"""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from accelsim.dataflows.tap_serial import tap_places
from accelsim.engines import depthwise
from accelsim.engines.depthwise import cycle as depthwise_cycle
from accelsim.engines.systolic_array import golden
from accelsim.engines.systolic_array.cycle import simulate
from accelsim.hardware import DepthwiseEngine, SystolicArray
from accelsim.passes import (
    ArrayPass,
    DepthwiseOpcode,
    DepthwisePass,
    Opcode,
    depthwise_command,
)
from tests.benchmarks.verilator_rate import verilator_rate

pytestmark = pytest.mark.full

SIDE, PRODUCTS, TILES, PASSES = 8, 64, 8, 2000


def test_stepping_against_verilator():
    """os, operands in the banks, the model driven from C++: no Python in any clock."""
    array = SystolicArray(SIDE, SIDE, bank_depth=2 * TILES * PRODUCTS)
    p = ArrayPass(Opcode.OS, SIDE, SIDE, PRODUCTS)
    at = np.arange(PASSES) % TILES * PRODUCTS
    commands = np.array([[*p, base, base, 0] for base in at.tolist()])
    commands[-1, -1] = 1
    rng = np.random.default_rng(0)
    left, top = rng.integers(-256, 256, (2, TILES * PRODUCTS, SIDE)).astype(np.int16)
    rate = verilator_rate(array, commands, left, top, optimise="-O3")
    assert np.array_equal(rate.result.words, golden(array, commands, left, top))

    simulate(array, commands[-1:], left, top)
    start = time.thread_time()
    run = simulate(array, commands, left, top)
    seconds = time.thread_time() - start
    assert np.array_equal(run.words, rate.result.words)
    ours = run.busy_cycles * array.multipliers / seconds
    theirs = rate.clocks * array.multipliers / rate.cpu_seconds
    print(
        f"\n{SIDE}x{SIDE}: {ours / 1e6:,.0f} M PE-updates/s, Verilator {theirs / 1e6:,.0f} M "
        f"({rate.clocks / rate.cpu_seconds:,.0f} clocks/s), ratio {ours / theirs:.1f}"
    )


LAYERS = {
    "3x3, stride 1": DepthwisePass(DepthwiseOpcode.FLAT, 8, 14, 14, 14, 14, 3, 3, pt=1, pl=1),
    "5x5, stride 2": DepthwisePass(DepthwiseOpcode.ROW, 8, 28, 28, 14, 14, 5, 5, 2, 2, pt=2, pl=2),
    "31x31": DepthwisePass(DepthwiseOpcode.ROW, 8, 28, 28, 28, 28, 31, 31, pt=15, pl=15),
}
LEAST_RATIO = 5  # what stepping is worth


@pytest.mark.parametrize("p", LAYERS.values(), ids=LAYERS)
def test_depthwise_stepping_against_verilator(p):
    """The same 8x8 engine, operands in the memories, the model driven from C++."""
    engine = DepthwiseEngine(8, 8)
    rng = np.random.default_rng(0)
    maps = rng.integers(-256, 256, (depthwise.schedule.words(engine, p), 8, 8)).astype(np.int16)
    weights = rng.integers(-256, 256, (p.fh * p.fw, 8))
    taps = np.concatenate([tap_places(p, engine.pixels), weights], axis=1).astype(np.int16)
    passes = max(1, 2_000_000 // depthwise.ENGINE.cycles(engine, (p,)))
    command = depthwise_command(p, engine, 0, 0, 0)
    commands = np.array([[*command.work, *command[1:]]] * passes)
    commands[-1, -1] = 1
    rates = [
        verilator_rate(engine, commands, maps, taps, optimise=level) for level in ("-O1", "-O3")
    ]
    rate = max(rates, key=lambda rate: rate.clocks / rate.cpu_seconds)

    depthwise_cycle.simulate(engine, commands[-1:], maps, taps)
    start = time.thread_time()
    run = depthwise_cycle.simulate(engine, commands, maps, taps)
    seconds = time.thread_time() - start
    assert np.array_equal(run.words, rate.result.words)
    assert run.busy_cycles == rate.result.busy_cycles
    ours, theirs = run.busy_cycles / seconds, rate.clocks / rate.cpu_seconds
    print(
        f"\n8x8 depthwise, {p.fh}x{p.fw}: {ours / 1e6:,.1f} M clocks/s, Verilator "
        f"{theirs / 1e6:,.2f} M, ratio {ours / theirs:.1f}"
    )
    assert ours > LEAST_RATIO * theirs


LARGE = """
import json, resource, sys, time
from pathlib import Path
from accelsim.hardware import Hardware, SystolicArray
from rtl.flow.generate import generate
from tests.benchmarks.memory import peak_mib
start = time.perf_counter()
paths = generate(Hardware(SystolicArray(64, 64)), Path(sys.argv[1]))
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "cpu_seconds": sum(sum(resource.getrusage(each)[:2]) for each in who),
    "gigabytes": max(peak_mib(), resource.getrusage(who[1]).ru_maxrss / 2**10) / 2**10,
    "megabytes": paths[0].stat().st_size / 1e6,
}))
"""


def test_writing_a_core_of_64x64(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cost = json.loads(done.stdout)
    print(
        f"\naccelsim rtl --array 64x64: {cost['seconds']:.1f} s ({cost['cpu_seconds']:.1f} s of "
        f"CPU), {cost['gigabytes']:.2f} GB, {cost['megabytes']:.1f} MB of Verilog"
    )
    assert (tmp_path / "core.sv").read_text().count("  processing_element ") == 64 * 64
