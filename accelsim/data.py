"""What goes into a graph: arrays of a user, as its inputs are typed, or seeded ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.arrays import read_npy, read_npz
from accelsim.checks import suggestion
from accelsim.errors import FileError, NetworkError
from accelsim.graph.network import GraphNetwork
from accelsim.ir import INPUT, Network
from accelsim.quantised import OwnNetwork
from accelsim.tensors import OPERAND_DTYPE
from accelsim.weights import seeded_tensor

Arrays = Mapping[str, npt.NDArray[Any]]


def seeded(network: GraphNetwork, seed: int, run: int = 0) -> Arrays:
    """The inputs of a network from a seed, others for every run."""
    if isinstance(network, OwnNetwork):
        return network.seeded(seed, run)
    graph = network.graph
    return {
        name: seeded_tensor(seed, f"{name} {run}" if run else name, graph.types[name])
        for name in graph.inputs
    }


def _types(network: Network) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shapes and dtypes of the inputs of a network, of one of ours as its graph will have them."""
    if not isinstance(network, GraphNetwork):
        return {INPUT: ((1, *network.input), OPERAND_DTYPE)}
    types = network.graph.types
    return {name: (types[name].shape, types[name].dtype) for name in network.graph.inputs}


def read_data(path: str | Path, network: Network) -> Arrays:
    """The inputs of a network from a file: .npy for the only one, .npz by their names.

    FileError where one is missing, or not exactly as the network takes it.
    """
    path, names = Path(path), tuple(_types(network))
    ending = path.suffix.lower()
    if ending == ".npz":
        arrays = read_npz(path, "input")
    elif ending == ".npy":
        if len(names) > 1:
            raise FileError(
                f"{path} holds one array, and {network.name} has {len(names)} inputs; an "
                f".npz has them by name: {', '.join(names)}"
            )
        arrays = {names[0]: read_npy(path)}
    else:
        raise FileError(f"{path} must end in .npy, an array, or .npz, arrays by name")
    try:
        return as_inputs(arrays, network)
    except NetworkError as error:
        raise FileError(f"{path}: {error}") from None


def as_inputs(arrays: Arrays, network: Network) -> Arrays:
    """The arrays, if they are exactly what a network takes; NetworkError says what is not.

    A network that no file of tensors describes takes an image without the axis of images too.
    """
    types = _types(network)
    if unknown := [name for name in arrays if name not in types]:
        raise NetworkError(
            f"{network.name} has no input {unknown[0]!r}; its inputs are "
            f"{', '.join(types)}{suggestion(types, unknown[0])}"
        )
    ours = isinstance(network, OwnNetwork) or not isinstance(network, GraphNetwork)
    taken = {}
    for name, (shape, dtype) in types.items():
        if name not in arrays:
            raise NetworkError(
                f"input {name} of {network.name} is missing; it is {dtype} {list(shape)}"
            )
        array = np.asarray(arrays[name])
        if ours and (1, *array.shape) == shape:
            array = array[None]
        if array.shape != shape or array.dtype.name != dtype:
            raise NetworkError(
                f"input {name} of {network.name} must be {dtype} {list(shape)}, not "
                f"{array.dtype.name} {list(array.shape)}"
            )
        taken[name] = np.asarray(array, dtype, order="C")
    return taken
