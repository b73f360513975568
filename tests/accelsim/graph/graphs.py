"""Graphs made by hand: integers with zero points, as files of quantised networks have them."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from accelsim.graph.network import GraphNetwork, as_network
from accelsim.graph.types import Array, Constant, Function, Graph, Node, Products, TensorType, View
from accelsim.numerics.programs import Bias, Clamp, Requantise
from accelsim.ops import Conv2d, Depthwise, Matmul

WHOLE = (0, 1, 2, 3)
X_ZERO, W_ZERO, C_ZERO = 131, (7, 255, 0, 128), 3


def constants(arrays: Mapping[str, Array]) -> dict[str, Constant]:
    """Arrays by name as constants."""
    return {
        name: Constant(TensorType(each.shape, each.dtype.name), each.copy)
        for name, each in arrays.items()
    }


def halves(k: int, shift: int) -> Requantise:
    """Sums times 2**-shift, rounded half to even, of k channels."""
    return Requantise("ort", np.full(k, 1 << 23), np.full(k, 23 + shift))


def quantised(images: int = 2) -> GraphNetwork:
    """uint8 [n, 3, 5, 6] > convolution > depthwise > Relu; the convolution is an output too."""
    rng = np.random.default_rng(5)
    n, out = images, (images, 4, 3, 6)
    arrays: dict[str, npt.NDArray[np.integer]] = {
        "w": rng.integers(0, 256, (4, 3, 3, 3), np.uint8),
        "d": rng.integers(-127, 128, (4, 1, 3, 3), np.int8),
        "xz": np.array(X_ZERO, np.uint8),
        "wz": np.array(W_ZERO, np.uint8).reshape(4, 1, 1, 1),
        "cz": np.array(C_ZERO, np.uint8),
    }
    conv = Products(
        Conv2d(4, (3, 3), (2, 1), 1),
        View(WHOLE, (n, 3, 5, 6)),
        View(WHOLE, (4, 3, 3, 3)),
        View(WHOLE, out),
    )
    deep = Products(
        Depthwise(kernel=(3, 3), padding=1),
        View(WHOLE, out),
        View(WHOLE, (4, 1, 3, 3)),
        View(WHOLE, out),
    )
    first = (
        Bias(np.arange(4, dtype=np.int32) * 1000),
        halves(4, 9),
        Clamp(C_ZERO, 0, 255, "uint8"),
    )
    second = (halves(4, 8), Clamp(-10, -128, 127, "int8"))
    nodes = (
        Node("conv", "QLinearConv", conv, ("x", "w", "", "xz", "wz"), ("c",), first),
        Node("deep", "QLinearConv", deep, ("c", "d", "", "cz", ""), ("e",), second),
        Node("relu", "Relu", Function("Relu"), ("e",), ("y",)),
    )
    types = {
        "x": TensorType((n, 3, 5, 6), "uint8"),
        "c": TensorType(out, "uint8"),
        "e": TensorType(out, "int8"),
        "y": TensorType(out, "int8"),
    }
    return as_network(Graph("hand", ("x",), ("y", "c"), nodes, types, constants(arrays)))


def attention() -> GraphNetwork:
    """Two inputs of int8, multiplied with each other by heads: [1, 6, 1, 4] and [1, 6, 1, 4]."""
    work = Products(
        Matmul(heads=2, transpose_b=True),
        View(WHOLE, (1, 6, 1, 4)),
        View(WHOLE, (1, 6, 1, 4)),
        View(WHOLE, (1, 8, 1, 4)),
        second_map=True,
    )
    node = Node("scores", "MatMulInteger", work, ("a", "b", "", "", ""), ("s",))
    types = {
        "a": TensorType((1, 6, 1, 4), "int8"),
        "b": TensorType((1, 6, 1, 4), "int8"),
        "s": TensorType((1, 8, 1, 4), "int32"),
    }
    return as_network(Graph("attention", ("a", "b"), ("s",), (node,), types))
