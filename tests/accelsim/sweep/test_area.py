"""Estimates of cells against the cores that were synthesised, and what nobody can estimate."""

import json
from importlib import resources

import pytest

import accelsim as ax
from accelsim import sweep
from accelsim.sweep import area
from tests.accelsim.sweep.specs import spec

FILE = json.loads(resources.files("accelsim.sweep").joinpath("area.json").read_text())
MOST = 0.05  # of the fit
LEFT_OUT = 0.07  # of a point against the fit to all others


def sizes_of(point):
    parameters = {key: value for key, value in point.items() if key not in ("engine", "cells")}
    kind = ax.SystolicArray if point["engine"] == "array" else ax.DepthwiseEngine
    return kind(**parameters | {"operands": ax.Operands(**point["operands"])})


@pytest.mark.parametrize("point", FILE["points"], ids=lambda p: f"{p['engine']}-{p['cells']['ff']}")
def test_estimates_are_near_what_was_synthesised(point):
    estimate = dict(zip(area.FIGURES, area.estimate(sizes_of(point)), strict=True))
    for name, cells in point["cells"].items():
        assert estimate[name] == pytest.approx(cells, rel=MOST), name
    assert estimate["mult18"] == point["cells"]["mult18"]
    assert estimate["dp16kd"] == point["cells"]["dp16kd"]


def test_errors_that_are_shown_come_from_points_left_out():
    errors = area.leave_one_out_errors()
    assert set(errors) == set(area.FIGURES)
    assert all(0 <= wrong < LEFT_OUT for wrong in errors.values())
    assert errors["lut4"] > 0.001  # a fit that knows its points would say 0
    assert f"lut4 {100 * errors['lut4']:.1f} %" in area.sentence()


def test_one_multiplier_per_element_and_seven_for_addresses():
    for rows, columns in ((1, 1), (16, 32), (64, 64)):
        figures = area.estimate(ax.SystolicArray(rows, columns))
        assert figures[area.FIGURES.index("mult18")] == rows * columns
    figures = area.estimate(ax.DepthwiseEngine(16, 8))
    assert figures[area.FIGURES.index("mult18")] == 16 * 8 + 7


def test_what_is_unlike_every_point_has_no_estimate():
    operands = ax.Operands(8, 24)
    assert area.estimate(None) == (0, 0, 0, 0, 0)
    assert area.estimate(ax.SystolicArray(8, 8, operands=operands)) is None
    for changes in ({"fill_port": 8}, {"results_per_clock": 16}, {"max_kernel": 7}):
        assert area.estimate(ax.DepthwiseEngine(4, 8, **changes)) is None
    assert area.estimate(ax.DepthwiseEngine(4, 8, results_per_clock=8)) is not None


def test_columns_add_up_the_engines_and_are_null_where_not_known(tmp_path):
    text = """
networks = ["mobilenet_v1"]
[operands]
bits = [8, 9]
[array]
rows = [4, 8]
columns = 8
[depthwise]
size = ["none", "2x4"]
"""
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    rows = sweep.load(tmp_path / "out").to_dicts()
    assert len(rows) == 8
    for row in rows:
        engine = ax.DepthwiseEngine(2, 4) if row["lanes"] else None
        parts = area.estimate(ax.SystolicArray(row["rows"], 8)), area.estimate(engine)
        for name, *figures in zip(area.FIGURES, *parts, strict=True):
            assert row[name] == (sum(figures) if row["bits"] == 9 else None)
