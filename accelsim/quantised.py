"""Networks of our own, and of TOML files, in integers: what their values are computed with."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from accelsim.arrays import read_npz
from accelsim.errors import FileError, UnsupportedError
from accelsim.files import cache_directory, write_whole
from accelsim.graph.build import Real, build
from accelsim.graph.calibrate import Norm, Statistics, image, measure, reals
from accelsim.graph.network import GraphNetwork, factors
from accelsim.graph.quantise import Choice, as_integers, quantise
from accelsim.graph.types import Array
from accelsim.ir import INPUT, Network, Shape
from accelsim.numerics.scales import Quantised
from accelsim.tensors import OPERAND_DTYPE
from accelsim.version import __version__
from accelsim.weights import Weights, read_weights

UNIT = 2.0**-7  # what 1 in a file of weights stands for; of biases it is the square of that

RECIPE = 2  # of what is measured: where that changes, what was kept is measured again

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class OwnNetwork(GraphNetwork):
    """A network with a graph that no file has.

    kind : what the integers of its image stand for.
    """

    kind: Quantised = field(kw_only=True)

    def _entry_shape(self, name: str) -> Shape:
        """That of the image, of which the graph says less: where its channels stand."""
        return self.input

    def as_output(self, tensor: Array) -> Array:
        """The map of the one image."""
        image: Array = tensor[0]
        return image

    def seeded(self, seed: int, number: int) -> Mapping[str, npt.NDArray[np.int8]]:
        """The image of that number, int8[1, c, h, w]."""
        return {INPUT: as_integers(image(self.input, seed, number), self.kind)}


def with_values(
    network: Network, seed: int = 0, symmetric: bool = False, progress: Progress | None = None
) -> GraphNetwork:
    """The network with a graph: its own, or layers in int8 with weights from the seed or a file.

    symmetric : whether zero points are 0, which operands of 8 bits need.
    progress : called before each layer where ranges have to be measured.
    """
    if isinstance(network, GraphNetwork):
        return network
    for name in (INPUT, *(layer.name for layer in network.layers)):
        if (dtype := network.tensor(name).dtype) != OPERAND_DTYPE:
            raise UnsupportedError(
                f"values are computed of maps of {OPERAND_DTYPE} only, and {name} of "
                f"{network.name} is of {dtype}"
            )
    make: Callable[..., OwnNetwork] = _quantised
    if network.weights_file is not None or not _is_hashable(network):
        make = _quantised.__wrapped__  # a file may have changed since
    return make(network, seed, symmetric, _Unequal(progress))


def _is_hashable(network: Network) -> bool:
    """Whether it is: an operator of a user's own may be none that can be a key."""
    try:
        hash(network)
    except TypeError:
        return False
    return True


class _Unequal:
    """Something that a cache takes for the same whatever it is."""

    def __init__(self, value: Progress | None) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Unequal)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)  # a network is run on many designs
def _quantised(network: Network, seed: int, symmetric: bool, progress: _Unequal) -> OwnNetwork:
    scales: Mapping[str, float] = {}
    if network.weights_file is None:
        statistics = _kept(network, seed, progress.value)
        multiply = reals(network, seed, statistics.norms)
    else:
        multiply = _from_file(read_weights(network, Path(network.weights_file)))
        statistics = measure(network, seed, multiply, progress.value)
        scales = {f"{name}/kernel": UNIT for name in multiply}
    maps = {INPUT, *(layer.name for layer in network.layers)}
    choice = Choice(statistics.ranges, maps, scales, symmetric)
    graph, kinds = quantise(build(network, multiply), choice)
    nodes = {node.name: node for node in graph.nodes}
    layers = tuple(
        replace(layer, factors=factors(graph, nodes[layer.name], network.in_shapes(layer)))
        if layer.op.lower(*network.in_shapes(layer))
        else layer
        for layer in network.layers
    )
    parts = {each.name: getattr(network, each.name) for each in fields(network) if each.init}
    return OwnNetwork(**parts | {"layers": layers, "batch": 1}, graph=graph, kind=kinds[INPUT])


def _from_file(weights: Weights) -> dict[str, Real]:
    """Integers of a file as the reals that they stand for."""
    made = {}
    for name in {*weights.kernels, *weights.biases}:
        kernel = np.asarray(weights.kernels.get(name, np.empty(0)), np.float32) * np.float32(UNIT)
        bias = weights.biases.get(name)
        made[name] = Real(kernel, None if bias is None else np.asarray(bias * UNIT**2, np.float32))
    return made


def _kept(network: Network, seed: int, progress: Progress | None) -> Statistics:
    """What was measured, once for a machine."""
    about = f"{__version__} {RECIPE} {seed} {network.input} {network.layers}"
    digest = hashlib.sha256(about.encode()).hexdigest()[:32]
    path = cache_directory() / f"ranges-{digest}.npz"
    try:
        return _unpack(read_npz(path, "tensor"))
    except (FileError, KeyError, ValueError):  # none is there, or what was there is broken
        statistics = measure(network, seed, progress=progress)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **_pack(statistics))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, file.getvalue())
    except (OSError, FileError):
        pass  # next time it is measured again
    return statistics


def _pack(statistics: Statistics) -> dict[str, npt.NDArray[np.float64]]:
    norms = {f"norm {name}": np.stack(norm) for name, norm in statistics.norms.items()}
    return norms | {f"range {name}": np.array(ends) for name, ends in statistics.ranges.items()}


def _unpack(arrays: Mapping[str, npt.NDArray[np.float64]]) -> Statistics:
    norms, ranges = {}, {}
    for key, values in arrays.items():
        what, name = key.split(" ", 1)
        if what == "norm":
            norms[name] = Norm(*values)
        else:
            low, high = values.tolist()
            ranges[name] = low, high
    return Statistics(norms, ranges)
