"""Kernels of which only some taps exist, at all levels: no clock is spent on the rest."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim as ax
from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, Depthwise
from accelsim.ops.masks import Mask
from rtl.flow.cosim import level
from tests.accelsim.ops.test_masks import CROSS, masked

FULL = pytest.mark.full
BOTH = ax.Hardware(ax.SystolicArray(4, 3), depthwise=ax.DepthwiseEngine(2, 4))
# Which other tests build too.
VERILATED = ax.Hardware(
    ax.SystolicArray(5, 3, bank_depth=1024),
    depthwise=ax.DepthwiseEngine(2, 4, 8, bank_depth=1024, tap_depth=8192),
)


def one(op, shape):
    return Network("one", shape, (Layer("it", op, (INPUT,), bias=True),))


def agree(network, hardware, simulator="amaranth", **options):
    found = ax.cosim(network, "it", hardware, level(hardware, simulator), seed=3, **options)
    assert found.values_equal
    assert found.cycles_equal
    return found


def scattered(k, depth, kernel, density, seed=0):
    live = np.random.default_rng(seed).random((k, depth, *kernel)) < density
    live[0, 0, 0, 0] = True
    return Mask.of(live)


def single(k, depth, kernel):
    live = np.zeros((k, depth, *kernel), bool)
    live[k // 2, depth // 2, -1, 0] = True
    return Mask.of(live)


BLOCKS = Mask.of_blocks([[[[1, 0, 1]], [[0, 0, 0]]], [[[0, 0, 0]], [[0, 1, 1]]]], 3, 2)
LAYERS = {
    "cross": one(Conv2d(5, (3, 3), padding=1, mask=CROSS), (3, 5, 6)),
    "blocks": one(Conv2d(6, (1, 3), (1, 2), "same", mask=BLOCKS), (4, 5, 7)),
    "scattered": one(Conv2d(6, (3, 3), (2, 1), 1, mask=scattered(6, 4, (3, 3), 0.3)), (4, 7, 5)),
    "groups": one(
        Conv2d(6, (2, 3), dilation=(1, 2), groups=2, mask=scattered(6, 2, (2, 3), 0.4, 1)),
        (4, 6, 9),
    ),
    "point": one(Conv2d(7, (1, 1), mask=scattered(7, 6, (1, 1), 0.4)), (6, 4, 4)),
    "one tap": one(Conv2d(4, (3, 3), padding=1, mask=single(4, 3, (3, 3))), (3, 5, 5)),
    "depthwise": one(Depthwise((3, 3), mask=scattered(5, 1, (3, 3), 0.4, 2)), (5, 6, 6)),
}


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("name", LAYERS)
def test_all_levels_agree(name, dataflow):
    assert agree(LAYERS[name], BOTH, dataflow=dataflow, depthwise_on="array").engine == "array"


def test_all_levels_agree_on_rows_and_on_the_depthwise_engine():
    agree(LAYERS["depthwise"], BOTH, dataflow="rows", depthwise_on="array")
    assert agree(LAYERS["depthwise"], BOTH, depthwise_on="engine").engine == "depthwise"


@pytest.mark.parametrize("name", ["scattered", "groups", "depthwise"])
def test_batches_agree(name):
    agree(LAYERS[name], BOTH, batch=3)


@pytest.mark.parametrize(
    "name", ["scattered", *(pytest.param(n, marks=FULL) for n in LAYERS if n != "scattered")]
)
def test_verilator_agrees(name):
    agree(LAYERS[name], VERILATED, "verilator")


@pytest.mark.parametrize(
    ("size", "simulator"), [(4, "amaranth"), pytest.param(16, "verilator", marks=FULL)]
)
def test_a_tenth_of_the_taps_takes_a_tenth_of_the_clocks_on_the_rtl(size, simulator):
    """Of blocks with as many outputs as the array has columns, and twice as many inputs."""
    rng = np.random.default_rng(0)
    blocks = rng.random((2, 2, 3, 3))
    mask = Mask.of_blocks(blocks <= np.quantile(blocks, 0.1), size, 2 * size)
    network = one(Conv2d(2 * size, (3, 3), padding=1, mask=mask), (4 * size, 8, 8))
    found = agree(network, ax.Hardware(ax.SystolicArray(size, size)), simulator)
    assert found.cycles.rtl <= 1.5 * network.total_macs / size**2


def check_random(case, dataflow, batch):
    op, shape, _ = case
    with suppress(UnsupportedError):  # what a dataflow cannot run
        agree(one(op, shape), BOTH, dataflow=dataflow, batch=batch)


random = given(
    st.one_of(masked(), masked(depthwise=True)),
    st.sampled_from(("os", "ws", "is", "rows", "auto")),
    st.integers(1, 2),
)
UNHURRIED = [HealthCheck.too_slow]


@settings(max_examples=3, deadline=None, suppress_health_check=UNHURRIED)
@random
def test_random_ones_agree(case, dataflow, batch):
    check_random(case, dataflow, batch)


@FULL
@settings(max_examples=80, deadline=None, suppress_health_check=UNHURRIED)
@random
def test_many_random_ones_agree(case, dataflow, batch):
    check_random(case, dataflow, batch)
