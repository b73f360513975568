"""What the value of a field must be, and the one sentence that refuses any other.

    check("array.rows", rows, whole(1, 1024), HardwareError)

The caller chooses the exception, because only the caller knows whether a value came from Python,
from the command line, or from a line of a file.
"""

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple


class Requirement(NamedTuple):
    """What a value must be.

    phrase : completes the sentence "NAME must be ...".
    allows : allows(value), whether it is that.
    words : all that it may be, where these are words.
    """

    phrase: str
    allows: Callable[[Any], bool]
    words: tuple[str, ...] = ()


def check(
    name: str, value: Any, requirement: Requirement, refuse: Callable[[str], Exception]
) -> None:
    """Raise refuse(message) where a field of that name must not have the value."""
    if not requirement.allows(value):
        close = suggestion(requirement.words, value)
        raise refuse(f"{name} must be {requirement.phrase}, not {show(value)}{close}")


def suggestion(known: Iterable[str], *words: Any) -> str:
    """What a sentence about unknown words ends with: the closest known ones, or nothing."""
    from difflib import get_close_matches  # of use only where something is wrong

    names = {name.lower(): name for name in known}
    close = [
        names[match]
        for word in words
        if isinstance(word, str)
        for match in get_close_matches(word.lower(), names, n=1)
    ]
    return f"; did you mean {', '.join(dict.fromkeys(close))}?" if close else ""


def show(value: Any) -> str:
    """Tuples as users write them in files, everything else as Python does."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(show, value))}]"
    return repr(value)


@cache
def whole(least: int, most: int | None = None) -> Requirement:
    """A whole number, which True and False are not."""

    def allows(value: Any) -> bool:
        number = isinstance(value, int) and not isinstance(value, bool)
        return number and least <= value and (most is None or value <= most)

    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Requirement(f"a whole number {bounds}", allows)


def is_tuple(value: Any, each: Requirement, count: int | None = None) -> bool:
    """Whether the value is a tuple of so many values, or of any number, all as `each` says."""
    right = isinstance(value, tuple) and count in (None, len(value))
    return right and all(map(each.allows, value))


def one_of(allowed: tuple[str, ...]) -> Requirement:
    """One of some words."""
    return Requirement(f"one of {', '.join(allowed)}", lambda value: value in allowed, allowed)


def of_type(*types: type) -> Requirement:
    """Of exactly one of these types, an int also where a float may stand."""
    names = ("null" if each is type(None) else each.__name__ for each in types)
    return Requirement(
        f"of type {' or '.join(names)}",
        lambda value: type(value) in types or (float in types and type(value) is int),
    )


FLAG = Requirement("true or false", lambda value: isinstance(value, bool))
ABOVE_0 = Requirement(
    "a finite number above 0",
    lambda value: type(value) in (int, float) and 0 < value < math.inf,
)
