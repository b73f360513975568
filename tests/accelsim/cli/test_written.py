"""`pareto`, `plot`, `report`: designs and results that were written before."""

import csv
import json
from pathlib import Path

import pytest

from accelsim import sweep
from tests.accelsim.cli.outcome import as_json
from tests.accelsim.cli.probe import PROBE
from tests.naive import fronts


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
