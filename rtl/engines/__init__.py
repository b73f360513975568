"""The hardware of the engines: one folder each, of the same name as in accelsim, listed here."""

from typing import Any

from accelsim.errors import UnsupportedError
from rtl.engines import depthwise, systolic_array
from rtl.engines.base import CoreOf

ENGINES: tuple[CoreOf, ...] = (systolic_array.CORE, depthwise.CORE)


def core_of(sizes: Any) -> CoreOf:
    """The hardware of the engine that has such sizes."""
    for each in ENGINES:
        if each.name == sizes.name:
            return each
    names = ", ".join(each.name for each in ENGINES)
    raise UnsupportedError(f"there is no RTL of engine {sizes.name!r}; there is that of {names}")
