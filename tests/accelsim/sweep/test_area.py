"""Estimates of cells against the cores that were synthesised, and what nobody can estimate."""

import json
from importlib import resources

import pytest

import accelsim as ax
from accelsim import analysis, sweep
from accelsim.sweep import area
from tests.accelsim.sweep.specs import spec

FILE = json.loads(resources.files("accelsim.sweep").joinpath("area.json").read_text())
MOST = 0.05  # of the fit
# Of a point against the fit to all others. Worst is the smallest core, from larger ones, and ABC
# breaks ties by names, which moves LUTs by 3 % where the hardware is the same.
LEFT_OUT = {"lut4": 0.06, "ff": 0.07, "mult18": 0.0, "dp16kd": 0.0, "logic_ge": 0.06}


def sizes_of(point):
    parameters = {key: value for key, value in point.items() if key not in ("engine", "cells")}
    kind = ax.SystolicArray if point["engine"] == "array" else ax.DepthwiseEngine
    return kind(**parameters | {"operands": ax.Operands(**point["operands"])})


@pytest.mark.parametrize("point", FILE["points"], ids=lambda p: f"{p['engine']}-{p['cells']['ff']}")
def test_estimates_are_near_what_was_synthesised(point):
    estimate = dict(zip(area.FIGURES, area.estimate(sizes_of(point)), strict=True))
    assert set(point["cells"]) == set(area.SYNTHESISED)
    for name, cells in point["cells"].items():
        assert estimate[name] == pytest.approx(cells, rel=MOST), name
    assert estimate["mult18"] == point["cells"]["mult18"]
    assert estimate["dp16kd"] == point["cells"]["dp16kd"]


def test_errors_that_are_shown_come_from_points_left_out():
    errors = area.leave_one_out_errors()
    assert set(errors) == set(area.SYNTHESISED)
    assert all(0 <= wrong <= LEFT_OUT[name] + 1e-12 for name, wrong in errors.items())
    assert errors["lut4"] > 0.001  # a fit that knows its points would say 0
    assert f"lut4 {100 * errors['lut4']:.1f} %" in area.sentence()


def test_one_multiplier_per_element_or_pixel_of_a_lane():
    for rows, columns in ((1, 1), (16, 32), (64, 64)):
        figures = area.estimate(ax.SystolicArray(rows, columns))
        assert figures[area.FIGURES.index("mult18")] == rows * columns
    figures = area.estimate(ax.DepthwiseEngine(16, 8))
    assert figures[area.FIGURES.index("mult18")] == 16 * 8


def figures_of(engine):
    return dict(zip(area.FIGURES, area.estimate(engine), strict=True))


def test_what_is_unlike_every_point_has_no_estimate_but_its_memories():
    assert area.estimate(None) == (0,) * len(area.FIGURES)
    unlike = [ax.SystolicArray(8, 8, operands=ax.Operands(8, 24))]
    unlike += [
        ax.DepthwiseEngine(4, 8, **changes)
        for changes in ({"fill_port": 8}, {"results_per_clock": 16}, {"max_kernel": 7})
    ]
    for engine in unlike:
        figures = figures_of(engine)
        unknown = [name for name, figure in figures.items() if figure is None]
        assert unknown == [*area.SYNTHESISED, "gate_equivalents"]
        assert figures["memory_ge"] > 0
    assert None not in area.estimate(ax.DepthwiseEngine(4, 8, results_per_clock=8))


def test_memories_are_counted_by_what_they_hold():
    # By hand: 2 + 4 banks of 1024 x 9 bits, 4 accumulators of 256 and 4 result memories of 128;
    # 16 commands of 2 + 4 x 16 + 2 x 8 + 2 bits of a pass, two addresses of 24, and one bit.
    operands = 6 * 1024 * 9 + 16 * 133
    figures = figures_of(ax.SystolicArray(2, 4))
    assert [figures[name] for name in area.MEMORY_BITS] == [operands, 32768, 16384]
    # 491,633.62 square microns for 131,072 bits, 7.2576 for a NAND: 0.5168 gates a bit.
    assert figures["memory_ge"] == round(0.516821 * (operands + 32768 + 16384))
    assert figures["gate_equivalents"] == figures["logic_ge"] + figures["memory_ge"]
    # 16 bits an operand take more than 9.
    wide = figures_of(ax.SystolicArray(2, 4, operands=ax.Operands(16, 32)))
    assert wide["operand_memory_bits"] == 6 * 1024 * 16 + 16 * 133
    engine = figures_of(ax.DepthwiseEngine(2, 4, bank_depth=64, tap_depth=32))
    # 8 commands: of the pass its mode and channels, map and outputs, kernel, strides, dilations and
    # padding; what follows from it, addresses, the end, and the step into the next row. Two banks
    # of 64 words of 4 operands; 32 taps of two weights and a place of 6 + 2 bits; 32 tiles: results
    # and ends, the map's sizes and addresses, 4 pixels of a row, a column and whether they count,
    # rows and columns of taps, and where these begin.
    sizes, taps = 14 + 14 + 6 + 6 + 5 + 6, 9 + 9 + 3 + 15 + 15 + 5 + 8 + 1
    queued = 32 * (2 + 3 + sizes + 4 * (15 + 15 + 1) + taps)
    command = 1 + 10 + 4 * 14 + 2 * (8 + 4 + 6 + 12) + 15 + 12 + 12 + 15 + 15 + 14 + 28 + 10
    waiting = 8 * (command + 24 + 18 + 16 + 24 + 16 + 1 + 15 + 16)
    assert engine["operand_memory_bits"] == 2 * 64 * 4 * 9 + 32 * (2 * 9 + 8) + queued + waiting


@pytest.mark.parametrize(("kib", "blocks"), [(1, 1), (2, 1), (3, 2), (256, 128)])
def test_a_buffer_takes_a_block_of_memory_for_every_two_kib(kib, blocks):
    gates = round(kib * 8192 * 491633.62 / 131072 / 7.2576)
    assert area.buffer(kib) == {"dp16kd": blocks, "memory_ge": gates, "gate_equivalents": gates}


def test_columns_add_up_the_engines_and_buffers_and_are_null_where_not_known(tmp_path):
    text = """
networks = ["mobilenet_v1"]
[operands]
bits = [8, 9]
[array]
rows = [4, 8]
columns = 8
[depthwise]
size = ["none", "2x4"]
[memory]
activation_kib = [3, 64]
weight_kib = 5
"""
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    rows = sweep.load(tmp_path / "out").to_dicts()
    assert len(rows) == 16
    for row in rows:
        operands = ax.Operands(row["bits"])
        engine = ax.DepthwiseEngine(2, 4, operands=operands) if row["lanes"] else None
        parts = figures_of(ax.SystolicArray(row["rows"], 8, operands=operands)), figures_of(engine)
        buffers = [area.buffer(row[key]) for key in ("activation_kib", "weight_kib")]
        for name in area.FIGURES:
            figures = [part[name] for part in parts] + [each.get(name, 0) for each in buffers]
            assert row[name] == (None if None in figures else sum(figures))
        assert (row["gate_equivalents"] is None) == (row["bits"] == 8)
        kinds = [row[f"{kind}_memory_bits"] for kind in ("operand", "accumulator", "result")]
        assert row["buffer_memory_bits"] == 8192 * (row["activation_kib"] + 5)
        assert row["memory_bits"] == sum(kinds) + row["buffer_memory_bits"]


def test_the_largest_buffers_are_not_for_free(tmp_path):
    text = """
networks = ["mobilenet_v2"]
[array]
size = ["8x8", "16x16"]
[memory]
activation_kib = [64, 256, 1024]
weight_kib = [64, 256, 1024]
width_bytes = 8
"""
    sweep.run(spec(tmp_path, text), tmp_path / "out")
    rows = sweep.load(tmp_path / "out")
    front = analysis.pareto(rows.lazy(), ["time_ms", "gate_equivalents"], [], [])
    # Some designs of the front have less than the largest, and every larger one costs more.
    assert front.get_column("activation_kib").n_unique() == 3
    for _, alike in rows.group_by("rows", "weight_kib"):
        gates = alike.sort("activation_kib").get_column("gate_equivalents")
        assert gates.is_sorted()
        assert gates.n_unique() == 3
