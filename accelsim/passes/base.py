"""What the commands of all engines share: widths, addresses, waits, and repetition.

A record is a NamedTuple whose fields are Annotated, with `Bits` or `Address`, an enumeration where
its values have names, and then, in words, what the field means. Everything else about a field
follows from that: its column in a table of commands, its largest value, its line in the generated
manual.
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError

LATEST = 1 << 60  # earliest start; the clocks of what follows it are int64 as well


class Bits(int):
    """Width in bits of an unsigned field."""


class Signed(Bits):
    """Width in bits of a field in two's complement."""


class Address(Bits):
    """Width of a field that says where the words of a pass begin in a memory of its engine."""


class Wait(NamedTuple):
    """What must have happened before a pass starts: a unit has retired so many passes.

    Counts go on modulo 2**16, and a count of 0 waits for nothing.
    """

    unit: Annotated[int, Bits(4), "unit whose progress is waited for"]
    retired: Annotated[int, Bits(16), "passes that it must have retired; 0 waits for nothing"]


class Repeat(NamedTuple):
    """`trips` times the passes of `body`, in order; `name` is for reports."""

    trips: int
    body: "Body"
    name: str = "tiles"


Body = tuple[Any, ...]  # passes, and Repeats of passes, in order


@cache
def widths(record: type) -> dict[str, int | dict[str, int]]:
    """Width of every field of a pass record, nested records as nested dicts."""
    sizes: dict[str, int | dict[str, int]] = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        bits = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Bits)]
        sizes[name] = int(bits[0]) if bits else widths(hint)  # type: ignore[assignment]
    return sizes


@cache
def enumerations(record: type) -> dict[str, type[IntEnum]]:
    """The enumeration whose values a field holds, by the name of the field, where it has one."""
    return {
        name: extra
        for name, hint in get_type_hints(record, include_extras=True).items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, type) and issubclass(extra, IntEnum)
    }


@cache
def signed_fields(record: type) -> frozenset[str]:
    """The fields that are in two's complement."""
    return frozenset(
        name
        for name, hint in get_type_hints(record, include_extras=True).items()
        if any(isinstance(extra, Signed) for extra in getattr(hint, "__metadata__", ()))
    )


@cache
def columns(record: type) -> dict[str, int]:
    """The column of every field in a table of such records; nested records are laid out flat."""
    names: list[str] = []
    for name, width in widths(record).items():
        names += width if isinstance(width, dict) else [name]
    return {name: place for place, name in enumerate(names)}


@cache
def addresses(record: type) -> tuple[int, ...]:
    """The columns that hold addresses, in the order of the memories of the engine."""
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        columns(record)[name]
        for name, hint in hints.items()
        if any(isinstance(extra, Address) for extra in getattr(hint, "__metadata__", ()))
    )


@cache
def meanings(record: type) -> dict[str, str]:
    """What every field means, in words, by its name in the layout of the record."""
    texts: dict[str, str] = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        extras = getattr(hint, "__metadata__", ())
        if not extras:
            texts |= {f"{name}.{inner}": words for inner, words in meanings(hint).items()}
            continue
        texts[name] = next(extra for extra in extras if isinstance(extra, str))
    return texts


@cache
def largest(record: type, field: str) -> int:
    """The largest value of a field."""
    width = widths(record)[field]
    assert isinstance(width, int)
    return (1 << width) - 1


def outside(record: Any, from_zero: tuple[str, ...]) -> str | None:
    """The first field that its width cannot hold, in one sentence; None where all fit.

    from_zero : fields that may be 0; all others are at least 1.
    """
    kind: type = type(record)
    for value, (name, least, most) in zip(record, _ranges(kind, from_zero), strict=True):
        if not least <= value <= most:
            return f"{name} of a pass is from {least} to {most}, not {value}"
    return None


@cache
def _ranges(record: type, from_zero: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    """Every field with its smallest and its largest value."""
    return tuple(
        (name, 0 if name in from_zero else 1, largest(record, name)) for name in widths(record)
    )


def earliest_starts(
    waits: Sequence[Wait], reached: Sequence[Sequence[int]]
) -> npt.NDArray[np.int64]:
    """int64[passes], the earliest start of every pass by what it waits for.

    Parameters
    ----------
    reached : of every unit, the clocks at which it has retired 1, 2, ... passes, in order.

    UnsupportedError where a pass waits for what is never reached.
    """
    for unit, clocks in enumerate(reached):
        if list(clocks) != sorted(check_earliest(clocks, len(clocks)).tolist()):
            raise UnsupportedError(f"unit {unit} retires passes in order, not at clocks {clocks}")
    starts = np.zeros(len(waits), np.int64)
    for place, (unit, count) in enumerate(waits):
        if count == 0:
            continue
        if not 0 <= unit < len(reached):
            raise UnsupportedError(
                f"pass {place} waits for unit {unit}, and the units are 0 to {len(reached) - 1}"
            )
        if not 0 <= count <= len(reached[unit]):
            raise UnsupportedError(
                f"pass {place} waits until unit {unit} has retired {count} passes, and it retires "
                f"{len(reached[unit])}"
            )
        starts[place] = reached[unit][count - 1]
    return check_earliest(starts, len(waits))


def check_earliest(
    earliest: Sequence[int] | npt.NDArray[np.int64] | None, passes: int
) -> npt.NDArray[np.int64]:
    """int64[passes], the earliest starts; all 0 for None. UnsupportedError where they cannot be."""
    if earliest is None:
        return np.zeros(passes, np.int64)
    starts = np.asarray(earliest, object)
    if starts.shape != (passes,):
        raise UnsupportedError(
            f"every one of {passes} passes has an earliest start, not {starts.size} of them"
        )
    for place, clock in enumerate(starts):
        if not isinstance(clock, int | np.integer) or not 0 <= clock <= LATEST:
            raise UnsupportedError(
                f"the earliest start of pass {place} is a clock from 0 to 2**60, not {clock!r}"
            )
    return starts.astype(np.int64)
