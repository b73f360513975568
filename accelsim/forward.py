"""Values through a network, layer by layer, by the operators' golden references.

The images of a batch go through it one by one: none changes the values, or scales, of another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.errors import UnsupportedError
from accelsim.ir import INPUT, BaseNetwork, Layer
from accelsim.numerics import FRACTION, Int8, Int32, epilogue
from accelsim.tensors import OPERAND_DTYPE, Map
from accelsim.weights import Weights, seeded_input


class Step(NamedTuple):
    """One layer on the data that it has in its network.

    inputs : int8[c, h, w] each, on the scales that the operator needs.
    weights : int8, empty where it has none.
    sums : int32[c, h, w], by the golden reference.
    output : the map that the layer makes of them.
    """

    inputs: tuple[Int8, ...]
    weights: Int8
    sums: Int32
    output: Map


def first_map(network: BaseNetwork, seed: int, image: int = 0, entry: str = INPUT) -> Map:
    """The image of that number, or another map that no layer makes.

    UnsupportedError where the network has maps that values cannot be computed of.
    """
    for name in (*network.entries, *(each.name for each in network.layers)):
        if (dtype := network.tensor(name).dtype) != OPERAND_DTYPE:
            raise UnsupportedError(
                f"values are computed of maps of {OPERAND_DTYPE} only, and {name} of "
                f"{network.name} is of {dtype}"
            )
    return Map(seeded_input(network, seed, image, entry), FRACTION)


def first_maps(network: BaseNetwork, layer: Layer, seed: int, image: int = 0) -> dict[str, Map]:
    """Those that a layer reads, by name."""
    entries = [name for name in layer.inputs if name in network.entries]
    return {name: first_map(network, seed, image, name) for name in entries}


def step(layer: Layer, weights: Weights, maps: Mapping[str, Map]) -> Step:
    """The layer on the maps, by name, that the layers before it have made."""
    inputs, exponent = layer.op.rescale(*(maps[source] for source in layer.inputs))
    kernel = weights.kernel(layer)
    sums = layer.op.golden(kernel, *inputs)
    return Step(
        inputs, kernel, sums, epilogue(sums, exponent, weights.bias(layer), layer.activation)
    )


def step_of(
    network: BaseNetwork, layer: Layer, weights: Weights, seed: int, image: int = 0
) -> Step:
    """The layer, after all that it takes for its inputs, on the image of that number."""
    maps: dict[str, Map] = {}
    for before in network.leading_to((layer,)):
        maps |= first_maps(network, before, seed, image)
        done = step(before, weights, maps)
        maps[before.name] = done.output
    return done


def last_reads(network: BaseNetwork) -> dict[str, list[str]]:
    """The maps that no layer needs behind each layer that reads one for the last time."""
    last = {source: layer.name for layer in network.layers for source in layer.inputs}
    return {reader: [each for each in last if last[each] == reader] for reader in last.values()}


def operands(layer: Layer, inputs: Sequence[Sequence[Int8]], weights: Int8) -> tuple[Int8, Int8]:
    """Map and kernel of the layer for the images of a batch, as Lowered.sequence takes them.

    inputs : of every image; all share the weights, empty where the kernel is an input.
    """
    maps, kernels = zip(*(layer.op.operands(each, weights) for each in inputs), strict=True)
    return batched(maps), kernels[0] if weights.size else batched(kernels)


def batched(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Those of several images behind one another; of one, as it is."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)
