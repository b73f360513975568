"""Whole networks of input-dependent operators, at every level."""

import numpy as np
import pytest

import accelsim as ax
from accelsim import networks

VARIANTS = [
    "odconv:n=2",
    "mdconv:hidden=8",
    "spconv",
    "spconv:alpha=1/4,form=train",
    "gmconv:source=runtime,granularity=output",
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_resnet20(variant):
    """Golden values are those of registers, and cycles those of the schedule."""
    network = networks.get("resnet20", variant, input=(16, 16))
    design = ax.Hardware(ax.SystolicArray(8, 8))
    schedule, golden, cycle = (
        ax.simulate(network, design, fidelity=f) for f in ("schedule", "golden", "cycle")
    )
    assert cycle.values_equal
    assert cycle.total_cycles == schedule.total_cycles
    assert np.array_equal(cycle.output, golden.output)
    assert golden.output.std() > 1
