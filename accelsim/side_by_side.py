"""The same layers on several designs, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.energy import AnyEnergy, EnergyTable, as_energy
from accelsim.errors import HardwareError, NetworkError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.hardware import Hardware
from accelsim.ir import BaseNetwork
from accelsim.lowering import Choice, is_depthwise
from accelsim.networks.variants import variant_keys
from accelsim.request import Layers, Request, select
from accelsim.result import LayerResult, Result, batch_keys, sum_known, total_energy
from accelsim.simulation import answer


class Entry(NamedTuple):
    """A design and the name under which it is shown."""

    name: str
    design: Hardware


class LayerCosts(NamedTuple):
    """One layer: its cost on every design, in their order."""

    name: str
    costs: tuple[LayerResult, ...]

    @property
    def fastest(self) -> int:
        """The fewest cycles that a design takes."""
        return min(cost.cycles for cost in self.costs)


class Total(NamedTuple):
    """What all layers cost on one design.

    macs, live_macs, skipped_macs : see LayerResult.
    multipliers : of the engines that run any of the layers.
    memory_cycles : clocks with the memory of the design, those for maps of the host's layers
        included; None where memory is left out.
    time_ms : milliseconds of these clocks, or of the cycles where memory is left out.
    energy : picojoules of every kind of access, those of maps of the host's layers included; None
        where energy is left out.
    """

    cycles: int
    macs: int
    live_macs: int
    skipped_macs: int
    multipliers: int
    memory_cycles: int | None
    time_ms: float
    energy: dict[str, float] | None

    @property
    def energy_pj(self) -> float | None:
        """The sum of `energy`; None where there is none."""
        return None if self.energy is None else sum(self.energy.values())

    @property
    def utilization(self) -> float:
        """Live MACs / (multipliers x cycles)."""
        return self.live_macs / self.multiplier_cycles

    @property
    def multiplier_cycles(self) -> int:
        """Cycles x multipliers: designs that use theirs equally well come to the same."""
        return self.cycles * self.multipliers


@dataclass(frozen=True)
class SideBySide:
    """Layers of a network on several designs.

    rows : the layers that engines run.
    hosted : those on the host, which cost no cycles anywhere, but move maps.
    energy_table : by which energy was counted; None where it is left out.
    batch : images, which all figures are of.
    """

    network: str
    variant: str
    entries: tuple[Entry, ...]
    rows: tuple[LayerCosts, ...]
    hosted: tuple[LayerCosts, ...] = ()
    energy_table: EnergyTable | None = None
    batch: int = 1

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """One for every design."""
        parts = self.rows, self.hosted
        return tuple(
            _total(entry.design, *([row.costs[at] for row in part] for part in parts))
            for at, entry in enumerate(self.entries)
        )

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "network": self.network,
            **variant_keys(self.variant),
            **batch_keys(self.batch),
            "designs": [
                {
                    "name": entry.name,
                    "label": entry.design.label,
                    "hardware": entry.design.to_dict(),
                    "total_cycles": total.cycles,
                    "total_macs": total.macs,
                    "total_live_macs": total.live_macs,
                    "total_skipped_macs": total.skipped_macs,
                    "total_memory_cycles": total.memory_cycles,
                    "time_ms": total.time_ms,
                    "clock_mhz": entry.design.clock_mhz,
                    "clock_source": entry.design.clock.source,
                    "multipliers": total.multipliers,
                    "utilization": total.utilization,
                    "multiplier_cycles": total.multiplier_cycles,
                    **self._energy(total),
                    "layers": [row.costs[index].to_dict() for row in self.rows],
                }
                for index, (entry, total) in enumerate(zip(self.entries, self.totals, strict=True))
            ],
        }

    def _energy(self, total: Total) -> dict[str, Any]:
        """What JSON holds of the energy of a design; nothing where it is left out."""
        if self.energy_table is None:
            return {}
        return {
            "energy_table": self.energy_table.name,
            "total_energy_pj": total.energy_pj,
            "total_energy": total.energy,
        }


def compare(
    network: AnyNetwork,
    entries: Sequence[Entry | AnyHardware],
    layers: Layers = None,
    depthwise_only: bool = False,
    dataflow: Choice = "auto",
    batch: int | None = None,
    energy: AnyEnergy | None = None,
) -> SideBySide:
    """The layers on every design, by the schedule.

    Parameters
    ----------
    entries : designs; without an Entry each is named after its preset, file or engines.
    layers : as in `simulate`.
    depthwise_only : only layers whose output channels see one input channel each.
    dataflow, energy : what the arrays may use, and the table of energies, as in `simulate`.
    batch : images that every layer takes at once; None for the network's.
    """
    network, entries = as_network(network), _entries(entries)
    table = None if energy is None else as_energy(energy)
    names = [
        layer.name
        for layer in select(network, layers)
        if not depthwise_only or is_depthwise(layer, network.in_shapes(layer))
    ]
    of_all = [
        Request(network, entry.design, dataflow, batch=batch, energy=table) for entry in entries
    ]
    costs = [[answer(each.of_layer(name)).layers[0] for name in names] for each in of_all]
    made = _side_by_side(network, entries, costs, table, of_all[0].images)
    if not made.rows:
        what = "depthwise layer" if depthwise_only else "layer that an engine runs"
        raise NetworkError(f"there is no {what} among those of {network.name} to compare")
    return made


def short_names(sources: Sequence[str | Path]) -> list[str]:
    """Presets and files by their stems; those of one stem as they are written."""
    stems = [Path(source).stem for source in sources]
    return [
        str(source) if stems.count(stem) > 1 else stem
        for source, stem in zip(sources, stems, strict=True)
    ]


def _entries(designs: Sequence[Entry | AnyHardware]) -> tuple[Entry, ...]:
    """The designs under their names."""
    if isinstance(designs, str | Path) or not isinstance(designs, Sequence) or not designs:
        raise HardwareError(f"designs to compare are a list of at least one, not {designs!r}")
    names = iter(short_names([each for each in designs if isinstance(each, str | Path)]))
    entries = []
    for each in designs:
        if isinstance(each, Entry):
            entries.append(Entry(str(each.name), as_hardware(each.design)))
        elif isinstance(each, str | Path):
            entries.append(Entry(next(names), as_hardware(each)))
        else:
            entries.append(Entry(as_hardware(each).label, as_hardware(each)))
    return tuple(entries)


def beside(results: Sequence[Result], names: Sequence[str]) -> SideBySide:
    """Results of the same layers on several designs, which have these names."""
    entries = [Entry(name, each.hardware) for name, each in zip(names, results, strict=True)]
    first, layers = results[0], [result.layers for result in results]
    return _side_by_side(first.graph, entries, layers, first.energy_table, first.batch)


def _side_by_side(
    network: BaseNetwork,
    entries: Sequence[Entry],
    costs: Sequence[Sequence[LayerResult]],
    table: EnergyTable | None,
    batch: int,
) -> SideBySide:
    """The layers of every design, which are the same, in their order."""
    every = [LayerCosts(each[0].name, each) for each in zip(*costs, strict=True)]
    rows = tuple(row for row in every if not row.costs[0].not_modelled)
    hosted = tuple(row for row in every if row.costs[0].not_modelled)
    return SideBySide(network.name, network.variant, tuple(entries), rows, hosted, table, batch)


def _total(design: Hardware, costs: list[LayerResult], hosted: list[LayerResult]) -> Total:
    """What layers of its engines cost on a design, and maps of layers on the host."""
    cycles = sum(cost.cycles for cost in costs)
    memory_cycles = sum_known(cost.memory_cycles for cost in costs + hosted)
    return Total(
        cycles,
        sum(cost.macs for cost in costs),
        sum(cost.live_macs for cost in costs),
        sum(cost.skipped_macs or 0 for cost in costs),
        sum(_multipliers(design, engine) for engine in {cost.engine for cost in costs}),
        memory_cycles,
        design.milliseconds(cycles if memory_cycles is None else memory_cycles),
        total_energy(costs + hosted),
    )


def _multipliers(design: Hardware, engine: str) -> int:
    """Multipliers of the engine of that name."""
    sizes = design.engine(engine)
    return sizes.multipliers if sizes else 0
