"""What the sizes of all engines have in common."""

from dataclasses import MISSING, fields
from typing import Protocol


class Sizes(Protocol):
    """Sizes and options of an engine: a frozen dataclass of this package, valid from birth."""

    @property
    def name(self) -> str:
        """Of the engine, in reports, files and JSON."""

    @property
    def runs_all(self) -> bool:
        """Whether it runs every layer that has a convolution, or only some kinds of them."""

    @property
    def multipliers(self) -> int:
        """How many the engine has."""

    @property
    def label(self) -> str:
        """The engine and its sizes in words."""


def dimensions(sizes: Sizes) -> tuple[str, ...]:
    """The parameters of an engine that have no default, such as rows and columns."""
    return tuple(
        each.name
        for each in fields(sizes)  # type: ignore[arg-type]
        if each.init and each.default is MISSING and each.default_factory is MISSING
    )
