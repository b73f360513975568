"""`run`, `explain` and `csynth`: the layers of networks on designs."""

import csv
import hashlib
import itertools
import json
import re
from collections import Counter

import pytest

import accelsim as ax
from accelsim import __version__, networks
from accelsim.hardware import Hardware, SystolicArray
from accelsim.simulation import simulate
from tests.accelsim.cli.outcome import as_json
from tests.accelsim.clocks import handmade


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
    assert printed["weights_sha256"] is None  # cycles take no weights
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


def test_csynth_reports_the_latency_that_run_counts(accelsim):
    options = ("mobilenet_v2", "--array", "16x16", "--dataflow", "ws", "--json", "-")
    printed = as_json(accelsim("csynth", *options, "--layer", "b5.expand"))
    (layer,) = as_json(accelsim("run", *options, "--layers", "b5.expand"))["layers"]
    assert printed["latency_cycles"] == layer["cycles"]
    shown = accelsim("csynth", *options[:-2], "--layer", "b5.expand")
    assert f"{layer['cycles']:,}" in shown.out
    for word in ("trip count", "interval", "pipeline II=1", "multipliers", "register bits"):
        assert word in shown.out


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


@pytest.mark.parametrize("arrays", ["8x8", "8x8,9x9"])
def test_a_wrong_file_of_weights_leaves_no_output(arrays, accelsim, tmp_path):
    network = tmp_path / "n.toml"
    network.write_text(
        'name = "n"\ninput = [3, 8, 8]\nweights = "none.npz"\n'
        '[[layer]]\nname = "a"\nop = "pointwise"\nout_channels = 4\n'
    )
    outputs = f"--json {tmp_path}/x --csv {tmp_path}/y --plot {tmp_path}/z.png".split()
    values = ("--fidelity", "golden")
    outcome = accelsim("run", network, "--array", arrays, *values, *outputs)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.endswith("none.npz cannot be read: No such file or directory\n")
    assert list(tmp_path.iterdir()) == [network]


def test_a_variant_is_compared_with_the_baseline_with_memory_too(accelsim):
    arguments = ("run", "mobilenet_v2", "--array", "64x64", "--input", "64x64")
    fused = accelsim(*arguments, "--variant", "fuse_half").out
    plain, half = (
        ax.simulate(ax.networks.mobilenet_v2(variant, input=(64, 64)), "mobile")
        for variant in ("baseline", "fuse_half")
    )
    cycles, clocks = plain.total_cycles, plain.total_memory_cycles
    said = f"{cycles / half.total_cycles:.2f} x the baseline's speed ({cycles:,} cycles)"
    ratio = clocks / half.total_memory_cycles
    assert f"\n{said}; with memory {ratio:.2f} x ({clocks:,} clocks).\n" in fused
    alone = accelsim(*arguments, "--variant", "fuse_half", "--memory", "none").out
    assert f"\n{said}.\n" in alone


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
    published_ = ("--timing", "fuseconv-2021", "--array", "8x8,9x9", "--clock", "500")
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
    assert f"{printed['layer']} loses the most cycles of all layers" in shown.out
    clocks = [part["multiplier_clocks"] for part in printed["parts"]]
    assert sum(clocks) == printed["multiplier_clocks"] == 64 * 64 * printed["cycles"]
    assert all(f" {count:,} " in shown.out for count in clocks)
    assert sum(part["share"] for part in printed["parts"]) == pytest.approx(1)
    assert printed["ways"][0]["dataflow"] == printed["dataflow"]
    chosen = accelsim("explain", "efficientnet_b0", "--layer", "head", "--array", "8x8")
    assert "multipliers are busy" in chosen.out.splitlines()[0]
    assert "rows cannot run it: rows runs depthwise convolutions, not 320 chan" in chosen.out


@pytest.mark.parametrize("memory", ["16,16,4", "none"])
def test_explain_knows_what_run_says_of_memory(accelsim, memory):
    options = ("resnet18", "--layer", "b1.conv1", "--memory", memory)
    shown = accelsim("explain", *options).out.splitlines()[-1]
    command = ("run", "resnet18", "--layers", "b1.conv1..b1.conv1", "--memory", memory)
    (layer,) = as_json(accelsim(*command, "--json", "-"))["layers"]
    if memory == "none":
        assert (shown, layer["memory_cycles"]) == ("Memory off chip is left out.", None)
    else:
        assert f"it takes {layer['memory_cycles']:,} cycles, and waits for memory" in shown


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


def test_a_clock_is_told_with_its_source(accelsim, tmp_path):
    with handmade(tmp_path):
        for size, mhz, said in (
            ("2x2", 200.0, "The clock is measured: Fmax of the design on LFE5U-85F"),
            ("2x3", 181.4, "The clock is estimated from 8 designs on LFE5U-85F, speed grade 6;"),
            ("9x9", 500.0, "The clock is assumed: no design like this one was placed and routed"),
        ):
            options = ("resnet18", "--array", size, "--memory", "none")
            shown = accelsim("run", *options).out
            assert f" ms at {mhz:g} MHz computing; " in shown
            assert f"\n{said}" in shown
            shown = accelsim("csynth", "resnet18", "--layer", "fc", "--array", size).out
            assert f" us at {mhz:g} MHz; " in shown
            assert f"\n{said}" in shown
            asked = as_json(accelsim("run", *options, "--json", "-"))
            assert (asked["clock_mhz"], asked["clock_source"]) == (mhz, said.split()[3].strip(":"))
            assert asked["time_ms"] == asked["total_cycles"] / (mhz * 1e3)
        given = accelsim("run", "resnet18", "--array", "2x2", "--clock", "77").out
        assert " ms at 77 MHz computing, " in given
        assert "\nThe clock is as given.\n" in given


def test_designs_of_several_clocks_are_told_with_theirs(accelsim, tmp_path):
    with handmade(tmp_path):
        options = ("resnet18", "--array", "2x2,9x9", "--memory", "none")
        each = "At 200 MHz (2x2, measured), 500 MHz (9x9, assumed)"
        assert (
            f"\n{each}, memory is left out.\nThe clock is measured" in accelsim("run", *options).out
        )
        compared = accelsim("compare", *options)
        assert f"\n{each}.\nThe clock is measured" in compared.out
        designs = as_json(accelsim("compare", *options, "--json", "-"))["designs"]
        assert [(each["clock_mhz"], each["clock_source"]) for each in designs] == [
            (200.0, "measured"),
            (500.0, "assumed"),
        ]
        studied = ("study", "resnet18", "--arrays", "2x2,9x9", "--depthwise", "2x2")
        assert f"\n{each}.\nThe clock is measured" in accelsim(*studied).out
        points = as_json(accelsim(*studied, "--json", "-"))["points"]
        assert {point["clock_source"] for point in points} == {"measured", "assumed", None}
