"""The testbench of a layer passes, and fails where a bit differs, in simulators started by hand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.cosimulation import stimulus
from accelsim.errors import FileError
from accelsim.hardware import DepthwiseEngine, Hardware, Operands, SystolicArray
from accelsim.ir import INPUT, Layer, Network
from accelsim.ops import Conv2d, Depthwise
from rtl.flow import generate as module
from rtl.flow.generate import generate
from tests.rtl.linting import lint_files

NETWORK = Network(
    "two",
    (3, 7, 6),
    (Layer("conv", Conv2d(5, (3, 3)), (INPUT,)), Layer("dw", Depthwise((3, 3)), ("conv",))),
)
OPERANDS = Operands(10, 25)
ARRAY = SystolicArray(2, 3, bank_depth=64, operands=OPERANDS)
ENGINE = DepthwiseEngine(2, 3, bank_depth=32, tap_depth=32, operands=OPERANDS)
BOTH = Hardware(ARRAY, depthwise=ENGINE)
# What the layer runs on, in which dataflow: chunks, streams that are never used, a port that waits.
CASES = {
    "array": (Hardware(ARRAY), "conv", "os", "array"),
    "beside": (BOTH, "conv", "ws", "array"),
    "rows": (Hardware(ARRAY), "dw", "rows", "array"),
    "depthwise": (BOTH, "dw", "auto", "engine"),
    "port": (Hardware(ARRAY, depthwise=replace(ENGINE, fill_port=4)), "dw", "auto", "engine"),
}


def make(case, directory, axi_stream=False):
    hardware, layer, dataflow, place = CASES[case]
    asked = stimulus(NETWORK, layer, hardware, dataflow, 3, place)
    generate(hardware, directory, stimulus=asked, axi_stream=axi_stream)
    return asked


def commands(directory, simulator):
    """The command lines of testbench.md: that which compiles, that which simulates."""
    text = (directory / "testbench.md").read_text()
    (block,) = re.findall(rf"```sh\n({simulator}.*?)```", text, re.DOTALL)
    return [shlex.split(line) for line in block.replace("\\\n", "").splitlines()]


def run(command, directory):
    # Slow files are compiled fast: the models run for milliseconds.
    flags = "OPT_FAST=-O0 OPT_GLOBAL=-O0 OPT_SLOW=-O0"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        command,
        cwd=directory,
        env=dict(os.environ) | {"PATH": path, "MAKEFLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )


def passes(command, directory):
    """Whether it says PASS; what it says and its status are of one mind."""
    done = run(command, directory)
    (said,) = re.findall(r"^(PASS|FAIL)$", done.stdout, re.MULTILINE)
    assert (done.returncode == 0) is (said == "PASS")
    return said == "PASS"


def check(case, simulator, directory, axi_stream=False):
    """AssertionError where it does not pass, or passes with a bit that differs."""
    asked = make(case, directory, axi_stream)
    compiles, simulates = commands(directory, simulator)
    made = run(compiles, directory)
    assert made.returncode == 0, made.stderr
    said = re.search(
        r"(\d+) busy cycles, (\d+) expected; (\d+) stall", run(simulates, directory).stdout
    )
    busy, expected, stalls = map(int, said.groups())
    assert expected == asked.cycles
    assert busy == expected or (busy > expected and stalls > 0)
    assert passes(simulates, directory)
    for name, change in CHANGES:
        path = directory / name
        before = path.read_text()
        path.write_text(change(before))
        assert not passes(simulates, directory), (name, change)
        path.write_text(before)


def flipped(text):
    """The lowest bit of the last word of a file is another."""
    *lines, last = text.splitlines()
    return "\n".join((*lines, f"{last[:-1]}{int(last[-1], 16) ^ 1:x}\n"))


def cut(text):
    return "".join(text.splitlines(keepends=True)[:-1])


CHANGES = (("expected.hex", flipped), ("expected.hex", cut), ("commands.hex", cut))


FULL = [pytest.param(case, marks=pytest.mark.full) for case in ("beside", "port")]


@pytest.mark.parametrize("case", ["depthwise", *FULL])
def test_verilator_passes_and_fails(case, tmp_path):
    check(case, "verilator-cli", tmp_path)


FULL_LINT = [
    pytest.param(case, marks=pytest.mark.full) for case in ("array", "beside", "depthwise")
]


@pytest.mark.parametrize("case", ["rows", "port", *FULL_LINT])
def test_verilator_reads_both_files_without_a_warning(case, tmp_path):
    make(case, tmp_path)
    lint_files(tmp_path, "core.sv", "testbench.sv")


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
@pytest.mark.parametrize("case", CASES)
def test_icarus_passes_and_fails(case, tmp_path):
    check(case, "iverilog", tmp_path)
    path = tmp_path / "core.sv"
    text = path.read_text()
    compiles, simulates = commands(tmp_path, "iverilog")
    for old, new in HARDWARE:
        assert old in text
        path.write_text(text.replace(old, new))
        assert run(compiles, tmp_path).returncode == 0
        assert not passes(simulates, tmp_path), new


# Cycles are not counted; products have another sign.
HARDWARE = (("busy_cycles + ", "busy_cycles & "), (") * $signed(", ") * -$signed("))


def lines(path):
    return path.read_text().splitlines()


def test_a_layer_longer_than_the_memories_is_sent_in_chunks(tmp_path):
    """The words of the third chunk wait until the passes of the first have been read."""
    asked = make("array", tmp_path)
    waits = [int(line.split("_")[0], 16) for line in lines(tmp_path / "left_fill.hex")]
    assert len(asked.memories[0]) > ARRAY.bank_depth
    assert waits == sorted(waits)
    assert len(set(waits)) > 2


def test_expected_words_are_those_of_golden(tmp_path):
    """Against the layout of a payload: sums side by side, the first in the lowest bits."""
    asked = make("array", tmp_path)
    written = [line.split("_") for line in lines(tmp_path / "expected.hex")]
    width = OPERANDS.accumulator_bits
    for (used, payload), sums in zip(written, asked.words.tolist(), strict=True):
        for place in range(int(used, 16)):
            raw = int(payload, 16) >> place * width & (1 << width) - 1
            assert raw == sums[place] & (1 << width) - 1


def test_the_files_are_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "testbench_files", fail)
    with pytest.raises(KeyboardInterrupt):
        make("array", tmp_path / "new" / "folder")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "testbench.md").mkdir()
    with pytest.raises(FileError, match=r"testbench\.md cannot be written: Is a directory"):
        make("array", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["testbench.md"]
