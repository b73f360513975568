"""Nodes of Products: what an engine computes, and how it sees the tensors of the file."""

from math import prod

from accelsim.errors import NetworkError
from accelsim.graph.types import Node, Products, View
from accelsim.importers.onnx.model import Model, Step
from accelsim.ir import Operator

Shape = tuple[int, ...]


def axes(shape: Shape) -> Shape:
    """All axes in their order."""
    return tuple(range(len(shape)))


def image(shape: Shape) -> Shape:
    """With rows: (n, c, 1, w) of (n, c, w)."""
    return shape if len(shape) == 4 else (*shape[:2], 1, *shape[2:])


def products(
    model: Model,
    step: Step,
    operator: Operator,
    x: View,
    w: View,
    bias: str = "",
    y: View | None = None,
    second_map: bool = False,
) -> Node:
    """A node of Products; NetworkError unless its result has the shape that was inferred."""
    shape = model.type(step.outputs[0]).shape
    y = y or View(axes(shape), image(shape))
    maps = (x.shape[-3:], w.shape[-3:]) if second_map else (x.shape[-3:],)
    made = (x.shape[0], *operator.out_shape(*maps))
    if made != y.shape:
        raise NetworkError(f"{step} makes {list(y.shape)}, and its attributes say {list(made)}")
    if not second_map and prod(operator.weight_shape(*maps)) != prod(w.shape):
        raise NetworkError(
            f"weights of {step}, {step.inputs[1]!r}, must be "
            f"{list(operator.weight_shape(*maps))}, not {list(w.shape)}"
        )
    if bias and prod(model.type(bias).shape) != made[1]:
        raise NetworkError(
            f"biases of {step}, {bias!r}, must be {made[1]}, not {list(model.type(bias).shape)}"
        )
    work = Products(operator, x, w, y, second_map, step.norm, step.biased)
    inputs = (step.inputs[0], step.inputs[1], bias, "", "")
    return Node(step.name, step.kind, work, inputs, step.outputs[:1])
