"""The closed form of whole networks: cold, on an array never seen before, and once more."""

import functools
import sys
import time

import pytest

import accelsim as ax

pytestmark = pytest.mark.full

VARIANTS = ("baseline", "fuse_half")
SIDE = 64
REPEATS = 3


def clear_caches():
    """Forget everything that a simulation leaves behind in the package."""
    for name, module in list(sys.modules.items()):
        if name.startswith("accelsim."):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


def milliseconds(work):
    """CPU time, so that other programs on the machine count as little as possible."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def cases():
    for definition in ax.networks.NETWORKS:
        for variant in VARIANTS:
            try:
                yield definition(variant)
            except ax.AccelsimError:  # nothing to replace
                assert variant != "baseline"


@pytest.mark.parametrize("network", list(cases()), ids=lambda net: f"{net.name}-{net.variant}")
def test_whole_network(network):
    hardware = ax.Hardware(ax.SystolicArray(SIDE, SIDE))
    cold, new, warm, totals = [], [], [], set()
    for repeat in range(REPEATS):
        clear_caches()
        cold.append(milliseconds(lambda: totals.add(ax.simulate(network, hardware).total_cycles)))
        warm.append(milliseconds(lambda: totals.add(ax.simulate(network, hardware).total_cycles)))
        other = ax.Hardware(ax.SystolicArray(SIDE + 1 + repeat, SIDE))
        new.append(milliseconds(functools.partial(ax.simulate, network, other)))
    assert len(totals) == 1  # what is remembered changes no figure
    print(
        f"\n{network.name} {network.variant}: cold {min(cold):.2f} ms, on another array "
        f"{min(new):.2f} ms, again {min(warm):.2f} ms"
    )
