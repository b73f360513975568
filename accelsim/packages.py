"""Packages with functions of the same names as their modules."""

import sys
from collections.abc import Collection
from types import ModuleType


def functions_win(package: str, names: Collection[str]) -> None:
    """No module of these names takes the place of an attribute of the package.

    Python sets every module that it has imported as an attribute of its package; the package has
    a __getattr__ that gives the functions instead.
    """

    class Package(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if name not in names or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Package
