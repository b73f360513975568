"""Bars: what a user in a terminal is told while waiting, and that nobody else is."""

import io
import runpy
import sys

import pytest

from accelsim.cli.common import counter, progress_bar
from accelsim.kernels import kernel


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch) -> Terminal:
    """What a terminal is sent on standard error, from now on."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return made


@pytest.fixture
def halve(tmp_path):
    """A kernel that is not compiled yet, of a file without kept ones."""
    path = tmp_path / "halving.py"
    path.write_text("def halve(x):\n    return x // 2\n")
    return kernel(runpy.run_path(str(path), run_name="halving")["halve"])


@pytest.mark.parametrize("bar", [progress_bar, counter])
def test_a_terminal_says_what_is_compiled(bar, halve, monkeypatch):
    sent = terminal(monkeypatch)
    with bar():
        assert halve(8) == 4
    assert "compiling halving, once" in sent.getvalue()


def test_a_terminal_hears_from_the_first_report_on(monkeypatch):
    sent = terminal(monkeypatch)
    with progress_bar() as report:
        assert not sent.getvalue()
        report("stem", 0.5)
    assert "stem" in sent.getvalue()
    assert "compiling" not in sent.getvalue()


def test_nothing_is_loaded_for_a_bar_without_reports(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    sent = terminal(monkeypatch)
    with progress_bar():
        assert not sent.getvalue()
    assert not sent.getvalue()


@pytest.mark.parametrize(("bar", "done"), [(progress_bar, [0.5]), (counter, [1, 2])])
def test_a_file_is_told_nothing(bar, done, halve, capsys):
    with bar() as report:
        report("stem", *done)
        assert halve(8) == 4
    assert capsys.readouterr() == ("", "")
