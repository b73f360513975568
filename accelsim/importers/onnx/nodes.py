"""What every operator comes to in a Graph: a table of functions; by default a Function by name.

Sums of products become Products, whose Views say how engines see the tensors of the file. Other
parts of the importer add lines to NODES.
"""

from collections.abc import Callable, Iterator, Mapping

from accelsim.errors import NetworkError, ShapeError
from accelsim.graph.types import Function, Node
from accelsim.importers.onnx.convolutions import check_pads, convolution, transposed_convolution
from accelsim.importers.onnx.matrices import gemm, matmul
from accelsim.importers.onnx.model import Model, Step
from accelsim.importers.onnx.quantised import NODES as ON_INTEGERS

Rule = Callable[[Model, Step], Iterator[Node]]


def make_nodes(model: Model, step: Step) -> Iterator[Node]:
    """The nodes of a step, most often one.

    CannotExecuteError says why there are none; NetworkError where numbers do not fit.
    """
    try:
        yield from NODES.get(step.kind, function)(model, step)
    except ShapeError as error:
        raise NetworkError(f"{step} does not fit: {error}") from None


def function(model: Model, step: Step) -> Iterator[Node]:
    """The function of the name of the operator."""
    work = Function(step.kind, step.attributes)
    yield Node(step.name, step.kind, work, step.inputs, step.outputs)


def pool(model: Model, step: Step) -> Iterator[Node]:
    """A pool, whose padding cannot crop."""
    check_pads(step, step.attributes.get("pads", ()))
    yield from function(model, step)


NODES: Mapping[str, Rule] = {
    "Conv": convolution,
    "Gemm": gemm,
    "MatMul": matmul,
    "ConvTranspose": transposed_convolution,
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
    **ON_INTEGERS,
}
