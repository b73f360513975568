"""A point layer by layer, and the command line."""

import subprocess
import sys

import pytest

import accelsim as ax
from accelsim.cli import main
from accelsim.hardware import to_toml
from tests.accelsim.sweep.specs import CHEAP, SMALL, simulated, spec

DESIGNS = (
    "batch = [1, 3]"
    + CHEAP
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
        columns = ("offchip_read_bytes", "offchip_write_bytes", "read_bytes")
        for column in columns if row["memory_width_bytes"] else columns[2:]:
            assert layers.get_column(column).sum() == row[column]
        assert layers.get_column("bound_by").null_count() == row["not_modelled_layers"]
        slower = "memory_cycles" if row["memory_width_bytes"] else "cycles"
        assert row["clocks"] == layers.get_column(slower).sum()


def test_a_design_of_a_hardware_file_comes_back(tmp_path):
    (tmp_path / "base.toml").write_text(
        "[array]\nrows = 5\ncolumns = 7\noverlap = false\n"
        "[depthwise]\nlanes = 2\npixels = 4\nfill_port = 8\nbank_depth = 64\n"
        "[memory]\nactivation_kib = 40\nweight_kib = 30\nwidth_bytes = 7\n"
    )
    text = f'networks = ["mobilenet_v1"]\nhardware = "{tmp_path / "base.toml"}"\n'
    asked = spec(tmp_path, text)
    ax.sweep.run(asked, tmp_path / "out")
    (row,) = ax.sweep.load(tmp_path / "out").to_dicts()
    expected = ax.simulate(ax.networks.mobilenet_v1(), ax.load_hardware(tmp_path / "base.toml"))
    assert ax.sweep.result(asked, row) == expected
    assert row["total_cycles"] == expected.total_cycles
    assert (row["clocks"], row["time_ms"]) == (expected.total_memory_cycles, expected.time_ms)
    # What is written of the best design is run as it is.
    (tmp_path / "best.toml").write_text(to_toml(asked.hardware(row)))
    assert ax.simulate("mobilenet_v1", tmp_path / "best.toml") == expected


def test_the_command_line_sweeps_and_says_what_it_did(tmp_path, capsys):
    points = spec(tmp_path, SMALL).points
    command = ["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out")]
    for options in ([], ["--resume"]):
        with pytest.raises(SystemExit) as end:
            main([*command, *options])
        assert not end.value.code
        out, err = capsys.readouterr()
        assert f"{points:,} points in {tmp_path / 'out'}, a table in Parquet" in out
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
