"""--skip-zeros in every command that has it."""

import numpy as np
import pytest

from tests.accelsim.cli.outcome import as_json

TEXT = """\
name = "pruned"
input = [4, 8, 8]
weights = "pruned.npz"
[[layer]]
name = "conv"
op = "conv2d"
out_channels = 8
kernel = [3, 3]
"""
LIVE = 4 * 2  # taps of a kernel


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kernel = np.zeros((8, 4, 3, 3), np.int8)
    kernel[:, :, 1, 1:] = 3
    (tmp_path / "net.toml").write_text(TEXT)
    np.savez(tmp_path / "pruned.npz", conv=kernel)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "run net.toml --array 4x4 --fidelity cycle",
        "compare net.toml --array 4x4,8x8",
        "csynth net.toml --layer conv --array 4x4",
        "explain net.toml --array 4x4",
        "cosim net.toml --layer conv --array 4x4 --simulator amaranth",
    ],
)
def test_commands(folder, accelsim, words):
    dense = accelsim(*words.split())
    outcome = accelsim(*words.split(), "--skip-zeros")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out != dense.out
    assert dense.status == 0


def test_what_it_leaves_out(folder, accelsim):
    words = ["run", "net.toml", "--array", "4x4", "--fidelity", "cycle", "--json", "-"]
    dense, made = as_json(accelsim(*words)), as_json(accelsim(*words, "--skip-zeros"))
    assert (dense["total_macs"], made["total_macs"]) == (8 * 36 * 36, 8 * LIVE * 36)
    assert (dense["total_params"], made["total_params"]) == (8 * 36, 8 * LIVE)
    assert (dense["variant"], made["variant"]) == ("baseline", "skip_zeros")
    assert made["total_cycles"] < 0.4 * dense["total_cycles"]
    assert dense["output"] == made["output"]


def test_a_network_whose_weights_are_drawn(accelsim):
    outcome = accelsim("run", "resnet20", "--skip-zeros")
    assert outcome.status == 2
    assert outcome.err.startswith("accelsim: skip-zeros needs known weights, and those of resnet20")
    assert outcome.err.count("\n") == 1
