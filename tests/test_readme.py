"""The pages show what the commands print; `python -m tests.test_readme` brings them up to date.

Every page is followed in a folder of its own, from top to bottom: a block of TOML that begins with
the name of a file becomes that file, together with the blocks after it that do not, and so does a
block of CSV, whose name stands behind `csv`; Python and commands run, and print what is shown.
"""

import contextlib
import io
import re
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from PIL import Image

import accelsim as ax
from accelsim.cli import COMMANDS, main
from accelsim.cli.plots import KINDS
from accelsim.hardware.files import TABLES
from accelsim.importers.toml import OPERATORS, defaults, find_operator
from accelsim.sweep import load_spec

TOP = Path(__file__).parents[1]
README, DOCS = TOP / "README.md", TOP / "docs"
PAGES = (README, *sorted(DOCS.glob("*.md")))
NOTEBOOKS = TOP / "notebooks"  # where the pictures of the README lie
MODELS = TOP / "tests" / "models"
CONSOLE = re.compile(r"\$ accelsim (.*)\n((?:.*\n)*)")
BLOCK = re.compile(r"(?<=^```)(console|python|toml|csv \S+)\n(.*?)(?=^```$)", re.M | re.S)
HELP = ("", *(x for x in COMMANDS if x != "plot"), *(f"plot {kind}" for kind in KINDS))
PICTURE = re.compile(r"!\[[^]]+\]\(notebooks/([^)]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return [block[2] for block in BLOCK.finditer(page.read_text()) if block[1] == language]


def follow(page: Path) -> str:
    """The page with the lines that its commands print now, in this folder."""
    Path("notebooks").symlink_to(NOTEBOOKS)
    Path("models").symlink_to(MODELS)
    texts: dict[str, str] = {}
    name = ""
    for text in blocks(page, "toml"):
        name = named[1] if (named := re.match(r"# (\S+\.toml)\n", text)) else name
        texts[name] = texts.get(name, "") + text
    csv = [block for block in BLOCK.finditer(page.read_text()) if block[1].startswith("csv ")]
    texts |= {block[1].split()[1]: block[2] for block in csv}
    for name, text in texts.items():
        Path(name).write_text(text)
    for code in blocks(page, "python"):
        exec(code, {})
    plt.close("all")
    return BLOCK.sub(refresh, page.read_text())


def refresh(block: re.Match[str]) -> str:
    """A block with the lines that its command prints now; `...` stands for lines left out.

    What is shown and not printed stays, marked.
    """
    command = CONSOLE.fullmatch(block[2])
    if command is None:
        return block[0]
    lines, new = printed(command[1]), []
    for line in command[2].splitlines():
        found = [place for place, each in enumerate(lines) if key(each) == key(line)]
        if line == "...":
            new.append(line)
        elif found:
            new.append(lines[found[0]])
            del lines[: found[0] + 1]
        else:
            new.append(f"(not printed) {line}")
    return "\n".join([block[1], f"$ accelsim {command[1]}", *new, ""])


def printed(command: str) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(shlex.split(command))
    assert not end.value.code, command
    return [line.rstrip() for line in out.getvalue().splitlines()]


def key(line: str) -> str:
    """The first word of a line that is no number."""
    words = (word for word in line.replace("\u2500", " - ").split() if not word[0].isdigit())
    return next(words, "")


@cache
def options_of(command: str) -> set[str]:
    """The options of a command, by its help."""
    assert command in HELP or command == "plot"
    return set(re.findall(r"--[a-z][a-z-]*", "\n".join(printed(f"{command} --help"))))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.full] if page.stem == "recipes" else [])
        for page in PAGES
    ],
)
def test_a_page_shows_what_is_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(page) == page.read_text()
    for picture in PICTURE.findall(page.read_text()):
        with Image.open(picture) as made, Image.open(NOTEBOOKS / picture) as stored:
            assert made.size == stored.size, picture


def test_the_readme_shows_commands_python_and_pictures():
    text = README.read_text()
    assert len([each for each in blocks(README, "console") if CONSOLE.fullmatch(each)]) > 5
    assert len(blocks(README, "python")) == 1
    assert len(PICTURE.findall(text)) == 6
    assert f"{load_spec(NOTEBOOKS / 'sweep.toml').points:,} points in points" in text
    assert f"one of {len(ax.networks.NAMES)} by name" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_options_that_a_page_names_exist(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    options = {option for span in spans for option in re.findall(r"--[a-z]\S*", span)}
    assert options <= {option for command in HELP for option in options_of(command)}
    for span in spans:
        if named := re.match(r"accelsim ((?:plot )?[a-z]+)(.*)", span):
            assert set(re.findall(r"--[a-z]\S*", named[2])) <= options_of(named[1]), span


def test_every_operator_and_every_attribute_of_it_is_shown():
    page = DOCS / "networks.md"
    (tour,) = ["".join(blocks(page, "toml")[1:])]
    assert set(re.findall(r'^op = "(\w+)"', tour, re.MULTILINE)) == set(OPERATORS)
    known = {key for name in OPERATORS for key in defaults(find_operator(name))}
    unsaid = {key for key in known if not re.search(rf"`{key}`|^{key} = ", page.read_text(), re.M)}
    assert not unsaid


def test_every_key_of_hardware_files_is_shown():
    shown = "".join(blocks(DOCS / "hardware.md", "toml"))
    text = (DOCS / "hardware.md").read_text()
    for table, keys in TABLES.items():
        assert f"[{table}]" in text
        where = shown.partition(f"[{table}]")[2].partition("\n[")[0]
        assert [key for key in keys if f"\n{key} = " not in where and f"`{key}`" not in text] == []


def test_every_number_of_a_result_is_explained():
    result = ax.simulate("mobilenet_v1", "mobile").to_dict()
    text = (DOCS / "numbers.md").read_text()
    keys = {*result, *result["layers"][0]} - {"layers"}
    assert not [key for key in keys if f"`{key}`" not in text]


if __name__ == "__main__":
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            page.write_text(follow(page))
            for picture in PICTURE.findall(page.read_text()):
                shutil.copy(picture, NOTEBOOKS)
