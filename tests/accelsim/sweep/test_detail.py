"""A point layer by layer, and the command line."""

import subprocess
import sys

import polars
import pytest

import accelsim as ax
from accelsim.cli import main
from tests.accelsim.sweep.specs import CHEAP, SMALL, simulated, spec

DESIGNS = (
    CHEAP
    + """
[depthwise]
size = ["none", "4x8"]
[sample]
points = 60
"""
)


def test_layers_add_up_to_their_row(tmp_path):
    asked = spec(tmp_path, DESIGNS)
    ax.sweep.run(asked, tmp_path / "out")
    for row in ax.sweep.load(tmp_path / "out").to_dicts():
        layers = ax.sweep.layers(asked, row)
        assert ax.sweep.result(asked, row).layers == simulated(row).layers
        for column in ("offchip_read_bytes", "offchip_write_bytes", "read_bytes"):
            assert layers.get_column(column).sum() == row[column]
        counts = dict(layers.get_column("bound").drop_nulls().value_counts().rows())
        for kind in ("memory", "ports", "multiplies"):
            assert counts.get(kind, 0) == row[f"{kind}_bound_layers"]
        assert layers.get_column("bound").null_count() == row["not_modelled_layers"]
        if row["memory_width_bytes"]:
            slower = layers.select(polars.max_horizontal("cycles", "memory_cycles")).to_series()
            assert -1e-6 <= row["clocks"] - slower.sum() < 1
        else:
            assert row["clocks"] == row["total_cycles"]


def test_a_design_of_a_hardware_file_comes_back(tmp_path):
    (tmp_path / "base.toml").write_text(
        "[array]\nrows = 5\ncolumns = 7\noverlap = false\n"
        "[depthwise]\nlanes = 2\npixels = 4\nfill_port = 8\nbank_depth = 64\n"
    )
    text = f'networks = ["mobilenet_v1"]\nhardware = "{tmp_path / "base.toml"}"\n'
    asked = spec(tmp_path, text)
    ax.sweep.run(asked, tmp_path / "out")
    (row,) = ax.sweep.load(tmp_path / "out").to_dicts()
    expected = ax.simulate(ax.networks.mobilenet_v1(), ax.load_hardware(tmp_path / "base.toml"))
    assert ax.sweep.result(asked, row) == expected
    assert row["total_cycles"] == expected.total_cycles


def test_the_command_line_sweeps_and_says_what_it_did(tmp_path, capsys):
    points = spec(tmp_path, SMALL).points
    command = ["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out")]
    for options in ([], ["--resume"]):
        with pytest.raises(SystemExit) as end:
            main([*command, *options])
        assert not end.value.code
        out, err = capsys.readouterr()
        assert f"{points:,} points in {tmp_path / 'out'}." in out
        assert "Cells are estimates from" in out
        assert err == ""
    assert "0 of 6 engines scheduled" in out


def test_points_that_cannot_run_are_counted_and_explained(tmp_path, capsys):
    text = 'networks = ["mobilenet_v1"]\ndataflows = ["rows", "auto"]\n[array]\nsize = "8x8"'
    spec(tmp_path, text)
    with pytest.raises(SystemExit):
        main(["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert "1 point has a layer that cannot run, for instance: layer stem" in out


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("netwoks = 1", [], "unknown key 'netwoks'"),
        ("networks = []", [], "networks is empty"),
        ('networks = ["mobilenet_v1"]\n[clock]\nmhz = {from = 1, to = 30000000}', [], "at most"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(tmp_path, text, options, message):
    (tmp_path / "sweep.toml").write_text(text)
    program = "from accelsim.cli import main; main()"
    command = ["sweep", tmp_path / "sweep.toml", "-o", tmp_path / "out", *options]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("accelsim: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
