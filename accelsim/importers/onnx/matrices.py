"""Matrix products: layers with constant weights, and products of two maps.

A matrix of a file has positions and features, in whatever order; engines see features as channels
and positions as pixels. Where the network runs on several images at once, the first axis is theirs.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from accelsim.graph.types import Function, Node, TensorType, View
from accelsim.importers.onnx.model import CannotExecuteError, Model, Step, derived
from accelsim.importers.onnx.products import Shape, products
from accelsim.ops import Linear, Matmul, Pointwise


class Stack(NamedTuple):
    """A tensor as a stack of matrices: its axes of the stack, of rows, and of columns.

    A vector has no rows, or no columns.
    """

    shape: Shape
    lead: Shape
    rows: Shape
    columns: Shape

    def sizes(self, axes: Shape) -> Shape:
        """Of some axes."""
        return tuple(self.shape[axis] for axis in axes)

    @property
    def single(self) -> bool:
        """Whether it is one matrix."""
        return prod(self.sizes(self.lead)) == 1

    @property
    def turned(self) -> "Stack":
        """Rows as columns."""
        return self._replace(rows=self.columns, columns=self.rows)

    def with_lead(self) -> "Stack":
        """Rows as a stack of vectors."""
        return self._replace(lead=(*self.lead, *self.rows), rows=())

    def view(self, images: int, side_by_side: bool) -> View:
        """Columns as channels, (n, c, 1, w); rows as pixels.

        side_by_side : whether the matrices of an image are so, as channels; else they are pixels.
        """
        first = self.lead[: int(images > 1)]
        others = self.lead[len(first) :]
        heads, pixels = (others, self.rows) if side_by_side else ((), (*others, *self.rows))
        channels = (*heads, *self.columns)
        shape = (images, prod(self.sizes(channels)), 1, prod(self.sizes(pixels)))
        return View((*first, *channels, *pixels), shape)

    def weights(self) -> View:
        """(n, k) of matrices of k rows and n columns, one below the other."""
        columns, rows = (prod(self.sizes(axes)) for axes in (self.columns, self.rows))
        order = (*self.lead, *self.columns, *self.rows)
        return View(order, (prod(self.sizes(self.lead)) * columns, rows))


def matmul(model: Model, step: Step) -> Iterator[Node]:
    """MatMul: of stacks of matrices; a vector is a row on the left, a column on the right."""
    a, b = (model.type(name).shape for name in step.inputs[:2])
    y = model.type(step.outputs[0]).shape
    left = Stack(a, (), (), (0,)) if len(a) == 1 else _matrices(a)
    right = Stack(b, (), (0,), ()) if len(b) == 1 else _matrices(b)
    lead = len(y) - len(left.rows) - len(right.columns)
    rows = tuple(range(lead, lead + len(left.rows)))
    made = Stack(y, tuple(range(lead)), rows, tuple(range(lead + len(rows), len(y))))
    yield from multiply(model, step, left, right, made)


def _matrices(shape: Shape) -> Stack:
    rank = len(shape)
    return Stack(shape, tuple(range(rank - 2)), (rank - 2,), (rank - 1,))


def multiply(
    model: Model, step: Step, a: Stack, b: Stack, y: Stack, bias: str = ""
) -> Iterator[Node]:
    """The product of two stacks, of which one may be constant; the bias is one of the columns."""
    a_name, b_name = step.inputs[:2]
    bias = bias or step.input(2)
    if b_name in model.constants:
        yield from _layer(model, step, a, b, y, bias)
    elif a_name in model.constants:
        turned = step.with_inputs(b_name, a_name)
        if bias:
            raise CannotExecuteError("it has a bias of its second operand's columns")
        yield from _layer(model, turned, b.turned, a.turned, y.turned, "")
    else:
        yield from _product(model, step, a, b, y)


def _layer(model: Model, step: Step, x: Stack, w: Stack, y: Stack, bias: str) -> Iterator[Node]:
    """Constant weights: linear where there is one position, else pointwise."""
    if not x.lead:
        x, y = x.with_lead(), y.with_lead()
    images = _images(model, x, y)
    if not w.single and w.sizes(w.lead) != x.sizes(x.lead)[int(images > 1) :]:
        images = 1
        step, x, w = yield from _broadcast(model, step, x, w, y)
    side_by_side = not w.single
    view, result = x.view(images, side_by_side), y.view(images, side_by_side)
    n = result.shape[1]
    weights = w.weights()
    if view.shape[3] == 1 and not side_by_side:
        operator: Linear | Pointwise = Linear(n)
    else:
        operator = Pointwise(n, groups=prod(w.sizes(w.lead)))
        weights = View(weights.order, (*weights.shape, 1, 1))
    yield products(model, step, operator, view, weights, bias, result)


def _product(model: Model, step: Step, a: Stack, b: Stack, y: Stack) -> Iterator[Node]:
    """Two computed operands."""
    images = _images(model, a, b, y)
    if b.single and images == 1:
        yield products(
            model,
            step,
            Matmul(),
            a.view(1, False),
            b.view(1, True),
            y=y.view(1, False),
            second_map=True,
        )
        return
    if not a.sizes(a.lead) == b.sizes(b.lead) == y.sizes(y.lead):
        step, a, b = yield from _broadcast(model, step, a, b, y)
    heads = prod(y.sizes(y.lead)) // images
    views = (each.view(images, True) for each in (a, b, y))
    x, w, result = views
    yield products(model, step, Matmul(heads), x, w, y=result, second_map=True)


def _images(model: Model, *stacks: Stack) -> int:
    """Those of the model where the first axis of all stacks is theirs, else 1."""
    first = {each.sizes(each.lead)[:1] for each in stacks}
    return model.images if first == {(model.images,)} else 1


def _broadcast(
    model: Model, step: Step, a: Stack, b: Stack, y: Stack
) -> Generator[Node, None, tuple[Step, Stack, Stack]]:
    """The step with both operands repeated to the stack of the result."""
    names, stacks = [], []
    for name, stack in zip(step.inputs, (a, b), strict=False):
        shape = (*y.sizes(y.lead), *stack.shape[len(stack.lead) :])
        more = len(y.lead) - len(stack.lead)
        rows, columns = (tuple(axis + more for axis in axes) for axes in stack[2:])
        stacks.append(Stack(shape, y.lead, rows, columns))
        if shape == stack.shape:
            names.append(name)
        else:
            names.append((yield from _expanded(model, step, name, shape)))
    return step.with_inputs(*names), stacks[0], stacks[1]


def _expanded(model: Model, step: Step, name: str, shape: Shape) -> Generator[Node, None, str]:
    """The name of a tensor repeated to a shape."""
    dtype = model.type(name).dtype
    hint = f"{step.name}.{name}"
    if name in model.constants:
        constant = model.constants[name]
        return model.add(hint, derived(shape, dtype, lambda x: np.broadcast_to(x, shape), constant))
    wanted = model.add(f"{hint}.shape", np.array(shape, np.int64))
    model.types[hint] = TensorType(shape, dtype)
    yield Node(hint, "Expand", Function("Expand"), (name, wanted), (hint,))
    return hint


def gemm(model: Model, step: Step) -> Iterator[Node]:
    """Alpha A B + beta C of two matrices, either of them transposed."""
    alpha, beta = (step.attributes.get(name, 1.0) for name in ("alpha", "beta"))
    a, b, y = (
        Stack(model.type(name).shape, (), (0,), (1,))
        for name in (*step.inputs[:2], step.outputs[0])
    )
    a = a.turned if step.attributes.get("transA") else a
    b = b.turned if step.attributes.get("transB") else b
    (out,), dtype = step.outputs, model.type(step.outputs[0]).dtype
    left, right, c = (step.input(place) for place in range(3))
    if left in model.constants and alpha != 1:
        left, alpha = _scaled(model, left, alpha), 1.0
    elif right in model.constants and alpha != 1:
        right, alpha = _scaled(model, right, alpha), 1.0
    bias = ""
    if c and right in model.constants and _is_of_columns(model, c, y.shape[1]):
        constant, columns = model.constants[c], (y.shape[1],)
        bias = model.add(
            f"{c}.bias",
            derived(columns, dtype, lambda x: np.broadcast_to(beta * x.ravel(), columns), constant),
        )
        c = ""
    rest = [("Mul", alpha)] * (alpha != 1) + [("Add", c)] * (c != "")
    step = step.with_inputs(left, right)
    made = [f"{out}.{kind}" for kind, _ in rest]
    for name in made:
        model.types[name] = TensorType(y.shape, dtype)
    first, *others = (*made, out)
    yield from multiply(model, replace(step, outputs=(first,)), a, b, y, bias)
    for kind, operand in rest:
        before, first, *others = (first, *others)
        if kind == "Mul":
            operand = model.add(f"{out}.alpha", np.array(alpha, dtype))
        elif beta != 1:
            operand = yield from _times(model, step, operand, beta)
        yield Node(f"{step.name}.{kind}", kind, Function(kind), (before, operand), (first,))


def _is_of_columns(model: Model, name: str, columns: int) -> bool:
    """Whether a constant is the same in every row."""
    shape = model.type(name).shape
    fits = shape[-1:] in ((), (1,), (columns,)) and prod(shape[:-1]) == 1
    return fits and name in model.constants


def _scaled(model: Model, name: str, factor: float) -> str:
    """A constant times a factor."""
    constant = model.constants[name]
    shape, dtype, _ = constant.type
    return model.add(f"{name}.scaled", derived(shape, dtype, lambda x: x * factor, constant))


def _times(model: Model, step: Step, name: str, factor: float) -> Generator[Node, None, str]:
    """A tensor times a factor."""
    if name in model.constants:
        return _scaled(model, name, factor)
    made = f"{step.outputs[0]}.beta"
    model.types[made] = model.type(name)
    by = model.add(f"{made}.factor", np.array(factor, model.type(name).dtype))
    yield Node(made, "Mul", Function("Mul"), (name, by), (made,))
    return made
