"""Real data through the graph of a network, by golden references or register by register."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim import data
from accelsim.errors import UnsupportedError
from accelsim.forward import batched, operands
from accelsim.graph.evaluate import Operands, after_sums, given_to, golden, outputs, walk
from accelsim.graph.network import GraphNetwork
from accelsim.graph.types import Node, Products
from accelsim.ir import Layer, Network
from accelsim.lowering import Lowered
from accelsim.lowering import Sequence as Stream
from accelsim.numerics import Int32
from accelsim.numerics.programs import Program
from accelsim.quantised import with_values
from accelsim.request import CYCLE, Request
from accelsim.result import Values

_WITH_ZERO_POINTS = 9  # bits of an operand
_WIDEST_SUMS = 32  # bits

Arrays = Mapping[str, npt.NDArray[Any]]
Progress = Callable[[str, float], None]  # what is being done, and the share of all that is done


class Measured(NamedTuple):
    """What registers made of a layer: busy cycles, and whether its sums are the golden ones."""

    cycles: int
    values_equal: bool


@dataclass
class Inference:
    """What became of the data.

    output : the tensor that the last layer asked for makes; of several runs with an axis in front.
    measured : by layer, those that ran register by register.
    lowered : by layer, those whose passes depend on the data, as these have them.
    """

    values: Values
    output: npt.NDArray[Any]
    measured: Mapping[str, Measured]
    lowered: Mapping[str, Lowered]


class LayerData(NamedTuple):
    """A layer on the data that it has in its network.

    lowered : its passes, as these data have them.
    stream : what its engine is sent.
    golden : int32[k, oh, ow], or [n, k, oh, ow], its sums by the operator's golden reference.
    finish : finish(sums), what the layer's program makes of sums shaped as these, of every run.
    tensors : what it makes of the golden ones.
    program : what finishes them.
    """

    lowered: Lowered
    stream: Stream
    golden: Int32
    finish: Callable[[Int32], list[npt.NDArray[Any]]]
    tensors: list[npt.NDArray[Any]]
    program: Program


def with_graph(request: Request, progress: Progress | None = None) -> Request:
    """The request for a network with a graph: a file's, or that of a network of ours in int8.

    Where operands have 8 bits, or sums less than 32, zero points of ours are 0.
    """
    network, widths = request.network, request.hardware.operands
    assert isinstance(network, Network)
    narrow = widths.bits < _WITH_ZERO_POINTS or widths.accumulator_bits < _WIDEST_SUMS
    valued = with_values(network, request.seed, narrow, progress)
    return replace(request, network=valued, batch=request.images)


def infer(
    request: Request,
    progress: Progress,
    inputs: Arrays | None = None,
    keep: bool = False,
) -> Inference:
    """Data through the network of a request, to its end or to the last of the layers asked for.

    In fidelity cycle the sums of these layers come from registers, and go on from there.

    Parameters
    ----------
    inputs : what goes in; None for what follows from the seed.
    keep : whether every tensor is to be kept, and all nodes to be run.
    """
    network = request.network
    assert isinstance(network, GraphNetwork)
    graph, last = network.graph, request.chosen[-1].name
    registers = _Registers(
        network, _on_registers(request, network), _depending_on_data(request, network)
    )
    every = feed(request, network, inputs)
    whole = keep or request.layers is None
    kept: dict[str, npt.NDArray[Any]] = {}
    output: npt.NDArray[Any] | None = None
    runs: Sequence[Arrays] = every
    for place, (node, runs) in enumerate(walk(graph, every, registers.sums)):
        progress(node.name, place / len(graph.nodes))
        if keep:
            kept.update((name, runs[0][name]) for name in node.outputs if name)
        if node is network.nodes[last]:
            output = batched([network.as_output(run[network.made[last]]) for run in runs])
            if not whole:
                break
    assert output is not None
    made = batched_by_name([outputs(graph, run) for run in runs]) if whole else None
    values = Values(batched_by_name(every), made, kept if keep else None)
    return Inference(values, output, registers.measured, registers.depending)


def batched_by_name(runs: Sequence[Arrays]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of several runs behind one another, under each name; of one, as they are."""
    return {name: batched([run[name] for run in runs]) for name in runs[0]}


def feed(request: Request, network: GraphNetwork, inputs: Arrays | None) -> list[Arrays]:
    """The inputs of every run that it takes for the images of a request.

    UnsupportedError where tensors of the graph do not hold a part of them.
    """
    runs, rest = divmod(request.images, network.batch)
    if rest:
        raise UnsupportedError(
            f"tensors of {network.name} hold {network.batch} images; with values, batch must be a "
            f"multiple of that, not {request.images}"
        )
    if inputs is None:
        return [data.seeded(network, request.seed, run) for run in range(runs)]
    if runs > 1:
        raise UnsupportedError(
            f"data are the tensors that {network.name} takes, a batch of {network.batch}; batch "
            f"must be that, not {request.images}"
        )
    return [data.as_inputs(inputs, network)]


def on_data(
    request: Request,
    layer: Layer,
    lowered: Lowered,
    inputs: Arrays | None = None,
) -> LayerData:
    """A layer that runs on an engine, on the data that it has in the network."""
    network = request.network
    assert isinstance(network, GraphNetwork)
    check_integers(network, layer)
    graph = network.graph
    seen: list[Sequence[Operands]] = []

    def note(node: Node, every: Sequence[Operands]) -> list[npt.NDArray[Any]]:
        seen[:] = [every]
        return golden(node, every)

    steps = walk(graph, feed(request, network, inputs), note)
    node, runs = next(step for step in steps if step[0].name == layer.name)
    given = [given_to(graph, node, run) for run in runs]

    def finish(sums: Int32) -> list[npt.NDArray[Any]]:
        of_runs = sums.reshape(len(given), -1, *sums.shape[-3:])
        return [after_sums(graph, node, *each) for each in zip(given, of_runs, strict=True)]

    (every,) = seen
    sums = batched([image for run in golden(node, every) for image in run])
    lowered = lowered.on(_images(every))
    stream = lowered.sequence(*_operands(layer, every))
    tensors = [run[node.outputs[0]] for run in runs]
    return LayerData(lowered, stream, sums, finish, tensors, node.program)


def check_integers(network: GraphNetwork, layer: Layer) -> None:
    """UnsupportedError where a layer multiplies what no engine can."""
    if network.is_real(layer):
        raise UnsupportedError(
            f"layer {layer.name} of {network.name} multiplies reals, and engines multiply "
            "integers; fidelity golden computes reals, and `accelsim quantize` makes integers of "
            "them"
        )


def _on_registers(request: Request, network: GraphNetwork) -> dict[str, tuple[Layer, Lowered]]:
    """The layers that are to run register by register."""
    chosen = {}
    for layer in request.chosen if request.fidelity == CYCLE else ():
        if lowered := request.lower(layer):
            check_integers(network, layer)
            chosen[layer.name] = layer, lowered
    return chosen


def _depending_on_data(request: Request, network: GraphNetwork) -> dict[str, Lowered]:
    """The layers that are asked for whose passes depend on data."""
    return {
        layer.name: lowered
        for layer in request.chosen
        if _is_guided(network.nodes[layer.name]) and (lowered := request.lower(layer))
    }


def _is_guided(node: Node) -> bool:
    return isinstance(node.work, Products) and node.work.guides > 0


@dataclass
class _Registers:
    """Sums of products, from registers for some layers; what they took is noted.

    depending : layers whose passes depend on data; then as these have them.
    """

    network: GraphNetwork
    layers: Mapping[str, tuple[Layer, Lowered]]
    depending: dict[str, Lowered]
    measured: dict[str, Measured] = field(default_factory=dict)

    def sums(self, node: Node, every: Sequence[Operands]) -> Sequence[npt.NDArray[Any]]:
        """Those of every run, int32[n, k, oh, ow]."""
        expected = golden(node, every)
        if node.name in self.depending:
            self.depending[node.name] = self.depending[node.name].on(_images(every))
        if node.name not in self.layers:
            return expected
        layer, lowered = self.layers[node.name]
        lowered = self.depending.get(node.name, lowered)
        stream = lowered.sequence(*_operands(layer, every))
        done = lowered.measure(stream)
        out = stream.output(done.words)
        found = out.reshape(len(every), -1, *out.shape[-3:])
        equal = np.array_equal(found, np.stack(expected))
        self.measured[node.name] = Measured(done.busy_cycles, equal)
        return list(found)


def _operands(layer: Layer, every: Sequence[Operands]) -> tuple[Any, Any]:
    """Map and kernel of a layer for the images of all runs, as Lowered.sequence takes them."""
    return operands(layer, _images(every), every[0].weights)


def _images(every: Sequence[Operands]) -> list[tuple[npt.NDArray[Any], ...]]:
    """The inputs of a layer, image by image of all runs."""
    return [maps for run in every for maps in run.maps]
