"""`film` and `trace`: what is looked at."""

import json

import pytest

from tests.accelsim.cli.outcome import as_json


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
