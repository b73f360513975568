"""Layers that are independent of each other: each on maps and a kernel of its own, from a seed.

The images of a batch have maps of their own, and share the kernel.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError
from accelsim.ir import Layer, LayerList
from accelsim.numerics import Int8, Int32
from accelsim.tensors import OPERAND_DTYPE
from accelsim.weights import Weights, seeded_input


class Step(NamedTuple):
    """One layer on its data.

    inputs : int8[c, h, w] each.
    weights : int8, empty where it has none.
    sums : int32[c, h, w], by the golden reference.
    """

    inputs: tuple[Int8, ...]
    weights: Int8
    sums: Int32


def step(network: LayerList, layer: Layer, weights: Weights, seed: int, image: int = 0) -> Step:
    """A layer that runs on an engine, on the maps of that image.

    UnsupportedError where it has maps that values cannot be computed of.
    """
    for name in layer.inputs:
        if (dtype := network.tensor(name).dtype) != OPERAND_DTYPE:
            raise UnsupportedError(
                f"values are computed of maps of {OPERAND_DTYPE} only, and {name} of "
                f"{network.name} is of {dtype}"
            )
    inputs = tuple(seeded_input(network, seed, image, name) for name in layer.inputs)
    kernel = weights.kernel(layer)
    return Step(inputs, kernel, layer.op.golden(kernel, *inputs))


def operands(
    layer: Layer, inputs: Sequence[Sequence[npt.NDArray[Any]]], weights: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Map and kernel of the layer for the images of a batch, as Lowered.sequence takes them.

    inputs : of every image; all share the weights, empty where the kernel is an input.
    """
    maps, kernels = zip(*(layer.op.operands(each, weights) for each in inputs), strict=True)
    return batched(maps), kernels[0] if weights.size else batched(kernels)


def batched(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Those of several images behind one another; of one, as it is."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)
