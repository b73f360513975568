"""--batch: every command that takes a network takes it, and refuses what is no number of images."""

import json

import pytest

PROBE = """
name = "probe"
input = [3, 5, 4]
[[layer]]
name = "stem"
op = "conv2d"
out_channels = 4
kernel = [3, 3]
[[layer]]
name = "fc"
op = "linear"
out_features = 3
flatten = true
"""
COMMANDS = {
    "run": "run probe.toml --array 4x4 --json out.json",
    "explain": "explain probe.toml --layer stem --array 4x4 --json out.json",
    "csynth": "csynth probe.toml --layer stem --array 4x4 --json out.json",
    "cosim": "cosim probe.toml --layer fc --array 2x2 --simulator amaranth --json out.json",
    "compare": "compare probe.toml --array 2x2,4x4 --json out.json",
    "trace": "trace probe.toml -o out.json",
    "study": "study probe.toml --arrays 4x4 --json out.json",
    "film": "film probe.toml --layer stem --array 2x2 -o out.png",
    "rtl": "rtl --layer probe.toml:fc --array 2x2 -o rtl",
}


@pytest.fixture
def batched(accelsim, tmp_path, monkeypatch):
    """A command with so many images: what it returns, and what is printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "probe.toml").write_text(PROBE)
    return lambda name, images: accelsim(*COMMANDS[name].split(), "--batch", images)


def said(name, written):
    """The batch that the JSON of a command says; None for none."""
    where = {"trace": "otherData"}.get(name)
    found = written["points"][0] if name == "study" else written.get(where, written)
    return found.get("batch")


LONG = ("cosim", "film")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.full] if name in LONG else []) for name in COMMANDS],
)
def test_every_command_takes_a_batch(name, batched, tmp_path):
    for images in ("3", "1"):
        outcome = batched(name, images)
        assert (outcome.status, outcome.err) == (0, "")
        about = outcome.out
        if (tmp_path / "out.json").exists():
            written = json.loads((tmp_path / "out.json").read_text())
            assert said(name, written) == (3 if images == "3" else None)
        if name == "rtl":
            about = (tmp_path / "rtl/testbench.md").read_text()
            assert f"--batch {images}" in (tmp_path / "rtl/core.sv").read_text()
        if name not in ("trace", "study", "film"):
            assert ("batch of 3 images" in about) == (images == "3")
        if name == "study":
            assert f"--batch {images}" in about


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("images", ["0", "-1", "65537", "two", "1.5"])
def test_what_is_no_batch_is_one_sentence(name, images, batched, tmp_path):
    outcome = batched(name, images)
    assert (outcome.status, outcome.out) == (2, "")
    start = "batch must be a whole number from 1 to 65536, not "
    if images in ("two", "1.5"):
        assert "Invalid value for '--batch'" in outcome.err
    else:
        assert outcome.err == f"accelsim: {start}{images}\n"
    assert outcome.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"probe.toml"}


def test_a_batch_without_a_layer_is_refused(accelsim, tmp_path):
    outcome = accelsim("rtl", "--array", "2x2", "-o", tmp_path / "rtl", "--batch", "2")
    assert (outcome.status, outcome.err) == (2, "accelsim: --batch is for --layer\n")
