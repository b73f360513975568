"""Sentences about clocks, and where they are from."""

from collections.abc import Iterable, Sequence

from accelsim.hardware import Clock
from accelsim.hardware.clock import sentence


def at(clocks: Sequence[tuple[str, Clock]]) -> str:
    """The clock of designs, or that of each, by their names, as a sentence begins."""
    if len({clock.mhz for _, clock in clocks}) == 1:
        return f"At {clocks[0][1].mhz:g} MHz"
    each = (f"{clock.mhz:g} MHz ({name}, {clock.source})" for name, clock in dict(clocks).items())
    return f"At {', '.join(each)}"


def sources(clocks: Iterable[Clock]) -> list[str]:
    """Where clocks are from, a sentence for each source."""
    return [sentence(clock) for clock in {clock.source: clock for clock in clocks}.values()]
