"""`compare` and `study`: designs side by side."""

import json
import math
import re

from accelsim import networks
from accelsim.ops import papers
from tests.accelsim.cli.outcome import as_json


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


def test_study_of_operators_is_what_runs_of_variants_say(accelsim, tmp_path):
    options = ("--arrays", "16x8", "--depthwise", "4x16", "--input", "64x64")
    command = ("study", "--operators", "mobilenet_v2", *options)
    files = "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.png"
    outcome = accelsim(*command, *files)
    assert (outcome.status, outcome.err) == (0, "")
    entries = as_json(accelsim(*command, "--json", "-"))["entries"]
    by_name = {entry["variant"]: entry for entry in entries}
    assert {*papers.VARIANTS} < {*by_name}
    run = ("run", "mobilenet_v2", "--array", "16x8", "--depthwise", "4x16", "--input", "64x64")
    for variant in ("baseline", "fuse_half", "acb"):
        alone = as_json(accelsim(*run, "--variant", variant, "--json", "-"))
        entry = by_name[variant]
        for ours, theirs in (("cycles", "total_cycles"), ("macs", "total_macs")):
            assert entry[ours] == alone[theirs]
        assert f"{entry['cycles']:,}" in outcome.out
    # ODConv's attention, but not its convolutions and what scales them.
    made = as_json(accelsim(*run, "--variant", "odconv", "--json", "-"))["layers"]
    beside = [
        x for x in made if x["name"].endswith(("_squeeze", "_channel", "_spatial", "_filter"))
    ]
    assert by_name["odconv"]["beside_cycles"] == sum(layer["cycles"] for layer in beside) > 0
    assert by_name["xsep"]["cycles"] is None
    assert "xsep: variant xsep replaces depthwise layers of 5x5" in outcome.out
    assert by_name["fuse_half"]["reported_top1"] == 70.8
    assert by_name["acb"]["reported_top1"] is None
    assert by_name["fuse_full"]["replaced"] == 17
    # Kernels and maps of the plain network, layer by layer.
    network = networks.mobilenet_v2(input=(64, 64))
    kernels = [
        c * k * k // (c if "dw" in layer.name else 1) * network.shape(layer.name)[0]
        for layer in network.layers
        if (k := {"conv2d": 3, "depthwise": 3, "pointwise": 1, "linear": 1}.get(layer.op.name))
        for c in [network.in_shapes(layer)[0][0]]
    ]
    assert by_name["baseline"]["weight_bytes"] == sum(kernels)
    maps = [math.prod(network.shape(layer.name)) for layer in network.layers]
    assert by_name["baseline"]["map_bytes"] == sum(maps)
    assert (tmp_path / "a.csv").read_text().count("\n") == 1 + len(entries)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_study_of_operators_in_training(accelsim):
    command = ("study", "--operators", "cifar_quick", "--arrays", "8x8", "--json", "-")
    run, trained = (
        {each["variant"]: each for each in as_json(accelsim(*command, *form))["entries"]}
        for form in ((), ("--form", "train"))
    )
    assert run["baseline"] == trained["baseline"]
    assert run["acb"]["cycles"] == run["baseline"]["cycles"]
    assert (run["acb"]["macs"], trained["acb"]["macs"]) == (10_763_904, 15_054_464)


def test_study_of_operators_takes_one_network_and_one_design(accelsim):
    for options, said in (
        (("mobilenet_v2", "resnet18", "--operators"), "--operators takes one network"),
        (("mobilenet_v2", "--operators", "--arrays", "8x8,9x9"), "8x8,9x9"),
        (("mobilenet_v2", "--form", "train"), "--form of study goes with --operators"),
    ):
        outcome = accelsim("study", *options)
        assert outcome.status == 2
        assert said in outcome.err
        assert outcome.err.count("\n") == 1


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
