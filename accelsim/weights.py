"""Weights, biases and the entries of a network: from a seed or from an .npz file."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from accelsim.arrays import read_npz
from accelsim.errors import FileError
from accelsim.graph.types import Graph, TensorType
from accelsim.ir import INPUT, BaseNetwork, Layer, centre_of
from accelsim.numerics import Int8, Int32
from accelsim.ops.masks import Masked


@dataclass(frozen=True)
class Weights:
    """What the layers of a network multiply with and add.

    kernels : int8, shaped as Operator.weight_shape, of every layer that has weights; or what a file
        has in their place.
    biases : int32[k] of every layer with a bias; what a batch norm adds when it is folded counts
        as one.
    """

    kernels: Mapping[str, npt.NDArray[Any]]
    biases: Mapping[str, Int32]

    def kernel(self, layer: Layer) -> Int8:
        """int8: the layer's weights; empty where it has none."""
        return self.kernels.get(layer.name, np.empty(0, np.int8))

    def bias(self, layer: Layer) -> Int32 | None:
        """int32[k], or None where the layer has no bias."""
        return self.biases.get(layer.name)

    def sha256(self) -> str:
        """Hash of all names, shapes and values, whatever the order of the layers."""
        digest = hashlib.sha256()
        for arrays in (self.kernels, self.biases):
            for name in sorted(arrays):
                array = arrays[name]
                little = array.astype(array.dtype.newbyteorder("<"), copy=False)
                digest.update(f"{name} {array.shape} {array.dtype.name}\n".encode())
                digest.update(np.ascontiguousarray(little).data)
        return digest.hexdigest()


def load_weights(network: BaseNetwork, seed: int = 0) -> Weights:
    """The network's weights file, or seeded weights where it names none."""
    if network.weights_file is None:
        return seeded_weights(network, seed)
    return read_weights(network, Path(network.weights_file))


def seeded_weights(network: BaseNetwork, seed: int = 0) -> Weights:
    """Random weights over all of int8 and biases from -4096 to 4095.

    Those of a layer follow from the seed, its name and its shape alone, on every platform.
    """
    kernels: dict[str, Int8] = {}
    biases: dict[str, Int32] = {}
    for layer in network.layers:
        if shape := _kernel_shape(network, layer):
            kernels[layer.name] = (
                centre_of(kernels[layer.tied], shape)
                if layer.tied
                else _random_bytes(seed, layer.name, shape)
            )
        if layer.bias or layer.norm or layer.prenorm:
            bytes_ = _random_bytes(seed, f"{layer.name}.bias", (2 * network.shape(layer.name)[0],))
            biases[layer.name] = bytes_.view("<i2").astype(np.int32) >> 3
    return Weights(kernels, biases)


def weights_of(graph: Graph) -> Weights:
    """All constants that the nodes of a graph read, by the names of their tensors."""
    return Weights({name: constant.values for name, constant in graph.constants.items()}, {})


def seeded_tensor(seed: int, name: str, type: TensorType) -> npt.NDArray[Any]:
    """A tensor as a graph takes it: integers of a byte over all of their type, reals of [-1, 1).

    Wider integers and truth values, which may count or point at something, are 0 or 1.
    """
    dtype = np.dtype(type.dtype)
    if dtype.kind == "f":
        raw = _random_bytes(seed, name, (*type.shape, 4)).view("<i4")
        return (raw / 2.0**31).astype(dtype).reshape(type.shape)
    raw = _random_bytes(seed, name, type.shape)
    return raw.view(dtype) if dtype in (np.int8, np.uint8) else (raw & 1).astype(dtype)


def seeded_input(network: BaseNetwork, seed: int = 0, image: int = 0, entry: str = INPUT) -> Int8:
    """int8[c, h, w]: the image of a batch, or another map that no layer makes, over all of int8."""
    name = f"{entry} {image}" if image else entry
    return _random_bytes(seed, name, network.shape(entry))


def read_weights(network: BaseNetwork, path: Path) -> Weights:
    """Weights from an .npz: int8 arrays by layer name, int32 biases as NAME.bias.

    A bias that only a folded batch norm would add may be missing. A kernel of which only some taps
    exist may also be there with zeros for the others.
    """
    arrays = read_npz(path, "layer")
    kernels: dict[str, Int8] = {}
    biases: dict[str, Int32] = {}
    for layer in network.layers:
        if shape := _kernel_shape(network, layer):
            kernels[layer.name] = (
                centre_of(kernels[layer.tied], shape)
                if layer.tied
                else _take_kernel(path, arrays, network, layer, shape)
            )
        name = f"{layer.name}.bias"
        if layer.bias or ((layer.norm or layer.prenorm) and name in arrays):
            channels = network.shape(layer.name)[:1]
            biases[layer.name] = _take(path, arrays, name, channels, np.dtype(np.int32))
    if arrays:
        raise FileError(
            f"{path}: array {min(arrays)} belongs to no layer of {network.name} with weights"
        )
    return Weights(kernels, biases)


def _kernel_shape(network: BaseNetwork, layer: Layer) -> tuple[int, ...]:
    return layer.op.weight_shape(*network.in_shapes(layer))


def _random_bytes(seed: int, name: str, shape: tuple[int, ...]) -> Int8:
    """int8: raw output of PCG64, whose stream NumPy guarantees, seeded by all arguments."""
    key = hashlib.sha256(f"{seed} {name} {shape}".encode()).digest()
    size = math.prod(shape)
    words = np.random.PCG64(int.from_bytes(key, "little")).random_raw(-(-size // 8))
    return words.astype("<u8").view(np.int8)[:size].reshape(shape)


def _take_kernel(
    path: Path,
    arrays: dict[str, npt.NDArray[Any]],
    network: BaseNetwork,
    layer: Layer,
    shape: tuple[int, ...],
) -> npt.NDArray[Any]:
    """The kernel of a layer, removed from `arrays`; of a mask the live taps."""
    op, name, dtype = layer.op, layer.name, np.dtype(np.int8)
    if getattr(op, "mask", None) is not None and name in arrays and arrays[name].ndim > 1:
        whole = cast(Masked, op)
        kernel = _take(path, arrays, name, whole.dense_shape(*network.in_shapes(layer)), dtype)
        packed = whole.pack(kernel)
        if packed is None:
            raise FileError(f"{path}: array {name} must be 0 where its layer's mask has no tap")
        return packed
    return _take(path, arrays, name, shape, dtype)


def _take(
    path: Path,
    arrays: dict[str, npt.NDArray[Any]],
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    """The array of that name, removed from `arrays`."""
    if name not in arrays:
        raise FileError(f"{path}: array {name} is missing; it must be {dtype.name} {list(shape)}")
    array = arrays.pop(name)
    if array.shape != shape or array.dtype != dtype:
        raise FileError(
            f"{path}: array {name} must be {dtype.name} {list(shape)}, "
            f"not {array.dtype.name} {list(array.shape)}"
        )
    return array
