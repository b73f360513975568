"""Place and route: what is refused before any work, and a small design as nextpnr places it."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from accelsim.errors import HardwareError, MissingToolError
from accelsim.hardware import DepthwiseEngine, SystolicArray, clock
from rtl.flow import pnr

SMALL = (SystolicArray(1, 1),)


@pytest.mark.parametrize(
    ("engines", "device", "said"),
    [
        (
            (SystolicArray(64, 64),),
            "LFE5U-85F",
            "array 64x64 does not fit LFE5U-85F: it needs 4,096 MULT18X18D of its 156",
        ),
        (
            (SystolicArray(4, 4), DepthwiseEngine(4, 4)),
            "LFE5U-25F",
            "array 4x4, depthwise 4x4 does not fit LFE5U-25F: it needs 32 MULT18X18D of its 28",
        ),
    ],
)
def test_a_design_with_too_many_multipliers_is_refused_at_once(engines, device, said):
    with pytest.raises(HardwareError) as refused:
        pnr.place_and_route(engines, device)
    assert str(refused.value) == said


def test_a_design_with_too_much_of_anything_is_refused_after_synthesis():
    cells = {"lut4": 24_289, "ff": 24_288, "mult18": 28, "dp16kd": 57}
    said = "it needs 24,289 LUT4 of its 24,288 and 57 DP16KD of its 56$"
    with pytest.raises(HardwareError, match=said):
        pnr.check_fits(SMALL, "LFE5U-25F", cells)
    pnr.check_fits(SMALL, "LFE5U-25F", cells | {"lut4": 24_288, "dp16kd": 56})


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"device": "LFE5U-12"}, "device must be one of LFE5U-25F, LFE5U-45F, LFE5U-85F, not"),
        ({"speed": 5}, "speed must be a whole number from 6 to 8, not 5"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483647, not -1"),
    ],
)
def test_an_unknown_option_is_refused(option, said):
    with pytest.raises(HardwareError, match=said):
        pnr.place_and_route(SMALL, **option)


def test_a_missing_wheel_is_said(monkeypatch):
    monkeypatch.setattr(pnr, "TOOLS", ("yowasp-of-nobody",))
    with pytest.raises(MissingToolError) as missing:
        pnr.place_and_route(SMALL)
    assert str(missing.value) == (
        "yowasp-of-nobody is missing; the extra pnr brings it: pip install '.[pnr]'"
    )


def test_the_phases_of_nextpnr_are_reported_in_order(monkeypatch, tmp_path):
    begin = ("Info: Packing constants", "Info: Creating initial analytic", "Info: said between")
    (tmp_path / "report.json").write_text("{}")
    monkeypatch.setattr(pnr.yowasp, "lines", lambda *_: [*begin, "Info: Routing.."])
    told = []
    pnr._route(tmp_path, (), lambda what, done: told.append((done, what)))
    assert told == sorted(told)
    assert [what for _, what in told] == ["packing", "placing", "routing"]
    assert 0 < told[0][0] < told[-1][0] < 1


def test_levels_are_the_length_of_the_longest_path():
    said = "Longest topological path in core (length=12):\n    0: \\a\n    1: \\b\n"
    assert pnr._levels(said) == 12


def test_the_table_says_how_it_was_made_and_holds_designs_in_order():
    made = json.loads(clock.FILE.read_text())
    assert (made["device"], made["speed"], made["seed"]) == (pnr.DEVICE, pnr.SPEED, pnr.SEED)
    assert "\n".join(made["synthesis"]) == pnr.NETLIST.strip()
    assert tuple(made["options"]) == pnr.OPTIONS
    engines = [point["engines"] for point in made["points"]]
    assert engines == [clock.record(each, 0)["engines"] for each in pnr.DESIGNS[: len(engines)]]
    for design, point in zip(pnr.DESIGNS, made["points"], strict=False):
        known = clock.clock_of(design)
        assert known == (point["fmax_mhz"], "measured")
        assert point["used"]["mult18"] >= sum(sizes.multipliers for sizes in design)


def test_the_table_is_written_as_it_stands(monkeypatch, tmp_path):
    made = json.loads(clock.FILE.read_text())
    points = iter(made["points"])
    monkeypatch.setattr(pnr, "DESIGNS", pnr.DESIGNS[: len(made["points"])])
    monkeypatch.setattr(pnr, "place_and_route", lambda _: SimpleNamespace(tools=made["tools"]))
    monkeypatch.setattr(pnr, "point", lambda _: next(points))
    pnr.measure(tmp_path / "clock.json")
    assert (tmp_path / "clock.json").read_text() == clock.FILE.read_text()


def row(point):
    """A design of the table of Fmax as README shows it."""
    used = point["used"]
    sizes = [
        "depthwise {lanes}x{pixels}".format(**each["depthwise"])
        if "depthwise" in each
        else "array {rows}x{columns}".format(**each["array"])
        for each in ({name: engine} for name, engine in point["engines"].items())
    ]
    counts = " | ".join(f"{used[name]:,}" for name in ("lut4", "ff", "mult18", "dp16kd"))
    return f"| {' + '.join(sizes)} | {point['fmax_mhz']:.1f} MHz | {counts} |"


def test_readme_shows_the_table():
    text = (Path(__file__).parents[3] / "README.md").read_text()
    shown = [line for line in text.splitlines() if re.search(r"\d MHz \| [\d,]+ \|", line)]
    assert shown == [row(point) for point in json.loads(clock.FILE.read_text())["points"]]


@pytest.mark.full
def test_the_smallest_design_has_the_clock_of_the_table():
    point = json.loads(clock.FILE.read_text())["points"][0]
    routed = pnr.place_and_route(pnr.DESIGNS[0])
    made = json.loads(json.dumps(pnr.point(routed)))
    assert made == point


@pytest.mark.full
def test_a_small_design_is_placed():
    routed = pnr.place_and_route(SMALL, "LFE5U-25F")
    device = pnr.DEVICES["LFE5U-25F"]
    assert routed.used["mult18"] == (1, device.mult18)
    for name, (used, available) in routed.used.items():
        assert 0 < used < available == getattr(device, name)
    # The path is as long as the period, apart from how early or late its clock comes.
    length = sum(step.logic_ns + step.routing_ns for step in routed.path)
    assert routed.fmax_mhz == pytest.approx(1e3 / length, rel=1e-3)
    assert pnr.place_and_route(SMALL, "LFE5U-25F") == routed
