"""`cosim` and `rtl`: a layer on the hardware, and its Verilog."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from accelsim import __version__
from tests.accelsim.cli.outcome import as_json

IN_AMARANTH = ("--simulator", "amaranth")  # it compiles nothing


def test_cosim_compares_all_levels(accelsim, probe):
    outcome = accelsim("cosim", probe, "--layer", "mix", "--array", "4x3", "--json", "-")
    printed = as_json(outcome)
    assert printed["layer"] == "mix"
    assert printed["values_equal"] is True
    assert set(printed["cycles"]) == {"schedule", "cycle", "rtl"}
    assert len(set(printed["cycles"].values())) == 1
    assert printed["busy_cycles"] == printed["cycles"]["rtl"] > 0
    assert printed["stall_cycles"] >= 0
    assert printed["passes"] > 0
    assert printed["simulator"] == "verilator"


@pytest.mark.parametrize(("asked", "used"), [((), "verilator"), (IN_AMARANTH, "amaranth")])
def test_cosim_says_which_simulator_it_used(asked, used, accelsim, probe):
    outcome = accelsim("cosim", probe, "--layer", "mix", "--array", "4x3", *asked)
    assert outcome.status == 0
    assert f" simulator {used}.\n" in outcome.out


def test_cosim_needs_no_verilator(accelsim, probe, monkeypatch):
    from rtl.flow import simulators

    monkeypatch.setattr(simulators, "has_verilator", lambda: False)
    outcome = accelsim("cosim", probe, "--layer", "mix", "--array", "4x3", "--json", "-")
    assert as_json(outcome)["simulator"] == "amaranth"


@pytest.mark.parametrize(("level", "said"), [("golden", "values"), ("cycles", "cycles")])
def test_cosim_is_status_1_where_a_level_differs(level, said, accelsim, probe, monkeypatch):
    from accelsim.lowering import Lowered
    from accelsim.ops import Depthwise

    if level == "golden":
        right = Depthwise.golden
        monkeypatch.setattr(Depthwise, "golden", lambda *arguments: right(*arguments) + 1)
    else:
        monkeypatch.setattr(Lowered, "cycles", property(lambda lowered: 7))
    outcome = accelsim("cosim", probe, "--layer", "mix", "--array", "4x3", *IN_AMARANTH)
    assert outcome.status == 1
    assert outcome.err == f"accelsim: the levels differ in {said} (layer mix)\n"


@pytest.mark.parametrize("command", ["cosim resnet18 --layer stem", "rtl -o build"])
def test_a_missing_extra_is_said(command, accelsim, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for module in [name for name in sys.modules if name.split(".")[0] in ("rtl", "amaranth")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "amaranth", None)
    outcome = accelsim(*command.split())
    assert outcome.status == 2
    assert outcome.err.startswith("accelsim: amaranth")
    assert outcome.err.endswith("the extra rtl brings it: pip install '.[rtl]'\n")
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["rtl/__init__.py", "rtl.py", "rtl/top.v"])
def test_another_package_called_rtl_is_said(file, accelsim, monkeypatch, tmp_path):
    """A folder of Verilog, too: Python takes it for a package."""
    place = tmp_path / file
    place.parent.mkdir(exist_ok=True)
    place.write_text("")
    for name in [name for name in sys.modules if name.split(".")[0] == "rtl"]:
        monkeypatch.delitem(sys.modules, name)
    hides = [str(tmp_path)] if file.endswith(".py") else []
    monkeypatch.setattr(sys, "path", [*hides, str(tmp_path)])
    outcome = accelsim("rtl", "-o", tmp_path / "out")
    assert outcome.status == 2
    shown = place if file.endswith(".py") else place.parent
    assert outcome.err.startswith(f"accelsim: {shown} is another package called rtl and hides that")
    assert outcome.err.count("\n") == 1


def test_rtl_writes_the_core_its_parameters_and_its_page(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "2x3", "--output", tmp_path / "build")
    assert (outcome.status, outcome.err) == (0, "")
    *paths, _, _, lint = outcome.out.splitlines()
    written = [Path(line) for line in paths]
    assert sorted(written) == sorted((tmp_path / "build").iterdir())
    done = subprocess.run(shlex.split(lint), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    texts = {path.suffix: path.read_text() for path in written}
    assert "module core (" in texts[".sv"]
    parameters = json.loads(texts[".json"])
    assert (parameters["array"]["rows"], parameters["array"]["columns"]) == (2, 3)
    assert "2 x 3" in texts[".md"]


def test_rtl_of_a_layer_brings_its_testbench(accelsim, probe, tmp_path):
    command = ("rtl", "--array", "4x3", "--layer", f"{probe}:mix", "--seed", "5")
    outcome = accelsim(*command, "--output", tmp_path / "build")
    assert (outcome.status, outcome.err) == (0, "")
    text = (tmp_path / "build" / "core.sv").read_text()
    made_by = f"accelsim rtl --array 4x3 --layer {Path(probe).name}:mix --seed 5\n"
    assert text.startswith(f"// Written by accelsim {__version__}: {made_by}")
    counted = as_json(accelsim("cosim", probe, *command[1:3], "--layer", "mix", "--json", "-"))
    bench = (tmp_path / "build" / "testbench.sv").read_text()
    assert f"CYCLES = 48'd{counted['busy_cycles']};" in bench
    assert str(tmp_path) not in text + bench + (tmp_path / "build" / "testbench.md").read_text()


def test_cosim_states_its_own_default_array(accelsim):
    assert "[default: 8x8]" in accelsim("cosim", "--help").out


def test_rtl_holds_both_engines(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "2x2", "--depthwise", "2x3", "-o", str(tmp_path))
    assert (outcome.status, outcome.err) == (0, "")
    assert "array__commands__valid" in (tmp_path / "core.sv").read_text()
    assert "depthwise__commands__valid" in (tmp_path / "core.sv").read_text()


def test_cosim_of_a_depthwise_layer_runs_on_its_engine(accelsim, probe):
    options = ("--array", "4x3", "--depthwise", "2x3", "--depthwise-on", "engine", *IN_AMARANTH)
    outcome = accelsim("cosim", probe, "--layer", "mix", *options, "--json", "-")
    assert outcome.status == 0
    printed = json.loads(outcome.out)
    assert printed["values_equal"]
    assert len(set(printed["cycles"].values())) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--array 64x64", "array 64x64 does not fit LFE5U-85F: it needs 4,096 MULT18X18D of its"),
        ("--array none", "--array none needs another engine, for instance --depthwise 4x8"),
        ("--array none --depthwise 16x16", "depthwise 16x16 does not fit LFE5U-85F: it needs 256"),
        ("--device ice40", "device must be one of LFE5U-25F, LFE5U-45F, LFE5U-85F, not 'ice40'"),
        ("--hardware gemmini", "gemmini has a model without RTL; run, csynth and compare take it"),
    ],
)
def test_pnr_refuses_before_it_works(options, said, accelsim):
    outcome = accelsim("pnr", *options.split())
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"accelsim: {said}")
    assert outcome.err.count("\n") == 1


def test_rtl_wraps_the_streams_where_asked(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "2x2", "--axi-stream", "-o", tmp_path / "axi")
    assert outcome.status == 0
    assert "s_axis_commands_tdata" in (tmp_path / "axi" / "axi_stream.sv").read_text()
    head = (tmp_path / "axi" / "core.sv").read_text().splitlines()[0]
    assert head.endswith(": accelsim rtl --array 2x2 --axi-stream")
    lint = shlex.split(outcome.out.splitlines()[-1])
    assert [Path(word).name for word in lint[-2:]] == ["core.sv", "axi_stream.sv"]


def test_rtl_adds_a_post_processing_unit(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "1x1", "--post", "1:ort", "-o", tmp_path / "post")
    assert outcome.status == 0
    lint = [shlex.split(line) for line in outcome.out.splitlines()[-2:]]
    assert [Path(words[-1]).name for words in lint] == ["core.sv", "post_processor.sv"]
    text = (tmp_path / "post" / "post_processor.sv").read_text()
    assert text.splitlines()[0].endswith(": accelsim rtl --array 1x1 --post 1:ort")
    assert "//   rules = ('ort',)" in text
    refused = accelsim("rtl", "--post", "0", "-o", tmp_path / "none")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "accelsim: post.lanes must be a whole number from 1 to 256, not 0\n"
    assert not (tmp_path / "none").exists()
