"""Folders of results: killed and resumed, damaged, of something else."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars
import pytest

from accelsim import analysis, sweep
from accelsim.errors import FileError
from tests.accelsim.sweep.specs import SMALL, spec

KILLS = 5
PROGRAM = "from accelsim.cli import main; main()"
KILLED = "tests.accelsim.sweep.killed"
TOP = Path(__file__).parents[3]
# Hundreds of parts, of which every run makes a few.
MANY = """
networks = ["mobilenet_v2", "mobilenet_v1"]
part_points = 250
[array]
rows = {from = 4, to = 32, step = 4}
columns = {from = 4, to = 48, step = 4}
[memory]
activation_kib = [16, 64, 256]
width_bytes = [0, 4, 16]
[clock]
mhz = {from = 100, to = 3000, step = 100}
"""


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """When each part was written, and to what place on the disk."""
    parts = (*folder.glob("*.parquet"), *sweep.beside(folder).glob("*/*.parquet"))
    stats = {path: path.stat() for path in parts}
    return {path: (stat.st_mtime_ns, stat.st_ino) for path, stat in stats.items()}


def test_killed_at_random_moments_and_resumed_it_gives_the_same_rows(tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    sweep.run(spec(tmp_path, MANY), whole)
    few = 2 * len(files(whole)) // KILLS  # every file is opened, then gets its name
    arguments = ["sweep", tmp_path / "sweep.toml", "-o", out]
    places, progress = random.Random(4), set()
    for _ in range(KILLS):
        before = files(out)
        resume = ["--resume"] if (tmp_path / "out.sweep/manifest.json").exists() else []
        place = places.randint(0, few), int(10 ** places.uniform(0, 4))  # files, steps
        command = [sys.executable, "-m", KILLED, out, *map(str, place), *arguments, *resume]
        killed = subprocess.run(command, cwd=TOP, stderr=subprocess.PIPE, check=False)
        assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, b"")
        assert before.items() <= files(out).items()  # nothing finished was touched
        progress.add(len(files(out)))
    assert len(progress) > KILLS // 2  # many kills fell into the work
    before = files(out)
    command = [sys.executable, "-c", PROGRAM, *arguments, "--resume"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert before.items() <= files(out).items()
    assert sweep.load(out).equals(sweep.load(whole))
    assert not list(tmp_path.rglob(".accelsim-*"))  # nothing half written is left


def test_a_finished_sweep_resumes_to_nothing(tmp_path):
    asked = spec(tmp_path, SMALL)
    first = sweep.run(asked, tmp_path / "out")
    assert (first.rows, first.tabulated) == (asked.points, 6)
    before = files(tmp_path / "out")
    again = sweep.run(asked, tmp_path / "out", resume=True)
    assert (again.rows, again.tabulated) == (0, 0)
    assert files(tmp_path / "out") == before


def test_a_part_that_is_missing_is_made_again_and_no_other(tmp_path):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    rows = sweep.load(tmp_path / "out")
    lost = sorted((tmp_path / "out").iterdir())[3]
    lost.unlink()
    before = files(tmp_path / "out")
    with pytest.raises(FileError, match=r"not finished: 1 of \d+ parts is missing"):
        sweep.load(tmp_path / "out")
    assert sweep.run(asked, tmp_path / "out", resume=True).rows == asked.part_points
    assert before.items() <= files(tmp_path / "out").items()
    assert sweep.load(tmp_path / "out").equals(rows)


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("kind", ["points", "costs"])
@pytest.mark.parametrize("damage", [flip, lambda content: content[:-1], lambda content: b""])
def test_a_damaged_part_is_named_and_kept(tmp_path, kind, damage):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    folder = {"points": "out", "costs": "out.sweep/costs"}[kind]
    part = sorted((tmp_path / folder).iterdir())[0]
    part.write_bytes(damage(part.read_bytes()))
    before = files(tmp_path / "out")
    with pytest.raises(FileError, match=rf"{part.name} is damaged"):
        sweep.run(asked, tmp_path / "out", resume=True)
    if kind == "points":
        with pytest.raises(FileError, match=rf"{part.name} is damaged"):
            sweep.load(tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_a_folder_of_another_specification_is_left_alone(tmp_path):
    sweep.run(spec(tmp_path, SMALL), tmp_path / "out")
    before = files(tmp_path / "out")
    other = spec(tmp_path, SMALL.replace("rows = [8, 16]", "rows = [8, 24]"))
    for resume in (False, True):
        with pytest.raises(FileError, match="holds the results of another specification"):
            sweep.run(other, tmp_path / "out", resume)
    assert files(tmp_path / "out") == before


def test_a_folder_with_results_needs_resume(tmp_path):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    with pytest.raises(FileError, match="--resume goes on"):
        sweep.run(asked, tmp_path / "out")


def test_a_folder_of_another_state_of_the_program_is_left_alone(tmp_path):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    manifest = tmp_path / "out.sweep" / "manifest.json"
    changed = json.loads(manifest.read_text()) | {"sources": "0" * 64}
    manifest.write_text(json.dumps(changed))
    with pytest.raises(FileError, match="another state of accelsim"):
        sweep.run(asked, tmp_path / "out", resume=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 10**5, '{"parts": "a"}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    (tmp_path / "out.sweep" / "manifest.json").write_text(text)
    for use in (
        lambda: sweep.run(asked, tmp_path / "out", True),
        lambda: sweep.load(tmp_path / "out"),
    ):
        with pytest.raises(FileError, match=r"manifest\.json is damaged"):
            use()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("all of it")
    with pytest.raises(FileError, match=r"holds thesis\.tex and no sweep"):
        sweep.run(spec(tmp_path, SMALL), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_what_is_refused_makes_nothing(tmp_path):
    """The folder beside that of another sweep, and one beside which a file stands."""
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    (tmp_path / "file.sweep").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileError, match=r"out\.sweep holds \w+(\.json)? and no sweep"):
        sweep.run(asked, tmp_path / "out.sweep")
    with pytest.raises(FileError, match=r"file\.sweep must be a folder, and is a file"):
        sweep.run(asked, tmp_path / "file")
    with pytest.raises(FileError, match="/ cannot hold a sweep: a part of it stands beside its fo"):
        sweep.run(asked, "/")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_the_earlier_layout_is_named(tmp_path):
    (tmp_path / "out" / "points").mkdir(parents=True)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    asked = spec(tmp_path, SMALL)
    for use in (
        lambda: sweep.run(asked, tmp_path / "out", resume=True),
        lambda: sweep.load(tmp_path / "out"),
    ):
        with pytest.raises(FileError, match="out was written by an earlier version"):
            use()


def test_the_folder_holds_parquet_files_of_one_schema_and_nothing_else(tmp_path):
    """What pandas, pyarrow, DuckDB and polars ask of a folder that they read as one table."""
    folder = tmp_path / "out"
    done = sweep.run(spec(tmp_path, f'dataflows = ["auto", "rows"]{SMALL}'), folder)
    assert done.unsupported == done.points // 2  # whose cells are empty
    there = list(folder.rglob("*"))
    assert {path.suffix for path in there} == {".parquet"}
    assert {path.parent for path in there} == {folder}
    assert not [path for path in there if path.name.startswith((".", "_"))]  # which many pass over
    assert len({str(polars.read_parquet_schema(path)) for path in there}) == 1
    rows = sweep.load(folder)
    for read in (polars.read_parquet(folder), polars.scan_parquet(folder).collect()):
        assert read.sort("point").equals(rows)


def test_a_folder_without_the_one_beside_it_is_still_a_table(tmp_path):
    sweep.run(spec(tmp_path, SMALL), tmp_path / "out")
    rows = sweep.load(tmp_path / "out")
    assert analysis.open_designs(tmp_path / "out").parameters is not None
    (tmp_path / "out").rename(tmp_path / "moved")
    moved, parameters = analysis.open_designs(tmp_path / "moved")
    assert parameters is None
    assert moved.collect().sort("point").equals(rows)


def test_parts_without_their_manifest_are_not_taken_for_those_of_another_sweep(tmp_path):
    sweep.run(spec(tmp_path, SMALL), tmp_path / "out")
    (tmp_path / "out.sweep" / "manifest.json").unlink()
    before = files(tmp_path / "out")
    for resume in (False, True):
        with pytest.raises(FileError, match="and no sweep; it must be new or empty"):
            sweep.run(spec(tmp_path, SMALL.replace("8, 16]", "8, 24]")), tmp_path / "out", resume)
    assert files(tmp_path / "out") == before


def test_a_part_of_another_place_or_another_sweep_is_found(tmp_path):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    other = spec(tmp_path, SMALL.replace("mobilenet_v2", "mobilenet_v1"))
    sweep.run(other, tmp_path / "other")
    first, second = sorted((tmp_path / "out").iterdir())[:2]
    kept, name = first.read_bytes(), first.name
    first.unlink()
    for content, digest in (
        (second.read_bytes(), second.name[6:]),
        *((path.read_bytes(), path.name[6:]) for path in (tmp_path / "other").glob("000000*")),
    ):
        foreign = first.with_name(f"000000{digest}")
        foreign.write_bytes(content)
        with pytest.raises(FileError, match="is damaged"):
            sweep.load(tmp_path / "out")
        foreign.unlink()
    first.with_name(name).write_bytes(kept)
    assert len(sweep.load(tmp_path / "out")) == asked.points


def test_a_folder_of_parts_that_is_gone_is_made_again(tmp_path):
    asked = spec(tmp_path, SMALL)
    sweep.run(asked, tmp_path / "out")
    rows = sweep.load(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert sweep.run(asked, tmp_path / "out", resume=True).rows == asked.points
    assert sweep.load(tmp_path / "out").equals(rows)


def test_no_folder_and_no_sweep(tmp_path):
    with pytest.raises(FileError, match="holds no sweep"):
        sweep.load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="must be a folder"):
        sweep.run(spec(tmp_path, SMALL), tmp_path / "file")


def test_two_sweeps_do_not_write_into_one_folder(tmp_path):
    asked = spec(tmp_path, SMALL)
    refused = []

    def meanwhile(what: str, done: int, total: int) -> None:
        if not refused:
            with pytest.raises(FileError, match="is being written by another sweep") as error:
                sweep.run(asked, tmp_path / "out", resume=True)
            refused.append(error)

    sweep.run(asked, tmp_path / "out", progress=meanwhile)
    assert refused


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    asked = spec(tmp_path, SMALL)
    written = []
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.parent.name == "out":
            written.append(target)
            if len(written) > 3:
                raise OSError(28, os.strerror(28))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(FileError, match="No space left"):
            sweep.run(asked, tmp_path / "out")
    before = files(tmp_path / "out")
    sweep.run(asked, tmp_path / "out", resume=True)
    assert before.items() <= files(tmp_path / "out").items()
    sweep.run(asked, tmp_path / "whole")
    assert sweep.load(tmp_path / "out").equals(sweep.load(tmp_path / "whole"))
