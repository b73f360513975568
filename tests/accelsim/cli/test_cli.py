"""The command line: what it prints, and one sentence for every mistake."""

import csv
import hashlib
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import pytest

from accelsim import __version__, networks, published, sweep
from accelsim.cli import COMMANDS, main
from accelsim.cli.plots import KINDS
from accelsim.dataflows import DATAFLOWS
from accelsim.hardware import PRESETS, Hardware, SystolicArray, load_hardware
from accelsim.lowering import public_name
from accelsim.ops import MACROS, OPS
from accelsim.simulation import simulate
from tests.accelsim.cli.probe import PROBE
from tests.naive import fronts


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def accelsim(capsys):
    """Runs the command line in this process."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(end.value.code or 0, out, err)

    return run


@pytest.fixture
def probe(tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(PROBE)
    return path


def as_json(outcome: Outcome) -> dict:
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)


# --- lists


def test_version(accelsim):
    assert accelsim("--version") == (0, f"accelsim {__version__}\n", "")


@pytest.mark.parametrize("command", ["", "plot", *COMMANDS, *(f"plot {kind}" for kind in KINDS)])
def test_help_fits_and_is_not_cut(command, accelsim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = accelsim(*command.split(), "--help")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert len(lines) <= (40 if command == "run" else 30)
    assert max(map(len, lines)) < 80
    assert not any(line.endswith("...") for line in lines[1:])


def test_every_network_is_listed(accelsim):
    outcome = accelsim("networks")
    assert outcome.status == 0
    for definition in networks.NETWORKS:
        assert definition.__name__ in outcome.out
    assert "3,504,872" in outcome.out  # parameters of MobileNetV2 as its authors count them
    assert "fuse_half_50" in outcome.out


def test_every_operator_is_listed(accelsim):
    outcome = accelsim("ops")
    assert outcome.status == 0
    first_words = [line.split()[0] for line in outcome.out.splitlines() if line.strip()]
    assert first_words[2:-1] == [op.name for op in (*OPS, *MACROS)]


@pytest.mark.parametrize("operator", [*OPS, *MACROS], ids=lambda operator: operator.name)
def test_an_operator_is_described_with_its_defaults(operator, accelsim):
    outcome = accelsim("ops", operator.name)
    assert outcome.status == 0
    table = outcome.out.partition("\n\nattribute ")[2]
    rows = [line.split()[0] for line in table.splitlines()[2:]]
    assert rows[: len(fields(operator))] == [each.name for each in fields(operator)]
    assert ("prenorm" in rows) == (operator in OPS)


def test_what_an_operator_takes_if_nothing_is_said(accelsim):
    shown = {name: accelsim("ops", name).out for name in ("conv2d", "depthwise", "pool")}
    assert re.search(r"^padding +0 *$", shown["conv2d"], re.MULTILINE)
    assert re.search(r'^padding +"same" *$', shown["depthwise"], re.MULTILINE)
    assert re.search(r"^stride +left out *$", shown["pool"], re.MULTILINE)
    status, out, err = accelsim("ops", "convolution")
    assert (status, out) == (2, "")
    assert err.startswith("accelsim: operator must be one of conv2d, ")


def test_a_warning_is_printed_once(accelsim, tmp_path):
    path = tmp_path / "flat.toml"
    path.write_text(PROBE.replace("flatten = true\n", ""))
    outcome = accelsim("compare", path, "--hardware", "tiny", "--hardware", "edge")
    assert outcome.status == 0
    assert outcome.err.startswith(f"accelsim: warning: {path}:")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_printed_preset_is_a_hardware_file(preset, accelsim, tmp_path):
    outcome = accelsim("hardware", preset.name)
    path = tmp_path / "hw.toml"
    path.write_text(outcome.out)
    assert load_hardware(path) == preset.hardware
    assert outcome.out in accelsim("hardware").out


# --- run


def test_the_table_holds_every_layer_the_total_and_what_is_not_modelled(accelsim):
    outcome = accelsim("run", "mobilenet_v2", "--variant", "fuse_half", "--array", "64x64")
    network = networks.mobilenet_v2(variant="fuse_half")
    assert outcome.status == 0
    shown = {line.split()[0] for line in outcome.out.splitlines() if line.strip()}
    on_array = {layer.name for layer in network.layers if layer.op.lower(*network.in_shapes(layer))}
    assert on_array | {"total"} <= shown
    assert f"{network.total_macs:,}" in outcome.out
    assert "Not modelled, on the host at 0 cycles: 52 relu6, 10 add, 1 global_pool" in outcome.out
    assert "Address aliases, no work: 17 concat." in outcome.out
    assert outcome.err == ""


def test_numbers_are_never_cut_in_a_narrow_terminal(accelsim, monkeypatch):
    wide = accelsim("run", "resnet18")
    for module in ("common", "layers"):
        monkeypatch.setattr(f"accelsim.cli.{module}.width", lambda: 60)
    narrow = accelsim("run", "resnet18")
    total = json.loads(accelsim("run", "resnet18", "--json", "-").out)["total_cycles"]
    for outcome in (wide, narrow):
        assert f"{total:,}" in outcome.out
    table = narrow.out[narrow.out.index("layer ") : narrow.out.index("ms at")]
    assert max(map(len, table.splitlines())) <= 60


def test_json_has_the_agreed_shape(accelsim):
    printed = as_json(accelsim("run", "mobilenet_v2", "--json", "-", "--seed", "3"))
    assert printed["network"] == "mobilenet_v2"
    assert (printed["variant"], printed["timing"], printed["fidelity"]) == (
        "baseline",
        "rtl",
        "schedule",
    )
    assert printed["version"] == __version__
    assert printed["seed"] == 3
    assert len(printed["weights_sha256"]) == 64
    assert printed["hardware"]["array"]["rows"] == 64
    assert {"name", "op", "engine", "dataflow", "cycles", "macs", "params", "utilization"} <= set(
        printed["layers"][0]
    )
    for total in ("cycles", "macs", "params"):
        assert printed[f"total_{total}"] == sum(layer[total] for layer in printed["layers"])
    assert printed["total_params"] == 3_504_872  # of the authors
    hosted = [layer for layer in printed["layers"] if layer["engine"] == "host"]
    assert {layer["op"] for layer in hosted} == {"add", "global_pool"}
    assert all(layer["not_modelled"] and layer["cycles"] == 0 for layer in hosted)


def test_published_models_give_the_published_cycles(accelsim):
    def total(*arguments):
        return as_json(accelsim("run", *arguments, "--json", "-"))["total_cycles"]

    fuseconv = ("mobilenet_v2", "--timing", "fuseconv-2020")
    assert total(*fuseconv) == 2_979_156
    assert total(*fuseconv, "--variant", "fuse_half") == 411_910
    scalesim = ("mobilenet_v1", "--timing", "scalesim", "--array", "32x32", "--dataflow", "ws")
    assert total(*scalesim) == 1_599_384
    assert total(*scalesim, "--scalesim-depthwise", "per-channel") == 3_318_011


def test_files_hold_what_is_printed(accelsim, tmp_path):
    outcome = accelsim(
        *("run", "mobilenet_v3_small", "--json", tmp_path / "a.json"),
        *("--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.png"),
    )
    assert outcome.status == 0
    written = json.loads((tmp_path / "a.json").read_text())
    assert f"{written['total_cycles']:,}" in outcome.out
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["cycles"]) for row in rows] == [layer["cycles"] for layer in written["layers"]]
    assert [row["name"] for row in rows] == [layer["name"] for layer in written["layers"]]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json", "a.png"]


def test_layers_of_the_host_alone_make_an_empty_plot(accelsim, tmp_path):
    path = tmp_path / "p.png"
    assert accelsim("run", "mobilenet_v2", "--layers", "pool", "--plot", path).status == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_only_the_layers_asked_for(accelsim):
    printed = as_json(
        accelsim("run", "mobilenet_v2", "--layers", "b2.expand..b3.add", "--json", "-")
    )
    names = [layer["name"] for layer in printed["layers"]]
    assert (names[0], names[-1], len(names)) == ("b2.expand", "b3.add", 7)


def test_options_take_the_place_of_the_hardware_file(accelsim, tmp_path):
    path = tmp_path / "hw.toml"
    path.write_text("[array]\nrows = 5\ncolumns = 3\nmax_taps = 4\n[clock]\nmhz = 10\n")
    common = ("run", "mobilenet_v3_small", "--input", "32x32", "--json", "-", "--hardware", path)
    design = as_json(accelsim(*common))["hardware"]
    assert (design["array"]["rows"], design["array"]["columns"], design["clock_mhz"]) == (5, 3, 10)
    options = ("--array", "7x2", "--no-overlap", "--clock", "20")
    design = as_json(accelsim(*common, *options))["hardware"]
    assert (design["array"]["rows"], design["array"]["columns"]) == (7, 2)
    assert (design["array"]["overlap"], design["array"]["max_taps"]) == (False, 4)
    assert design["clock_mhz"] == 20


def test_every_fidelity_gives_the_same_cycles(accelsim, probe):
    results = [
        as_json(accelsim("run", probe, "--array", "4x3", "--json", "-", "--fidelity", fidelity))
        for fidelity in ("schedule", "golden", "cycle")
    ]
    cycles = [[layer["cycles"] for layer in each["layers"]] for each in results]
    assert cycles[0] == cycles[1] == cycles[2]
    assert sum(cycles[0]) > 0
    assert results[2]["values_equal"] is True


def test_values_are_named_and_said_to_agree(accelsim, probe):
    """The sums of stem and mix are 5 x 9 x 17 each, those of fc 7; the bytes of the output."""
    output = simulate(probe, Hardware(SystolicArray(4, 3)), fidelity="golden").output
    digest = hashlib.sha256(bytes(output.view("uint8").ravel().tolist())).hexdigest()
    span = f"{output.min()} to {output.max()}"
    said = f"Output of fc: int8 7x1x1, values {span}, sha256 {digest[:16]}"
    for fidelity, agreed in (
        ("cycle", "3 layers register by register: 1,537 sums, all equal to golden."),
        ("golden", "Values are those of the operators' references, cycles those of the schedule"),
        ("schedule", None),
    ):
        command = ("run", probe, "--array", "4x3", "--fidelity", fidelity)
        shown, printed = accelsim(*command).out, as_json(accelsim(*command, "--json", "-"))
        assert (said in shown) == ("output" in printed) == (agreed is not None)
        if agreed:
            assert agreed in shown
            assert printed["output"]["sha256"] == digest
            assert printed["output"]["shape"] == [7, 1, 1]


def test_wrong_values_are_status_1(accelsim, probe, monkeypatch):
    from accelsim.ops import Depthwise

    right = Depthwise.golden
    monkeypatch.setattr(Depthwise, "golden", lambda *arguments: right(*arguments) + 1)
    outcome = accelsim("run", probe, "--array", "4x3", "--fidelity", "cycle")
    assert outcome.status == 1
    assert outcome.err == "accelsim: values differ from golden in mix\n"
    assert "sums, differ from golden in mix." in outcome.out


# --- cosim


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
    assert printed["simulator"] == "amaranth"


@pytest.mark.parametrize(("level", "said"), [("golden", "values"), ("cycles", "cycles")])
def test_cosim_is_status_1_where_a_level_differs(level, said, accelsim, probe, monkeypatch):
    from accelsim.lowering import Lowered
    from accelsim.ops import Depthwise

    if level == "golden":
        right = Depthwise.golden
        monkeypatch.setattr(Depthwise, "golden", lambda *arguments: right(*arguments) + 1)
    else:
        monkeypatch.setattr(Lowered, "cycles", property(lambda lowered: 7))
    outcome = accelsim("cosim", probe, "--layer", "mix", "--array", "4x3")
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


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("sweep s.toml -o designs", 2, "the extra sweep brings it: pip install '.[sweep]'\n"),
        ("plot heatmap designs -o m.png", 2, "brings it: pip install '.[sweep]'\n"),
        ("report result.json -o r.html", 0, ""),  # needs all that `run` and plots need
    ],
)
def test_only_sweeps_need_the_extra_sweep(command, status, said, accelsim, tmp_path):
    accelsim("run", "resnet18", "--array", "8x8", "--json", tmp_path / "result.json")
    (tmp_path / "s.toml").write_text('networks = "resnet18"\n[array]\nsize = "8x8"\n')
    program = "import sys; sys.modules['polars'] = None; from accelsim.cli import main; main()"
    command = [sys.executable, "-c", program, *command.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr.endswith(said)
    assert bool(done.stderr) == bool(said)


# --- rtl and csynth


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("accelsim exp", "explain"),
        ("accelsim plot heat", "heatmap"),
        ("accelsim run --no-o", "--no-overlap"),
        ("accelsim run mobilenet_v3_l", "mobilenet_v3_large mobilenet_v3_large_fuseconv"),
        ("accelsim run resnet18 --hardware mo", "mobile"),
        ("accelsim run resnet18 --variant fuse_f", "fuse_full fuse_full_50"),
        ("accelsim explain resnet18 --layer b1.", "b1.conv1 b1.conv2 b1.add"),
        ("accelsim film --array 8x8 resnet18 --layer f", "fc"),
        ("accelsim csynth none.toml --layer f", ""),
    ],
)
def test_a_shell_completes_words(words, expected, accelsim, monkeypatch):
    monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    outcome = accelsim()
    assert (outcome.out.split(), outcome.err) == (expected.split(), "")


def test_the_completion_of_a_shell_is_shown(accelsim, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    outcome = accelsim("--show-completion")
    assert outcome.status == 0
    assert "complete -o default -F _accelsim_completion accelsim" in outcome.out


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


def test_csynth_reports_the_latency_that_run_counts(accelsim):
    options = ("mobilenet_v2", "--array", "16x16", "--dataflow", "ws", "--json", "-")
    printed = as_json(accelsim("csynth", *options, "--layer", "b5.expand"))
    (layer,) = as_json(accelsim("run", *options, "--layers", "b5.expand"))["layers"]
    assert printed["latency_cycles"] == layer["cycles"]
    shown = accelsim("csynth", *options[:-2], "--layer", "b5.expand")
    assert f"{layer['cycles']:,}" in shown.out
    for word in ("trip count", "interval", "pipeline II=1", "multipliers", "register bits"):
        assert word in shown.out


# --- several at once


def test_several_networks_inputs_and_arrays_are_one_table(accelsim, tmp_path):
    networks_, inputs, arrays = (
        ("mobilenet_v3_small", "resnet18"),
        ("32x32", "64x48"),
        ("8x8", "9x7"),
    )
    command = ("run", *networks_, "--input", ",".join(inputs), "--array", ",".join(arrays))
    files = [tmp_path / name for name in ("a.json", "a.csv", "a.png")]
    options = zip(("--json", "--csv", "--plot"), files, strict=True)
    shown = accelsim(*command, *(word for pair in options for word in pair), "--clock", "200")
    assert (shown.status, shown.err) == (0, "")
    alone = [
        as_json(
            accelsim(
                "run", name, "--input", size, "--array", array, "--clock", "200", "--json", "-"
            )
        )
        for name in networks_
        for size in inputs
        for array in arrays
    ]
    assert json.loads(files[0].read_text()) == {"results": alone}
    lines = [line.split() for line in shown.out.splitlines() if line.startswith(networks_)]
    for line, (name, size, array), result in zip(
        lines, itertools.product(networks_, inputs, arrays), alone, strict=True
    ):
        totals = (result["total_cycles"], result["total_memory_cycles"])
        waiting = sum(layer["bound_by"] == "memory" for layer in result["layers"])
        assert line[:7] == [name, size, "array", array, *map("{:,}".format, totals), str(waiting)]
        assert line[9] == f"{totals[1] / 200e3:,.3f}"
    with files[1].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(result["layers"]) for result in alone)
    assert sum(int(row["cycles"]) for row in rows) == sum(x["total_cycles"] for x in alone)
    last = rows[-1]
    assert [last[name] for name in ("network", "input", "design")] == [
        "resnet18",
        "64x48",
        "array 9x7",
    ]
    assert files[2].read_bytes().startswith(b"\x89PNG")
    stacked = accelsim("plot", "stack", files[0], "-o", tmp_path / "b.svg")
    assert (stacked.status, stacked.err) == (0, "")
    for result in alone:
        assert f"{result['total_cycles']:,}" in (tmp_path / "b.svg").read_text()
    refused = accelsim("plot", "layers", files[0], "-o", tmp_path / "c.svg")
    assert refused.status == 2
    assert refused.err.startswith(f"accelsim: {files[0]} holds 8 results, and this is of one; ")


def test_a_list_may_be_given_in_parts(accelsim):
    whole = accelsim("run", "resnet18", "--array", "4x4,8x8,9x7", "--input", "32x32,64x32")
    parts = ["--array", "4x4,8x8", "--input", "32x32", "--array", "9x7", "--input", "64x32"]
    assert accelsim("run", "resnet18", *parts) == whole
    assert whole.status == 0


def test_several_results_say_what_was_computed_and_left_out(accelsim):
    options = ("--array", "4x4,8x8", "--input", "32x32", "--layers", "stem..b1.dw")
    shown = accelsim("run", "mobilenet_v3_small", *options, "--fidelity", "cycle").out
    for array in ("4x4", "8x8"):
        about = rf"^mobilenet_v3_small, baseline, 32x32, array {array}: "
        assert re.search(about + r"2 layers register by register: .*equal", shown, re.MULTILINE)
    published_ = ("--timing", "fuseconv-2021", "--array", "8x8,9x9")
    told = accelsim("run", "mobilenet_v2", *published_).out
    assert "At 500 MHz, memory is left out." in told
    assert "fuseconv-2021 is the model that its authors released" in told


def test_arrays_stand_side_by_side_layer_by_layer(accelsim):
    command = ("run", "mobilenet_v3_small", "--input", "64x64")
    shown = accelsim(*command, "--array", "8x8,16x16").out
    alone = [as_json(accelsim(*command, "--array", x, "--json", "-")) for x in ("8x8", "16x16")]
    for first, second in zip(*(result["layers"] for result in alone), strict=True):
        if not first["not_modelled"]:
            (line,) = re.findall(rf"^{first['name']} .*", shown, re.MULTILINE)
            cells = line.replace("*", "").split()
            assert cells[2:] == [f"{first['cycles']:,}", f"{second['cycles']:,}"]
    totals = " ".join(rf"{result['total_cycles']:,}[ *]*" for result in alone)
    assert re.search(rf"^total +{totals}$", shown, re.MULTILINE)


# --- compare and study


def shown_layers(out):
    """Names in the first column, from the rule to the empty line above the totals."""
    lines = out.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("\u2500"))
    names = [line.split()[:1] for line in lines[rule + 1 :]]
    return [name for (name,) in names[: names.index([])]]


@pytest.mark.parametrize(
    ("by", "of"),
    [
        ("cycles", lambda layer: layer["cycles"]),
        ("macs", lambda layer: layer["macs"]),
        ("utilisation", lambda layer: -layer["utilization"]),
        ("lost", lambda layer: layer["cycles"] * (1 - layer["utilization"])),
        ("memory", lambda layer: layer["memory_cycles"]),
        (None, lambda layer: layer["cycles"]),
    ],
)
def test_the_first_layers_by_a_column(by, of, accelsim):
    printed = as_json(accelsim("run", "mobilenet_v2", "--json", "-"))
    layers = [layer for layer in printed["layers"] if not layer["not_modelled"]]
    ranked = sorted(layers, key=of, reverse=True)
    outcome = accelsim("run", "mobilenet_v2", *(["--sort", by] if by else []), "--top", "7")
    assert shown_layers(outcome.out) == [layer["name"] for layer in ranked[:7]]
    assert f"{printed['total_cycles']:,}" in outcome.out  # totals are of all layers
    if by in ("cycles", None):
        share = sum(map(of, ranked[:7])) / sum(map(of, ranked))
        said = f"7 of 53 layers, most cycles first: {100 * share:.1f} % of all cycles. Totals are"
        assert said in outcome.out
    assert len(shown_layers(accelsim("run", "mobilenet_v2", "--sort", by or "lost").out)) == 53


def test_why_is_a_column_and_a_key(accelsim):
    command = ("run", "mobilenet_v2", "--dataflow", "os", "--why")
    shown, printed = accelsim(*command), as_json(accelsim(*command, "--json", "-"))
    reasons = {layer["name"]: layer["why"] for layer in printed["layers"]}
    assert reasons["b1.dw"] == "short K: results bound, one column filled"
    assert reasons["b3.add"] is None
    lines = {line.split()[0]: line for line in shown.out.splitlines() if line.strip()}
    for name, reason in reasons.items():
        assert reason is None or lines[name].rstrip().endswith(f"  {reason}")
    assert "why" not in accelsim("run", "mobilenet_v2").out


def test_explain_says_where_the_clocks_go(accelsim):
    """The worst layer of a network and why, in one command; parts add up, in text as in JSON."""
    shown = accelsim("explain", "efficientnet_b0")
    printed = as_json(accelsim("explain", "efficientnet_b0", "--json", "-"))
    assert shown.status == 0
    assert f"layer {printed['layer']} (depthwise) on engine array" in shown.out.splitlines()[0]
    assert f"{printed['layer']} loses the most multiplier clocks of all layers" in shown.out
    clocks = [part["multiplier_clocks"] for part in printed["parts"]]
    assert sum(clocks) == printed["multiplier_clocks"] == 64 * 64 * printed["cycles"]
    assert all(f" {count:,} " in shown.out for count in clocks)
    assert sum(part["share"] for part in printed["parts"]) == pytest.approx(1)
    assert printed["ways"][0]["dataflow"] == printed["dataflow"]
    chosen = accelsim("explain", "efficientnet_b0", "--layer", "head", "--array", "8x8")
    assert "multipliers are busy" in chosen.out.splitlines()[0]
    assert "rows cannot run it: rows runs depthwise convolutions, not 320 chan" in chosen.out


def test_compare_sets_designs_side_by_side(accelsim, tmp_path):
    taps = tmp_path / "taps.toml"
    taps.write_text("[tap_serial]\nrows = 8\ncolumns = 8\noutputs = 8\ninputs = 1\ndepthwise = 8\n")
    command = ("compare", "mobilenet_v3_small", "--hardware", taps, "--hardware", "tiny")
    files = (tmp_path / name for name in ("a.json", "a.csv", "a.png"))
    written, lines, picture = files
    options = ("--json", written, "--csv", lines, "--plot", picture, "--depthwise-only")
    outcome = accelsim(*command, *options)
    assert (outcome.status, outcome.err) == (0, "")
    comparison = json.loads(written.read_text())
    names = [layer.name for layer in networks.mobilenet_v3_small().layers if "dw" in layer.name]
    for design, name in zip(comparison["designs"], ("taps", "tiny"), strict=True):
        assert design["name"] == name
        assert [layer["name"] for layer in design["layers"]] == names
        assert f"{design['total_cycles']:,}" in outcome.out
        assert f"{design['multipliers']:,}" in outcome.out
    assert lines.read_text().startswith("design,name,op,engine,")
    assert picture.read_bytes().startswith(b"\x89PNG")
    some = as_json(accelsim(*command, "--layers", "b1.dw..b2.dw", "--json", "-"))
    assert [layer["name"] for layer in some["designs"][1]["layers"]][::4] == ["b1.dw", "b2.expand"]


def test_designs_of_one_file_name_are_told_apart(accelsim, tmp_path):
    sources = [tmp_path / folder / "hw.toml" for folder in ("a", "b")]
    for side, source in enumerate(sources, start=7):
        source.parent.mkdir()
        source.write_text(f"[array]\nrows = {side}\ncolumns = {side}\n")
    options = (word for source in sources for word in ("--hardware", source))
    printed = as_json(accelsim("compare", "resnet18", *options, "--json", "-"))
    assert [design["name"] for design in printed["designs"]] == list(map(str, sources))
    assert [design["label"] for design in printed["designs"]] == ["array 7x7", "array 8x8"]


def test_sizes_of_an_array_are_designs_too(accelsim):
    for sources, names in (
        ((), ["9x7", "8x8"]),
        (("flexible", "tiny"), ["flexible 9x7", "flexible 8x8", "tiny 9x7", "tiny 8x8"]),
    ):
        files = (word for source in sources for word in ("--hardware", source))
        command = ("compare", "resnet18", *files, "--array", "9x7,8x8")
        printed = as_json(accelsim(*command, "--json", "-"))
        assert [design["name"] for design in printed["designs"]] == names
        for design in printed["designs"]:
            size = design["name"].split()[-1]
            assert design["label"].startswith(f"array {size}")
            alone = as_json(accelsim("run", "resnet18", "--array", size, "--json", "-"))
            assert design["total_cycles"] == alone["total_cycles"]


def test_study_answers_for_every_network_and_array(accelsim, tmp_path):
    options = ("--arrays", "8x8,16x8", "--input", "64x64", "--depthwise", "4x16")
    command = ("study", "mobilenet_v2", "mobilenet_v3_small", *options)
    outcome = accelsim(*command, "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg")
    assert (outcome.status, outcome.err) == (0, "")
    points = as_json(accelsim(*command, "--json", "-"))["points"]
    assert len(points) == 2 * 2 * 6
    assert all(f"{point['cycles']:,}" in outcome.out for point in points)
    assert "with engine: --depthwise 4x16, on" in outcome.out
    run = ("run", "mobilenet_v2", "--array", "16x8", "--depthwise", "4x16", "--input", "64x64")
    (engine,) = (
        point
        for point in points
        if (point["network"], point["array"], point["way"]) == ("mobilenet_v2", "16x8", "engine")
    )
    assert engine["cycles"] == as_json(accelsim(*run, "--json", "-"))["total_cycles"]
    assert engine["multipliers"] == 16 * 8 + 4 * 16
    assert (tmp_path / "a.csv").read_text().count("\n") == 25
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_the_study_prints_the_command_of_every_number(accelsim):
    study = ("study", "mobilenet_v3_small", "--arrays", "8x4", "--input", "64x64")
    shown = accelsim(*study, "--hardware", "flexible").out
    (point,) = (line for line in shown.splitlines() if line.startswith("mobilenet_v3_small"))
    told = {cell for cell in point.split() if "," in cell}
    (command,) = re.findall(r"`accelsim (run NETWORK .*)` with", shown)
    options = re.findall(r"^[\w ]+: (--\S+ \S+(?: --\S+ \S+)*), ", shown, re.MULTILINE)
    assert len(options) == 6
    printed = set()
    for asked in options:
        words = f"{command} {asked}".replace("NETWORK", "mobilenet_v3_small").replace("RxC", "8x4")
        printed.add(f"{as_json(accelsim(*words.split(), '--json', '-'))['total_cycles']:,}")
    assert printed == told


def test_the_last_lines_sum_up_depthwise_layers_as_the_table_has_them(accelsim):
    command = ("run", "mobilenet_v3_small", "--array", "16x16", "--input", "96x96")

    def depthwise(*options):
        layers = as_json(accelsim(*command, *options, "--json", "-"))["layers"]
        return [layer for layer in layers if layer["op"] == "depthwise"]

    (told,) = re.findall(r"^Depthwise layers .*", accelsim(*command).out, re.MULTILINE)
    ran = depthwise()
    count = Counter(layer["dataflow"] for layer in ran)
    assert len(count) > 1
    assert f"({len(ran)}): {sum(x['cycles'] for x in ran):,} cycles as run (" in told
    for dataflow, layers in count.items():
        assert re.search(rf"\b{layers} {dataflow}\b", told)
    for dataflow in ("os", "os,rows", "os,ws,is", "auto"):
        (cycles,) = re.findall(rf" {dataflow} \([a-z0-9 ]+\) ([0-9,]+)[;.]", told)
        layers = depthwise("--dataflow", dataflow)
        assert int(cycles.replace(",", "")) == sum(layer["cycles"] for layer in layers)
    beside = accelsim(*command, "--depthwise", "4x16").out
    assert re.search(r"as run \(\d+ depthwise engine", beside)


def test_models_run_and_have_loops(accelsim):
    printed = as_json(accelsim("run", "mobilenet_v2", "--hardware", "window", "--json", "-"))
    assert printed["hardware"]["engine"]["name"] == "window"
    engines = {layer["op"]: layer["engine"] for layer in printed["layers"]}
    assert (engines["depthwise"], engines["pointwise"]) == ("window", "array")
    shown = accelsim("run", "mobilenet_v2", "--hardware", "tap_serial").out
    assert shown.startswith("mobilenet_v2 baseline, tap_serial 8x8x8x1x8, timing rtl")
    loops = accelsim("csynth", "mobilenet_v2", "--layer", "b1.dw", "--hardware", "tap_serial").out
    assert "kernel rows" in loops
    assert "unroll 8" in loops


# --- as a process


def shell(*arguments):
    program = "from accelsim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


def test_the_process_prints_a_table_and_nothing_else():
    done = shell("run", "mobilenet_v3_small", "--array", "8x8", "--fidelity", "golden")
    assert (done.returncode, done.stderr) == (0, "")
    assert "total" in done.stdout


def test_the_package_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "accelsim", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"accelsim {__version__}\n", "")


def test_the_process_ends_with_status_2_and_without_a_traceback():
    done = shell("run", "mobilenet_v2", "--array", "0x4")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("accelsim: array.rows must be a whole number from 1 to 1024, not 0\n")


@pytest.mark.parametrize(
    "module",
    ["accelsim.cli", "typer", "accelsim.find", "numpy", "accelsim.simulation", "accelsim.cli.grid"],
)
def test_an_interrupt_is_no_traceback_while_modules_are_loaded(module):
    program = (
        "import os, runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(name, *_):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "sys.argv = ['accelsim', 'run', 'resnet18', '--array', '8x8']\n"
        "runpy.run_module('accelsim', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr.strip() == ""


def test_a_stopped_sweep_says_how_it_goes_on(accelsim, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    spec, out = tmp_path / "sweep.toml", tmp_path / "designs"
    spec.write_text('networks = ["resnet18"]\ninputs = "32x32"\n[array]\nsize = ["4x4", "8x8"]\n')
    with monkeypatch.context() as patch:
        patch.setattr("accelsim.sweep.run", stopped)
        outcome = accelsim("sweep", spec, "-o", out)
    said = f"accelsim: stopped; the same command with --resume continues {out}\n"
    assert outcome == (130, "", said)
    assert accelsim("sweep", spec, "-o", out, "--resume").status == 0


def test_a_reader_that_stops_early_is_no_error():
    program = "from accelsim.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "mobilenet_v2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("> /dev/full", "standard output cannot be used: No space left on device"),
        (">&-", "standard output is closed"),
    ],
)
@pytest.mark.parametrize("command", ["run mobilenet_v2", "run resnet18 --json -", "hardware"])
def test_output_that_cannot_be_written_is_said(command, where, said):
    script = f'"$0" -c "from accelsim.cli import main; main()" {command} {where}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, f"accelsim: {said}\n")


def test_names_that_the_terminal_cannot_show_are_replaced(probe, monkeypatch):
    probe.write_text(PROBE.replace("mix", "\u6df7"), encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = shell("run", str(probe), "--array", "4x3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "run {0}/evil.toml --array 4x3",
        "run {0}/evil.toml --layers none",
        "csynth {0}/evil.toml --array 4x3 --layer {1}",
        "cosim {0}/evil.toml --array 4x3 --layer {1}",
        "compare {0}/evil.toml --hardware tiny --hardware edge",
        "pareto {0}/evil.csv --minimise cycles",
        "pareto {0}/evil.csv --minimise none",
    ],
)
def test_no_name_steers_the_terminal(command, accelsim, tmp_path):
    """Names of users may hold escapes, which clear screens or set titles, and ends of lines."""
    text = PROBE.replace('"mix"', r'"m\u001b[2J\u009bi\rx"').replace('"probe"', r'"p\u0007"')
    (tmp_path / "evil.toml").write_text(text)
    (tmp_path / "evil.csv").write_text("cycles,name\x1b[2J\n1,a\x1b[2J\n1,b\x07\n")
    layer = "m\x1b[2J\x9bi\rx"
    outcome = accelsim(*(word.format(tmp_path, layer) for word in command.split()))
    for line in (outcome.out + outcome.err).split("\n"):
        assert line.isprintable()
    assert "?[2J" in outcome.out + outcome.err


def test_too_little_memory_is_said(accelsim, monkeypatch):
    def full(*arguments, **options):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr("accelsim.cli.layers.load_network", full)
    outcome = accelsim("run", "resnet18")
    assert outcome.status == 2
    assert outcome.err == "accelsim: there is not enough memory: Unable to allocate 9 EiB\n"


def test_cosim_states_its_own_default_array(accelsim):
    assert "[default: 8x8]" in accelsim("cosim", "--help").out


def test_run_states_every_dataflow_and_every_timing(accelsim):
    said = " ".join(accelsim("run", "--help").out.split())
    names = (each.name for each in DATAFLOWS if public_name(each))
    assert f"some of {','.join(names)}." in said
    assert f"published: {', '.join(published.TIMINGS)}." in said


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run nonet", "there is no network 'nonet'; there are mobilenet_v1, "),
        ("run mobilenet_v2 --variant fuse", "there is no variant 'fuse'; there are baseline, "),
        ("run mobilenet_v2 --variant fuse_half:k=7", "variant fuse_half takes no keys, not 'k'"),
        ("run resnet18 --variant fuse_half", "variant fuse_half replaces square depthwise layers"),
        ("run mobilenet_v2 --array 0x4", "array.rows must be a whole number from 1 to 1024, not 0"),
        ("run mobilenet_v2 --array 64", "array size must be ROWSxCOLUMNS, for instance 64x64"),
        ("run mobilenet_v2 --array axb", "array size must be ROWSxCOLUMNS, for instance 64x64"),
        ("run mobilenet_v2 --array=-1x3", "array.rows must be a whole number from 1 to 1024"),
        ("run mobilenet_v2 --array 2000x2000", "array.rows must be a whole number from 1 to 1024"),
        ("run mobilenet_v2 --clock 0", "clock.mhz must be a positive number, not 0.0"),
        ("run mobilenet_v2 --clock nan", "clock.mhz must be a positive number, not nan"),
        ("run mobilenet_v2 --input 224", "input must be HEIGHTxWIDTH, for instance 224x224"),
        ("run mobilenet_v2 --input 0x224", "input must be a height and a width of at least 1"),
        ("run mobilenet_v2 --depthwise 8", "depthwise engine size must be LANESxPIXELS"),
        ("run mobilenet_v2 --depthwise 0x8", "depthwise.lanes must be a whole number from 1"),
        ("run mobilenet_v2 --depthwise-on engine", "depthwise-on engine needs a depthwise engine"),
        ("run mobilenet_v2 --depthwise-on gpu", "depthwise-on must be one of auto, array, engine"),
        (
            "run mobilenet_v2 --timing fuseconv-2020 --depthwise 8x8",
            "timing fuseconv-2020 knows no depthwise",
        ),
        ("run mobilenet_v2 --timing rt --depthwise 8x8", "there is no timing 'rt'; there are rtl"),
        ("run mobilenet_v2 --hardware none.toml", "none.toml cannot be read: No such file"),
        ("run none.toml", "none.toml cannot be read: No such file"),
        ("run none.onnx", "none.onnx cannot be imported"),
        ("run none.txt", "none.txt must end in .toml"),
        ("run mobilenet_v2 --plot layers.gif", "layers.gif must end in one of .pdf, .png, .svg"),
        ("run mobilenet_v2 --csv no/folder.csv", "no/folder.csv cannot be written: No such file"),
        ("run mobilenet_v2 --json no/folder.json", "no/folder.json cannot be written: No such"),
        ("run mobilenet_v2 --fidelity rtl", "fidelity must be one of schedule, golden, cycle"),
        ("run mobilenet_v2 --timing rt", "there is no timing 'rt'; there are rtl, "),
        ("run resnet18 --timing scalesim --memory 1,1,1", "--memory is for timing rtl, not scales"),
        ("run mobilenet_v2 --timing scalesim --no-overlap", "--overlap and --no-overlap are for"),
        ("run mobilenet_v2 --scalesim-depthwise one-filter", "--scalesim-depthwise is for timing"),
        ("run mobilenet_v2 --variant fuse_half:", "variant 'fuse_half:' must read NAME"),
        (f"run mobilenet_v2 --csv {'x' * 300}", f"{'x' * 300} cannot be written: File name too"),
        ("cosim mobilenet_v2 --layer stem --waves .", ". cannot be written: Is a directory"),
        (f"cosim resnet18 --layer stem --waves {'x' * 300}", f"{'x' * 300} cannot be written"),
        ("run mobilenet_v2 --dataflow os,xs", "dataflow must be auto or some of os, "),
        ("run mobilenet_v2 --layers stem..nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("run mobilenet_v2 --layers fc..stem", "layer stem comes before fc in mobilenet_v2"),
        ("run mobilenet_v2 --timing scalesim", "timing scalesim"),
        ("run mobilenet_v2 --timing fuseconv-2020 --fidelity cycle", "timing fuseconv-2020"),
        ("run mobilenet_v2 --timing fuseconv-2020 --array 4x8", "timing fuseconv-2020"),
        ("cosim mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("cosim mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        (
            "run resnet18 --sort speed",
            "--sort must be one of cycles, lost, utilisation, bound, mem",
        ),
        ("run resnet18 --top 0", "--top must be a whole number of at least 1, not 0"),
        ("run resnet18 --top 3 --json -", "--sort, --top and --why are for the table, which is"),
        ("run resnet18 --why --csv -", "--sort, --top and --why are for the table, which is not"),
        ("run resnet18 --why --array 4x4,8x8", "--sort, --top and --why are for one network on"),
        ("run resnet18 --why --timing scalesim", "--why is for timing rtl, not scalesim"),
        (
            "run resnet18 --sort bound --timing scalesim --dataflow os",
            "--sort bound is for layers that have it, and none has",
        ),
        ("explain mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        ("explain mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("csynth mobilenet_v2 --layer b3.add", "layer b3.add (add) runs on the host"),
        ("csynth mobilenet_v2 --layer nolayer", "mobilenet_v2 has no layer 'nolayer'"),
        ("rtl -o /proc/none", "/proc/none cannot be written"),
        ("rtl -o build --seed 3", "--seed is for --layer"),
        ("rtl -o build --layer resnet18", "--layer must be NETWORK:NAME, for instance mobilen"),
        ("rtl -o build --layer resnet8:stem", "there is no network 'resnet8'; there are mobil"),
        ("rtl -o build --layer resnet18:stm", "resnet18 has no layer 'stm'"),
        ("rtl -o build --layer mobilenet_v2:pool", "layer pool (global_pool) runs on the host"),
        ("rtl -o build --array 0x1", "array.rows must be a whole number from 1 to 1024, not 0"),
        ("rtl -o build --depthwise 1x999", "depthwise.pixels must be a whole number from 1"),
        ("rtl -o build --hardware window", "window has a model without RTL; run, csynth and comp"),
        ("cosim resnet18 --layer stem --hardware tap_serial", "tap_serial has a model without RTL"),
        ("run resnet18 --hardware tap_serial --array 4x4", "--array and --overlap are for an arra"),
        ("run resnet18 --hardware column --depthwise 4x4", "--depthwise is for our own engine; co"),
        ("run resnet18 --hardware column --fidelity cycle", "column is a model without registers"),
        ("run resnet18 --hardware column --depthwise-on array", "depthwise-on must be auto where "),
        ("compare resnet18", "compare needs two or more --hardware, or sizes of --array, such as "),
        ("compare resnet18 --hardware tiny", "compare needs two or more --hardware, or sizes of "),
        ("compare resnet18 --array 8x8", "compare needs two or more --hardware, or sizes of "),
        ("compare resnet18 --array 8x8,8x8", "--array names 8x8 twice"),
        ("compare resnet18 --hardware tiny --hardware tiny", "--hardware names tiny twice"),
        (
            "compare resnet18 --hardware tiny --hardware no",
            "there is no preset 'no'; there are",
        ),
        ("compare resnet18 --hardware tiny --hardware edge --depthwise-only", "there is no depthw"),
        ("compare resnet18 --hardware tiny --hardware edge --layers no", "resnet18 has no layer '"),
        ("compare resnet18 --hardware tiny --hardware edge --plot a.gif", "a.gif must end in one"),
        ("run resnet18 --json a --csv a", "--json and --csv cannot both write a\n"),
        ("run resnet18 --json a.png --plot ./a.png", "--json and --plot cannot both write ./a.png"),
        ("run resnet18 --json - --csv -", "--json and --csv cannot both write to standard output"),
        ("run n.toml --csv ./n.toml", "--csv would overwrite ./n.toml, which the command reads"),
        (
            "run a --hardware h.toml --json h.toml",
            "--json would overwrite h.toml, which the command",
        ),
        ("pareto p.csv --json p.csv", "--json would overwrite p.csv, which the command reads"),
        ("run resnet18 --plot -", "--plot cannot be standard output"),
        ("run resnet18 --csv=", "--csv needs a name, and that is empty"),
        ("run resnet18 --json=", "--json needs a name, and that is empty"),
        ("compare resnet18 --csv b --json b", "--json and --csv cannot both write b"),
        ("study mobilenet_v2 --csv b --json b", "--json and --csv cannot both write b"),
        ("pareto designs --csv b --json b", "--json and --csv cannot both write b"),
        ("csynth resnet18 --layer stem --json none/a", "none/a cannot be written: No such file"),
        (
            "cosim resnet18 --layer stem --json a --waves a",
            "--waves and --json cannot both write a",
        ),
        ("cosim resnet18 --layer stem --waves -", "--waves cannot be standard output"),
        ("rtl -o -", "--output cannot be standard output"),
        ("rtl --output=", "--output needs a name, and that is empty"),
        ("sweep none.toml --output=", "--output needs a name, and that is empty"),
        ("sweep none.toml -o -", "--output cannot be standard output"),
        ("film resnet18 --layer stem -o -", "--output cannot be standard output"),
        ("trace resnet18 -o -", "--output cannot be standard output"),
        ("report none.json -o -", "--output cannot be standard output"),
        ("plot layers none.json -o -", "--output cannot be standard output"),
        ("plot fuseconv -o a.png --csv -", "--csv cannot be standard output, where"),
        ("plot fuseconv -o a.png --csv a.png", "--output and --csv cannot both write a.png"),
        ("study nonet", "there is no network 'nonet'; there are mobilenet_v1, "),
        ("study mobilenet_v2 mobilenet_v2", "NETWORK names mobilenet_v2 twice"),
        ("run resnet18 resnet18", "NETWORK names resnet18 twice"),
        ("run resnet18 --array 8x8,08x8", "--array names 8x8 twice"),
        ("run resnet18 --array 8x8 --array 9x9,8x8", "--array names 8x8 twice"),
        ("compare resnet18 --array 8x8 --array 8x8", "--array names 8x8 twice"),
        (
            "run resnet18 --dataflow os,auto",
            "dataflow must be auto or some of os, ws, is, rows with commas, not 'os,auto'\n",
        ),
        ("cosim resnet18 --layer stem --waves w.txt", "w.txt must end in .vcd or .fst"),
        ("explain resnet18 --layer pool", "layer pool (global_pool) runs on the host; only "),
        ("compare resnet18 --hardware=", "--hardware needs a name, and that is empty"),
        ("run resnet18 --array 8x8,", "--array needs words with commas, and one of them is empty"),
        ("run resnet18 --input 64x64,64X64", "--input names 64x64 twice"),
        ("run resnet18 --input ,", "--input needs words with commas, and one of them is empty"),
        ("run resnet18 --array 8x8,9", "array size must be ROWSxCOLUMNS, for instance 64x64, not"),
        ("study mobilenet_v2 --arrays 8x8,8x8", "--arrays names 8x8 twice"),
        ("study mobilenet_v2 --memory none --with-memory", "--with-memory needs a design with a "),
        ("study mobilenet_v2 --arrays 8x8,,9x9", "--arrays needs words with commas, and one of "),
        ("study mobilenet_v2 --hardware tap_serial", "a study needs a design with an array, not "),
        ("study mobilenet_v2 --arrays 8x8,9", "array size must be ROWSxCOLUMNS, for instance 64x6"),
        ("study mobilenet_v2 --depthwise none", "study needs a depthwise engine, for instance "),
        ("study mobilenet_v2 --depthwise 8", "depthwise engine size must be LANESxPIXELS"),
        ("hardware huge", "there is no preset 'huge'; there are tiny, "),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(arguments, said, accelsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = accelsim(*arguments.split())
    assert outcome.status == 2
    assert outcome.err.startswith(f"accelsim: {said}")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("run MobileNetV2", "mobilenet_v2"),
        ("run mobilenet_v2 --variant fuse_haf", "fuse_half"),
        ("run mobilenet_v2 --dataflow os,row", "rows"),
        ("run mobilenet_v2 --depthwise-on arrays", "array"),
        ("run mobilenet_v2 --fidelity cycles", "cycle"),
        ("run mobilenet_v2 --timing fuseconv2021", "fuseconv-2021"),
        ("run mobilenet_v2 --hardware mobil", "mobile"),
        ("run mobilenet_v2 --layers stm", "stem"),
        ("run mobilenet_v2 --sort cycle", "cycles"),
        ("explain mobilenet_v2 --layer b3.dv", "b3.dw"),
        ("csynth mobilenet_v2 --layer b3.ad --array 8x8", "b3.add"),
        ("cosim mobilenet_v2 --layer stem --simulator verilate", "verilator"),
        ("hardware tinny", "tiny"),
        ("sweep {}/sweep.toml -o designs --engine locl", "local"),
        ("pareto {}/designs --minimise total_cycle", "total_cycles"),
        ("pareto {}/designs --minimise rows --where variant=fused_half", "fuse_half"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_closest(arguments, meant, written, accelsim):
    outcome = accelsim(*arguments.format(written).split())
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.endswith(f"; did you mean {meant}?\n")
    assert outcome.err.count("\n") == 1


# --- designs and results that were written before


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A sweep of 16 designs, as a folder, a table and the results of two of them."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "sweep.toml").write_text(
        'networks = ["mobilenet_v3_small"]\nvariants = ["baseline", "fuse_half"]\n'
        'inputs = "64x64"\n[array]\nsize = ["4x8", "8x8", "8x16", "16x16"]\n'
        "overlap = [true, false]\n"
    )
    commands = [f"sweep {folder}/sweep.toml -o {folder}/designs"]
    for variant in ("baseline", "fuse_half"):
        name = f"mobilenet_v3_small --input 64x64 --variant {variant} --array 8x16"
        commands.append(f"run {name} --json {folder}/{variant}.json")
    for command in commands:
        with pytest.raises(SystemExit) as end:
            main(command.split())
        assert not end.value.code
    sweep.load(folder / "designs").write_csv(folder / "designs.csv")
    sweep.load(folder / "designs").write_parquet(folder / "designs.parquet")
    (folder / "damaged.parquet").write_bytes(b"PAR1" + bytes(99) + b"PAR1")
    return folder


@pytest.mark.parametrize("source", ["designs", "designs.csv", "designs.parquet"])
def test_the_front_of_a_sweep(source, written, accelsim, tmp_path):
    options = ("--minimise", "multipliers,total_cycles", "--where", "overlap=true")
    files = ("--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.png", "--colour", "variant")
    outcome = accelsim("pareto", written / source, *options, *files)
    assert outcome.status == 0, outcome.err
    printed = as_json(accelsim("pareto", written / source, *options, "--json", "-"))
    points = [
        (row["point"], row["variant"], row["multipliers"], row["total_cycles"])
        for row in sweep.load(written / "designs").iter_rows(named=True)
        if row["overlap"]
    ]
    assert {row["point"] for row in printed["front"]} == fronts.pareto_of_each(points)
    assert "each among those of its variant." in outcome.out
    competing = (*options, "--across", "variant")
    all_of_it = as_json(accelsim("pareto", written / source, *competing, "--json", "-"))
    best = fronts.pareto([(point, *costs) for point, _, *costs in points])
    assert {row["point"] for row in all_of_it["front"]} == best
    assert all_of_it["across"] == ["variant"]
    assert "across every variant." in accelsim("pareto", written / source, *competing).out
    assert printed["designs"] == 8
    result = json.loads((written / "fuse_half.json").read_text())
    assert result["total_cycles"] in {row["total_cycles"] for row in printed["front"]}
    for row in printed["front"]:
        assert f"{row['total_cycles']:,}" in outcome.out
    assert f"{len(printed['front'])} of 8 designs are best in least multipliers" in outcome.out
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["point"]) for row in rows] == [row["point"] for row in printed["front"]]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("network.toml", "run {}"),
        ("hardware.toml", "run resnet18 --hardware {}"),
        ("sweep.toml", "sweep {} -o designs"),
        ("designs.csv", "pareto {} --minimise rows"),
        ("baseline.json", "report {} -o a.html"),
    ],
)
def test_files_may_begin_with_a_byte_order_mark(
    file, command, written, accelsim, tmp_path, monkeypatch
):
    """As Windows writes them."""
    monkeypatch.chdir(tmp_path)
    own = {"network.toml": PROBE, "hardware.toml": accelsim("hardware", "tiny").out}
    text = own.get(file) or (written / file).read_text()
    Path(file).write_text(text, encoding="utf-8-sig")
    assert Path(file).read_bytes().startswith(b"\xef\xbb\xbf")
    outcome = accelsim(*command.format(file).split())
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        "run resnet18",
        "compare resnet18 --hardware tiny --hardware edge",
        "study mobilenet_v3_small --arrays 8x8 --input 32x32",
        "pareto {}/designs --minimise multipliers,total_cycles",
    ],
)
def test_csv_is_printed_instead_of_the_table(command, written, accelsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = command.format(written).split()
    assert accelsim(*arguments, "--csv", "a.csv").status == 0
    assert accelsim(*arguments, "--csv", "-") == (0, Path("a.csv").read_text(), "")
    both = accelsim(*arguments, "--csv", "b.csv", "--json", "-")
    assert as_json(both)
    assert Path("b.csv").read_text() == Path("a.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


PLOTS = [
    "pareto {}/designs --minimise multipliers,total_cycles,time_ms --colour variant",
    "scaling {}/designs --metric time_ms",
    "heatmap {}/designs --where variant=baseline",
    "heatmap {}/designs --metric utilization --maximise --x variant",
    "sensitivity {}/designs --parameter overlap",
    "sensitivity {}/designs.csv --parameter rows --held columns,overlap,variant",
    "layers {}/baseline.json",
    "stack {0}/baseline.json {0}/fuse_half.json",
    "roofline {}/baseline.json --memory-width 8",
    "timeline {}/baseline.json",
]


@pytest.mark.parametrize("command", PLOTS)
def test_every_kind_of_plot_is_drawn(command, written, accelsim, tmp_path):
    path = tmp_path / "a.svg"
    outcome = accelsim("plot", *command.format(written).split(), "-o", path)
    assert outcome == (0, f"{path}\n", "")
    assert "<svg" in path.read_text()


def test_a_sweep_and_its_front_say_what_they_are_models_of(accelsim, tmp_path):
    (tmp_path / "a.toml").write_text('networks = ["mobilenet_v1"]\ninputs = "32x32"\n')
    models = "Off-chip bytes are of a model: ", "Cells are estimates from "
    done = accelsim("sweep", tmp_path / "a.toml", "-o", tmp_path / "out")
    assert all(said in done.out for said in models)
    manifest = json.loads((tmp_path / "out.sweep" / "manifest.json").read_text())
    assert manifest["reuse_model"].startswith(models[0])
    assert set(manifest["area_errors"]) == set(sweep.area.SYNTHESISED)
    for columns, said in [
        ("total_cycles", (False, False)),
        ("time_ms", (True, False)),
        ("ff,clocks", (True, True)),
    ]:
        outcome = accelsim("pareto", tmp_path / "out", "--minimise", columns)
        assert tuple(each in outcome.out for each in models) == said


def test_a_front_says_how_many_designs_cannot_be_compared(accelsim, tmp_path):
    (tmp_path / "a.toml").write_text(
        'networks = ["mobilenet_v1"]\ninputs = "32x32"\n[operands]\nbits = [8, 9, 16]\n'
    )
    accelsim("sweep", tmp_path / "a.toml", "-o", tmp_path / "out")
    for estimated in ("gate_equivalents", "ff"):
        shown = accelsim("pareto", tmp_path / "out", "--minimise", f"{estimated},time_ms").out
        assert "1 of 3 designs is best in " in shown
        assert "Left out: 2 designs have no value in one of these columns." in shown
    shown = accelsim("pareto", tmp_path / "out", "--minimise", "memory_ge,time_ms").out
    assert "Left out" not in shown


def test_every_kind_of_plot_is_listed(accelsim):
    outcome = accelsim("plot")
    assert outcome.status == 0
    for kind in {command.split()[0] for command in PLOTS} | {"fuseconv"}:
        assert f"\n  {kind} " in outcome.out


def test_the_figure_of_the_fuseconv_paper_comes_out_of_one_command(accelsim, tmp_path):
    files = ("-o", tmp_path / "a.png", "--csv", tmp_path / "a.csv")
    assert accelsim("plot", "fuseconv", *files).status == 0
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    figures = {
        (row["timing"], row["baseline_dataflow"], row["network"], row["variant"], row["side"]): row
        for row in rows
    }
    assert len(figures) == len(rows) == 3 * 3 * 2 * 5
    for side, ratio in (("32", 3.3503), ("64", 5.1652)):  # as published
        row = figures["fuseconv-2020", "auto", "mobilenet_v2", "fuse_full", side]
        assert float(row["speedup"]) == pytest.approx(ratio, abs=5e-5)
    ours = figures["rtl", "auto", "mobilenet_v2", "fuse_half", "64"]
    run = as_json(accelsim("run", "mobilenet_v2", "--variant", "fuse_half", "--json", "-"))
    assert int(ours["cycles"]) == run["total_cycles"]


DESIGN_MISTAKES = [
    ("pareto {}/designs", "a best design needs a column to minimise or to maximise"),
    ("pareto {}/none --minimise rows", "{}/none cannot be read: there is no such file or folder"),
    ("pareto {}/sweep.toml --minimise rows", "{}/sweep.toml must be the folder of a sweep, or a "),
    ("pareto {}/damaged.parquet --minimise rows", "{}/damaged.parquet cannot be read: "),
    ("pareto . --minimise rows", ". holds no sweep: "),
    ("pareto {}/designs --minimise speed", "there is no column 'speed'; there are point, network"),
    ("pareto {}/designs --minimise rows --where rows>99", "no design meets rows>99"),
    ("pareto {}/designs --minimise rows --where rows~9", "a condition must be COLUMN, one of"),
    ("pareto {}/designs --minimise ,", "there is no column ''; there are point"),
    (
        "pareto {}/designs --minimise rows --where variant=fused",
        "variant is baseline or fuse_half, not 'fused'",
    ),
    (
        "plot scaling {}/designs --panel rows -o a.png",
        "latency over array size needs different columns, not rows twice",
    ),
    (
        "plot sensitivity {}/designs --parameter rows --metric rows -o a.png",
        "a sensitivity needs different columns, not rows twice",
    ),
    ("pareto {}/designs --minimise rows --plot a.png", "a front is drawn over two objectives or"),
    ("pareto {}/designs --minimise rows --colour variant", "--colour is for --plot"),
    ("plot scaling {}/designs -o a.gif", "a.gif must end in one of"),
    ("plot heatmap {}/designs --metric variant -o a.png", "variant holds no numbers; columns that"),
    ("plot sensitivity {}/designs.csv --parameter rows -o a.png", "{}/designs.csv does not say"),
    ("plot roofline {}/baseline.json --memory-width 0 -o a.png", "--memory-width must be whole"),
    ("plot layers {}/sweep.toml -o a.png", "{}/sweep.toml is not valid JSON"),
    ("plot stack {}/none.json -o a.png", "{}/none.json cannot be read: No such file"),
    ("plot nothing", "No such command 'nothing'"),
    ("report {}/baseline.json -o a.txt", "a.txt must end in .html"),
    ("report {}/baseline.json -o none/a.html", "none/a.html cannot be written: No such file"),
    ("report {}/sweep.toml -o a.html", "{}/sweep.toml is not valid JSON"),
]


@pytest.mark.parametrize(("command", "said"), DESIGN_MISTAKES)
def test_a_mistake_about_designs_is_one_sentence(
    command, said, written, accelsim, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    outcome = accelsim(*command.format(written).split())
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"accelsim: {said.format(written)}")
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --- films and traces


def test_films_and_traces_are_written(accelsim, tmp_path):
    layer = ("mobilenet_v2", "--input", "32x32", "--layer", "b5.dw", "--array", "4x4")
    for name, begin in (("film.gif", b"GIF89a"), ("strip.png", b"\x89PNG")):
        path = tmp_path / name
        options = ("--dataflow", "os", "--against", "rows", "--clocks", "3..9", "--frames", 2)
        assert accelsim("film", *layer, *options, "-o", path) == (0, f"{path}\n", "")
        assert path.read_bytes().startswith(begin)
    path = tmp_path / "trace.json"
    assert accelsim("trace", *layer, "-o", path) == (0, f"{path}\n", "")
    run = as_json(accelsim("run", *layer[:3], "--array", "4x4", "--layers", "b5.dw", "--json", "-"))
    events = json.loads(path.read_text())["traceEvents"]
    ends = [event["ts"] + event["dur"] for event in events if event["ph"] == "X"]
    assert max(ends) == run["total_cycles"]
    some = tmp_path / "some.json"
    assert accelsim("trace", *layer, "--clocks", "0..9", "-o", some).status == 0
    assert len(some.read_text()) < len(path.read_text())


def test_a_film_against_the_engine_shows_the_array_beside_it(accelsim, tmp_path):
    """Left to itself the layer takes the engine, which would be compared with itself."""
    layer = ("mobilenet_v2", "--input", "32x32", "--layer", "b5.dw", "--array", "4x4")
    options = ("--depthwise", "4x4", "--against", "engine", "--frames", 2)
    for path, more in (("a.gif", ()), ("b.gif", ("--depthwise-on", "array"))):
        assert accelsim("film", *layer, *options, *more, "-o", tmp_path / path).status == 0
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_two_files_are_written_both_or_none(accelsim, tmp_path):
    picture, points = tmp_path / "a.png", tmp_path / "none" / "a.csv"
    outcome = accelsim("plot", "fuseconv", "-o", picture, "--csv", points)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"accelsim: {points} cannot be written: No such file or directory\n"
    assert not picture.exists()


FILM_MISTAKES = (
    ("film {} --clocks 5..2 -o a.png", "clocks must be FIRST..LAST, for instance 0..95, not"),
    ("film {} --clocks 0..999999999 -o a.png", "clocks of layer b5.dw are 0.."),
    ("trace {} -o a.png", "a.png must end in .json"),
    ("film {} --frames 0 -o a.gif", "a film has at least 1 frame, not 0"),
    ("film {} -o a.mp4", "a.mp4 must end in one of .gif, .pdf, .png, .svg"),
    ("film {} -o none/a.gif", "none/a.gif cannot be written: No such file"),
    ("film {} --against engine -o a.gif", "depthwise-on engine needs a depthwise engine"),
    ("film mobilenet_v2 --layer pool -o a.gif", "layer pool (global_pool) runs on the host"),
    ("trace {} -o none/a.json", "none/a.json cannot be written: No such file"),
    ("trace mobilenet_v2 --clocks 0..9 -o a.json", "clocks are those of one layer"),
    ("trace mobilenet_v2 --layer pool -o a.json", "layer pool (global_pool) runs on the host"),
)


@pytest.mark.parametrize(("command", "said"), FILM_MISTAKES)
def test_a_mistake_about_films_is_one_sentence(command, said, accelsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = accelsim(*command.format("mobilenet_v2 --layer b5.dw --array 4x4").split())
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"accelsim: {said}")
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --- usage


@pytest.mark.parametrize("arguments", ["run", "run a --clock x", "nothing", "run --no-such-option"])
def test_usage_errors_are_status_2_too(arguments, accelsim):
    outcome = accelsim(*arguments.split())
    assert outcome.status == 2
    assert outcome.err.startswith("accelsim: ")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err


def test_rtl_holds_both_engines(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "2x2", "--depthwise", "2x3", "-o", str(tmp_path))
    assert (outcome.status, outcome.err) == (0, "")
    assert "array__commands__valid" in (tmp_path / "core.sv").read_text()
    assert "depthwise__commands__valid" in (tmp_path / "core.sv").read_text()


def test_cosim_of_a_depthwise_layer_runs_on_its_engine(accelsim, probe):
    options = ("--array", "4x3", "--depthwise", "2x3", "--depthwise-on", "engine")
    outcome = accelsim("cosim", probe, "--layer", "mix", *options, "--json", "-")
    assert outcome.status == 0
    printed = json.loads(outcome.out)
    assert printed["values_equal"]
    assert len(set(printed["cycles"].values())) == 1
