"""Numbers with their nouns, as sentences say them."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number and its noun: 1 point, 2 points; the plural is given where it is no noun and s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def are(number: int) -> str:
    """The verb after so many."""
    return "is" if number == 1 else "are"
