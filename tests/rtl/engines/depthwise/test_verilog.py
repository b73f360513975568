"""The generated Verilog of the depthwise engine returns what golden returns, in its clocks.

Stalls are random on every stream; without a fill port the sequences are longer than the memories.
"""

import dataclasses
import shutil
from itertools import islice

import numpy as np
import pytest

from accelsim.dataflows import tap_serial
from accelsim.engines.depthwise import ENGINE, golden
from accelsim.hardware import DepthwiseEngine
from accelsim.hls.nest import times
from accelsim.ir import Conv
from rtl.flow.cosim import SIMULATORS, Stalls, cosim
from tests.accelsim.engines.depthwise.convolutions import operands, plans_of
from tests.engines.depthwise import random_sequence

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus is not installed"
)


def built(shape, fill=0):
    """An engine with memories for all sequences here, so that each shape is built once."""
    return DepthwiseEngine(*shape, 2 * shape[1], fill, bank_depth=1024, tap_depth=8192)


def check(engine, work, simulator, seed=0):
    rng = np.random.default_rng(seed)
    expected = golden(engine, work.commands, *work.memories)
    cycles = ENGINE.cycles(engine, work.passes)
    late = []
    for stalls in (Stalls(*rng.uniform(0.3, 0.9, 4), seed=seed), Stalls(0.95, seed=seed)):
        run = cosim(engine, work.commands, *work.memories, simulator=simulator, stalls=stalls)
        assert np.array_equal(run.words, expected)
        assert cycles <= run.busy_cycles <= cycles + run.stall_cycles
        late.append(run.stall_cycles)
    assert max(late) > 0
    # Where only commands are late, their clocks tell all.
    started, retired = times(ENGINE.nest(engine, work.passes, ""), run.earliest)
    assert run.busy_cycles == retired[-1] - started[0]


@pytest.mark.parametrize(
    ("shape", "fill"),
    [
        pytest.param((2, 4), 0, marks=pytest.mark.full),
        ((3, 5), 7),
        pytest.param((8, 8), 0, marks=pytest.mark.full),
        pytest.param((8, 8), 7, marks=pytest.mark.full),
    ],
    ids=str,
)
def test_verilator_agrees(shape, fill):
    rng = np.random.default_rng(shape)
    engine = built(shape, fill)
    small = dataclasses.replace(engine, bank_depth=256)
    check(engine, random_sequence(rng, small, 40), "verilator")


@needs_icarus
@pytest.mark.parametrize(("shape", "fill"), [((1, 1), 0), ((2, 3), 0), ((3, 2), 4)], ids=str)
def test_icarus_agrees(shape, fill):
    rng = np.random.default_rng(shape)
    engine = DepthwiseEngine(*shape, fill_port=fill, bank_depth=512, tap_depth=8192)
    check(engine, random_sequence(rng, engine, 12), "icarus")


@needs_icarus
@pytest.mark.parametrize("fill", [0, 3])
def test_all_simulators_agree_on_stalls(fill):
    """The same host on the same core: not even the clocks of waiting differ."""
    rng = np.random.default_rng(7)
    engine = DepthwiseEngine(2, 3, fill_port=fill, bank_depth=512)
    work = random_sequence(rng, engine, 8)
    stalls = Stalls(0.9, 0.3, 0.4, 0.5, seed=9)
    runs = [
        cosim(engine, work.commands, *work.memories, simulator=simulator, stalls=stalls)
        for simulator in SIMULATORS
    ]
    assert runs[0].stall_cycles == runs[1].stall_cycles == runs[2].stall_cycles > 0


# As in networks: h, w, kernel, stride, dilation, channels.
LAYERS = (
    (14, 14, (3, 3), 1, 1, 24),
    (14, 14, (5, 5), 2, 1, 24),
    (14, 14, (1, 11), 1, 1, 10),
    (12, 12, (31, 31), 1, 1, 2),
    (16, 16, (3, 3), 1, 4, 12),
)


@pytest.mark.parametrize(
    "layer",
    [pytest.param(x, marks=[] if x[2] == (31, 31) else pytest.mark.full) for x in LAYERS],
    ids=str,
)
def test_layers_agree(layer):
    h, w, (fh, fw), stride, dilation, channels = layer
    pt, pl = dilation * (fh - 1) // 2, dilation * (fw - 1) // 2
    oh, ow = -(-h // stride), -(-w // stride)
    axes = (fh, fw, stride, stride, dilation, dilation, pt, pl)
    conv = Conv(channels, h, w, channels, oh, ow, *axes, channels)
    engine = built((2, 4))
    x, weights = operands(np.random.default_rng(1), conv)
    for plan in islice(plans_of(tap_serial, conv, engine), 2):  # row and flat
        program = tap_serial.program(conv, engine, plan)
        maps, taps = program.operands(x, weights, engine)
        run = cosim(engine, program.commands, maps, taps, simulator="verilator")
        assert np.array_equal(run.words, golden(engine, program.commands, maps, taps))
        assert run.busy_cycles == ENGINE.cycles(engine, plan.body)
        assert run.stall_cycles == 0
