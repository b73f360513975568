"""Fronts, best designs and sensitivities against plain loops over all pairs of rows."""

import math
import re

import numpy as np
import polars
import pytest

from accelsim import analysis, conditions
from accelsim.errors import SelectionError
from tests.naive import fronts

DESIGNS = polars.DataFrame(
    {
        "network": ["a", "a", "b", "b", "b"],
        "rows": [8, 16, 8, 16, 64],
        "overlap": [True, False, True, False, True],
        "cycles": [100, 50, 90, 50, None],
        "area": [1.0, 2.0, 1.0, math.nan, 0.5],
    }
)


def random_designs(seed: int, rows: int, objectives: int, values: int) -> polars.DataFrame:
    """Few values make many equal rows; the last column is a float that may be missing."""
    random = np.random.default_rng(seed)
    columns = {f"x{i}": random.integers(-values, values, rows) for i in range(objectives)}
    frame = polars.DataFrame({"design": np.arange(rows), **columns})
    last = f"x{objectives - 1}"
    kept = polars.Series(random.random(rows) > 0.05)
    return frame.with_columns((polars.when(kept).then(polars.col(last)) / 3).alias(last))


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("values", [2, 6, 1000])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("few", [analysis.FEW, 20])  # rows up to which none is left out at once
def test_the_front_is_what_no_other_row_dominates(few, seed, values, objectives, monkeypatch):
    monkeypatch.setattr(analysis, "FEW", few)
    frame = random_designs(seed, 300, objectives, values)
    names = frame.columns[1:]
    minimise, maximise = names[seed:], names[:seed]
    front = analysis.pareto(frame, minimise, maximise)
    signs = [-1 if name in maximise else 1 for name in names]
    points = [
        (design, *(sign * value for sign, value in zip(signs, values, strict=True)))
        for design, *values in frame.drop_nulls().rows()
    ]
    assert set(front["design"]) == fronts.pareto(points)
    assert len(front) == len(set(front["design"]))


@pytest.mark.parametrize("bits", [62, 53])
def test_large_integers_are_not_rounded(bits):
    large = 1 << bits
    frame = polars.DataFrame({"x": [large, large + 1, large], "y": [1, 1, 2], "z": [0, 0, 0]})
    assert analysis.pareto(frame, ["x", "y", "z"]).rows() == [(large, 1, 0)]


def test_front_of_a_sphere_is_all_of_it():
    angles = np.linspace(0.1, 1.4, 40)
    grid = [
        (np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)) for a in angles for b in angles
    ]
    frame = polars.DataFrame(np.array(grid), schema=["x", "y", "z"], orient="row")
    assert len(analysis.pareto(frame, maximise=["x", "y", "z"])) == 1600


def test_the_front_is_sorted_and_keeps_all_columns():
    front = analysis.pareto(DESIGNS, minimise=["cycles"], maximise=["rows"], across=["network"])
    assert front["network"].to_list() == ["a", "b"]  # equal ones in the order they had
    assert front.columns == DESIGNS.columns
    assert analysis.pareto(DESIGNS.lazy(), ["area"])["area"].to_list() == [1.0, 0.5]


def test_rows_without_a_value_are_left_out():
    both = analysis.pareto(DESIGNS, ["cycles", "area"], across=["network"])
    assert both["rows"].to_list() == [16, 8]
    assert analysis.pareto(DESIGNS, maximise=["area"])["area"].to_list() == [2.0, 1.0]


WORKLOADS = ("network", "variant", "input")


@pytest.mark.parametrize("across", [[], ["variant"], ["input", "network"], list(WORKLOADS)])
@pytest.mark.parametrize("few", [analysis.FEW, 20])
def test_a_front_is_of_one_workload_unless_it_is_asked_for_across_them(few, across, monkeypatch):
    monkeypatch.setattr(analysis, "FEW", few)
    frame = random_designs(3, 600, 3, 20)
    random = np.random.default_rng(4)
    for name in WORKLOADS:
        frame = frame.with_columns(polars.Series(name, random.choice(["p", "q", "r"], len(frame))))
    frame = frame.with_columns(
        polars.col("input").replace("r", None), polars.col("network").cast(polars.Categorical)
    )
    told = [name for name in WORKLOADS if name not in across]
    rows = list(frame.drop_nulls(["x0", "x1", "x2"]).iter_rows(named=True))
    points = [
        (row["design"], tuple(row[name] for name in told), row["x0"], row["x1"], -row["x2"])
        for row in rows
    ]
    front = analysis.pareto(frame, ["x0", "x1"], ["x2"], across=across)
    assert set(front["design"]) == fronts.pareto_of_each(points)
    assert len(front) == len(set(front["design"]))
    best = analysis.best(frame, ["x0"], ["x2"], count=2, across=across)
    firsts = {}
    for row in sorted(rows, key=lambda row: (row["x0"], -row["x2"])):
        firsts.setdefault(tuple(row[name] for name in told), []).append((row["x0"], row["x2"]))
    assert sorted(best.select("x0", "x2").rows()) == sorted(
        pair for pairs in firsts.values() for pair in pairs[:2]
    )


def test_what_is_no_workload_cannot_compete_across():
    for across, words in [
        (["rows"], "is some of network, variant, input, batch, not 'rows'"),
        (["netwrk"], "not 'netwrk'; did you mean network?"),
        (["variant"], "there is no column 'variant'"),
    ]:
        with pytest.raises(SelectionError, match=re.escape(words)):
            analysis.pareto(DESIGNS, ["cycles"], across=across)


CONDITIONS = {
    "rows<=16": lambda row: row["rows"] <= 16,
    "rows < 16": lambda row: row["rows"] < 16,
    "rows>=16": lambda row: row["rows"] >= 16,
    "rows>8.5": lambda row: row["rows"] > 8.5,
    "rows==8": lambda row: row["rows"] == 8,
    "rows!=8": lambda row: row["rows"] != 8,
    "network=b": lambda row: row["network"] == "b",
    "network!=b": lambda row: row["network"] != "b",
    "overlap=true": lambda row: row["overlap"],
    "overlap!=true": lambda row: not row["overlap"],
    "area<=1e0": lambda row: row["area"] <= 1,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_mean_what_they_say(condition):
    expected = [row for row in DESIGNS.iter_rows(named=True) if CONDITIONS[condition](row)]
    rows = conditions.matching(DESIGNS, [condition]).collect()
    assert rows["rows"].to_list() == [row["rows"] for row in expected]
    assert 0 < len(rows) < len(DESIGNS)


def test_conditions_are_all_met():
    rows = conditions.matching(DESIGNS, ["rows<=16", "network=b"]).collect()
    assert rows["rows"].to_list() == [8, 16]


def test_the_best_design_under_constraints():
    small = analysis.best(DESIGNS, ["cycles"], where=["rows<=8"])
    assert small["network"].to_list() == ["a", "b"]
    ordered = analysis.best(DESIGNS, ["cycles"], ["rows"], count=3, across=["network"])
    assert ordered["cycles"].to_list() == [50, 50, 90]
    assert analysis.best(DESIGNS, ["cycles"], where=["rows>64"]).is_empty()


MISTAKES = {
    "rows<<3": "'<3' is not one",
    "rows": "a condition must be COLUMN, one of <= >= != == < > =, and a value, not 'rows'",
    "lines<3": "there is no column 'lines'; there are network, rows, overlap, cycles, area",
    "rows<many": "'rows<many' compares numbers, and 'many' is not one",
    "rows<nan": "'nan' is not one",
    "network<b": "network is not a number: 'network<b' can only ask for = or !=",
    "overlap=yes": "overlap is true or false, not 'yes'",
}


@pytest.mark.parametrize("condition", MISTAKES)
def test_wrong_conditions_are_explained(condition):
    with pytest.raises(SelectionError, match=re.escape(MISTAKES[condition])):
        analysis.pareto(DESIGNS, ["cycles"], where=[condition])


def test_wrong_objectives_are_explained():
    for minimise, words in [
        ([], "needs a column to minimise or to maximise"),
        (["cycles", "cycles"], "cycles is an objective twice"),
        (["network"], "network holds no numbers; columns that do are rows, cycles, area"),
        (["speed"], "there is no column 'speed'"),
    ]:
        with pytest.raises(SelectionError, match=words):
            analysis.pareto(DESIGNS, minimise)


def grid() -> polars.DataFrame:
    """cycles = work / (rows columns), but two clocks that do not matter, and one gap."""
    rows = [
        (network, side, columns, mhz, work / (side * columns), 64 / columns)
        for network, work in (("a", 64.0), ("b", 640.0))
        for side in (2, 4, 8)
        for columns in (1, 4)
        for mhz in (100, 200)
        if (network, side, columns) != ("b", 2, 4)
    ]
    names = ["network", "rows", "columns", "mhz", "cycles", "load"]
    return polars.DataFrame(rows, schema=names, orient="row")


def test_sensitivity_compares_designs_that_are_else_equal():
    ratios = analysis.sensitivity(grid(), "rows", "cycles", ["network", "columns", "mhz"])
    assert ratios["rows"].to_list() == [2, 4, 8]
    assert ratios["designs"].to_list() == [6, 6, 6]  # those of b with 4 columns have no first
    for name in ("least", "lower", "median", "upper", "most"):
        assert ratios[name].to_list() == [1, 1 / 2, 1 / 4]
    load = analysis.sensitivity(grid(), "rows", "load", ["network", "columns", "mhz"])
    assert load["most"].to_list() == [1, 1, 1]


def test_sensitivity_shows_how_designs_differ():
    frame = polars.DataFrame(
        {
            "rows": [1, 2] * 5,
            "network": list("aabbccddee"),
            "cycles": [4, 1, 4, 2, 4, 3, 4, 4, 4, 8],
        }
    )
    last = analysis.sensitivity(frame, "rows", "cycles", ["network"]).row(1, named=True)
    ratios = sorted(value / 4 for value in (1, 2, 3, 4, 8))
    assert [last[name] for name in ("least", "lower", "median", "upper", "most")] == ratios


def test_sensitivity_is_relative_to_nothing_that_is_0():
    frame = polars.DataFrame({"rows": [1, 2], "cycles": [0, 5]})
    with pytest.raises(SelectionError, match="cycles is 0 at rows 1"):
        analysis.sensitivity(frame, "rows", "cycles", [])


def test_sensitivity_refuses_to_mix_what_is_not_held():
    with pytest.raises(SelectionError, match=r"cycles differs .*hold the column that decides"):
        analysis.sensitivity(grid(), "rows", "cycles", ["network", "mhz"])
