"""What a network computes: nodes on tensors of any rank, in order of execution.

A Network says what layers cost; a Graph says what their values are, as the file has it that the
network comes from. Tensors keep the layout of the file; Views say how engines see them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import NetworkError
from accelsim.ir import Operator
from accelsim.numerics.programs import Program

Array = npt.NDArray[Any]
OF_PRODUCTS = 5  # inputs of a node of products: x, w, bias, zero points of x and of w
NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Quantisation:
    """What the integers of a tensor stand for: q for scale (q - zero_point).

    scale : float32[] or, one for every index along `axis`, float32[n].
    zero_point : int32, shaped as `scale`.
    """

    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.int32]
    axis: int | None = None


class TensorType(NamedTuple):
    """Shape and dtype (a name of NumPy's) of a tensor, and what its integers stand for."""

    shape: tuple[int, ...]
    dtype: str
    quantisation: Quantisation | None = None


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor whose values are known; they are read when they are first asked for.

    read : gives the values, shaped and typed as `type` says.
    """

    type: TensorType
    read: Callable[[], Array]

    @cached_property
    def values(self) -> Array:
        """The values, which nobody may change."""
        values = self.read()
        values.flags.writeable = False
        return values


class View(NamedTuple):
    """How a tensor is seen in another shape: its axes in another order, then reshaped."""

    order: tuple[int, ...]
    shape: tuple[int, ...]

    def see(self, x: Array) -> Array:
        """The tensor in the other shape."""
        return x.transpose(self.order).reshape(self.shape)

    def put_back(self, x: Array, shape: tuple[int, ...]) -> Array:
        """The tensor of that shape of which `x` is the view."""
        moved = tuple(shape[axis] for axis in self.order)
        return x.reshape(moved).transpose(np.argsort(self.order)).copy()


class Function(NamedTuple):
    """A function of tensors, by its name in functions.FUNCTIONS, and its attributes."""

    name: str
    attributes: Mapping[str, Any] = NO_ATTRIBUTES


class Products(NamedTuple):
    """Sums of products, as an engine computes them.

    operator : on maps (c, h, w), one of every image.
    x, y : the first input, and the result, as (n, c, h, w) and (n, k, oh, ow).
    w : the second input as the weights of the operator or, if it is a `second_map` that the
        operator reads, as (n, c, h, w).
    norm : whether a batch norm is folded into weights and bias.
    biased : whether the bias, where there is one, is more than that of a norm.
    factors : of reals, what the sums of every output channel are multiplied with before the bias
        is added, as by a batch norm behind a kernel that is a map; () where by nothing.

    An operator may be `guided` (ops.base.Convolution) by a further map, seen as it is.
    """

    operator: Operator
    x: View
    w: View
    y: View
    second_map: bool = False
    norm: bool = False
    biased: bool = True
    factors: tuple[float, ...] = ()

    @property
    def guides(self) -> int:
        """Maps that guide the operator, the first of the inputs behind OF_PRODUCTS: 0 or 1."""
        return int(getattr(self.operator, "guided", False))


Work = Function | Products | None


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a Graph.

    name : its own; also that of its layer.
    kind : what the file calls it, such as QLinearConv.
    work : what it computes of its inputs; None where all of it is the program.
    inputs : names of tensors, "" for one that is left out. Those of Products are x, w, a bias
        (added to what is computed of reals), and the zero points of x and of w, which broadcast
        against them.
    program : what follows in integers, a numerics.programs.Program; () where nothing does. Its
        further maps are the inputs behind those of `work`, which for Products are five and guides.
    outputs : names of tensors, "" for one that nobody wants.
    on_reals : whether the runtime of the file computes reals where this computes integers, and may
        so round to the next.
    """

    name: str
    kind: str
    work: Work
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    program: Program = ()
    on_reals: bool = False


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in order of execution.

    inputs, outputs : names of tensors, those of the file, in its order.
    types : of every tensor that a node makes and of every input.
    constants : by name, those that nodes read.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Constant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {"", *self.inputs, *self.constants}
        for node in self.nodes:
            if missing := [name for name in node.inputs if name not in known]:
                raise NetworkError(
                    f"node {node.name} reads {missing[0]!r}, which no node before it makes"
                )
            for name in filter(None, node.outputs):
                if name in known:
                    raise NetworkError(f"node {node.name} makes {name!r}, which is another tensor")
                known.add(name)
        if missing := [name for name in self.outputs if name not in known]:
            raise NetworkError(f"output {missing[0]!r} of {self.name} is made by no node")

    def type(self, name: str) -> TensorType:
        """Of any tensor."""
        return self.constants[name].type if name in self.constants else self.types[name]

    @cached_property
    def last_reads(self) -> Mapping[str, tuple[str, ...]]:
        """By the name of a node, the tensors that nothing reads after it."""
        last = {name: node.name for node in self.nodes for name in (*node.outputs, *node.inputs)}
        kept = {"", *self.outputs, *self.constants}
        done: dict[str, list[str]] = {}
        for tensor, reader in last.items():
            if tensor not in kept:
                done.setdefault(reader, []).append(tensor)
        return {reader: tuple(tensors) for reader, tensors in done.items()}
