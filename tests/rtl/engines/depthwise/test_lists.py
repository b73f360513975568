"""Layers of which only some taps are live, in every tiling, on the RTL: values and clocks."""

import numpy as np
import pytest

from accelsim.dataflows import tap_serial
from accelsim.dataflows.base import gather
from accelsim.engines.depthwise import ENGINE, golden
from accelsim.hardware import DepthwiseEngine
from accelsim.ir import Conv, Live, Piece
from accelsim.limits.depthwise import limits
from accelsim.lowering import chain
from accelsim.passes import DepthwiseCommand
from rtl.flow.cosim import cosim
from tests.accelsim.engines.depthwise.convolutions import operands, plans_of
from tests.accelsim.engines.depthwise.test_schedule import expected

CROSS = (1, 3, 4, 5, 7)  # of 3 x 3
SPOTS = (200, 391, 480, 481, 512, 601)  # of 31 x 31
LISTS = (
    Conv(4, 5, 6, 4, 5, 6, 3, 3, pt=1, pl=1, groups=4, live=(Live(1, CROSS),)),
    Conv(2, 7, 7, 2, 7, 7, 31, 31, pt=15, pl=15, groups=2, live=(Live(1, SPOTS),)),
    Conv(2, 9, 8, 2, 4, 5, 5, 5, 2, 2, 1, 1, 0, 3, 2, live=(Live(1, (0, 2, 10, 12, 20)),)),
    Conv(1, 1, 13, 2, 1, 13, 1, 9, pl=6, groups=1, n=2, live=(Live(1, (0, 1, 5, 8)),)),
    Conv(2, 6, 5, 2, 6, 4, 4, 3, 1, 1, 2, 3, 4, 2, 2, live=(Live(1, (3, 4, 11)),)),
    Conv(3, 4, 4, 3, 4, 4, 5, 5, pt=2, pl=2, groups=3, live=(Live(1, (7,)),)),
    Conv(1, 2, 2, 1, 2, 2, 5, 5, pt=2, pl=2, groups=1, live=(Live(1, ()),)),
)


@pytest.mark.parametrize("simulator", ["amaranth", "verilator"])
@pytest.mark.parametrize("fill", [0, 5])
def test_lists_of_taps_agree(simulator, fill):
    """All levels, and naive loops; one sequence of them all."""
    rng = np.random.default_rng(fill)
    engine = DepthwiseEngine(3, 4, 8, fill, bank_depth=512, tap_depth=256)
    body, programs, memories, right = (), [], [], []
    for conv in LISTS:
        x, w = operands(rng, conv)
        values = expected(conv, x, w)
        for plan in plans_of(tap_serial, conv, engine):
            if any(limits(engine, p) for part in plan.body for p in part.body):
                continue
            program = tap_serial.program(conv, engine, plan)
            body += plan.body
            programs.append((Piece(conv), program))
            memories.append(program.operands(x, w, engine))
            right.append(values)
    assert len(programs) > 6 * len(LISTS)
    made = chain(ENGINE.name, DepthwiseCommand, programs, memories, ())
    run = cosim(engine, made.commands, *made.memories, simulator=simulator)
    assert np.array_equal(run.words, golden(engine, made.commands, *made.memories))
    done = ENGINE.registers.simulate(engine, made.commands, *made.memories)
    assert np.array_equal(run.words, done.words)
    assert run.busy_cycles == done.busy_cycles == ENGINE.cycles(engine, body)
    assert run.stall_cycles == 0
    at = 0
    for (_, program), values in zip(programs, right, strict=True):
        words = run.words[at : at + len(program.dest)]
        assert np.array_equal(
            gather(program.dest, words, values.size).reshape(values.shape), values
        )
        at += len(program.dest)
    assert at == len(run.words)
