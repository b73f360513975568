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
