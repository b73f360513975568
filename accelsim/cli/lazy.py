"""Commands that are imported when they are asked for."""

import importlib
from collections import UserDict
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


class Commands(UserDict[str, Any]):
    """Commands by name; each is made from its place, MODULE.NAME in this package, when it is read.

    What is there may be a function, which becomes a command, or an app with commands of its own.
    """

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = super().__getitem__(name).partition(".")
        source = getattr(importlib.import_module(f"accelsim.cli.{module}"), attribute)
        if isinstance(source, typer.Typer):
            return get_command(source)
        alone = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        alone.command(name)(source)
        return get_command(alone)


def group(places: Mapping[str, str]) -> type[TyperGroup]:
    """A class of groups, for the `cls` of an app, that has the commands of these places."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings | {"commands": Commands(places)})

    return Group
