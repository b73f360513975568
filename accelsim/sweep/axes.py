"""Axes of the grid of a sweep, and the columns that they decide.

Axes stand in order, and the last one runs fastest. Those in front decide cycles: the workload, the
ways of working that are allowed, the operands, and then the sizes of every engine. Those behind
them decide only time: buffers, the width of the memory port and the clock.
"""

from typing import NamedTuple

from accelsim.hardware import ENGINES as ALL_ENGINES
from accelsim.hardware import TABLES, Sizes, dimensions, is_third_party

Value = str | int | float | bool

WORKLOAD = ("network", "variant", "input", "batch")
OPERANDS = TABLES["operands"]
BUFFERS = ("activation_kib", "weight_kib")

# The smallest of our own engines: one that runs every layer, and those that may stand beside it.
ENGINES: tuple[Sizes, ...] = tuple(each for each in ALL_ENGINES if not is_third_party(each))
MAIN, *OTHERS = ENGINES

# Columns of the parameters of an engine begin with its name, except for these.
SHORT = {MAIN.name: TABLES[MAIN.name], "depthwise": ("lanes", "pixels")}


class Axis(NamedTuple):
    """One axis of the grid.

    keys : the columns that it decides, for instance rows and columns in a list of sizes.
    values : of every step, one value per key.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[Value | None, ...], ...]


def column(engine: str, parameter: str) -> str:
    """The column of a parameter of an engine."""
    return parameter if parameter in SHORT.get(engine, ()) else f"{engine}_{parameter}"


def columns(engine: str) -> dict[str, str]:
    """The column of every parameter of an engine."""
    return {parameter: column(engine, parameter) for parameter in TABLES[engine]}


def presence(engine: Sizes) -> str:
    """The parameter that is 0 where a design does without an engine."""
    return dimensions(engine)[0]


# Columns that an axis may decide, in the order of a sweep's columns.
PARAMETERS = (
    *(*WORKLOAD, "dataflow", "depthwise_on", *OPERANDS),
    *(name for engine in ENGINES for name in columns(engine.name).values()),
    *(*BUFFERS, "memory_width_bytes", "clock_mhz"),
)
