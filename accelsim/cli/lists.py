"""What there is: networks, operators, hardware."""

from typing import Annotated

import typer

from accelsim.cli.common import show


def list_networks() -> None:
    """List the networks with their sizes."""
    from accelsim import networks
    from accelsim.report import table

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


def list_operators() -> None:
    """List the operators that a layer can be."""
    from accelsim.ops import MACROS, OPS
    from accelsim.report import table

    rows = [(op.name, (op.__doc__ or "").splitlines()[0]) for op in (*OPS, *MACROS)]
    columns = ("operator", "what it is")
    show(table.Table(columns, rows, words=columns))


def list_hardware(
    preset: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print only this preset.  [default: all]")
    ] = None,
) -> None:
    """Print the presets as hardware files."""
    from accelsim.hardware import PRESETS, find_preset, to_toml

    chosen = PRESETS if preset is None else (find_preset(preset),)
    print("\n".join(f"# {p.name}: {p.about}\n{to_toml(p.hardware)}" for p in chosen), end="")
