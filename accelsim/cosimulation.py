"""Co-simulation of one layer of a network: all four levels on the same real data, compared.

The RTL is passed in as a function, because this package does not know the hardware description.
Other simulators get the layer as a `Stimulus`: what the RTL is sent, and what it must return.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.find import AnyHardware, AnyNetwork, as_hardware, as_network
from accelsim.forward import batched, operands, step
from accelsim.hls.nest import times
from accelsim.inference import Arrays, LayerData, on_data, with_graph
from accelsim.ir import LayerList
from accelsim.lowering import AUTO, Choice, Lowered, Sequence
from accelsim.numerics import Int32, Integers
from accelsim.numerics.programs import Program, run
from accelsim.phrases import of_batch
from accelsim.request import Request
from accelsim.result import batch_keys
from accelsim.weights import load_weights

# What the RTL of a post-processing unit makes of sums; None for a program that it does not run.
Post = Callable[[Program, Int32], Integers | None]


class RtlRun(Protocol):
    """What the RTL returned."""

    @property
    def words(self) -> Int32:
        """int32[result words, values], as they left."""

    @property
    def busy_cycles(self) -> int:
        """The core's own count, waiting for its host included."""

    @property
    def earliest(self) -> npt.NDArray[np.int64]:
        """int64[passes], clocks before which the host let no pass start, the first one at 0."""


class Cycles(NamedTuple):
    """Busy cycles at each level that has them, without those that waiting for the host added."""

    schedule: int
    cycle: int
    rtl: int


class Output(NamedTuple):
    """What a layer's post-processing program made of the sums of the RTL.

    dtype, values : of the tensor, and how many it has.
    steps : of the program.
    on_rtl : whether the RTL of a post-processing unit ran them, and not the golden model.
    equal : whether it is the golden tensor.
    """

    dtype: str
    values: int
    steps: tuple[str, ...]
    on_rtl: bool
    equal: bool


@dataclass(frozen=True)
class Comparison:
    """One layer at all levels.

    passes, values : numbers of passes run and of values compared.
    batch : images.
    cycle_equal, rtl_equal : whether registers and RTL computed the golden values.
    output : of a network with a graph, what became of the sums of the RTL; else None.
    stall_cycles : clocks that waiting for the host added, by the schedule.
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
    batch: int = 1
    output: Output | None = None

    @property
    def values_equal(self) -> bool:
        """Whether every level computed the golden values, and the layer's output is right."""
        finished = self.output is None or self.output.equal
        return self.cycle_equal and self.rtl_equal and finished

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
            **batch_keys(self.batch),
            **({} if self.output is None else {"output": self.output._asdict()}),
        }


class OnData(NamedTuple):
    """A layer on the data that it has in the network.

    golden : int32[k, oh, ow], or [n, k, oh, ow], its sums by the operator's golden reference, image
        by image.
    batch : images.
    output : output(sums, run_post), what becomes of sums in the place of the golden ones; None
        where the network has no graph.
    """

    lowered: Lowered
    sequence: Sequence
    golden: Int32
    batch: int
    output: Callable[[Int32, Post], Output | None] = lambda sums, run_post: None


@dataclass(frozen=True)
class Stimulus:
    """What the RTL of an engine is sent for a layer, and what it must return.

    title : the layer, its network and the data.
    engine : the name of the engine.
    commands, memories : as accelsim.lowering.Sequence has them.
    words : int32[result words, values], by the engine's golden model.
    cycles : busy clocks by the schedule.
    """

    title: str
    engine: str
    commands: npt.NDArray[np.int64]
    memories: tuple[Integers, ...]
    words: Int32
    cycles: int


def cosim(
    network: AnyNetwork,
    name: str,
    hardware: AnyHardware,
    run_rtl: Callable[[Sequence], RtlRun],
    dataflow: Choice = "auto",
    seed: int = 0,
    depthwise_on: str = AUTO,
    batch: int | None = None,
    data: Arrays | None = None,
    run_post: Post = lambda program, sums: None,
) -> Comparison:
    """The layer of that name at all levels, on the data that it has in the network.

    run_post : the RTL of a post-processing unit; None of it for what it does not run.
    data : what goes into a network with a graph, by name; None for what follows from the seed.
    """
    lowered, sequence, golden, images, output = _on_data(
        network, name, hardware, dataflow, seed, depthwise_on, batch, data
    )
    rtl = run_rtl(sequence)
    sums = sequence.output(rtl.words)
    cycle = lowered.measure(sequence, rtl.earliest)
    # Both by the nest, so that another closed form shows.
    undisturbed = _busy_cycles(lowered, np.zeros_like(rtl.earliest))
    waiting = _busy_cycles(lowered, rtl.earliest) - undisturbed
    return Comparison(
        layer=name,
        engine=lowered.engine,
        dataflow=lowered.dataflow,
        passes=len(sequence.commands),
        values=golden.size,
        cycles=Cycles(lowered.cycles, cycle.busy_cycles - waiting, rtl.busy_cycles - waiting),
        cycle_equal=np.array_equal(sequence.output(cycle.words), golden),
        rtl_equal=np.array_equal(sums, golden),
        stall_cycles=waiting,
        batch=images,
        output=output(sums, run_post),
    )


def _busy_cycles(lowered: Lowered, earliest: npt.NDArray[np.int64]) -> int:
    """Clocks by the schedule, where no pass starts before these clocks."""
    started, retired = times(lowered.nest("sequence"), earliest)
    return int(retired[-1] - started[0])


def stimulus(
    network: AnyNetwork,
    name: str,
    hardware: AnyHardware,
    dataflow: Choice = "auto",
    seed: int = 0,
    depthwise_on: str = AUTO,
    batch: int | None = None,
    data: Arrays | None = None,
) -> Stimulus:
    """What `cosim` would send to the RTL for the layer of that name, and expect of it.

    AccelsimError where the engine's golden model and the operator's differ: then there is nothing
    to compare the RTL with.
    """
    network = as_network(network)
    lowered, sequence, golden, images, _ = _on_data(
        network, name, hardware, dataflow, seed, depthwise_on, batch, data
    )
    words = lowered.registers.golden(lowered.sizes, sequence.commands, *sequence.memories)
    if not np.array_equal(sequence.output(words), golden):
        raise AccelsimError(f"golden models of engine and operator differ (layer {name})")
    mode = f"dataflow {lowered.dataflow}" if lowered.dataflow else f"engine {lowered.engine}"
    source = f"{network.name} {network.variant}{of_batch(images)}"
    return Stimulus(
        title=f"layer {name} of {source}, {mode}, seed {seed}",
        engine=sequence.engine,
        commands=sequence.commands,
        memories=sequence.memories,
        words=words,
        cycles=lowered.cycles,
    )


def _on_data(
    network: AnyNetwork,
    name: str,
    hardware: AnyHardware,
    dataflow: Choice,
    seed: int,
    depthwise_on: str,
    batch: int | None,
    data: Arrays | None,
) -> OnData:
    network, hardware = as_network(network), as_hardware(hardware)
    request = Request(network, hardware, dataflow, depthwise_on, seed=seed, batch=batch)
    if isinstance(network, LayerList):
        if data is not None:
            raise UnsupportedError(
                f"data are those of a graph, and {network.name} is a list of independent layers"
            )
        layer, _, lowered = request.layer_on(name, "RTL")
        weights = load_weights(network, seed)
        steps = [step(network, layer, weights, seed, image) for image in range(request.images)]
        inputs = [each.inputs for each in steps]
        lowered = lowered.on(inputs)
        sequence = lowered.sequence(*operands(layer, inputs, steps[0].weights))
        return OnData(lowered, sequence, batched([each.sums for each in steps]), request.images)
    request = with_graph(request)
    layer, _, lowered = request.layer_on(name, "RTL")
    there = on_data(request, layer, lowered, data)
    output = partial(_output, there)
    return OnData(there.lowered, there.stream, there.golden, request.images, output)


def _output(there: LayerData, sums: Int32, run_post: Post) -> Output:
    """What the program of a layer makes of sums, beside what it makes of the golden ones."""
    made = there.finish(sums)
    equal = all(map(np.array_equal, made, there.tensors))
    by_unit = run_post(there.program, sums)
    if by_unit is not None:
        equal = equal and np.array_equal(by_unit, run(there.program, sums))
    steps = tuple(type(step).__name__ for step in there.program)
    values = sum(each.size for each in made)
    return Output(made[0].dtype.name, values, steps, by_unit is not None, equal)
