"""Planted errors: one line of a module's source replaced.

The text must occur exactly once, so that no mutant vanishes when the source changes.
"""

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest


class Mutant(NamedTuple):
    """A change that must not go unnoticed."""

    about: str
    old: str
    new: str


def load(
    module: ModuleType, mutant: Mutant | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The module from its source, changed; it takes the place of the real one meanwhile."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    if mutant is not None:
        assert source.count(mutant.old) == 1, f"{mutant.old!r} must be found once in the source"
        source = source.replace(mutant.old, mutant.new)
    file = path / f"{module.__name__}.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(module.__name__, file)
    assert spec is not None
    assert spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, twin)
    spec.loader.exec_module(twin)
    return twin


def load_last(
    parts: Iterable[ModuleType],
    part: ModuleType | None,
    mutant: Mutant | None,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ModuleType:
    """The last of the modules, which imports the others: copies all, and `part` is changed."""
    for module in parts:
        twin = load(module, mutant if module is part else None, path, monkeypatch)
    return twin


def planted(parts: Mapping[ModuleType, tuple[Mutant, ...]]) -> pytest.MarkDecorator:
    """A test for each mutant, with the module that it changes."""
    cases = [
        (f"{part.__name__.rpartition('.')[2]}: {mutant.about}", (part, mutant))
        for part, mutants in parts.items()
        for mutant in mutants
    ]
    return pytest.mark.parametrize(("part", "mutant"), _some(cases))


def named(mutants: tuple[Mutant, ...]) -> pytest.MarkDecorator:
    """A test for each mutant."""
    return pytest.mark.parametrize(
        "mutant", _some([(mutant.about, (mutant,)) for mutant in mutants])
    )


def _some(cases: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    """Names and values as cases; fifteen of sixteen belong to the whole range."""
    return [
        pytest.param(*values, id=name, marks=[pytest.mark.full] if place % 16 else [])
        for place, (name, values) in enumerate(cases)
    ]
