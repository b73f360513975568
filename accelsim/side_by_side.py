"""The same layers on several designs, side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import HardwareError, NetworkError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.hardware import Hardware
from accelsim.lowering import Choice, is_depthwise
from accelsim.request import Layers, Request, select
from accelsim.result import LayerResult
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
    """

    cycles: int
    macs: int
    live_macs: int
    skipped_macs: int
    multipliers: int

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

    rows : the layers that engines run; what runs on the host costs nothing anywhere.
    """

    network: str
    variant: str
    entries: tuple[Entry, ...]
    rows: tuple[LayerCosts, ...]

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """One for every design."""
        totals = []
        for entry, *costs in zip(self.entries, *(row.costs for row in self.rows), strict=True):
            engines = {cost.engine for cost in costs}
            totals.append(
                Total(
                    sum(cost.cycles for cost in costs),
                    sum(cost.macs for cost in costs),
                    sum(cost.live_macs for cost in costs),
                    sum(cost.skipped_macs or 0 for cost in costs),
                    sum(_multipliers(entry.design, engine) for engine in engines),
                )
            )
        return tuple(totals)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "network": self.network,
            "variant": self.variant,
            "designs": [
                {
                    "name": entry.name,
                    "label": entry.design.label,
                    "hardware": entry.design.to_dict(),
                    "total_cycles": total.cycles,
                    "total_macs": total.macs,
                    "total_live_macs": total.live_macs,
                    "total_skipped_macs": total.skipped_macs,
                    "multipliers": total.multipliers,
                    "utilization": total.utilization,
                    "multiplier_cycles": total.multiplier_cycles,
                    "layers": [asdict(row.costs[index]) for row in self.rows],
                }
                for index, (entry, total) in enumerate(zip(self.entries, self.totals, strict=True))
            ],
        }


def compare(
    network: AnyNetwork,
    entries: Sequence[Entry | AnyHardware],
    layers: Layers = None,
    depthwise_only: bool = False,
    dataflow: Choice = "auto",
) -> SideBySide:
    """The layers on every design, by the schedule.

    Parameters
    ----------
    entries : designs; without an Entry each is named after its preset, file or engines.
    layers : as in `simulate`.
    depthwise_only : only layers whose output channels see one input channel each.
    dataflow : what the arrays may use, as in `simulate`.
    """
    network, entries = as_network(network), _entries(entries)
    names = [
        layer.name
        for layer in select(network, layers)
        if layer.op.lower(*network.in_shapes(layer))
        and (not depthwise_only or is_depthwise(layer, network.in_shapes(layer)))
    ]
    if not names:
        what = "depthwise layer" if depthwise_only else "layer that an engine runs"
        raise NetworkError(f"there is no {what} among those of {network.name} to compare")
    costs = [
        [answer(Request(network, entry.design, dataflow, layers=name)).layers[0] for name in names]
        for entry in entries
    ]
    rows = tuple(LayerCosts(name, tuple(each)) for name, *each in zip(names, *costs, strict=True))
    return SideBySide(network.name, network.variant, entries, rows)


def _entries(designs: Sequence[Entry | AnyHardware]) -> tuple[Entry, ...]:
    """The designs under their names; designs of one name are told apart by all of it."""
    if isinstance(designs, str | Path) or not isinstance(designs, Sequence) or not designs:
        raise HardwareError(f"designs to compare are a list of at least one, not {designs!r}")
    stems = [Path(each).stem for each in designs if isinstance(each, str | Path)]
    entries = []
    for each in designs:
        if isinstance(each, Entry):
            entries.append(Entry(str(each.name), as_hardware(each.design)))
        elif isinstance(each, str | Path):
            stem = Path(each).stem
            entries.append(Entry(str(each) if stems.count(stem) > 1 else stem, as_hardware(each)))
        else:
            entries.append(Entry(as_hardware(each).label, as_hardware(each)))
    return tuple(entries)


def _multipliers(design: Hardware, engine: str) -> int:
    """Multipliers of the engine of that name."""
    sizes = design.engine(engine)
    return sizes.multipliers if sizes else 0
