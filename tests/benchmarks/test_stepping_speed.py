"""How fast the registers of the array are stepped; printed, never asserted.

One PE-update is all registers of one processing element for one clock, idle elements included.
`pytest -n 0 -m full -s tests/benchmarks` shows the figures.
"""

import resource
import time

import numpy as np
import pytest

from accelsim import networks
from accelsim.engines.systolic_array.cycle import simulate as step
from accelsim.hardware import Hardware, SystolicArray
from accelsim.passes import ArrayPass, Opcode
from accelsim.simulation import simulate
from tests.engines.systolic_array import sequence

pytestmark = pytest.mark.full

SIDES = (8, 16, 32, 64, 128)


def passes(side: int) -> dict[str, ArrayPass]:
    return {
        "os, long": ArrayPass(Opcode.OS, side, side, 16 * side),
        "os, k = side": ArrayPass(Opcode.OS, side, side, side),
        "os, k = 9": ArrayPass(Opcode.OS, side, 1, 9),
        "ws": ArrayPass(Opcode.WS, 256, side, side),
        "is": ArrayPass(Opcode.IS, 256, side, side),
        "rows, 3x3": ArrayPass(Opcode.ROWS, side, side, side + 1, 3, 3),
        "rows, 1x3": ArrayPass(Opcode.ROWS, side, side, side + 1, 3, 1, 8),
    }


def copy_rate() -> float:
    """Bytes moved per CPU second, in and out, by copies within the first-level cache."""
    source, target = np.ones(2048, np.int32), np.empty(2048, np.int32)
    start, rounds = time.thread_time(), 200_000
    for _ in range(rounds):
        np.copyto(target, source)
    return 2 * source.nbytes * rounds / (time.thread_time() - start)


def test_stepping_rate_by_mode_and_side():
    rng = np.random.default_rng(0)
    ceiling = copy_rate() / 8  # a sum is read and written: 8 bytes per PE-update
    print(f"\nG PE-updates per CPU second; NumPy copies within L1: {ceiling / 1e9:.1f} G sums/s")
    print(f"{'':14}" + "".join(f"{side:>8}" for side in SIDES))
    for name in passes(8):
        rates = []
        for side in SIDES:
            array = SystolicArray(side, side)
            p = passes(side)[name]
            count = max(2, 20_000 // (p.k + p.m))
            work = sequence(rng, array, (p,) * count)
            step(array, work.commands[:1], *work.memories)
            start = time.thread_time()
            clocks = step(array, work.commands, *work.memories).busy_cycles
            rates.append(clocks * side * side / (time.thread_time() - start) / 1e9)
        print(f"{name:14}" + "".join(f"{rate:8.2f}" for rate in rates))


def test_stepping_against_numpy_products():
    """Every register every clock, against NumPy's int32 matrix product of the same operands."""
    side, depth = 64, 4096
    array, rng = SystolicArray(side, side), np.random.default_rng(0)
    work = sequence(rng, array, (ArrayPass(Opcode.OS, side, side, depth),) * 8)
    step(array, work.commands[:1], *work.memories)
    start = time.thread_time()
    step(array, work.commands, *work.memories)
    stepped = time.thread_time() - start
    left, top = (memory.astype(np.int32) for memory in work.memories)
    start = time.thread_time()
    for i in range(8):
        left[i * depth : (i + 1) * depth].T @ top[i * depth : (i + 1) * depth]
    product = time.thread_time() - start
    print(f"\n64x64 os: NumPy's int32 products take {product / stepped:.1f} x as long")


@pytest.mark.parametrize("overlap", [True, False], ids=["overlap", "plain"])
@pytest.mark.parametrize("variant", ["baseline", "fuse_half"])
def test_whole_network_register_by_register(variant, overlap):
    network = networks.mobilenet_v2(variant=variant)
    hardware = Hardware(SystolicArray(64, 64, overlap=overlap))
    for dataflow in ("auto", "os"):
        simulate(network, hardware, dataflow, "cycle", layers="stem")
        start = time.process_time()
        result = simulate(network, hardware, dataflow, "cycle")
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\nmobilenet_v2 {variant} {dataflow} on 64x64: {result.total_cycles:,} clocks, "
            f"{result.total_cycles * 4096 / 1e9:.2f} G PE-updates, {seconds:.2f} s of CPU, "
            f"peak {peak:.0f} MB so far"
        )
        assert result.values_equal
