"""ONNX files: a Graph for values, and a Network for costs.

A file is read (`read`), its tensors get shapes and what is constant is folded (`fold`, `shapes`),
operators of old sets become those of the newest (`normalise`), several that are one are taken as
one (`patterns`, and for integers `qdq`), and each becomes nodes of a Graph (`nodes`, `quantised`).
"""

from pathlib import Path

from accelsim.errors import AccelsimError, UnsupportedError
from accelsim.graph.network import GraphNetwork, as_network
from accelsim.graph.types import Graph, Node
from accelsim.importers.onnx.attributes import why_unknown
from accelsim.importers.onnx.fold import fold
from accelsim.importers.onnx.inputs import Sizes
from accelsim.importers.onnx.model import CannotExecuteError, Model, Refusal, Step
from accelsim.importers.onnx.nodes import NODES, make_nodes
from accelsim.importers.onnx.patterns import find_patterns
from accelsim.importers.onnx.qdq import fuse
from accelsim.importers.onnx.read import read

__all__ = ["load"]


def load(path: Path, sizes: Sizes = None) -> GraphNetwork:
    """The network of an ONNX file.

    sizes : height and width of the image, or shapes of inputs by their names; None where the file
        says them.
    FileError, NetworkError or UnsupportedError names the file, and the node and the tensor.
    """
    try:
        model = read(path, sizes, _check_operators)
        return as_network(make_graph(model), elements=model.elements)
    except AccelsimError as error:
        sentence = str(error)
        if str(path) in sentence:
            raise
        raise type(error)(f"{path}: {sentence}") from None


def _check_operators(steps: list[Step]) -> None:
    """UnsupportedError with all nodes that can be executed at no size."""
    refused = [Refusal(step, why_unknown(step, NODES)) for step in steps]
    if refused := [each for each in refused if each.reason]:
        raise UnsupportedError(_cannot(refused))


def _cannot(refused: list[Refusal]) -> str:
    return f"these nodes cannot be executed: {', '.join(map(str, refused))}"


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
        raise UnsupportedError(_cannot(refused))
    read_by_nodes = {name for node in nodes for name in node.inputs} | {*model.outputs}
    return Graph(
        model.path.stem,
        tuple(model.inputs),
        model.outputs,
        tuple(nodes),
        model.types,
        {name: each for name, each in model.constants.items() if name in read_by_nodes},
    )
