"""The house: directions of imports, what the README promises, words that stay out."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PYPROJECT = (TOP / "pyproject.toml").read_text()


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP, check=False
    )


def test_imports_go_one_way():
    from importlinter.cli import lint_imports

    assert lint_imports(str(TOP / "pyproject.toml"), no_cache=True) == 0


def test_every_dependency_has_its_reason():
    start = PYPROJECT.index("dependencies = [")
    end = PYPROJECT.index("[project.scripts]")
    entries = re.findall(r'^    "[^"]+",(.*)$', PYPROJECT[start:end], re.MULTILINE)
    assert len(entries) > 10
    assert all(re.match(r" +# \S", rest) for rest in entries)


def test_every_ignored_rule_has_its_reason():
    start = PYPROJECT.index("ignore = [")
    entries = re.findall(r'^ +"[A-Z]+[0-9]*",(.*)$', PYPROJECT[start:], re.MULTILINE)
    assert len(entries) > 5
    assert all(re.match(r" +# \S", rest) for rest in entries)


@pytest.mark.parametrize("package", ["accelsim", "rtl", "tests", ".ci"])
def test_source_is_ascii(package):
    wrong = [
        str(path)
        for path in (TOP / package).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".v", ".cpp", ""}
        and "__pycache__" not in path.parts
        if not path.read_bytes().isascii()
    ]
    assert not wrong


def test_readme_commands_set_up_from_nothing():
    readme = (TOP / "README.md").read_text()
    main_job, tests = re.findall(r"^```sh\n(.*?)\n```", readme, re.MULTILINE | re.DOTALL)[:2]
    for command in (main_job, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert main_job.endswith("accelsim run mobilenet_v2 --variant fuse_half --array 64x64")
    assert tests.endswith("pytest")


def test_contributing_names_files_and_lists_that_exist():
    """Every path, but for the part that is to be written; every list in a file named beside it."""
    text = (TOP / "CONTRIBUTING.md").read_text()
    lists = 0
    for step in re.split(r"\n\n|\n\d\. ", text):
        contents = ""
        for path in re.findall(r"`((?!\.venv)[\w.<>]+/[\w.<>/]*)`", step):
            known, *unwritten = re.split(r"[\w.]*(?:<name>|NAME)", path)
            there = next(
                TOP / top / known for top in ("", "accelsim") if (TOP / top / known).exists()
            )
            contents += there.read_text() if there.is_file() and not unwritten else ""
        for name in re.findall(r"`(_?[A-Z_]{3,})`", step) if step.startswith("`") else ():
            assert re.search(rf"^{name}\b.* = ", contents, re.MULTILINE), f"{name} in: {step}"
            lists += 1
    assert lists > 8
    for place in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (TOP / place).exists()


def test_extras_and_licence_are_declared():
    project = tomllib.loads(PYPROJECT)["project"]
    assert {"rtl", "test", "notebooks"} <= set(project["optional-dependencies"])
    assert project["license"] == "MIT"
    assert (TOP / "LICENSE").read_text().startswith("MIT License")


def test_the_simulator_needs_no_hardware_description():
    code = (
        "import sys, accelsim, accelsim.cli; "
        "print([m for m in sys.modules if m.split('.')[0] in ('rtl', 'amaranth', 'cocotb')])"
    )
    done = run_python(code)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_schedule_path_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from accelsim.cli import main\n"
        "try:\n    main(['run', 'mobilenet_v2', '--variant', 'fuse_half', '--array', '64x64'])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'matplotlib', 'polars', 'numba', 'llvmlite', 'amaranth', 'rtl'}\n"
        "heavy |= {'rich', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_names_are_loaded_when_asked_for_and_functions_win_over_modules():
    code = (
        "import sys, accelsim as ax\n"
        "assert not [name for name in sys.modules if name.startswith('accelsim.s')]\n"
        "import accelsim.film, accelsim.simulate, accelsim.compare\n"
        "assert all(map(callable, (ax.film, ax.simulate, ax.compare, ax.networks.mobilenet_v2)))\n"
        "from accelsim.simulate import RTL\n"
        "assert callable(ax.simulate) and all(hasattr(ax, name) for name in ax.__all__)\n"
        "assert all(hasattr(ax.networks, name) for name in ax.networks.__all__)\n"
        "assert [each.__name__ for each in ax.networks.NETWORKS] == list(ax.networks.NAMES)\n"
        "assert not hasattr(ax, 'nothing') and not hasattr(ax.networks, 'nothing')\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_a_network_may_have_the_name_of_its_module():
    """Python sets a module that it has imported as an attribute of its package."""
    code = (
        "from types import ModuleType\n"
        "from accelsim import networks\n"
        "networks.mobilenet_v2 = ModuleType('accelsim.networks.mobilenet_v2')\n"
        "assert networks.mobilenet_v2 is networks.NETWORKS[networks.NAMES.index('mobilenet_v2')]\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_only_a_missing_icarus_may_skip_in_continuous_integration(tmp_path):
    (tmp_path / "conftest.py").write_text((TOP / "tests" / "conftest.py").read_text())
    (tmp_path / "test_skips.py").write_text(
        "import pytest\n"
        "def test_icarus(): pytest.skip('Icarus is not installed')\n"
        "def test_other(): pytest.skip('no Verilator')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"CI": "true"}
    )
    assert done.returncode == 1
    assert "1 failed, 1 skipped" in done.stdout
    assert "no Verilator" in done.stdout
