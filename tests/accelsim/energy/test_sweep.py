"""Energy in sweeps: every point has, exactly, that of `run`."""

import polars as pl
import pytest

from accelsim.cli import main
from accelsim.energy import LEFT_OUT, load_energy
from accelsim.errors import FileError
from accelsim.sweep import load_spec, run
from accelsim.sweep.detail import result

SPEC = """
networks = ["mobilenet_v1"]
inputs = ["32x32"]
batch = [1, 3]
dataflows = ["auto", "ws"]
depthwise_on = ["auto", "array"]
{energy}
[array]
size = ["8x8", "16x4"]
[depthwise]
size = ["none", "4x8"]
[operands]
bits = [9, 12]
[memory]
activation_kib = [16, 64]
weight_kib = [16, 256]
width_bytes = [0, 8]
[clock]
mhz = [100, 200]
"""


@pytest.fixture
def spec(tmp_path):
    def make(energy):
        path = tmp_path / "spec.toml"
        path.write_text(SPEC.format(energy=energy))
        return load_spec(path)

    return make


def test_every_point_is_a_run(spec, tmp_path):
    made = spec('energy = "45nm"')
    run(made, tmp_path / "points")
    rows = pl.read_parquet(tmp_path / "points")
    assert len(rows) == made.points
    for row in rows.sample(60, seed=1).to_dicts():
        assert row["total_energy_pj"] == result(made, row).total_energy_pj
    assert rows.null_count()["total_energy_pj"][0] == 0
    assert rows["total_energy_pj"].n_unique() > 100


def test_without_a_table_there_is_no_column(spec, tmp_path):
    made = spec("")
    assert "energy" not in made.to_dict()
    run(made, tmp_path / "points")
    assert "total_energy_pj" not in pl.read_parquet(tmp_path / "points").columns


def test_tables_tell_sweeps_apart(spec):
    digests = {spec(energy).sha256 for energy in ("", 'energy = "45nm"', 'energy = "7nm"')}
    assert len(digests) == 3
    assert spec('energy = "7nm"').energy == load_energy("7nm")


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        ('energy = "5nm"', r"spec.toml:7: there is no energy table '5nm'"),
        ("energy = 3", r"spec.toml:7: energy must be words in quotes, not 3"),
        ('energy = "none.toml"', r"none.toml cannot be read"),
    ],
)
def test_bad_tables_are_refused(energy, message, spec):
    with pytest.raises(FileError, match=message):
        spec(energy)


def test_fronts_and_pictures_take_energy(spec, tmp_path, capsys):
    summary = run(spec('energy = "7nm"'), tmp_path / "points")
    assert LEFT_OUT in summary.sentences(tmp_path)
    goals = "total_energy_pj,time_ms"
    for arguments in (
        ["pareto", str(tmp_path / "points"), "--minimise", goals],
        ["plot", "pareto", str(tmp_path / "points"), "--minimise", goals],
        ["plot", "heatmap", str(tmp_path / "points"), "--metric", "total_energy_pj"],
    ):
        picture = ["-o", str(tmp_path / "a.svg")] if arguments[0] == "plot" else []
        with pytest.raises(SystemExit) as stop:
            main([*arguments, *picture])
        assert stop.value.code == 0
    front, notes = capsys.readouterr().out.split("\n\n", 1)
    heading, _, *rows = map(str.split, front.splitlines())
    assert LEFT_OUT in notes
    for row in rows:  # three digits of millions of pJ
        assert row[heading.index("total_energy_pj")].endswith("0,000")
