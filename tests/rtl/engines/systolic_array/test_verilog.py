"""The generated Verilog, run by cocotb, returns what golden returns in the clocks of the schedule.

Stalls are random on every stream; the sequences are longer than the banks, so that both halves
are filled many times while the core works.
"""

import shutil

import numpy as np
import pytest

from accelsim.engines.systolic_array import ENGINE, golden
from accelsim.hardware import SystolicArray
from accelsim.hls.nest import times
from accelsim.passes import Opcode
from rtl.flow.cosim import Stalls, cosim
from tests.engines.systolic_array import random_sequence

MODES = {opcode.name.lower(): (opcode,) for opcode in Opcode} | {"mixed": tuple(Opcode)}
PASSES = 150
BANK_DEPTH = 1024  # enough for every sequence here, so that each shape is built once

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus is not installed"
)


def check(shape, modes, seed, simulator, passes=PASSES, overlap=True):
    rng = np.random.default_rng((*shape, seed))
    array = SystolicArray(*shape, overlap=overlap, bank_depth=BANK_DEPTH)
    work = random_sequence(rng, array, passes, modes)
    stalls = Stalls(*rng.uniform(0.5, 0.95, 4), seed=seed)
    run = cosim(array, work.commands, *work.memories, simulator=simulator, stalls=stalls)
    assert np.array_equal(run.words, golden(array, work.commands, *work.memories))
    starts, ends = times(ENGINE.nest(array, work.passes, ""), run.earliest)
    assert run.busy_cycles == ends[-1] - starts[0]
    assert run.busy_cycles > ENGINE.cycles(array, work.passes)
    assert run.stall_cycles > 0 or not overlap  # the plain machine leaves a host time enough


@pytest.mark.full
@pytest.mark.parametrize("modes", MODES.values(), ids=MODES)
@pytest.mark.parametrize("shape", [(5, 3), (8, 8)], ids=str)
def test_verilator_agrees_in_every_mode(shape, modes):
    check(shape, modes, 0, "verilator")


def test_verilator_agrees():
    check((5, 3), tuple(Opcode), 0, "verilator")


def test_verilator_agrees_without_overlap():
    check((5, 3), tuple(Opcode), 1, "verilator", overlap=False)


@pytest.mark.full
def test_verilator_agrees_at_16x16():
    check((16, 16), tuple(Opcode), 0, "verilator", passes=60)


@needs_icarus
@pytest.mark.parametrize("modes", MODES.values(), ids=MODES)
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (5, 3)], ids=str)
def test_icarus_agrees_in_every_mode(shape, modes):
    check(shape, modes, 2, "icarus", passes=30)


@needs_icarus
def test_all_simulators_agree_on_stalls():
    """The same host on the same core: not even the clocks of waiting differ."""
    rng = np.random.default_rng(7)
    array = SystolicArray(4, 4, bank_depth=BANK_DEPTH)
    work = random_sequence(rng, array, 60)
    stalls = Stalls(0.9, 0.5, 0.4, 0.8, seed=9)
    runs = [
        cosim(array, work.commands, *work.memories, simulator=simulator, stalls=stalls)
        for simulator in ("amaranth", "icarus", "verilator")
    ]
    assert runs[0].stall_cycles == runs[1].stall_cycles == runs[2].stall_cycles > 0
