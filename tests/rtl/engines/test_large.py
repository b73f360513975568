"""Large engines as Verilog, once each: what is right in a small one may not fit in a large one."""

import numpy as np
import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow.cosim import cosim
from tests.engines import depthwise, systolic_array

LARGE = (
    (systolic_array, SystolicArray(32, 32)),
    (systolic_array, SystolicArray(64, 64)),
    (depthwise, DepthwiseEngine(8, 64)),
)


@pytest.mark.full
@pytest.mark.parametrize(("module", "sizes"), LARGE, ids=lambda value: getattr(value, "label", ""))
def test_large_engines_agree(module, sizes):
    engine = module.SUBJECT.engine
    work = module.random_sequence(np.random.default_rng(1), sizes, 60)
    run = cosim(sizes, work.commands, *work.memories, simulator="verilator")
    golden = engine.registers.golden(sizes, work.commands, *work.memories)
    assert np.array_equal(run.words[work.used], golden[work.used])
    simulated = engine.registers.simulate(sizes, work.commands, *work.memories)
    cycles = engine.cycles(sizes, work.passes)
    assert run.busy_cycles == simulated.busy_cycles == cycles
