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
from accelsim.passes import DepthwiseCommand, DepthwiseOpcode, DepthwisePass, depthwise_command
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


@pytest.mark.parametrize(("simulator", "fill"), [("verilator", 0), ("amaranth", 5)])
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


@pytest.mark.parametrize("opcode", list(DepthwiseOpcode))
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)], ids=str)
def test_a_driver_programs_a_list_as_the_manual_says(opcode, strides):
    """Three taps of 5 x 5 in any order as 2 x 2 entries, the fourth of them left over."""
    rng = np.random.default_rng(8)
    engine, (sh, sw) = DepthwiseEngine(2, 4), strides
    taps, outputs = ((4, 0), (0, 3), (1, 1)), (3, 4)
    h, w = (outputs[0] - 1) * sh + 5, (outputs[1] - 1) * sw + 5  # with its padding
    work = DepthwisePass(opcode, 2, h, w, *outputs, 2, 2, sh, sw)
    x = rng.integers(-128, 128, (h, w, 2))
    x[:2] = x[:, :2] = x[-2:] = x[:, -2:] = 0  # it is any map to the engine
    weights = rng.integers(-128, 128, (3, 2))
    columns, rows = -(-w // sw), -(-h // sh)
    if opcode == DepthwiseOpcode.ROW:
        pitch = -(-columns // 4) * 4
        plane = rows * pitch // 4
    else:
        pitch = max(columns, outputs[1])
        plane = -(-rows * pitch // 4)

    def place(v, u):
        n = v // sh * pitch + u // sw
        return (v % sh * sw + u % sw) * plane + n // 4, n % 4

    maps = np.zeros((sh * sw * plane, 4, 2), np.int16)
    for v, u in np.ndindex(h, w):
        maps[place(v, u)] = x[v, u]
    entries = [[*place(*tap), *weight] for tap, weight in zip(taps, weights.tolist(), strict=True)]
    entries.append([*place(*taps[0]), 0, 0])
    command = depthwise_command(work, engine, 0, 0, 1)
    rows_of = np.array([[*command.work, *command[1:]]], np.int64)
    run = cosim(engine, rows_of, maps, np.array(entries), simulator="amaranth")
    assert run.busy_cycles == ENGINE.cycles(engine, (work,))
    words = iter(run.words)
    across = outputs[1] if opcode == DepthwiseOpcode.ROW else (outputs[0] - 1) * pitch + outputs[1]
    for line in range(outputs[0] if opcode == DepthwiseOpcode.ROW else 1):
        for first in range(0, across, 4):
            of_lanes = [next(words) for _ in range(2)]
            for pixel in range(min(4, across - first)):
                y, out = divmod(first + pixel, pitch)
                oy, ox = line + y, out
                if ox < outputs[1]:
                    read = [x[oy * sh + v, ox * sw + u] for v, u in taps]
                    right = (np.array(read) * weights).sum(axis=0)
                    assert [of_lane[pixel] for of_lane in of_lanes] == right.tolist()
