"""ONNX files: a Graph for values, and a Network for costs.

A file is read (`read`), its tensors get shapes and what is constant is folded (`fold`, `shapes`),
operators of old sets become those of the newest (`normalise`), several that are one are taken as
one (`patterns`, and for integers `qdq`), and each becomes nodes of a Graph (`nodes`, `quantised`).
"""

from pathlib import Path

from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.graph.network import GraphNetwork, as_network
from accelsim.graph.types import Graph, Node
from accelsim.importers.onnx.fold import fold
from accelsim.importers.onnx.model import CannotExecuteError, Model, Refusal
from accelsim.importers.onnx.nodes import NODES, make_nodes
from accelsim.importers.onnx.patterns import find_patterns
from accelsim.importers.onnx.qdq import fuse
from accelsim.importers.onnx.read import Sizes, read

__all__ = ["load"]


def load(path: Path, sizes: Sizes = None) -> GraphNetwork:
    """The network of an ONNX file.

    sizes : height and width of the image, or shapes of inputs by their names; None where the file
        says them.
    FileError, NetworkError or UnsupportedError names the file, and the node and the tensor.
    """
    model = read(path, sizes)
    try:
        return as_network(make_graph(model), elements=model.elements)
    except AccelsimError as error:
        raise type(error)(f"{path}: {error}") from None


def make_graph(model: Model) -> Graph:
    """The graph of a model, which is changed on the way."""
    refused = fold(model, NODES)
    if not refused:
        fuse(model)
        find_patterns(model)
    nodes: list[Node] = []
    for step in model.steps:
        try:
            nodes += make_nodes(model, step)
        except CannotExecuteError as error:
            refused.append(Refusal(step, str(error)))
    if refused:
        raise UnsupportedError(f"these nodes cannot be executed: {', '.join(map(str, refused))}")
    read_by_nodes = {name for node in nodes for name in node.inputs} | {*model.outputs}
    return Graph(
        model.path.stem,
        tuple(model.inputs),
        model.outputs,
        tuple(nodes),
        model.types,
        {name: each for name, each in model.constants.items() if name in read_by_nodes},
    )
