"""What there is: networks, operators, hardware."""

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.checks import check, one_of
from accelsim.cli.common import load_network, say, show
from accelsim.cli.options import CsvFormOption, FormOption, InputOption, VariantOption
from accelsim.errors import UnsupportedError

if TYPE_CHECKING:
    from accelsim.ir import BaseNetwork


def list_networks(
    shown: Annotated[
        str | None,
        typer.Option(
            "--show", metavar="NETWORK", help="Show the layers of this network, by name or file."
        ),
    ] = None,
    variant: VariantOption = "baseline",
    form: FormOption = "inference",
    input_size: InputOption = None,
    csv_form: CsvFormOption = None,
) -> None:
    """List the networks with their sizes, or show the layers of one."""
    from accelsim import networks
    from accelsim.report import table

    if shown is not None:
        _show_layers(load_network(shown, variant, input_size, csv_form, form))
        return
    rows = []
    for definition in networks.NETWORKS:
        network = definition()
        rows.append(
            (
                network.name,
                table.show(network.input),
                f"{len(network.layers):,}",
                f"{network.total_macs:,}",
                f"{network.total_params:,}",
            )
        )
    columns = ("network", "input", "layers", "MACs", "params")
    show(table.Table(columns, rows, words=("network", "input")))
    print(f"\nvariants: {', '.join(networks.VARIANTS)}")


def _show_layers(network: "BaseNetwork") -> None:
    """Print what a network consists of, and what goes in and comes out."""
    from accelsim.report import layers

    say(layers.title(network), "")
    show(layers.table(network))
    say("", *layers.notes(network))


def list_operators(
    operator: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Describe only this operator.  [default: list all]"),
    ] = None,
) -> None:
    """List the operators that a layer can be, and variants.

    Or describe one, with its attributes, and of a paper's its costs and keys.
    """
    from accelsim.importers.toml import OPERATORS, find_operator
    from accelsim.ops import papers
    from accelsim.report import operators, table

    if operator is not None:
        check("operator", operator, one_of((*OPERATORS, *papers.VARIANTS)), UnsupportedError)
        _describe(operator)
        return
    rows = [(name, (find_operator(name).__doc__ or "").splitlines()[0]) for name in OPERATORS]
    columns = ("operator", "what it is")
    show(table.Table(columns, rows, words=columns))
    of_papers = operators.named()
    say(
        "",
        "Variants that replace layers by operators of papers, `--variant NAME:key=value,...`:",
        "",
    )
    for each in operators.tables(of_papers):
        show(each)
        say("")
    say(operators.WORDS_OF_COSTS)
    print("`accelsim ops NAME` describes one, with its attributes and their defaults.")


def _describe(name: str) -> None:
    """Print what an operator is, and what a layer of a TOML file may say of it."""
    import inspect
    from dataclasses import MISSING

    from accelsim.importers.toml import OPERATORS, defaults, find_operator
    from accelsim.ops import papers
    from accelsim.ops.papers.base import PaperOperator
    from accelsim.report import operators, table

    operator = find_operator(name) if name in OPERATORS else papers.find(name)
    print(f"{inspect.getdoc(operator)}\n")
    rows = [
        (key, "required" if value is MISSING else _toml(value))
        for key, value in defaults(operator).items()
    ]
    columns = ("attribute", "default")
    show(table.Table(columns, rows, words=columns))
    if issubclass(operator, PaperOperator):
        variants = [each for each in papers.VARIANTS if papers.find(each) is operator]
        of_paper = operators.named([name] if name in variants else variants)
        say("", operators.source(operator), "")
        for each in operators.tables(of_paper):
            show(each)
            say("")
        say(operators.WORDS_OF_COSTS)


def _toml(value: object) -> str:
    """A default as a TOML file says it; what has no value there is left out."""
    import json

    return "left out" if value is None else json.dumps(value)


def list_hardware(
    preset: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print only this preset.  [default: all]")
    ] = None,
) -> None:
    """Print the presets as hardware files."""
    from accelsim.hardware import PRESETS, find_preset, to_toml

    chosen = PRESETS if preset is None else (find_preset(preset),)
    print("\n".join(f"# {p.name}: {p.about}\n{to_toml(p.hardware)}" for p in chosen), end="")


def list_energy(
    preset: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print only this table.  [default: all]")
    ] = None,
) -> None:
    """Print the tables of energies per access as files."""
    from accelsim.energy import PRESETS, preset_text

    chosen = PRESETS if preset is None else (preset,)
    print("\n".join(f"# {name}\n{preset_text(name)}" for name in chosen), end="")
