"""Tables show text as it is."""

from rich.console import Console

from accelsim.report.table import table


def test_square_brackets_are_no_markup():
    """Formulas and names of layers hold them."""
    console = Console(width=80)
    with console.capture() as shown:
        console.print(table(["what"], [["out[k, oh] [bold]a[/x]"]], ["what"]))
    assert "out[k, oh] [bold]a[/x]" in shown.get()
