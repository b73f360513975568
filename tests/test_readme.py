"""The README shows what the commands print; `python -m tests.test_readme` brings it up to date."""

import contextlib
import io
import re
from pathlib import Path

import matplotlib as mpl
import pytest

import accelsim as ax
from accelsim.cli import main

TOP = Path(__file__).parents[1]
README = TOP / "README.md"
PICTURE = TOP / "notebooks" / "speedup.png"
CHANGE = TOP / "notebooks" / "change.png"  # `accelsim study` as in the README, with --plot
BLOCK = re.compile(r"(?<=^```console\n)\$ accelsim (.*)\n((?:.*\n)*?)(?=```$)", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed(command: str) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(command.split())
    assert not end.value.code
    return [line.rstrip() for line in out.getvalue().splitlines()]


def key(line: str) -> str:
    """The first word of a line that is no number."""
    words = (word for word in line.replace("\u2500", " - ").split() if not word[0].isdigit())
    return next(words, "")


def refresh(block: re.Match[str]) -> str:
    """The block with the lines that its command prints now; `...` stands for lines left out."""
    command, shown = block[1], block[2].splitlines()
    lines = iter(printed(command))
    new = [
        line if line == "..." else next(found for found in lines if key(found) == key(line))
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
    assert len(BLOCK.findall(text)) == 3
    assert len(PYTHON.findall(text)) == 1


def test_the_python_of_the_readme_runs(capsys):
    (code,) = PYTHON.findall(README.read_text())
    exec(code, {})
    cycles, utilization = capsys.readouterr().out.split()
    assert int(cycles) > 0
    assert 0 < float(utilization) <= 1
    mpl.pyplot.close("all")


if __name__ == "__main__":
    README.write_text(BLOCK.sub(refresh, README.read_text()))
    PICTURE.parent.mkdir(exist_ok=True)
    (study,) = (block for block in BLOCK.finditer(README.read_text()) if "study" in block[1])
    printed(f"{study[1]} --plot {CHANGE}")
    ax.plot.speedup().savefig(PICTURE, dpi=110)
