"""Energy in tables for people, to as many digits as tables of energies deserve."""

from collections.abc import Iterable, Mapping

from accelsim.energy import by_group, memory_stores, outside
from accelsim.engines import engine_of
from accelsim.phrases import significant
from accelsim.result import Result

PJ = 1e6  # of a uJ
LEFT_OUT = (
    "Left out of energy are wires, the clock tree, leakage, control, and what the host computes."
)
NO_MEMORY = "Without a memory, fills of the banks and bytes off chip are left out of energy too."


def microjoules(pj: float | None) -> str:
    """Three digits; a dash for what is not known."""
    return "-" if pj is None else significant(pj / PJ)


def most(energy: Mapping[str, float] | None) -> str:
    """The group of accesses that takes most, and its share."""
    groups = by_group(energy or {})
    whole = sum(groups.values())
    if not whole:
        return "-"
    group = max(groups, key=lambda name: groups[name])
    return f"{group} {_percent(groups[group], whole)}"


def notes(results: Iterable[Result]) -> list[str]:
    """Sentences on the energy of results by one table: where it goes, what is left out of it."""
    sentences: list[str] = []
    beyond: dict[str, None] = {}
    table = None
    for result in results:
        table, total = result.energy_table, result.total_energy
        if table is None or total is None:
            continue
        sentences.append(f"Energy: {microjoules(result.total_energy_pj)} uJ{_parts(total)}.")
        if result.hardware.memory is None and NO_MEMORY not in sentences:
            sentences.append(NO_MEMORY)
        for sizes in result.hardware.engines:
            of_engine = engine_of(sizes).stores
            stores = memory_stores(result.hardware.memory)
            stores |= {} if of_engine is None else of_engine(sizes)
            beyond |= dict.fromkeys(outside(table, stores))
    if table is None:
        return []
    sentences.append(f"Energies are by the table {table.name} ({table.about}).")
    if beyond:
        sentences.append(
            "For want of figures for these sizes, the nearest of the table are taken of "
            f"{', '.join(beyond)}."
        )
    return [*sentences, LEFT_OUT]


def _parts(energy: Mapping[str, float]) -> str:
    """Where energy goes, the most first."""
    groups = by_group(energy)
    whole = sum(groups.values())
    if not whole:
        return ""
    order = sorted(groups, key=lambda name: -groups[name])
    return f": {', '.join(f'{name} {_percent(groups[name], whole)}' for name in order)}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"
