"""Engines: what executes passes. One folder each, listed here; the contract is in base."""

from typing import Any

from accelsim.engines import depthwise, systolic_array, third_party
from accelsim.engines.base import Engine
from accelsim.errors import UnsupportedError

ENGINES: tuple[Engine, ...] = (
    systolic_array.ENGINE,
    depthwise.ENGINE,
    *third_party.ENGINES,
)


def engine_of(sizes: Any) -> Engine:
    """The engine that has such sizes."""
    for engine in ENGINES:
        if isinstance(sizes, engine.sizes):
            return engine
    names = ", ".join(engine.name for engine in ENGINES)
    raise UnsupportedError(f"there is no engine {sizes.name!r}; there are {names}")
