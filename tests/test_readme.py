"""The README shows what the commands print; `python -m tests.test_readme` brings it up to date."""

import contextlib
import io
import re
import shlex
import tempfile
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

import accelsim as ax
from accelsim.cli import main
from accelsim.sweep import load_spec

TOP = Path(__file__).parents[1]
README = TOP / "README.md"
PICTURE = TOP / "notebooks" / "speedup.png"
CHANGE = TOP / "notebooks" / "change.png"  # `accelsim study` as in the README, with --plot
FILM = TOP / "notebooks" / "film.png"
FRONT = TOP / "notebooks" / "front.png"  # as `accelsim pareto` of the README draws it
SWEEP = TOP / "notebooks" / "sweep.toml"
FILMING = re.compile(r"^`accelsim (film [^`]*)`", re.MULTILINE)
BLOCK = re.compile(r"(?<=^```console\n)\$ accelsim (.*)\n((?:.*\n)*?)(?=```$)", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed(command: str) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(shlex.split(command))
    assert not end.value.code
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """A folder with the points of the sweep."""
    with contextlib.chdir(tmp_path_factory.mktemp("readme")):
        printed(f"sweep {SWEEP} -o points")
        yield


def key(line: str) -> str:
    """The first word of a line that is no number."""
    words = (word for word in line.replace("\u2500", " - ").split() if not word[0].isdigit())
    return next(words, "")


def refresh(block: re.Match[str]) -> str:
    """The block with the lines that its command prints now; `...` stands for lines left out."""
    command, shown = block[1], block[2].splitlines()
    lines = iter(printed(command))
    new = [
        line if line == "..." else next(each for each in lines if key(each) == key(line))
        for line in shown
    ]
    return "\n".join([f"$ accelsim {command}", *new, ""])


@pytest.mark.parametrize(
    "block", list(BLOCK.finditer(README.read_text())), ids=lambda block: block[1]
)
def test_the_readme_shows_what_is_printed(block):
    assert len(block[2].splitlines()) > 5
    assert refresh(block) == block[0]


def test_the_readme_shows_commands_and_python():
    text = README.read_text()
    assert len(BLOCK.findall(text)) == 4
    assert len(PYTHON.findall(text)) == 1


def test_the_readme_shows_the_sweep():
    text = README.read_text()
    assert f"```toml\n{SWEEP.read_text()}```" in text
    assert f"all {load_spec(SWEEP).points:,} in" in text


def test_the_film_of_the_readme_can_be_made():
    (film,) = FILMING.findall(README.read_text())
    assert printed(film) == ["film.png"]
    with Image.open("film.png") as made, Image.open(FILM) as stored:
        assert made.size == stored.size


def test_the_python_of_the_readme_runs(capsys):
    (code,) = PYTHON.findall(README.read_text())
    exec(code, {})
    cycles, time, utilization = capsys.readouterr().out.split()
    assert int(cycles) > 0
    assert float(time) == int(cycles) / 500e3
    assert 0 < float(utilization) <= 1
    mpl.pyplot.close("all")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        printed(f"sweep {SWEEP} -o points")
        README.write_text(BLOCK.sub(refresh, README.read_text()))
        Path("front.png").replace(FRONT)
    (study,) = (block for block in BLOCK.finditer(README.read_text()) if "study" in block[1])
    printed(f"{study[1]} --plot {CHANGE}")
    (film,) = FILMING.findall(README.read_text())
    printed(film.replace("film.png", str(FILM)))
    ax.plot.speedup().savefig(PICTURE, dpi=110)
