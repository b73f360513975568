"""Real values through all of RepLKNet-31B by the references: CPU time and memory."""

import subprocess
import sys

# Only the last layer is lowered; values flow through all before it.
CODE = """
import resource, time
import accelsim as ax
hardware = ax.Hardware(array=ax.SystolicArray(32, 32))
start = time.process_time()
result = ax.simulate(ax.networks.replknet_31b(), hardware, fidelity="golden", layers="fc")
assert result.output.std() > 10
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def test_replknet_by_references():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    seconds, gigabytes = map(float, done.stdout.split())
    print(f"replknet_31b by references: {seconds:.1f} s of CPU, {gigabytes:.2f} GB")
    assert seconds < 25
    assert gigabytes < 1
