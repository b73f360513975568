"""Topologies of SCALE-Sim in every command that takes a network."""

import pytest

from tests.accelsim.cli.outcome import as_json

TEXT = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
stem, 11, 11, 3, 3, 3, 6, 2,
dw, 5, 5, 3, 3, 6, 1, 1,
point, 3, 3, 1, 1, 6, 4, 1,
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.csv").write_text(TEXT)
    (tmp_path / "products.csv").write_text("a,4,5,6\nb,7,8,9,\n")
    return tmp_path


def test_run(folder, accelsim):
    outcome = accelsim("run", "net.csv", "--array", "4x4", "--fidelity", "cycle")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("net baseline, array 4x4, timing rtl, fidelity cycle\n")
    # 6 x 5 x 5 + 6 x 3 x 3 + 4 x 3 x 3
    assert "3 layers register by register: 240 sums, all equal to golden." in outcome.out
    values = as_json(accelsim("run", "net.csv", "--array", "4x4", "--json", "-"))
    assert (values["network"], values["input"]) == ("net", None)
    assert [layer["macs"] for layer in values["layers"]] == [150 * 27, 54 * 9, 36 * 6]
    batch = as_json(accelsim("run", "net.csv", "--array", "4x4", "--json", "-", "--batch", "2"))
    assert [layer["macs"] for layer in batch["layers"]] == [2 * 150 * 27, 2 * 54 * 9, 2 * 36 * 6]


def test_several(folder, accelsim):
    outcome = accelsim("run", "net.csv", "products.csv", "--array", "4x4", "--plot", "p.svg")
    assert outcome.status == 0
    lines = [line.split() for line in outcome.out.splitlines() if line.startswith(("net", "prod"))]
    assert [line[0] for line in lines] == ["network", "net", "products"]
    assert outcome.out.startswith("baseline, array 4x4, timing rtl")


@pytest.mark.parametrize(
    "words",
    [
        "run net.csv --timing scalesim --dataflow ws --scalesim-depthwise per-channel",
        "run products.csv --csv-form gemm --array 4x4 --plot plot.svg --csv table.csv --sort lost",
        "csynth net.csv --layer dw",
        "explain net.csv --csv-form conv",
        "compare net.csv --array 4x4,8x8 --layers stem..dw",
        "study net.csv --arrays 4x4",
        "trace net.csv --layer point --array 4x4 -o trace.json",
        "film net.csv --layer point --array 4x4 -o film.png",
        "cosim net.csv --layer dw --array 4x4 --simulator amaranth",
    ],
)
def test_commands(folder, accelsim, words):
    outcome = accelsim(*words.split())
    assert (outcome.status, outcome.err) == (0, "")


def test_a_report_and_a_plot_of_a_result(folder, accelsim):
    accelsim("run", "net.csv", "--array", "4x4", "--json", "r.json")
    for words in ("report r.json -o r.html", "plot layers r.json -o r.svg"):
        assert accelsim(*words.split()).status == 0
    assert "independent layers, timing rtl" in (folder / "r.html").read_text()


def test_a_sweep_says_what_run_says(folder, accelsim):
    (folder / "s.toml").write_text('networks = ["net.csv"]\n[array]\nsize = ["4x4", "8x8"]\n')
    assert accelsim("sweep", "s.toml", "-o", "swept").status == 0
    assert accelsim("pareto", "swept", "--minimise", "total_cycles", "--csv", "f.csv").status == 0
    run = as_json(accelsim("run", "net.csv", "--array", "8x8", "--json", "-"))
    header, *rows = [line.split(",") for line in (folder / "f.csv").read_text().splitlines()]
    (row,) = [row for row in rows if row[header.index("rows")] == "8"]
    assert int(row[header.index("total_cycles")]) == run["total_cycles"]
    assert row[header.index("input")] == "-"
    for column in ("offchip_read_bytes", "offchip_write_bytes"):
        assert int(row[header.index(column)]) == sum(layer[column] for layer in run["layers"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "run net.csv --fidelity golden",
            "fidelity golden takes values through a network, an",
        ),
        (
            "run net.csv --variant fuse_half",
            "variant fuse_half replaces layers of a graph, and",
        ),
        (
            "run net.csv --input 64x64",
            "net is a list of independent layers, each with a map of",
        ),
        ("run net.csv --csv-form gemm", "net.csv:1: the header says that rows are conv, not gemm"),
        (
            "run resnet18 --csv-form conv",
            "the form of a CSV file is for .csv, and resnet18 is ",
        ),
        ("run net.csv --timing fuseconv-2021 --memory none", "--memory is for timing rtl"),
        ("run net.csv --json net.csv", "--json would overwrite net.csv, which the command reads"),
        ("csynth net.csv --layer none", "net has no layer 'none'; its layers are stem, dw, point"),
        ("rtl -o out --csv-form conv", "--csv-form is for --layer"),
        ("run zigzag.yaml", "zigzag.yaml cannot be read, as files of ZigZag, Timeloop and others;"),
    ],
)
def test_mistakes_are_one_sentence(folder, accelsim, words, said):
    outcome = accelsim(*words.split())
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"accelsim: {said}")
    assert outcome.err.count("\n") == 1


def test_sparse_rows_are_said_once(folder, accelsim):
    (folder / "sparse.csv").write_text("a,4,4,3,3,1,2,1,2:4\n")
    outcome = accelsim("study", "sparse.csv", "--arrays", "4x4")
    assert outcome.status == 0
    assert outcome.err == (
        "accelsim: warning: sparse.csv: sparsity is not modelled; these layers run dense: a\n"
    )
