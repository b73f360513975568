"""Weights and images from a seed, and what values are like with them: batch norms and ranges.

Kernels are of He's initialisation (arXiv 1502.01852). A batch norm has the means and deviations
that its layer has on a few seeded images, as after training; it is folded into the layer. Means,
deviations and ranges are rounded to a few bits, so that the last bits of a machine's sums of reals
change nothing.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.graph.build import (
    NO_WEIGHTS,
    Float32,
    Parts,
    Real,
    add_layer,
    gain,
    outputs_of,
    products_of,
)
from accelsim.graph.evaluate import compute, given_to
from accelsim.graph.types import Array, TensorType
from accelsim.ir import INPUT, Layer, Network, Shape, centre_of

IMAGES = 2  # seen in calibration
_BITS = 12  # of means, deviations and ends of ranges
_SPOTS = 7  # rows and columns of the coarse part of an image
_SPREAD = 0.1  # of gammas about 1, and of biases and betas about 0

Range = tuple[float, float]


class Norm(NamedTuple):
    """Mean and deviation of the sums of a layer, float64[k]."""

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]


class Statistics(NamedTuple):
    """What was seen of the values of a network.

    norms : of every layer with a batch norm.
    ranges : of every tensor of reals, the least and the greatest value.
    """

    norms: Mapping[str, Norm]
    ranges: Mapping[str, Range]


def image(shape: Shape, seed: int, number: int = 0, entry: str = INPUT) -> Float32:
    """float32[1, c, h, w] of mean 0: large spots and fine grain, as of a camera."""
    c, h, w = shape
    spots = normals(seed, f"{entry} {number} spots", (c, _SPOTS, _SPOTS))
    rows, columns = (np.arange(size) * _SPOTS // size for size in (h, w))
    grain = normals(seed, f"{entry} {number} grain", shape)
    return np.asarray(spots[:, rows[:, None], columns] + grain / 2, np.float32)[None]


def normals(seed: int, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """float64 of mean 0 and deviation 1, which follow from the arguments on every platform.

    Each is the sum of four uniform numbers: raw output of PCG64, whose stream NumPy guarantees.
    """
    key = hashlib.sha256(f"{seed} {name} {shape}".encode()).digest()
    words = np.random.PCG64(int.from_bytes(key, "little")).random_raw(math.prod(shape))
    parts = words.astype("<u8").view("<u2").reshape(*shape, 4)
    numbers: npt.NDArray[np.float64] = parts.sum(axis=-1, dtype=np.float64) / 2**16 - 2
    return numbers * math.sqrt(3)


def draw(network: Network, layer: Layer, seed: int) -> Real:
    """What a layer multiplies with and adds before a batch norm is folded."""
    shapes = network.in_shapes(layer)
    shape = layer.op.weight_shape(*shapes)
    k = network.shape(layer.name)[0]
    bias = normals(seed, f"{layer.name}.bias", (k,)) * _SPREAD if layer.bias else None
    reals = None if bias is None else bias.astype(np.float32)
    if not shape:
        return Real(NO_WEIGHTS.kernel, reals)
    if layer.tied:
        return Real(centre_of(draw(network, network.layer(layer.tied), seed).kernel, shape), reals)
    numbers = normals(seed, layer.name, shape)
    if layer.op.lower(*shapes):
        fan_in = products_of(layer.op, shapes)[outputs_of(layer.op, shapes)]
        numbers *= gain(layer.activation) / np.sqrt(fan_in)
    elif len(shape) == 2 and shape[0] == 2:  # gamma and beta
        numbers = numbers * _SPREAD + np.array([[1.0], [0.0]])
    return Real(numbers.astype(np.float32), reals)


def fold(network: Network, layer: Layer, real: Real, norm: Norm, seed: int) -> Real:
    """The layer with its batch norm in its kernel and bias, or in factors where none is weights."""
    k = len(norm.mean)
    gamma, beta = normals(seed, f"{layer.name}.norm", (2, k)) * _SPREAD
    factor = (1 + gamma) / norm.deviation
    before = 0.0 if real.bias is None else real.bias.astype(np.float64)
    bias = (beta + (before - norm.mean) * factor).astype(np.float32)
    if not (real.kernel.size and layer.op.lower(*network.in_shapes(layer))):
        return Real(real.kernel, bias, tuple(factor.tolist()))
    channels = outputs_of(layer.op, network.in_shapes(layer))
    return Real((real.kernel * factor[channels]).astype(np.float32), bias)


def reals(network: Network, seed: int, norms: Mapping[str, Norm]) -> dict[str, Real]:
    """What every layer multiplies with and adds."""
    made = {}
    for layer in network.layers:
        real = draw(network, layer, seed)
        if norm := norms.get(layer.name):
            real = fold(network, layer, real, norm, seed)
        made[layer.name] = real
    return made


def measure(
    network: Network,
    seed: int,
    given: Mapping[str, Real] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Statistics:
    """Norms and ranges on seeded images, layer by layer.

    given : what layers multiply with, where it is not from the seed; norms are then folded in it.
    progress : called before each layer.
    """
    norms: dict[str, Norm] = {}
    ranges: dict[str, Range] = {}
    every = [{INPUT: image(network.input, seed, number)} for number in range(IMAGES)]
    _see(ranges, INPUT, [values[INPUT] for values in every])
    last = {source: layer.name for layer in network.layers for source in layer.inputs}
    for place, layer in enumerate(network.layers):
        if progress is not None:
            progress(f"range of {layer.name}", place / len(network.layers))
        if given is not None:
            real = given.get(layer.name, NO_WEIGHTS)
        else:
            real = draw(network, layer, seed)
            if layer.norm or layer.prenorm:
                norms[layer.name] = norm = _norm(network, layer, real, every)
                real = fold(network, layer, real, norm, seed)
        for name, seen in _run(network, layer, real, every):
            _see(ranges, name, seen)
        for source in layer.inputs:
            if last[source] == layer.name:
                for values in every:
                    values.pop(source, None)
    return Statistics(norms, ranges)


def _norm(network: Network, layer: Layer, real: Real, every: list[dict[str, Array]]) -> Norm:
    """Mean and deviation of the sums of a layer, channel by channel."""
    sums = replace(layer, activation="none")
    copies = [dict(values) for values in every]
    *_, (_, seen) = _run(network, sums, real, copies)
    together = np.concatenate(seen).astype(np.float64)
    mean, variance = together.mean(axis=(0, 2, 3)), together.var(axis=(0, 2, 3))
    floor = 1e-3 * variance.mean() + 1e-6  # of channels that are the same everywhere
    return Norm(_coarse(mean), _coarse(np.sqrt(variance + floor)))


def _run(
    network: Network, layer: Layer, real: Real, every: list[dict[str, Array]]
) -> Iterator[tuple[str, list[Array]]]:
    """The tensors that a layer makes, by name, for every image; added to the values."""
    parts = Parts()
    for name in layer.inputs:
        parts.types[name] = TensorType((1, *network.shape(name)), "float32")
    add_layer(parts, network, layer, real)
    graph = parts.graph(layer.name, tuple(every[0]), (layer.name,))
    for node in graph.nodes:
        given = [given_to(graph, node, values) for values in every]
        for values, made in zip(every, compute(graph, node, given), strict=True):
            values |= zip(node.outputs, made, strict=False)  # further results may be unwanted
        for name in node.outputs:
            yield name, [values[name] for values in every]
    for values in every:
        for name in set(graph.types) - {layer.name, *layer.inputs}:
            values.pop(name, None)


def _see(ranges: dict[str, Range], name: str, seen: list[Array]) -> None:
    ends = min(each.min() for each in seen), max(each.max() for each in seen)
    low, high = _coarse(np.array(ends, np.float64)).tolist()
    ranges[name] = low, high


def _coarse(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The nearest numbers of _BITS bits."""
    fraction, exponent = np.frexp(x)
    nearest: npt.NDArray[np.float64] = np.ldexp(
        np.rint(np.ldexp(fraction, _BITS)), exponent - _BITS
    )
    return nearest
