"""What is asked of a simulation, in one record that all commands and functions share."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from accelsim import published
from accelsim.checks import check, of_type, suggestion
from accelsim.energy import EnergyTable
from accelsim.errors import NetworkError, UnsupportedError
from accelsim.hardware import Hardware
from accelsim.ir import IMAGES, BaseNetwork, Layer, Network, Shape
from accelsim.lowering import (
    AUTO,
    Allowed,
    Choice,
    Lowered,
    check_place,
    lower,
    parse_dataflows,
)

RTL = "rtl"
TIMINGS = (RTL, *published.TIMINGS)
SCHEDULE, GOLDEN, CYCLE = FIDELITIES = ("schedule", "golden", "cycle")


class OnEngine(NamedTuple):
    """A layer of a network, the shapes of its inputs, and its passes."""

    layer: Layer
    in_shapes: tuple[Shape, ...]
    lowered: Lowered


Layers = str | tuple[str, str] | None  # FIRST..LAST, (first, last), one name, or all


@dataclass(frozen=True)
class Request:
    """A network on a design, and how it is to be simulated; valid from birth.

    dataflow : auto, or names of the allowed ones, such as os,ws, or a tuple of dataflows (see
        accelsim.dataflows); each layer takes the fastest that can run it. Timing scalesim needs
        one of os, ws, is.
    depthwise_on : where depthwise layers run: array, engine (the depthwise engine), or auto, the
        faster of the two.
    fidelity : schedule, golden or cycle.
    timing : rtl for our hardware, or a published model (fidelity schedule only).
    seed : of generated weights and input.
    layers : FIRST..LAST, (first, last) or one name: only these layers, both included; values
        still flow through all before, unless layers are independent. None for all.
    scalesim_depthwise : one-filter (as None) or per-channel, for timing scalesim only.
    batch : images that every layer takes at once, from 1 to ir.MOST_IMAGES; None for the network's.
    energy : pJ per access, for the energy of every layer; None to leave energy out.
    """

    network: BaseNetwork
    hardware: Hardware
    dataflow: Choice = AUTO
    depthwise_on: str = AUTO
    fidelity: str = SCHEDULE
    timing: str = RTL
    seed: int = 0
    layers: Layers = None
    scalesim_depthwise: str | None = None
    batch: int | None = None
    energy: EnergyTable | None = None

    def __post_init__(self) -> None:
        hardware, timing, fidelity = self.hardware, self.timing, self.fidelity
        check("seed", self.seed, of_type(int), UnsupportedError)
        check("batch", self.images, IMAGES, UnsupportedError)
        if fidelity not in FIDELITIES:
            raise UnsupportedError(
                f"fidelity must be one of {', '.join(FIDELITIES)}, not {fidelity!r}"
                f"{suggestion(FIDELITIES, fidelity)}"
            )
        if fidelity == GOLDEN and not isinstance(self.network, Network):
            raise UnsupportedError(
                f"fidelity {GOLDEN} takes values through a network, and {self.network.name} is a "
                f"list of independent layers; {CYCLE} runs each on data of its own"
            )
        if timing not in TIMINGS:
            raise UnsupportedError(
                f"there is no timing {timing!r}; there are {', '.join(TIMINGS)}"
                f"{suggestion(TIMINGS, timing)}"
            )
        if timing == RTL:
            _ = self.allowed
        check_place(hardware, self.depthwise_on)
        if (model := hardware.third_party) and (timing != RTL or fidelity == CYCLE):
            raise UnsupportedError(
                f"{model.name} is a model without registers and RTL; timing must be {RTL} "
                f"and fidelity {SCHEDULE} or {GOLDEN}"
            )
        if self.energy is not None:
            self._check_energy()
        if timing != RTL:
            self._check_published()
        elif self.scalesim_depthwise is not None:
            raise UnsupportedError(f"--scalesim-depthwise is for timing scalesim, not {timing}")

    def _check_energy(self) -> None:
        """Refuse energy where nothing is known of accesses."""
        if self.timing != RTL:
            raise UnsupportedError(
                f"energy is counted for timing {RTL}; {self.timing} counts cycles only"
            )
        if model := self.hardware.third_party:
            raise UnsupportedError(
                f"energy needs counts of accesses, and {model.name} is a model that only counts "
                "clocks"
            )

    def _check_published(self) -> None:
        """Refuse what no published model takes."""
        timing = self.timing
        for sizes in self.hardware.engines:
            if not sizes.runs_all:
                raise UnsupportedError(
                    f"timing {timing} knows no {sizes.name} engine; {sizes.name} must be none"
                )
        if self.scalesim_depthwise is not None and timing != published.ScaleSim.name:
            raise UnsupportedError(f"--scalesim-depthwise is for timing scalesim, not {timing}")
        if self.fidelity != SCHEDULE:
            raise UnsupportedError(
                f"timing {timing} counts cycles only; fidelity must be schedule, not "
                f"{self.fidelity}"
            )
        if self.images > 1:
            raise UnsupportedError(
                f"timing {timing} is a model of one image; batch must be 1, not {self.images}"
            )
        if not isinstance(self.dataflow, str):
            raise UnsupportedError(f"timing {timing} takes dataflows by name")

    @property
    def images(self) -> int:
        """Images of the batch."""
        return self.network.batch if self.batch is None else self.batch

    def macs(self, layer: Layer) -> int:
        """Dense multiply-accumulates of a layer for the batch."""
        return self.images * self.network.macs(layer)

    @cached_property
    def allowed(self) -> Allowed:
        """The dataflows that layers may take."""
        return parse_dataflows(self.dataflow, self.depthwise_on)

    @cached_property
    def chosen(self) -> tuple[Layer, ...]:
        """The layers that are asked for, in order."""
        return select(self.network, self.layers)

    @cached_property
    def model(self) -> published.Timing:
        """The published model of the array."""
        array = self.hardware.array
        if array is None or not isinstance(self.dataflow, str):
            raise UnsupportedError(f"timing {self.timing} is a model of systolic arrays")
        filters = self.scalesim_depthwise or published.DEPTHWISE[0]
        return published.get(self.timing, array.rows, array.columns, self.dataflow, filters)

    def lower(self, layer: Layer) -> Lowered | None:
        """A layer on the engine and in the dataflow that are fastest; None on the host."""
        shapes = self.network.in_shapes(layer)
        lowered = lower(layer, shapes, self.hardware, self.allowed, self.images)
        if lowered is not None:
            self.network.check_operands(layer)
        return lowered

    def layer_on(self, name: str, what: str) -> OnEngine:
        """The layer of that name on its engine.

        UnsupportedError where it runs on the host; `what` is what only layers on an engine have.
        """
        layer = self.network.layer(name)
        lowered = self.lower(layer)
        if lowered is None:
            raise UnsupportedError(
                f"layer {name} ({layer.op.name}) runs on the host; only layers on an engine have "
                f"{what}"
            )
        return OnEngine(layer, self.network.in_shapes(layer), lowered)

    def of_layer(self, name: str) -> "Request":
        """The same for one layer only."""
        return replace(self, layers=name)


def select(network: BaseNetwork, layers: Layers) -> tuple[Layer, ...]:
    """The layers from first to last, both included, or the one named; all of them for None."""
    if layers is None:
        return network.layers
    if isinstance(layers, str):
        first, dots, last = layers.partition("..")
        layers = first, last if dots else first
    if not isinstance(layers, tuple | list) or len(layers) != 2:
        raise NetworkError(f"layers must be FIRST..LAST, (first, last) or one name, not {layers!r}")
    start, end = (network.layers.index(network.layer(name)) for name in layers)
    if end < start:
        raise NetworkError(f"layer {layers[1]} comes before {layers[0]} in {network.name}")
    return network.layers[start : end + 1]
