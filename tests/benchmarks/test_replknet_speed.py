"""All of RepLKNet-31B, 31 x 31 kernels and 15 G multiplies, on real data: CPU time and memory."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.full

CODE = """
import time
import accelsim as ax
from tests.benchmarks.memory import peak_mib
hardware = ax.Hardware(ax.SystolicArray(32, 32), depthwise=ax.DepthwiseEngine(32, 8))
network = ax.networks.replknet_31b()
start = time.process_time()
result = ax.simulate(network, hardware, fidelity={fidelity!r}, layers={layers!r})
assert result.values_equal is not False
assert result.output.std() > 10
print(time.process_time() - start, peak_mib() / 2**10)
"""


@pytest.mark.parametrize(("fidelity", "layers"), [("golden", "fc"), ("cycle", None)])
def test_replknet_31b(fidelity, layers, tmp_path, monkeypatch):
    """By the references alone (only the last layer is lowered), and register by register.

    Ranges are measured too, as they are when a network is first run on a machine.
    """
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    code = CODE.format(fidelity=fidelity, layers=layers)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, gigabytes = map(float, done.stdout.split())
    print(f"replknet_31b, fidelity {fidelity}: {seconds:.1f} s of CPU, {gigabytes:.2f} GB")
    assert gigabytes < 2
