"""Layers of a network: what each makes of what, and has."""

from collections import Counter

from accelsim.graph.network import GraphNetwork
from accelsim.graph.types import Graph
from accelsim.ir import BaseNetwork
from accelsim.phrases import counted, of_batch
from accelsim.report.table import Table, listed
from accelsim.report.table import show as shown

COLUMNS = ("layer", "op", "shape", "MACs", "params")


def title(network: BaseNetwork) -> str:
    """What the table is about."""
    layers = counted(len(network.layers), "layer")
    return f"{network.name} {network.variant}{of_batch(network.batch)}, {layers}"


def table(network: BaseNetwork) -> Table:
    """A row for every layer, in order, and their sums."""
    rows = []
    for layer in network.layers:
        reads = " + ".join(map(shown, network.in_shapes(layer)))
        numbers = network.macs(layer), network.params(layer)
        shape = f"{reads} > {shown(network.shape(layer.name))}"
        rows.append((layer.name, layer.op.name, shape, *(f"{each:,}" for each in numbers)))
    total = ("total", "", "", f"{network.total_macs:,}", f"{network.total_params:,}")
    return Table(COLUMNS, rows, words=COLUMNS[:3], summary=(total,))


def notes(network: BaseNetwork) -> list[str]:
    """What goes in and comes out, and what runs on the host."""
    sentences = []
    if isinstance(network, GraphNetwork):
        graph = network.graph
        sentences.append(f"Inputs: {_tensors(graph, graph.inputs)}.")
        sentences.append(f"Outputs: {_tensors(graph, graph.outputs)}.")
    sentences.append("Shapes are channels, rows and columns of one image.")
    hosted = Counter(
        layer.op.name for layer in network.layers if not layer.op.lower(*network.in_shapes(layer))
    )
    if hosted:
        sentences.append(f"On the host: {listed(hosted)}.")
    return sentences


def _tensors(graph: Graph, names: tuple[str, ...]) -> str:
    """Names with types and shapes."""
    types = ((name, graph.type(name)) for name in names)
    return ", ".join(f"{name} {each.dtype} {list(each.shape)}" for name, each in types)
