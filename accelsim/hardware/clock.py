"""Clocks of designs: measured by place and route, estimated from those that were, or assumed.

clock.json holds designs that were placed and routed on one device, with their Fmax; rtl.flow.pnr
makes it. A design of that table has that clock. There is an estimate for other designs that are
made of engines like those of the table: the period of an engine is linear in the logarithm of its
multipliers, as far as control and operands have to reach, and a design is as slow as the slowest
of its engines. leave_one_out_error() says how good it is.

An engine is like some of the table if it has their parameters but for its size, no longer side than
they, and as many multipliers as one of them, or a number between; a design has no more multipliers
than one of the table. Elsewhere there is no estimate: larger designs do not fit the device, and
deeper memories or wider operands were not measured.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.operands import Operands
from accelsim.hardware.sizes import Sizes, dimensions
from accelsim.hardware.systolic_array import SystolicArray

MEASURED, ESTIMATED, ASSUMED, USER = SOURCES = ("measured", "estimated", "assumed", "user")
FILE = Path(__file__).with_name("clock.json")
ENGINES: dict[str, Any] = {each.name: each for each in (SystolicArray, DepthwiseEngine)}
GIVEN = "The clock is as given."
FEWEST = 3  # points of an engine for an estimate: one can be left out


class Clock(NamedTuple):
    """A clock, and where it is from: one of SOURCES."""

    mhz: float
    source: str


class Point(NamedTuple):
    """A design that was placed and routed."""

    engines: tuple[Sizes, ...]
    fmax_mhz: float

    @property
    def multipliers(self) -> int:
        """Of all engines."""
        return sum(sizes.multipliers for sizes in self.engines)


class Table(NamedTuple):
    """Designs on one device, of a speed grade."""

    device: str
    speed: int
    points: tuple[Point, ...]


def clock_of(engines: Sequence[Sizes]) -> Clock | None:
    """The clock of a design, measured or estimated; None where nothing is known of one like it."""
    points = table().points
    asked = {sizes.name: plain(sizes) for sizes in engines}
    for point in points:
        if asked == {sizes.name: sizes for sizes in point.engines}:
            return Clock(point.fmax_mhz, MEASURED)
    if sum(sizes.multipliers for sizes in engines) > most_multipliers():
        return None
    estimates = [estimated_mhz(sizes) for sizes in engines]
    known = [mhz for mhz in estimates if mhz is not None]
    return Clock(min(known), ESTIMATED) if len(known) == len(engines) else None


def most_multipliers() -> int:
    """Of a design that has an estimate."""
    return max((point.multipliers for point in table().points), default=0)


def estimated_mhz(sizes: Sizes) -> float | None:
    """The estimated clock of an engine, to 0.1 MHz; None where the table has none like it."""
    sizes = plain(sizes)
    alike = _alike(sizes, table().points)
    if len(alike) < FEWEST:
        return None
    counts = [each.multipliers for each, _ in alike]
    longest = max(max(_sides(each)) for each, _ in alike)
    if not min(counts) <= sizes.multipliers <= max(counts) or max(_sides(sizes)) > longest:
        return None
    return round(1e3 / _fitted(sizes, alike), 1)


def leave_one_out_error() -> float:
    """The largest relative error of Fmax, each design estimated from all others of the table."""
    points = table().points
    errors = [0.0]
    for place, point in enumerate(points):
        others = points[:place] + points[place + 1 :]
        alike = [(sizes, _alike(sizes, others)) for sizes in point.engines]
        if all(len(each) >= FEWEST - 1 for _, each in alike):
            estimate = 1e3 / max(_fitted(*each) for each in alike)
            errors.append(abs(estimate / point.fmax_mhz - 1))
    return max(errors)


def sentence(clock: Clock) -> str:
    """Where a clock is from."""
    made = table()
    place = f"{made.device}, speed grade {made.speed}"
    if clock.source == MEASURED:
        return f"The clock is measured: Fmax of the design on {place}, as accelsim pnr reports it."
    if clock.source == ESTIMATED:
        return (
            f"The clock is estimated from {len(made.points)} designs on {place}; the largest "
            f"leave-one-out error is {100 * leave_one_out_error():.0f} %."
        )
    if clock.source == ASSUMED:
        return "The clock is assumed: no design like this one was placed and routed."
    return GIVEN


def sentence_of_many() -> str:
    """Where clocks are from, if each design has its own."""
    made = table()
    return (
        f"Clocks are measured or estimated, from {len(made.points)} designs on {made.device}, "
        f"speed grade {made.speed}, with a leave-one-out error of at most "
        f"{100 * leave_one_out_error():.0f} %; those of designs unlike these are assumed. The "
        "column clock_source says which."
    )


@cache
def table() -> Table:
    """What clock.json holds."""
    data = json.loads(FILE.read_text())
    points = (
        Point(tuple(_engines(point["engines"])), point["fmax_mhz"]) for point in data["points"]
    )
    return Table(data["device"], data["speed"], tuple(points))


def _engines(described: dict[str, dict[str, Any]]) -> Iterator[Sizes]:
    for name, parameters in described.items():
        operands = Operands(**parameters["operands"])
        yield ENGINES[name](**parameters | {"operands": operands})


def plain(sizes: Any) -> Any:
    """An engine without parameters that only repeat what they follow."""
    back = {
        parameter: None
        for parameter, leader in getattr(sizes, "follows", {}).items()
        if getattr(sizes, parameter) == getattr(sizes, leader)
    }
    return replace(sizes, **back) if back else sizes


def _alike(sizes: Sizes, points: Sequence[Point]) -> list[tuple[Sizes, float]]:
    """Engines that were measured alone and are this one in another size, and their periods."""
    rest = _rest(sizes)
    return [
        (point.engines[0], 1e3 / point.fmax_mhz)
        for point in points
        if len(point.engines) == 1 and _rest_of_point(point) == rest
    ]


@cache
def _rest_of_point(point: Point) -> dict[str, Any]:
    return _rest(point.engines[0])


def _rest(sizes: Any) -> dict[str, Any]:
    """What an engine is but for its size."""
    sides = dimensions(sizes)
    rest = {name: value for name, value in asdict(sizes).items() if name not in sides}
    return rest | {"name": sizes.name}


def _sides(sizes: Sizes) -> tuple[int, ...]:
    return tuple(getattr(sizes, name) for name in dimensions(sizes))


def _fitted(sizes: Sizes, alike: Sequence[tuple[Sizes, float]]) -> float:
    """The period of an engine on the line of least squares through those of others."""
    logs = [math.log2(each.multipliers) for each, _ in alike]
    periods = [period for _, period in alike]
    log, period = (sum(numbers) / len(alike) for numbers in (logs, periods))
    spread = sum((each - log) ** 2 for each in logs)
    together = sum((x - log) * (y - period) for x, y in zip(logs, periods, strict=True))
    slope = together / spread if spread else 0.0
    return period + slope * (math.log2(sizes.multipliers) - log)


def record(engines: Sequence[Sizes], fmax_mhz: float) -> dict[str, Any]:
    """A design as the table holds it."""
    return {
        "engines": {sizes.name: asdict(plain(sizes)) for sizes in engines},
        "fmax_mhz": fmax_mhz,
    }
