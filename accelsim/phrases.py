"""Numbers with their nouns, as sentences say them."""

import math


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number and its noun: 1 point, 2 points; the plural is given where it is no noun and s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def are(number: int) -> str:
    """The verb after so many."""
    return "is" if number == 1 else "are"


def of_batch(images: int) -> str:
    """What follows the name of a network of which several images run at once."""
    return f", batch of {images:,} images" if images > 1 else ""


def milliseconds(number: float) -> str:
    """Milliseconds to the microsecond; to three digits where that would say little."""
    digits = 3 if number >= 0.1 or not number else 2 - math.floor(math.log10(number))
    return f"{number:,.{digits}f}"


def significant(number: float, digits: int = 3) -> str:
    """A number of at least 0 to so many digits that say something, and no more: 1,230 of 1234."""
    if not number:
        return "0"
    places = digits - 1 - math.floor(math.log10(number))
    rounded = round(number, places)
    places = max(0, digits - 1 - math.floor(math.log10(rounded)))
    return f"{rounded:,.{places}f}"
