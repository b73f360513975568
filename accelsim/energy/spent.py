"""What accesses take, by a table."""

from collections.abc import Mapping
from functools import lru_cache

from accelsim.energy.table import EnergyTable
from accelsim.engines.base import Store
from accelsim.hardware import Memory

BYTE_BITS = 8
FILL = "fill"  # the kind that engines count and whose store is of the memory
# Of a pJ. Energies are whole numbers of these parts, so that sums of them are exact in any order.
PARTS = 1024

LEFT_OUT = (
    "Left out of energy are wires, the clock tree, leakage, control, and what the host computes."
)

# Kinds that pictures and tables for people show together.
GROUPS: dict[str, tuple[str, ...]] = {
    "arithmetic": ("multiply", "add"),
    "registers": ("operand_move", "sum_move"),
    "banks": (
        *("row_bank_read", "row_bank_write", "column_bank_read", "column_bank_write"),
        *("lane_bank_read", "lane_bank_write", "tap_read", "tap_write"),
    ),
    "sums": ("accumulator_read", "accumulator_write", "result_read", "result_write"),
    "buffers": (FILL,),
    "off chip": ("offchip_read", "offchip_write"),
}


def by_table(table: EnergyTable) -> str:
    """Whose figures energies are, in a sentence."""
    about = f" ({table.about})" if table.about else ""
    return f"Energies are by the table {table.name}{about}."


def memory_stores(memory: Memory | None) -> dict[str, Store]:
    """What fills and bytes off chip are accesses to; none without a memory.

    A fill is as expensive as a read of the larger one of the two buffers.
    """
    if memory is None:
        return {}
    largest = max(memory.activation_bytes, memory.weight_bytes)
    byte = Store(BYTE_BITS)
    return {
        FILL: Store(BYTE_BITS, largest * BYTE_BITS),
        "offchip_read": byte,
        "offchip_write": byte,
    }


def spent(
    table: EnergyTable, accesses: Mapping[str, int], stores: Mapping[str, Store]
) -> dict[str, float]:
    """Picojoules of every kind of access, each rounded to 1/1024 pJ.

    stores : of all these kinds.
    """
    return {
        kind: parts(table, kind, count, stores[kind]) / PARTS for kind, count in accesses.items()
    }


def parts(table: EnergyTable, kind: str, count: int, store: Store) -> int:
    """The same of one kind, in 1/1024 pJ."""
    return round(count * _pj(table, kind, store) * PARTS)


@lru_cache(maxsize=4096)
def _pj(table: EnergyTable, kind: str, store: Store) -> float:
    return table.price(kind).pj(store)


def outside(table: EnergyTable, stores: Mapping[str, Store]) -> tuple[str, ...]:
    """Kinds of access for which the nearest figure of the table was taken, as none is beyond."""
    return tuple(kind for kind, store in stores.items() if table.price(kind).outside(store))


def by_group(energy: Mapping[str, float]) -> dict[str, float]:
    """Picojoules of every group; a group that nothing is of is left out."""
    return {
        group: sum(energy[kind] for kind in kinds if kind in energy)
        for group, kinds in GROUPS.items()
        if any(kind in energy for kind in kinds)
    }
