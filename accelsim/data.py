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
from accelsim.graph.types import Graph
from accelsim.weights import seeded_tensor

Arrays = Mapping[str, npt.NDArray[Any]]


def seeded(graph: Graph, seed: int, run: int = 0) -> dict[str, npt.NDArray[Any]]:
    """The inputs of a graph from a seed, others for every run."""
    return {
        name: seeded_tensor(seed, f"{name} {run}" if run else name, graph.types[name])
        for name in graph.inputs
    }


def read_data(path: str | Path, network: GraphNetwork) -> Arrays:
    """The inputs of a network from a file: .npy for the only one, .npz by their names.

    FileError where one is missing, or not exactly as the network takes it.
    """
    path, graph = Path(path), network.graph
    ending = path.suffix.lower()
    if ending == ".npz":
        arrays = read_npz(path, "input")
    elif ending == ".npy":
        if len(graph.inputs) > 1:
            raise FileError(
                f"{path} holds one array, and {network.name} has {len(graph.inputs)} inputs; an "
                f".npz has them by name: {', '.join(graph.inputs)}"
            )
        arrays = {graph.inputs[0]: read_npy(path)}
    else:
        raise FileError(f"{path} must end in .npy, an array, or .npz, arrays by name")
    try:
        return as_inputs(arrays, network)
    except NetworkError as error:
        raise FileError(f"{path}: {error}") from None


def as_inputs(arrays: Arrays, network: GraphNetwork) -> Arrays:
    """The arrays, if they are exactly what a network takes; NetworkError says what is not."""
    graph = network.graph
    if unknown := [name for name in arrays if name not in graph.inputs]:
        raise NetworkError(
            f"{network.name} has no input {unknown[0]!r}; its inputs are "
            f"{', '.join(graph.inputs)}{suggestion(graph.inputs, unknown[0])}"
        )
    for name in graph.inputs:
        shape, dtype = graph.types[name][:2]
        if name not in arrays:
            raise NetworkError(
                f"input {name} of {network.name} is missing; it is {dtype} {list(shape)}"
            )
        array = np.asarray(arrays[name])
        if array.shape != shape or array.dtype.name != dtype:
            raise NetworkError(
                f"input {name} of {network.name} must be {dtype} {list(shape)}, not "
                f"{array.dtype.name} {list(array.shape)}"
            )
    return {
        name: np.asarray(arrays[name], graph.types[name].dtype, order="C") for name in graph.inputs
    }
