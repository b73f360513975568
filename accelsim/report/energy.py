"""Energy in tables for people, to as many digits as tables of energies deserve."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from accelsim.energy import (
    LEFT_OUT,
    EnergyTable,
    by_group,
    by_table,
    memory_stores,
    outside,
)
from accelsim.engines import engine_of
from accelsim.hardware import Hardware
from accelsim.phrases import significant

COLUMN = "energy uJ"
PJ = 1e6  # of a uJ
NO_MEMORY = "Without a memory, fills of the banks and bytes off chip are left out of energy too."


class Spent(NamedTuple):
    """What was spent on a design.

    energy : picojoules of every kind of access.
    name : what tells the design from others.
    """

    hardware: Hardware
    energy: Mapping[str, float]
    name: str = ""


def microjoules(pj: float | None) -> str:
    """Three digits; a dash for what is not known."""
    return "-" if pj is None else significant(pj / PJ)


def most(energy: Mapping[str, float] | None) -> str:
    """The group of accesses that takes most, and its share."""
    shares = _shares(energy or {})
    return shares[0] if shares else "-"


def notes(table: EnergyTable | None, designs: Iterable[Spent]) -> list[str]:
    """Sentences on energy by a table: where it goes, and what is left out of it."""
    if table is None:
        return []
    sentences, left_out, beyond = [], False, dict[str, None]()
    for hardware, energy, name in designs:
        of, parts = f" of {name}" if name else "", ", ".join(_shares(energy))
        total = microjoules(sum(energy.values()))
        sentences.append(f"Energy{of}: {total} uJ{f': {parts}' if parts else ''}.")
        left_out = left_out or hardware.memory is None
        beyond |= dict.fromkeys(_beyond(table, hardware))
    sentences.append(by_table(table))
    if beyond:
        sentences.append(
            "For want of figures for these sizes, the nearest of the table are taken of "
            f"{', '.join(beyond)}."
        )
    return [*sentences, *([NO_MEMORY] if left_out else []), LEFT_OUT]


def _beyond(table: EnergyTable, hardware: Hardware) -> tuple[str, ...]:
    """Kinds of access of a design for which the table has no figures on one side."""
    stores = memory_stores(hardware.memory)
    for sizes in hardware.engines:
        of_engine = engine_of(sizes).stores
        stores |= {} if of_engine is None else of_engine(sizes)
    return outside(table, stores)


def _shares(energy: Mapping[str, float]) -> list[str]:
    """Groups of accesses with their shares, the most first."""
    groups = by_group(energy)
    whole = sum(groups.values())
    order = sorted(groups, key=lambda name: -groups[name])
    return [f"{name} {100 * groups[name] / whole:.0f} %" for name in order] if whole else []
