"""Commands that are imported when they are asked for."""

import importlib
import inspect
from collections import UserDict
from collections.abc import Callable, Mapping
from typing import Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

TEXT = (str, str | None)
TEXTS = (list[str], list[str] | None)


class Commands(UserDict[str, Any]):
    """Commands by name; each is made from its place, MODULE.NAME in this package, when it is read.

    What is there may be a function, which becomes a command, or an app with commands of its own.
    """

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = super().__getitem__(name).partition(".")
        source = getattr(importlib.import_module(f"accelsim.cli.{module}"), attribute)
        return get_command(source) if isinstance(source, typer.Typer) else _command(name, source)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _spared(super().get_params(ctx), self.callback)


def group(places: Mapping[str, str]) -> type[TyperGroup]:
    """A class of groups, for the `cls` of an app, that has the commands of these places."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings | {"commands": Commands(places)})

        def get_params(self, ctx: Any) -> list[Any]:
            return _spared(super().get_params(ctx), self.callback)

    return Group


def _command(name: str, function: Callable[..., None]) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name, cls=_Command)(function)
    return get_command(app)


def _spared(parameters: list[Any], function: Callable[..., Any] | None) -> list[Any]:
    """The parameters of a function; what needs no conversion, text and defaults, has none.

    Newer versions of Typer convert with pydantic, and load it even to turn a string into a string,
    which takes as long as scheduling several networks.
    """
    annotations = inspect.get_annotations(inspect.unwrap(function)) if function else {}
    for parameter in parameters:
        if "process_value" not in vars(parameter):
            kind, *_ = get_args(annotations.get(parameter.name)) or (None,)
            _spare(parameter, text=kind in TEXT, texts=kind in TEXTS)
    return parameters


def _spare(parameter: Any, text: bool, texts: bool) -> None:
    """Let a value through as it is where `text`, its default or nothing is what it may be.

    texts : whether it is a list of texts; an empty one may be missing, and is left to Typer.
    """
    convert = parameter.process_value

    def process(context: Any, value: Any) -> Any:
        if value is None:
            ready = not parameter.required
        else:
            ready = text or value is parameter.default or (texts and len(value) > 0)
        if not ready:
            return convert(context, value)
        callback = parameter.callback
        value = list(value) if texts and value is not None else value
        return value if callback is None else callback(context, parameter, value)

    parameter.process_value = process
