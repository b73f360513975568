"""Energy: counts of accesses times a table of picojoules per access.

    table = load_energy("45nm")            # or a file
    spent(table, counts, stores)           # pJ of every kind of access

The counts are exact (see accelsim.engines.base.Accesses, and accelsim.reuse for bytes off chip),
the figures of a table are not: they are of some process, to two or three digits. Left out are
wires, the clock tree, leakage, control, and what the host does.
"""

from accelsim.energy.spent import (
    FILL,
    GROUPS,
    LEFT_OUT,
    PARTS,
    by_group,
    by_table,
    memory_stores,
    outside,
    parts,
    spent,
)
from accelsim.energy.table import (
    KINDS,
    PRESETS,
    AnyEnergy,
    EnergyTable,
    Price,
    as_energy,
    load_energy,
    preset_text,
)

__all__ = [
    "FILL",
    "GROUPS",
    "KINDS",
    "LEFT_OUT",
    "PARTS",
    "PRESETS",
    "AnyEnergy",
    "EnergyTable",
    "Price",
    "as_energy",
    "by_group",
    "by_table",
    "load_energy",
    "memory_stores",
    "outside",
    "parts",
    "preset_text",
    "spent",
]
