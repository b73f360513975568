"""Tables are printed as Rich prints them, and show text as it is."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from accelsim.cli import grid
from accelsim.report.table import Table, layers
from accelsim.simulation import simulate

LETTERS = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
PLAIN = st.text(LETTERS, max_size=6)
NAMES = st.text(LETTERS, min_size=1, max_size=6)
FORMULA = Table(["what"], [["out[k, oh] [bold]a[/x]"]], ["what"])


@st.composite
def tables(draw):
    columns = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    rows = st.lists(st.tuples(*[PLAIN] * len(columns)), max_size=3)
    return Table(columns, draw(rows), draw(st.sets(st.sampled_from(columns))), draw(rows))


def by_rich(table, width=200, **settings):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, **settings).print(grid.rich_table(table))
    return out.getvalue()


@given(tables())
def test_a_plain_table_is_what_rich_prints(table):
    assert grid.text(table) + "\n" == by_rich(table)


@given(tables())
def test_in_a_terminal_too(table):
    bold = by_rich(table, force_terminal=True, color_system="standard", no_color=False)
    assert grid.text(table, bold=True) + "\n" == bold


@pytest.mark.parametrize(
    ("table", "width"),
    [
        (FORMULA, 80),
        (FORMULA, 10),
        (Table(["what"], [["\u4e2d\u6587"], ["a"]], []), 80),
    ],
    ids=["plain", "narrow", "wide letters"],
)
@pytest.mark.parametrize("variable", [None, "FORCE_COLOR"])
def test_what_is_not_plain_is_printed_by_rich(table, width, variable, capsys, monkeypatch):
    if variable:
        monkeypatch.setenv(variable, "1")
    grid.write(table, width)
    shown = capsys.readouterr().out
    assert shown == by_rich(table, width, force_terminal=bool(variable))


def test_square_brackets_are_no_markup(capsys):
    """Formulas and names of layers hold them."""
    grid.write(FORMULA, 80)
    assert "out[k, oh] [bold]a[/x]" in capsys.readouterr().out


def test_letters_that_steer_a_terminal_are_question_marks(capsys):
    grid.write(Table(["a\nb"], [["\x1b[2J"]], ["a\nb"], [["\x07"]]), 80)
    assert capsys.readouterr().out == by_rich(Table(["a?b"], [["?[2J"]], ["a?b"], [["?"]]), 80)


@pytest.mark.parametrize("network", ["efficientnet_b0", "resnet50"])
@pytest.mark.parametrize("width", [80, 99, 120, 157, 160, 200])
def test_layers_fit_a_terminal_and_no_cell_is_cut(network, width, capsys):
    result = simulate(network, "mobile")
    grid.write(layers(result, width), width)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "\u2026" not in shown
    for column in ("cycles", "with memory", "bound by"):
        assert column in shown.splitlines()[0]
    for total in (result.total_cycles, result.total_memory_cycles):
        assert f"{total:,}" in shown.splitlines()[-1]
