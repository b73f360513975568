"""Clocks of designs: the table's, estimates by hand, and where there is none."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import accelsim as ax
from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray, clock, to_toml
from accelsim.hardware.files import load_hardware
from tests.accelsim.clocks import ARRAYS, BOTH, BOTH_MHZ, ENGINES, handmade


@pytest.fixture(autouse=True)
def table(tmp_path):
    """A table of designs made by hand."""
    with handmade(tmp_path):
        yield


def line(size):
    """The period of an array by NumPy's least squares."""
    logs = np.log2([rows * columns for rows, columns in ARRAYS])
    slope, start = np.polyfit(logs, list(ARRAYS.values()), 1)
    return start + slope * math.log2(math.prod(size))


def test_a_design_of_the_table_has_its_clock():
    assert Hardware(SystolicArray(2, 2)).clock == (200.0, "measured")
    assert Hardware(BOTH[0], depthwise=BOTH[1]).clock == (BOTH_MHZ, "measured")
    assert Hardware(engines=BOTH[::-1]).clock == (BOTH_MHZ, "measured")
    # The result port is as wide as it is anyway.
    same = DepthwiseEngine(4, 4, results_per_clock=4)
    assert Hardware(BOTH[0], depthwise=same).clock.source == "measured"


def test_an_array_between_those_of_the_table_is_estimated():
    for size in ((4, 1), (8, 2), (2, 8), (4, 4), (5, 3), (7, 8)):
        mhz, source = Hardware(SystolicArray(*size)).clock
        assert source == "estimated"
        assert mhz == pytest.approx(1e3 / line(size), abs=0.051)


def test_a_design_is_as_slow_as_its_slowest_engine():
    slow = Hardware(SystolicArray(7, 4), depthwise=DepthwiseEngine(2, 4))
    assert slow.clock == Hardware(SystolicArray(7, 4)).clock
    fast = Hardware(SystolicArray(1, 2), depthwise=DepthwiseEngine(2, 2))
    assert fast.clock == (200.0, "estimated")


@pytest.mark.parametrize(
    "design",
    [
        Hardware(SystolicArray(8, 9)),  # more multipliers
        Hardware(SystolicArray(1, 9)),  # a longer side
        Hardware(SystolicArray(8, 8), depthwise=DepthwiseEngine(1, 2)),  # together too many
        Hardware(SystolicArray(2, 2), depthwise=DepthwiseEngine(1, 1)),  # fewer than any engine
        Hardware(SystolicArray(2, 2), depthwise=DepthwiseEngine(2, 8)),
        Hardware(SystolicArray(2, 2, bank_depth=2048)),
        Hardware(SystolicArray(2, 2, operands=Operands(8))),
        Hardware(SystolicArray(4, 4, max_taps=3)),
        Hardware(SystolicArray(2, 2), depthwise=DepthwiseEngine(2, 2, fill_port=4)),
        load_hardware("gemmini"),
        load_hardware("tap_serial"),
    ],
    ids=lambda design: design.label,
)
def test_a_design_unlike_those_of_the_table_has_an_assumed_clock(design):
    assert design.clock == (500.0, "assumed")


def test_a_preset_is_assumed_only_where_nothing_is_known():
    tiny = replace(load_hardware("tiny"))  # another object: presets may know their clocks already
    assert tiny.clock == (125.0, "measured")
    assert tiny.with_engine(SystolicArray(16, 16)).clock == (100.0, "assumed")
    assert replace(load_hardware("edge")).clock == (250.0, "assumed")


def test_what_the_user_says_counts_before_all(tmp_path):
    for design in (
        Hardware(SystolicArray(2, 2), clock_mhz=33.0),
        Hardware(SystolicArray(2, 2)).with_clock(33.0),
    ):
        assert design.clock == (33.0, "user")
        assert design.with_engine(SystolicArray(4, 4)).clock == (33.0, "user")
        file = tmp_path / "own.toml"
        file.write_text(to_toml(design))
        assert load_hardware(file).clock == (33.0, "user")


def test_a_file_may_say_what_is_assumed(tmp_path):
    file = tmp_path / "own.toml"
    for rows, known in ((2, (200.0, "measured")), (64, (77.0, "assumed"))):
        file.write_text(f"[array]\nrows = {rows}\ncolumns = 2\n[clock]\nassumed_mhz = 77\n")
        design = load_hardware(file)
        assert design.clock == known
        file.write_text(to_toml(design))
        assert load_hardware(file).clock == known
    for key in ("mhz", "assumed_mhz"):
        file.write_text(f"[array]\nrows = 2\ncolumns = 2\n[clock]\n{key} = 0\n")
        with pytest.raises(ax.AccelsimError, match=rf"own.toml:5: clock.{key} must be a positive"):
            load_hardware(file)


def test_the_error_leaves_every_design_out():
    errors = []
    for size, ns in ARRAYS.items():
        others = {each: period for each, period in ARRAYS.items() if each != size}
        logs = np.log2([math.prod(each) for each in others])
        slope, start = np.polyfit(logs, list(others.values()), 1)
        errors.append(ns / (start + slope * math.log2(math.prod(size))) - 1)
    errors += [0.0] * len(ENGINES)
    errors.append(1e3 / max(line((8, 4)), 5.0) / BOTH_MHZ - 1)
    assert clock.leave_one_out_error() == pytest.approx(max(map(abs, errors)))


def test_results_say_where_their_clock_is_from(tmp_path):
    from accelsim.saved import load_result

    for size, source in (((2, 2), "measured"), ((2, 3), "estimated"), ((9, 9), "assumed")):
        result = ax.simulate("resnet18", Hardware(SystolicArray(*size)), layers="fc")
        written = result.to_dict()
        assert written["clock_source"] == written["hardware"]["clock_source"] == source
        (tmp_path / "saved.json").write_text(json.dumps(written))
        read = load_result(tmp_path / "saved.json")
        assert read.hardware.clock == result.hardware.clock
        assert read.time_ms == result.time_ms
