"""Completion of words in a shell, which costs nothing where none is asked for.

What completes a word is called with what is there of it. A file that cannot be read completes
nothing: a shell is no place for a sentence.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import typer

from accelsim.errors import AccelsimError, AccelsimWarning

ASKED = "_ACCELSIM_COMPLETE"  # what a shell sets where it asks for words


def prepare() -> None:
    """Let Typer answer a shell that asks."""
    if ASKED in os.environ:
        import_module("typer.completion").completion_init()


def lazily(callback: str) -> Callable[[typer.Context, typer.CallbackParam, Any], Any]:
    """A callback of typer.completion, whose modules are loaded when the option is given."""

    def call(context: typer.Context, option: typer.CallbackParam, value: Any) -> Any:
        if value:
            getattr(import_module("typer.completion"), callback)(context, option, value)
        return value

    return call


def networks(incomplete: str) -> list[str]:
    """Networks by name, and files of networks."""
    from accelsim.importers import ENDINGS
    from accelsim.networks import NAMES

    folder, _ = os.path.split(incomplete)
    files = [path for path in Path(folder).glob("*") if path.suffix.lower() in ENDINGS]
    there = sorted(os.path.join(folder, path.name) for path in files)  # noqa: PTH118  as typed
    return _beginning(incomplete, [*NAMES, *there])


def variants(incomplete: str) -> list[str]:
    """Variants of networks."""
    from accelsim.networks import VARIANTS

    return _beginning(incomplete, VARIANTS)


def presets(incomplete: str) -> list[str]:
    """Designs by name."""
    from accelsim.hardware import PRESETS

    return _beginning(incomplete, [preset.name for preset in PRESETS])


def energies(incomplete: str) -> list[str]:
    """Tables of energies by name."""
    from accelsim.energy import PRESETS

    return _beginning(incomplete, PRESETS)


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """The layers of the network that the command line names before."""
    from accelsim.find import find_network

    given = context.params
    options = given.get("variant") or "baseline", given.get("input_size"), given.get("csv_form")
    form = given.get("form") or "inference"
    # What stands before an option without its value is not taken for the argument that it is.
    named = given.get("network") or next(iter(context.args), "")
    with suppress(AccelsimError), catch_warnings():
        simplefilter("ignore", AccelsimWarning)
        network = find_network(named, *options, form)
        return _beginning(incomplete, [layer.name for layer in network.layers])
    return []


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    """The words that begin so."""
    return [word for word in words if word.startswith(incomplete)]
