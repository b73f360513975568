"""Array film: what every multiplier of an engine does, clock by clock, for one layer.

The states are read from the register-accurate simulation of the layer's own passes
(accelsim.engines.activity); only the totals beside them are the schedule's.
"""

from dataclasses import dataclass

import numpy as np

from accelsim.checks import check, of_type
from accelsim.engines.activity import Activity, ElementState, Int64
from accelsim.errors import UnsupportedError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.forward import operands
from accelsim.hls.nest import operations
from accelsim.lowering import AUTO, Choice, Lowered
from accelsim.request import Request

MOST_STATES = 1 << 26  # elements x clocks of a film, a byte and a bit each
USUAL = 3  # the clocks of a film, if nobody says: so many times rows + columns


@dataclass(frozen=True)
class Film:
    """A layer on an engine, and what its elements do in some clocks.

    rows, columns : of elements.  sides : what one of each is called.
    cycles, multiplies : of the whole layer by the schedule, padded taps included.
    clocks : those of the film; 0 is the first operand at a port.
    activity : of these clocks.
    batch : images.
    """

    network: str
    variant: str
    layer: str
    op: str
    engine: str
    dataflow: str | None
    hardware: str
    cycles: int
    multiplies: int
    clocks: range
    activity: Activity
    sides: tuple[str, str]
    batch: int = 1

    @property
    def rows(self) -> int:
        """Rows of elements."""
        return int(self.activity.states.shape[1])

    @property
    def columns(self) -> int:
        """Columns of elements."""
        return int(self.activity.states.shape[2])

    @property
    def label(self) -> str:
        """The dataflow, or the engine that knows none."""
        return f"dataflow {self.dataflow}" if self.dataflow else f"{self.engine} engine"

    @property
    def share(self) -> float:
        """Of the elements that multiply in a clock, over the whole layer."""
        return self.multiplies / (self.rows * self.columns * self.cycles)

    def count(self, state: ElementState) -> Int64:
        """int64[clocks], elements in a state."""
        elements: Int64 = np.count_nonzero(self.activity.states == state, axis=(1, 2))
        return elements


def film(
    network: AnyNetwork,
    layer: str,
    hardware: AnyHardware,
    dataflow: Choice = "auto",
    depthwise_on: str = AUTO,
    clocks: range | None = None,
    batch: int | None = None,
) -> Film:
    """The film of the layer of that name.

    Parameters
    ----------
    dataflow : what the array may use, as in `simulate`.
    depthwise_on : where depthwise layers run: array, engine, or auto.
    clocks : consecutive ones of the layer; None for its first 3 (rows + columns).
    batch : images that the layer takes at once; None for the network's.
    """
    network, hardware = as_network(network), as_hardware(hardware)
    request = Request(network, hardware, dataflow, depthwise_on, batch=batch)
    chosen, shapes, lowered = request.layer_on(layer, "a film")
    if lowered.model.registers is None:
        raise UnsupportedError(
            f"layer {layer} ({chosen.op.name}) runs on {lowered.engine}, a model without "
            "registers; no film shows it"
        )
    check("clocks", clocks, of_type(range, type(None)), UnsupportedError)
    clocks = _clocks(layer, lowered, clocks)
    # Every operand of the layer is a one; what is zero then is a zero of padding or mapping.
    weights = np.ones(chosen.op.weight_shape(*shapes) or 0, np.int8)
    inputs = tuple(np.ones(shape, np.int8) for shape in shapes)
    sequence = lowered.sequence(*operands(chosen, [inputs] * request.images, weights))
    made = lowered.registers.activity(
        lowered.sizes, sequence.commands, sequence.memories, sequence.used, clocks
    )
    return Film(
        network.name,
        network.variant,
        layer,
        chosen.op.name,
        lowered.engine,
        lowered.dataflow,
        hardware.label,
        lowered.cycles,
        operations(lowered.nest(layer)),
        clocks,
        made,
        lowered.registers.sides,
        request.images,
    )


def _clocks(layer: str, lowered: Lowered, clocks: range | None) -> range:
    """The clocks of a film, within the layer and not too many."""
    if clocks is None:
        sides = lowered.registers.elements(lowered.sizes)
        clocks = range(min(lowered.cycles, USUAL * sum(sides)))
    if not clocks or clocks.step != 1 or clocks.start < 0 or clocks.stop > lowered.cycles:
        raise UnsupportedError(
            f"clocks of layer {layer} are 0..{lowered.cycles - 1}, one after another, not "
            f"{clocks.start}..{clocks.stop - clocks.step}"
        )
    if len(clocks) * lowered.multipliers > MOST_STATES:
        most = max(1, MOST_STATES // lowered.multipliers)
        raise UnsupportedError(
            f"a film of {lowered.multipliers:,} elements has at most {most:,} clocks, not "
            f"{len(clocks):,}"
        )
    return clocks
