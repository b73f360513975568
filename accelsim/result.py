"""What a network cost: per layer and in total."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from accelsim.checks import check, one_of
from accelsim.energy import EnergyTable
from accelsim.engines.base import Accesses
from accelsim.errors import UnsupportedError
from accelsim.graph.network import GraphNetwork
from accelsim.hardware import Hardware
from accelsim.ir import BaseNetwork, LayerList
from accelsim.networks.variants import variant_keys
from accelsim.numerics.certificates import Certificate
from accelsim.phrases import counted, milliseconds, of_batch
from accelsim.version import __version__
from accelsim.weights import load_weights, weights_of

if TYPE_CHECKING:
    import polars
    from matplotlib.figure import Figure

MEMORY = "memory"  # what binds a layer that waits for it
PLOTS = ("layers", "roofline", "stack", "timeline", "energy")
HTML_COLUMNS = ("layer", "op", "engine", "dataflow", "cycles", "utilisation", "MACs")


@dataclass(frozen=True)
class LayerResult:
    """What one layer cost.

    engine : its name, or host for what no engine runs yet; such layers are `not_modelled`, their
        cycles 0.
    dataflow : its name, such as os, where the engine has several; else None.
    cycles : busy cycles, first operand at a port to last result at a port. Where they depend on
        data, those of the data that went in; in fidelity schedule, which has none, the most.
    cycles_min, cycles_max : the fewest and the most for any data, in the same way and dataflow.
    macs : dense multiply-accumulates of the batch, padded taps included.
    params : trainable parameters.
    utilization : live_macs / (multipliers x cycles), the share of multiplier clocks that multiply a
        value of the map by a weight; never above 1. None where a published timing counts fewer
        clocks than these products need.
    busy_utilization : the same of the MACs that the engine executes, those with padding and zeros
        and those of results thrown away included; None in published timings.
    read_bytes : operands filled into the banks that are used, copies included, a byte each, or two
        where operands have more than 9 bits; None in published timings.
    write_bytes : results at the result port, as wide as accumulators; None in published timings.
    live_macs : of `macs`, those with a value of the map: padded taps are left out.
    skipped_macs : of `macs`, those on which the engine spends no multiplier clock, as their taps
        lie outside the map; of a transposed convolution, what one of the map with zeros inserted
        has more than the engine multiplies. None in published timings and on the host.
    bound_cycles : the least that multipliers and ports of the engine allow for the live MACs and
        the results; None in published timings.
    bound_by : what makes it take its time: memory, where it takes longer than the engine; else what
        makes bound_cycles: array (the multipliers of its engine), fill or results (its ports). None
        on the host and in published timings.
    offchip_read_bytes, offchip_write_bytes : between off-chip memory and chip, by the model of
        accelsim.reuse over the whole network, also for layers on the host. None where the design
        has no memory, and in published timings; so is memory_cycles.
    memory_cycles : clocks of the layer with the memory, which moves these bytes meanwhile.
    values_equal : in fidelity cycle, whether the registers computed the golden values.
    accesses : how often the layer does what takes energy, by kind (accelsim.engines.base.Accesses):
        what its engine does, and with a memory the fills of its banks and the bytes off chip, which
        layers on the host have too. None where energy is not asked for, and for what runs on the
        host of a design without memory.
    energy : picojoules of every kind of them, by a table (accelsim.energy), rounded to 1/1024 pJ,
        so that sums are exact.
    way : where kernels differ from region to region of the map, expand or bucket
        (accelsim.ops.region_conv); None elsewhere.
    """

    name: str
    op: str
    engine: str
    dataflow: str | None
    cycles: int
    macs: int
    params: int
    utilization: float | None
    busy_utilization: float | None
    read_bytes: int | None
    write_bytes: int | None
    live_macs: int
    skipped_macs: int | None
    cycles_min: int
    cycles_max: int
    bound_cycles: int | None = None
    bound_by: str | None = None
    offchip_read_bytes: int | None = None
    offchip_write_bytes: int | None = None
    memory_cycles: int | None = None
    not_modelled: bool = False
    values_equal: bool | None = None
    accesses: dict[str, int] | None = None
    energy: dict[str, float] | None = None
    way: str | None = None

    @property
    def energy_pj(self) -> float | None:
        """The sum of `energy`; None where there is none."""
        return None if self.energy is None else sum(self.energy.values())

    def to_dict(self) -> dict[str, Any]:
        """What JSON holds; energy only where it was asked for."""
        values = asdict(self)
        accesses, energy = values.pop("accesses"), values.pop("energy")
        if energy is None:
            return values
        return values | {"energy_pj": self.energy_pj, "energy": energy, "accesses": accesses}

    @property
    def offchip_bytes(self) -> int | None:
        """Bytes read and written off chip; None where memory is left out."""
        return sum_known((self.offchip_read_bytes, self.offchip_write_bytes))

    @property
    def lost_cycles(self) -> float:
        """Cycles, in parts of them, in which multipliers do no product with a value of the map."""
        return 0.0 if self.utilization is None else self.cycles * (1 - self.utilization)


class Computed(NamedTuple):
    """A map that was computed, in short.

    layer : the one that made it.
    shape : c, h, w, behind the number of images where there are several.
    min, max : of its values; None where one of them is no number.
    sha256 : of its bytes, value by value in the order of its shape.
    dtype : of its values.
    """

    layer: str
    shape: tuple[int, ...]
    min: int | float | None
    max: int | float | None
    sha256: str
    dtype: str = "int8"


@dataclass(frozen=True)
class Values:
    """What went into a graph and came out of it, shaped and typed as its file says.

    inputs, outputs : tensors by name; outputs is None where the layers asked for end before.
    tensors : those that the nodes make, by name; None where nobody wanted them.
    """

    inputs: Mapping[str, npt.NDArray[Any]]
    outputs: Mapping[str, npt.NDArray[Any]] | None
    tensors: Mapping[str, npt.NDArray[Any]] | None = None


def utilization(live_macs: int, offered: int) -> float | None:
    """Products with values of the map as a share of the multiplier clocks that are offered.

    None where fewer are offered, as by published timings that leave clocks out.
    """
    return live_macs / offered if live_macs <= offered and offered else None


def batch_keys(batch: int) -> dict[str, int]:
    """What JSON says of a batch: nothing where it is one image."""
    return {"batch": batch} if batch > 1 else {}


def region_keys(way: str | None, least: int, most: int) -> dict[str, Any]:
    """What JSON says of a layer with a kernel for every region of the map: nothing of others."""
    return {} if way is None else {"way": way, "cycles_min": least, "cycles_max": most}


def sum_known(parts: Iterable[int | None]) -> int | None:
    """Their sum; None where one of them is not known."""
    known = [*parts]
    return None if None in known else sum(part or 0 for part in known)


def flat(layers: Sequence[LayerResult]) -> list[dict[str, Any]]:
    """The fields of layers as columns of a table, the same for all of them.

    Where any of them has energy, every kind of access has two columns; None in layers without it.
    """
    rows = [asdict(layer) for layer in layers]
    kinds = [kind for kind in Accesses._fields if any(kind in (x.energy or ()) for x in layers)]
    asked = any(layer.energy is not None for layer in layers)
    for layer, row in zip(layers, rows, strict=True):
        accesses, energy = row.pop("accesses") or {}, row.pop("energy") or {}
        if asked:
            row["energy_pj"] = layer.energy_pj
            row |= {f"{kind}_pj": energy.get(kind) for kind in kinds}
            row |= {f"{kind}_accesses": accesses.get(kind) for kind in kinds}
    return rows


def total_energy(layers: Iterable[LayerResult]) -> dict[str, float] | None:
    """Picojoules of every kind of access over layers; None where none of them has energy."""
    known = [layer.energy for layer in layers if layer.energy is not None]
    if not known:
        return None
    return {
        kind: sum(energy.get(kind, 0.0) for energy in known)
        for kind in Accesses._fields
        if any(kind in energy for energy in known)
    }


class Totals:
    """Sums over the layers of a result."""

    hardware: Hardware
    layers: tuple[LayerResult, ...]
    batch: int

    @property
    def total_cycles(self) -> int:
        """Busy cycles of all layers, one after another."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def total_cycles_min(self) -> int:
        """The fewest busy cycles of all layers, for any data."""
        return sum(layer.cycles_min for layer in self.layers)

    @property
    def total_cycles_max(self) -> int:
        """The most busy cycles of all layers, for any data."""
        return sum(layer.cycles_max for layer in self.layers)

    @property
    def cycles_per_image(self) -> float:
        """Of these, the share of one image of the batch."""
        return self.total_cycles / self.batch

    @property
    def total_memory_cycles(self) -> int | None:
        """Clocks with memory of all layers; None where memory is left out."""
        return sum_known(layer.memory_cycles for layer in self.layers)

    @property
    def total_offchip_bytes(self) -> int | None:
        """Bytes off chip of all layers, those on the host included; None as for the clocks."""
        return sum_known(layer.offchip_bytes for layer in self.layers)

    @property
    def time_ms(self) -> float:
        """Milliseconds of all layers at the design's clock, with memory unless it is left out."""
        with_memory = self.total_memory_cycles
        clocks = self.total_cycles if with_memory is None else with_memory
        return self.hardware.milliseconds(clocks)

    @property
    def computing_ms(self) -> float:
        """Milliseconds of the busy cycles of all layers, whatever the memory takes."""
        return self.hardware.milliseconds(self.total_cycles)

    @property
    def total_macs(self) -> int:
        """Dense multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def total_live_macs(self) -> int:
        """Multiply-accumulates with values of the maps, of all layers."""
        return sum(layer.live_macs for layer in self.layers)

    @property
    def total_skipped_macs(self) -> int:
        """Dense multiply-accumulates with padding that engines skip, of all layers."""
        return sum(layer.skipped_macs or 0 for layer in self.layers)

    @property
    def utilization(self) -> float | None:
        """As of a layer, of all layers and the multipliers of all engines; None without cycles."""
        offered = self.hardware.multipliers * self.total_cycles
        return utilization(self.total_live_macs, offered)

    @property
    def total_params(self) -> int:
        """Trainable parameters of all layers."""
        return sum(layer.params for layer in self.layers)

    @property
    def total_energy(self) -> dict[str, float] | None:
        """Picojoules of every kind of access, of all layers; None where energy is left out."""
        return total_energy(self.layers)

    @property
    def total_energy_pj(self) -> float | None:
        """Picojoules of all layers; None where energy is left out."""
        total = self.total_energy
        return None if total is None else sum(total.values())


@dataclass(frozen=True)
class Result(Totals):
    """What a network cost; `plot` draws it, and accelsim.plot with more to choose.

    graph : the network that was simulated.
    timing : rtl, or the name of a published model.
    fidelity : schedule, golden or cycle.
    layers : those that were asked for, in execution order.
    output : int8[c, h, w] of the last of them in fidelities golden and cycle, else None; of
        several images int8[batch, c, h, w]. Of a network with a graph the tensor that it makes.
    batch : images, which all figures are of.
    energy_table : by which energy was counted; None where it is left out.
    values : of a network with a graph, in fidelities golden and cycle; else None.
    """

    graph: BaseNetwork = field(repr=False)
    hardware: Hardware
    timing: str
    fidelity: str
    seed: int
    layers: tuple[LayerResult, ...]
    output: npt.NDArray[Any] | None = field(default=None, repr=False, compare=False)
    batch: int = 1
    energy_table: EnergyTable | None = None
    values: Values | None = field(default=None, repr=False, compare=False)

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.graph.name

    @property
    def variant(self) -> str:
        """Variant of the network."""
        return self.graph.variant

    @property
    def published_params(self) -> int | None:
        """What the network's authors count, where it differs."""
        return self.graph.published_params

    @property
    def values_equal(self) -> bool | None:
        """In fidelity cycle, whether every layer computed the golden values; else None."""
        compared = [each.values_equal for each in self.layers if each.values_equal is not None]
        return all(compared) if self.fidelity == "cycle" else None

    def plot(self, kind: str = "layers") -> "Figure":
        """The picture of a kind of PLOTS, as accelsim.plot draws it."""
        check("kind", kind, one_of(PLOTS), UnsupportedError)
        # Pictures belong to a layer above results, which only who asks for one has to load.
        plots = import_module("accelsim.plot")
        figure: Figure = plots.of_result(self, kind)
        return figure

    @cached_property
    def computed(self) -> "Computed | None":
        """What the values of the last layer are; None where none were computed."""
        if self.output is None:
            return None
        output = self.output
        digest = sha256(output.tobytes()).hexdigest()
        of_what = self.layers[-1].name, output.shape, *_ends(output)
        return Computed(*of_what, digest, output.dtype.name)

    @cached_property
    def weights_sha256(self) -> str | None:
        """Hash of the weights of the whole network, drawn from the seed or read from its file.

        Those of a graph are read, or made, for its values alone: None where none were computed.
        """
        if isinstance(self.graph, LayerList):
            return load_weights(self.graph, self.seed).sha256()
        if self.output is None or not isinstance(self.graph, GraphNetwork):
            return None
        return weights_of(self.graph.graph).sha256()

    @property
    def certificates(self) -> Mapping[str, Certificate]:
        """By layer its program, compared with its runtime's rule; none where no values are."""
        known = isinstance(self.graph, GraphNetwork) and self.output is not None
        return self.graph.certificates if known else {}  # type: ignore[attr-defined]

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        values: dict[str, Any] = {
            "network": self.network,
            **variant_keys(self.variant),
            "input": self.graph.input,
            "timing": self.timing,
            "fidelity": self.fidelity,
            "version": __version__,
            "seed": self.seed,
            "weights_sha256": self.weights_sha256,
            "hardware": self.hardware.to_dict(),
            "layers": [layer.to_dict() for layer in self.layers],
            "total_cycles": self.total_cycles,
            "total_cycles_min": self.total_cycles_min,
            "total_cycles_max": self.total_cycles_max,
            "total_macs": self.total_macs,
            "total_live_macs": self.total_live_macs,
            "total_skipped_macs": self.total_skipped_macs,
            "total_params": self.total_params,
            "total_memory_cycles": self.total_memory_cycles,
            "clock_mhz": self.hardware.clock_mhz,
            "clock_source": self.hardware.clock.source,
            "time_ms": self.time_ms,
            "published_params": self.published_params,
        }
        if self.batch > 1:
            values |= batch_keys(self.batch) | {"cycles_per_image": self.cycles_per_image}
        if self.energy_table is not None:
            values |= {
                "energy_table": self.energy_table.name,
                "total_energy_pj": self.total_energy_pj,
                "total_energy": self.total_energy,
            }
        if self.fidelity == "cycle":
            values["values_equal"] = self.values_equal
        if self.computed is not None:
            values["output"] = self.computed._asdict()
        if self.certificates:
            values["certificates"] = [
                {"name": name, **each._asdict()} for name, each in self.certificates.items()
            ]
        return values

    def to_frame(self) -> "polars.DataFrame":
        """One row per layer, a column per field of LayerResult; see `flat`."""
        from accelsim.frames import polars

        schema = {
            "name": polars.String,
            "op": polars.String,
            "engine": polars.String,
            "dataflow": polars.String,
            "cycles": polars.Int64,
            "macs": polars.Int64,
            "params": polars.Int64,
            "utilization": polars.Float64,
            "busy_utilization": polars.Float64,
            "read_bytes": polars.Int64,
            "write_bytes": polars.Int64,
            "live_macs": polars.Int64,
            "skipped_macs": polars.Int64,
            "cycles_min": polars.Int64,
            "cycles_max": polars.Int64,
            "bound_cycles": polars.Int64,
            "bound_by": polars.String,
            "offchip_read_bytes": polars.Int64,
            "offchip_write_bytes": polars.Int64,
            "memory_cycles": polars.Int64,
            "not_modelled": polars.Boolean,
            "values_equal": polars.Boolean,
            "way": polars.String,
        }
        rows = flat(self.layers)
        for name in list(rows[0])[len(schema) :]:
            schema[name] = polars.Float64 if name.endswith("_pj") else polars.Int64
        return polars.DataFrame(rows, schema=schema)

    def _repr_html_(self) -> str:
        """What notebooks show: the layers that an engine runs, and the totals."""
        shown = [layer for layer in self.layers if not layer.not_modelled]
        names = [(each.name, each.op, each.engine, each.dataflow or "-") for each in shown]
        numbers = [(each.cycles, each.utilization, each.macs) for each in shown]
        names.append(("total", "", "", ""))
        numbers.append((self.total_cycles, self.utilization, self.total_macs))
        rows = [
            (*words, f"{cycles:,}", "-" if share is None else f"{100 * share:.1f} %", f"{macs:,}")
            for words, (cycles, share, macs) in zip(names, numbers, strict=True)
        ]
        return _html(str(self), HTML_COLUMNS, rows)

    def __str__(self) -> str:
        """What was simulated, its cycles and time, and what these leave out."""
        memory = "memory left out" if self.total_memory_cycles is None else "with memory"
        text = (
            f"{self.network} {self.variant}{of_batch(self.batch)}, {self.hardware.label}, timing "
            f"{self.timing}, fidelity {self.fidelity}: {counted(self.total_cycles, 'cycle')}, "
            f"{milliseconds(self.time_ms)} ms at {self.hardware.clock_mhz:g} MHz, {memory}"
        )
        not_modelled = sum(layer.not_modelled for layer in self.layers)
        if not_modelled:
            text += f"; layers on the host, not modelled: {not_modelled}"
        if self.values_equal is not None:
            text += f"; values {'equal' if self.values_equal else 'differ from'} golden"
        return text


def _ends(values: npt.NDArray[Any]) -> tuple[int | float | None, int | float | None]:
    """The least and the greatest value; None twice where there is none, or one is no number."""
    if values.dtype.kind not in "biuf" or values.size == 0:
        return None, None
    least, most = values.min().item(), values.max().item()
    if not isinstance(least, float):
        return int(least), int(most)
    return (least, most) if isfinite(least) and isfinite(most) else (None, None)


def _html(about: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls where it is long; the last row holds totals."""
    from html import escape

    def line(cells: Sequence[str], tag: str = "td") -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    head, body, foot = line(columns, "th"), map(line, rows[:-1]), line(rows[-1], "th")
    return (
        f'<div style="max-height: 30em; overflow: auto"><table><caption>{escape(about)}</caption>'
        f"<thead>{head}</thead><tbody>{''.join(body)}</tbody><tfoot>{foot}</tfoot></table></div>"
    )
