"""Co-simulation of one layer of a network: all four levels on the same real data, compared.

The RTL is passed in as a function, because this package does not know the hardware description.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from accelsim.errors import UnsupportedError
from accelsim.forward import step_of
from accelsim.hardware import Hardware
from accelsim.ir import Network
from accelsim.lower import AUTO, Choice, Sequence, check_depthwise, lower, parse_dataflows
from accelsim.numerics import Int32
from accelsim.weights import load_weights


class RtlRun(Protocol):
    """What the RTL returned."""

    @property
    def words(self) -> Int32:
        """int32[result words, values], as they left."""

    @property
    def busy_cycles(self) -> int:
        """The core's own count."""

    @property
    def stall_cycles(self) -> int:
        """The core's own count."""


class Cycles(NamedTuple):
    """Busy cycles at each level that has them."""

    schedule: int
    cycle: int
    rtl: int


@dataclass(frozen=True)
class Comparison:
    """One layer at all levels.

    passes, values : numbers of passes run and of values compared.
    cycle_equal, rtl_equal : whether registers and RTL computed the golden values.
    """

    layer: str
    engine: str
    dataflow: str | None
    passes: int
    values: int
    cycles: Cycles
    cycle_equal: bool
    rtl_equal: bool
    stall_cycles: int

    @property
    def values_equal(self) -> bool:
        """Whether every level computed the golden values."""
        return self.cycle_equal and self.rtl_equal

    @property
    def cycles_equal(self) -> bool:
        """Whether every level took the same busy cycles."""
        return len(set(self.cycles)) == 1

    def to_dict(self, simulator: str) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "layer": self.layer,
            "values_equal": self.values_equal,
            "cycles": self.cycles._asdict(),
            "busy_cycles": self.cycles.rtl,
            "stall_cycles": self.stall_cycles,
            "simulator": simulator,
            "passes": self.passes,
        }


def compare(
    network: Network,
    name: str,
    hardware: Hardware,
    run_rtl: Callable[[Sequence], RtlRun],
    dataflow: Choice = "auto",
    seed: int = 0,
    depthwise_on: str = AUTO,
) -> Comparison:
    """The layer of that name at all levels, on the data that it has in the network."""
    layer = network.layer(name)
    check_depthwise(hardware, depthwise_on)
    allowed = parse_dataflows(dataflow)
    lowered = lower(layer, network.in_shapes(layer), hardware, allowed, depthwise_on)
    if lowered is None:
        raise UnsupportedError(f"layer {name} ({layer.op.name}) runs on the host, on no engine")
    data = step_of(network, layer, load_weights(network, seed), seed)
    sequence = lowered.sequence(*layer.op.operands(data.inputs, data.weights))
    golden = data.sums
    words, clocks = lowered.measure(sequence)
    rtl = run_rtl(sequence)
    return Comparison(
        layer=name,
        engine=lowered.engine,
        dataflow=lowered.dataflow,
        passes=len(sequence.commands),
        values=golden.size,
        cycles=Cycles(lowered.cycles, clocks, rtl.busy_cycles),
        cycle_equal=np.array_equal(sequence.output(words), golden),
        rtl_equal=np.array_equal(sequence.output(rtl.words), golden),
        stall_cycles=rtl.stall_cycles,
    )
