"""Networks: graphs of layers, and lists of layers that are independent of each other.

A Layer is an operator (its attributes), where its inputs come from, and what follows the
accumulation: bias, batch norm, layer scale (both folded at inference, counted as parameters) and
activation.
Shapes are (c, h, w), those of one image.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from accelsim.checks import check, suggestion, whole
from accelsim.errors import NetworkError, ShapeError, UnsupportedError
from accelsim.tensors import Shape, Tensor, check_operand

__all__ = [
    "INPUT",
    "Area",
    "BaseNetwork",
    "Conv",
    "Factors",
    "Layer",
    "LayerList",
    "Live",
    "Network",
    "Operator",
    "Piece",
    "Shape",
    "Source",
    "centre_of",
    "inserted_macs",
    "out_size",
]

Area = tuple[range, range]  # rows and columns
Source = tuple[int, int]  # of a channel: the place of an input among a layer's, and channel in it
INPUT = "input"  # the name under which layers refer to the network's input
MOST_IMAGES = 1 << 16  # of a batch
IMAGES = whole(1, MOST_IMAGES)


class Live(NamedTuple):
    """Taps that input channels have: all others are zero in every kernel.

    channels : how many channels, behind those of the runs before.
    taps : places in a kernel fh x fw, row fw + column, in ascending order.
    """

    channels: int
    taps: tuple[int, ...]


Runs = tuple[Live, ...] | None


def live_runs(channels: Iterable[tuple[int, int]], area: int) -> Runs:
    """The runs of input channels with equal taps; None where all taps are live.

    channels : how many, and a number whose bits say which of their taps are live.
    area : taps of a kernel.
    """
    runs = tuple(
        Live(sum(count for count, _ in same), _places_of(bits))
        for bits, same in groupby(channels, key=lambda each: each[1])
    )
    return None if all(len(run.taps) == area for run in runs) else runs


@lru_cache(1 << 12)
def _places_of(bits: int) -> tuple[int, ...]:
    return tuple(place for place in range(bits.bit_length()) if bits >> place & 1)


@lru_cache(1 << 12)
def _bits_of(taps: tuple[int, ...]) -> int:
    return sum(1 << place for place in taps)


class Conv(NamedTuple):
    """Primitive work of an array: a grouped convolution, every size resolved.

    c h w : input channels, rows, columns.  k oh ow : output.  fh fw : filter.
    sh sw : stride.  dh dw : dilation.  pt pl : zero rows above, zero columns left (those below
    and right follow from oh and ow).  groups divides c and k; depthwise is groups == c.
    n : images, which share the weights; maps are then (n, c, h, w) and (n, k, oh, ow).
    live : the taps of the input channels of every group, where not all of them are; None for all.
    """

    c: int
    h: int
    w: int
    k: int
    oh: int
    ow: int
    fh: int = 1
    fw: int = 1
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    pt: int = 0
    pl: int = 0
    groups: int = 1
    n: int = 1
    live: Runs = None

    @property
    def depth(self) -> int:
        """Products of a sum."""
        if self.live is None:
            return self.c // self.groups * self.fh * self.fw
        return sum(run.channels * len(run.taps) for run in self.live)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """(k, c / groups, fh, fw), or (k, depth) of live taps alone, by channel and then by tap."""
        if self.live is None:
            return self.k, self.c // self.groups, self.fh, self.fw
        return self.k, self.depth

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """int64[depth], the place in c / groups x fh x fw of every product of a sum."""
        area = self.fh * self.fw
        if self.live is None:
            return np.arange(self.depth)
        channels = np.repeat(
            np.arange(self.c // self.groups),
            [len(run.taps) for run in self.live for _ in range(run.channels)],
        )
        taps = [np.tile(np.array(run.taps, np.int64), run.channels) for run in self.live]
        return channels * area + np.concatenate(taps)

    @property
    def live_bits(self) -> list[int]:
        """Of every input channel of a group, a number whose bits say which taps are live."""
        if self.live is None:
            return [(1 << self.fh * self.fw) - 1] * (self.c // self.groups)
        return [_bits_of(run.taps) for run in self.live for _ in range(run.channels)]

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Of the map: (c, h, w), or (n, c, h, w) of several images."""
        return self._of_images(self.c, self.h, self.w)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Of the result: (k, oh, ow), or (n, k, oh, ow) of several images."""
        return self._of_images(self.k, self.oh, self.ow)

    def _of_images(self, *shape: int) -> tuple[int, ...]:
        return shape if self.n == 1 else (self.n, *shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all live taps, padded ones included."""
        return self.n * self.k * self.oh * self.ow * self.depth

    @property
    def live_macs(self) -> int:
        """Multiply-accumulates with a value of the map: `macs` less the taps outside it."""
        if self.live is not None:
            return (
                self.n
                * self.k
                * sum(run.channels * sum(map(self._live_outputs, run.taps)) for run in self.live)
            )
        down = live_taps(self.oh, self.fh, self.sh, self.dh, self.pt, self.h)
        across = live_taps(self.ow, self.fw, self.sw, self.dw, self.pl, self.w)
        return self.n * self.k * (self.c // self.groups) * down * across

    def _live_outputs(self, tap: int) -> int:
        """Outputs for which a tap meets the map."""
        row, column = divmod(tap, self.fw)
        down = live_taps(self.oh, 1, self.sh, 1, self.pt - row * self.dh, self.h)
        return down * live_taps(self.ow, 1, self.sw, 1, self.pl - column * self.dw, self.w)

    @property
    def padded(self) -> bool:
        """Whether a tap falls outside the input."""
        bottom = (self.oh - 1) * self.sh + self.dh * (self.fh - 1) + 1 - self.pt - self.h
        right = (self.ow - 1) * self.sw + self.dw * (self.fw - 1) + 1 - self.pl - self.w
        return max(self.pt, self.pl, bottom, right) > 0

    @property
    def depthwise(self) -> bool:
        """Whether every output channel sees one input channel."""
        return self.groups == self.c


class Factors(NamedTuple):
    """What the multipliers see of a layer, where that is not any int8.

    x, w : the least and the greatest value of its map, and of its kernel, less their zero points.
    most_sum : a bound on the magnitude of its sums, where more is known of the values; or None.
    """

    x: tuple[int, int]
    w: tuple[int, int]
    most_sum: int | None = None

    @property
    def least(self) -> int:
        """Of all operands."""
        return min(self.x[0], self.w[0])

    @property
    def greatest(self) -> int:
        """Of all operands."""
        return max(self.x[1], self.w[1])

    def bound(self, products: int) -> int:
        """On the magnitude of a sum of so many products."""
        if self.most_sum is not None:
            return self.most_sum
        return products * max(map(abs, self.x)) * max(map(abs, self.w))


ANY_INT8 = Factors((-128, 127), (-128, 127))


class Call(NamedTuple):
    """A step of what the host computes in reals: a function of ONNX on tensors (1, c, h, w).

    inputs : a number is the place of a map among those of the operator or, behind them, of the
        result of a call before this one; an array is a constant; None is left out.
    """

    function: str
    inputs: tuple[int | npt.NDArray[Any] | None, ...]
    attributes: Mapping[str, Any] = MappingProxyType({})


# What a layer may end in, and what `activation` is. leaky_relu has the slope 0.1 below 0.
ACTIVATIONS: dict[str, Call | None] = {
    "none": None,
    "relu": Call("Relu", (0,)),
    "relu6": Call("Clip", (0, np.array(0, np.float32), np.array(6, np.float32))),
    "leaky_relu": Call("LeakyRelu", (0,), {"alpha": 0.1}),
    "hswish": Call("HardSwish", (0,)),
    "hsigmoid": Call("HardSigmoid", (0,), {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": Call("Sigmoid", (0,)),
    "silu": Call("Swish", (0,)),
    "swish": Call("Swish", (0,)),
    "gelu": Call("Gelu", (0,)),
}


class Piece(NamedTuple):
    """A part of a layer that is one Conv: all of it, channels of one kernel shape, or a phase.

    channels : the layer's input channels that the piece reads, or None for all of them.
    outputs : the layer's output channels that the piece makes, or None for all of them.
    weights : slice bounds, one (start, stop) per channel read, or per output of a mask, into the
        layer's packed kernels, or None where the piece takes the layer's whole kernel.
    reads, taps, writes : rows and columns of the layer's map, of its kernel, and of its output that
        are the piece's, or None for all of them. Outputs that no piece writes are zero.
    parts : the pieces that it joins, in place of `weights`: its outputs are theirs, and of a tap
        that only some of them have the others have a zero; () where it joins none.
    """

    conv: Conv
    channels: tuple[int, ...] | None = None
    outputs: tuple[int, ...] | None = None
    weights: tuple[tuple[int, int], ...] | None = None
    reads: Area | None = None
    taps: Area | None = None
    writes: Area | None = None
    parts: "tuple[Piece, ...]" = ()

    @property
    def exact(self) -> tuple[Conv, ...]:
        """Its Conv, or those of the pieces that it joins: no tap is one that they lack."""
        return tuple(part.conv for part in self.parts) or (self.conv,)

    def take_input(self, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """The map of the piece's Conv from the layer's: int8[c, h, w], or [n, c, h, w]."""
        if self.channels is not None:
            x = x[..., list(self.channels), :, :]
        rows, columns = _cut(self.reads)
        return x[..., rows, columns].reshape(self.conv.in_shape)

    def take_weights(self, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """int8[k, c / groups, fh, fw] of the piece's Conv, from the layer's kernel.

        int8[k, depth] where only some taps are live. Where each of several images has a kernel of
        its own, these stand in front, and k are those of all images.
        """
        if self.parts:
            return self._joined(weights)
        if self.weights is not None:
            parts = [weights[..., start:stop] for start, stop in self.weights]
            weights = np.concatenate(parts, axis=-1)
        if self.taps is not None:
            rows, columns = _cut(self.taps)
            weights = weights[..., rows, columns]
        return weights.reshape(self.conv.kernel_shape)

    def _joined(self, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """The kernels of its parts, with zeros for the taps that they lack."""
        conv, outputs = self.conv, self.outputs or ()
        at = {output: place for place, output in enumerate(outputs)}
        images = conv.k // len(outputs)
        taps = conv.c // conv.groups * conv.fh * conv.fw
        kernels = np.zeros((images, len(outputs), taps), weights.dtype)
        for part in self.parts:
            made = np.array([at[output] for output in part.outputs or ()])
            values = part.take_weights(weights).reshape(images, len(made), -1)
            kernels[:, made[:, None], part.conv.places] = values
        return kernels[..., conv.places].reshape(conv.kernel_shape)

    def put(self, result: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write the piece's result into the layer's output: int32[k, oh, ow], or [n, k, oh, ow]."""
        where = slice(None) if self.outputs is None else list(self.outputs)
        rows, columns = _cut(self.writes)
        result = result.reshape(*out.shape[:-3], -1, self.conv.oh, self.conv.ow)
        out[..., where, rows, columns] = result


def _cut(area: Area | None) -> tuple[slice, slice]:
    """Rows and columns as an index."""
    if area is None:
        return slice(None), slice(None)
    rows, columns = (slice(each.start, each.stop, each.step) for each in area)
    return rows, columns


@runtime_checkable
class Operator(Protocol):
    """What every file in ops/ defines: a frozen dataclass of attributes with these methods."""

    @property
    def name(self) -> str:
        """What the operator is called in files and tables."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Output shape; raises ShapeError (without the layer's name) where shapes do not fit."""

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """Shape of the int8 weight tensor; () where there is none."""

    def macs(self, *inputs: Shape) -> int:
        """Dense multiply-accumulates of convolution and FC; 0 for everything else."""

    def alias(self, *inputs: Shape) -> tuple[Source, ...] | None:
        """Where every output channel lies already; None where the operator computes values."""

    def golden(self, weights: npt.NDArray[Any], *inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """int32[c, h, w]: the plainest correct evaluation on int8[c, h, w] inputs.

        Sums of products take int16, values less their zero points, and float32 too; of the latter
        they are float32.
        """

    def lower(self, *inputs: Shape) -> tuple[Piece, ...]:
        """Primitive work for an engine; () for what runs on the host."""

    def calls(self, weights: npt.NDArray[Any], *inputs: Shape) -> tuple[Call, ...]:
        """What the host computes in reals, the last call being the result; () of sums of products.

        weights : float32, shaped as `weight_shape`.
        """

    def with_zeros(self, *inputs: Shape) -> tuple["Operator", Shape] | None:
        """The layer as one convolution of a map with zeros inserted, and the shape of that map.

        None where `lower` leaves out no such zeros.
        """

    def operands(
        self, inputs: Sequence[npt.NDArray[np.int8]], weights: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
        """Map and kernel that the pieces take their parts from; inputs and weights as in `golden`.

        UnsupportedError where nothing is lowered.
        """


@dataclass(frozen=True)
class Layer:
    """One node of a network.

    bias, norm : a number, and a batch norm, for every output channel.
    prenorm : a batch norm of the input, folded into the weights and biases; that is exact only
        without padding, where a border of zeros would have been normalised too.
    layer_scale : a factor for every output channel, folded into the weights (arXiv 2103.17239).
    dtype : of the map that the layer makes, one of tensors.DTYPES.
    factors : what engines multiply.
    tied : a layer before it, of whose kernel this one's is the centre; it has no weights else.
    """

    name: str
    op: Operator
    inputs: tuple[str, ...]
    bias: bool = False
    norm: bool = False
    activation: str = "none"
    prenorm: bool = False
    layer_scale: bool = False
    dtype: str = "int8"
    factors: Factors = ANY_INT8
    tied: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise NetworkError(f"the name of a layer is a text, not {self.name!r}")
        if isinstance(self.op, type) or not hasattr(self.op, "out_shape"):
            raise NetworkError(
                f"op must be an operator such as Add(), not {self.op!r} (layer {self.name})"
            )
        if not isinstance(self.inputs, tuple | list):
            raise NetworkError(
                f"inputs must be a tuple of names, not {self.inputs!r} (layer {self.name})"
            )
        object.__setattr__(self, "inputs", tuple(self.inputs))
        if self.activation not in tuple(ACTIVATIONS):
            raise NetworkError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}"
                f"{suggestion(ACTIVATIONS, self.activation)} (layer {self.name})"
            )


class BaseNetwork(ABC):
    """Layers in order of execution, and the maps on their edges: what all networks answer alike.

    input : shape of the image; None where every layer has a map of its own.
    dtype : of the maps that no layer makes.
    batch : images that run at once unless a simulation says otherwise, from 1 to MOST_IMAGES. All
        counts are those of one.
    caveats : sentences about its values, which reports print.
    """

    name: str
    input: Shape | None
    layers: tuple[Layer, ...]
    variant: str
    published_params: int | None
    weights_file: str | None
    dtype: str
    batch: int
    caveats: tuple[str, ...] = ()
    _tensors: dict[str, Tensor]

    @property
    @abstractmethod
    def entries(self) -> dict[str, int]:
        """The maps that no layer makes: the place of the layer with which each is there."""

    @abstractmethod
    def leading_to(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The layers, in order, whose values it takes to compute those of the given ones."""

    @property
    def size(self) -> str:
        """Height and width of the image, such as 224x224; - where there is no image."""
        return "-" if self.input is None else "{1}x{2}".format(*self.input)

    def _check_parts(self) -> None:
        """NetworkError where a name is no text, a layer no Layer, or where there is none."""
        if not isinstance(self.name, str):
            raise NetworkError(f"the name of a network is a text, not {self.name!r}")
        if not isinstance(self.layers, tuple | list):
            raise NetworkError(f"layers of a network are a tuple, not {self.layers!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise NetworkError(f"layers of {self.name} must be at least one, not none")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise NetworkError(f"a layer of a network is a Layer, not {layer!r}")
        check("batch", self.batch, IMAGES, NetworkError)

    def _find_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The types of all maps, from those of the entries; errors name the layer."""
        for layer in self.layers:
            if layer.name in tensors:
                raise NetworkError(f"layer name {layer.name} is used twice in {self.name}")
            for source in layer.inputs:
                if source not in tensors:
                    raise NetworkError(
                        f"layer {layer.name} reads {source!r}, which is not a layer before it"
                    )
            try:
                inputs = tuple(tensors[source].shape for source in layer.inputs)
                tensors[layer.name] = _tensor(layer.op.out_shape(*inputs), layer.dtype)
                _check_folds(layer, inputs)
                self._check_tie(layer, inputs, tensors)
                _check_dtypes(layer, inputs, [tensors[source].dtype for source in layer.inputs])
            except (ShapeError, NetworkError) as error:
                raise type(error)(f"{error} (layer {layer.name})") from None
        object.__setattr__(self, "_tensors", tensors)

    def _check_tie(
        self, layer: Layer, inputs: tuple[Shape, ...], tensors: dict[str, Tensor]
    ) -> None:
        """ShapeError unless the kernel that a layer is tied to has its own inside."""
        if layer.tied is None:
            return
        own = layer.op.weight_shape(*inputs)
        whole: tuple[int, ...] = ()
        for other in self.layers[: self.layers.index(layer)]:
            if other.name == layer.tied:
                whole = other.op.weight_shape(*(tensors[source].shape for source in other.inputs))
        fits = len(own) == len(whole) == 4 and own[:2] == whole[:2]
        if not fits or any(part > size for part, size in zip(own, whole, strict=True)):
            raise ShapeError(
                f"tied must name a layer before with a kernel around {list(own)}, "
                f"not {layer.tied!r} with {list(whole)}"
            )

    def tensor(self, name: str) -> Tensor:
        """Type of the map that a layer makes, or of an entry."""
        return self._tensors[name]

    def shape(self, name: str) -> Shape:
        """Output shape of a layer, or the shape of an entry."""
        return self._tensors[name].shape

    def in_shapes(self, layer: Layer) -> tuple[Shape, ...]:
        """Shapes of a layer's inputs."""
        return tuple(self._tensors[source].shape for source in layer.inputs)

    def check_operands(self, layer: Layer) -> None:
        """UnsupportedError where a layer reads a map of a type that engines cannot take."""
        for source in layer.inputs:
            try:
                check_operand(self.tensor(source))
            except UnsupportedError as error:
                raise UnsupportedError(f"layer {layer.name} {error}") from None

    def macs(self, layer: Layer) -> int:
        """Dense multiply-accumulates of a layer."""
        return self._counts[layer.name][0]

    def live_macs(self, layer: Layer) -> int:
        """Multiply-accumulates of a layer with a value of its map: no taps outside it."""
        return sum(piece.conv.live_macs for piece in layer.op.lower(*self.in_shapes(layer)))

    def params(self, layer: Layer) -> int:
        """Trainable parameters: weights, bias, gamma and beta of batch norms, layer scale."""
        return self._counts[layer.name][1]

    @cached_property
    def _counts(self) -> dict[str, tuple[int, int]]:
        """MACs and parameters by layer."""
        counts = {}
        for layer in self.layers:
            inputs = self.in_shapes(layer)
            shape = () if layer.tied else layer.op.weight_shape(*inputs)
            weights = math.prod(shape) if shape else 0
            each = int(layer.bias) + 2 * int(layer.norm) + int(layer.layer_scale)
            others = each * self.shape(layer.name)[0]
            before = 2 * inputs[0][0] if layer.prenorm else 0
            counts[layer.name] = layer.op.macs(*inputs), weights + others + before
        return counts

    @cached_property
    def total_macs(self) -> int:
        """Dense multiply-accumulates of the whole network."""
        return sum(self.macs(layer) for layer in self.layers)

    @cached_property
    def total_live_macs(self) -> int:
        """Multiply-accumulates with values of the maps, of the whole network."""
        return sum(self.live_macs(layer) for layer in self.layers)

    @cached_property
    def total_params(self) -> int:
        """Trainable parameters of the whole network."""
        return sum(self.params(layer) for layer in self.layers)

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise NetworkError(
            f"{self.name} has no layer {name!r}; its layers are {', '.join(names)}"
            f"{suggestion(names, name)}"
        )


@dataclass(frozen=True)
class Network(BaseNetwork):
    """A graph of layers in execution order; shapes are checked when it is made.

    input, dtype : shape and type of the image.
    """

    name: str
    input: Shape
    layers: tuple[Layer, ...]
    variant: str = "baseline"
    published_params: int | None = None
    weights_file: str | None = None
    dtype: str = "int8"
    batch: int = 1
    _tensors: dict[str, Tensor] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        self._check_parts()
        self._find_tensors({INPUT: Tensor(self.input, self.dtype)})

    @cached_property
    def entries(self) -> dict[str, int]:
        """The image, from the first layer on."""
        return {INPUT: 0}

    def leading_to(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """All layers up to the last of the given ones."""
        return self.layers[: max(map(self.layers.index, layers)) + 1]


@dataclass(frozen=True)
class LayerList(BaseNetwork):
    """Layers that are independent of each other: each reads maps of its own, and none another's.

    It has no image and no graph, so that no values go through it.

    layers : their `inputs` are (); they become the names of the maps that each reads, for instance
        conv1.input, or matmul1.input1 and matmul1.input2.
    maps : of every layer, the shape of the map that it reads, or a tuple of the shapes of several.
    dtype : of these maps.
    """

    name: str
    layers: tuple[Layer, ...]
    maps: tuple[Shape | tuple[Shape, ...], ...]
    weights_file: str | None = None
    dtype: str = "int8"
    batch: int = 1
    input: None = field(default=None, init=False, repr=False)
    variant: str = field(default="baseline", init=False, repr=False)
    published_params: None = field(default=None, init=False, repr=False)
    _tensors: dict[str, Tensor] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        self._check_parts()
        if not isinstance(self.maps, tuple | list) or len(self.maps) != len(self.layers):
            raise NetworkError(
                f"maps of {self.name} are a tuple with the shapes that every layer reads, one for "
                f"each of its {len(self.layers)} layers, not {self.maps!r}"
            )
        tensors: dict[str, Tensor] = {}
        layers = []
        every = tuple(map(_own_shapes, self.maps))
        for layer, shapes in zip(self.layers, every, strict=True):
            names = own_names(layer.name, len(shapes))
            if layer.inputs not in ((), names):
                raise NetworkError(
                    f"inputs of a layer of a list must be (), as it reads maps of its own, not "
                    f"{layer.inputs!r} (layer {layer.name})"
                )
            try:
                owned = [Tensor(shape, self.dtype) for shape in shapes]
            except ShapeError as error:
                raise ShapeError(f"{error} (layer {layer.name})") from None
            tensors |= zip(names, owned, strict=True)
            layers.append(replace(layer, inputs=names))
        object.__setattr__(self, "layers", tuple(layers))
        object.__setattr__(self, "maps", every)
        self._find_tensors(tensors)

    @cached_property
    def entries(self) -> dict[str, int]:
        """The maps of every layer, with that layer."""
        return {name: place for place, layer in enumerate(self.layers) for name in layer.inputs}

    def leading_to(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The given layers alone."""
        return tuple(layers)


def _own_shapes(maps: Shape | tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Shapes of the maps that a layer of a list reads, of which one may stand by itself."""
    several = isinstance(maps, tuple) and maps and isinstance(maps[0], tuple)
    return cast("tuple[Shape, ...]", maps if several else (maps,))


def own_names(layer: str, number: int) -> tuple[str, ...]:
    """Names of the maps that a layer of a list reads."""
    if number == 1:
        return (f"{layer}.{INPUT}",)
    return tuple(f"{layer}.{INPUT}{place}" for place in range(1, number + 1))


_tensor = lru_cache(1 << 12)(Tensor)  # networks have many layers and few types of maps


def _check_folds(layer: Layer, inputs: tuple[Shape, ...]) -> None:
    """ShapeError where a batch norm before the layer, or a layer scale, cannot be folded."""
    if not (layer.prenorm or layer.layer_scale):
        return
    pieces = layer.op.lower(*inputs)
    if not pieces or not layer.op.weight_shape(*inputs):
        what = "prenorm" if layer.prenorm else "layer_scale"
        raise ShapeError(f"{what} folds into weights, and {layer.op.name} has none to multiply")
    if layer.prenorm and any(piece.taps or piece.writes for piece in pieces):
        raise ShapeError("prenorm folds only into a layer whose outputs all have the same taps")
    if layer.prenorm and any(piece.conv.padded for piece in pieces):
        raise ShapeError("prenorm folds only into a layer without padding")


def _check_dtypes(layer: Layer, inputs: tuple[Shape, ...], dtypes: list[str]) -> None:
    """NetworkError where an address alias would have to change what it moves nothing of."""
    others = [dtype for dtype in dtypes if dtype != layer.dtype]
    if others and layer.op.alias(*inputs) is not None:
        raise NetworkError(
            f"{layer.op.name} only addresses its inputs, so that its dtype must be theirs, "
            f"{others[0]}, not {layer.dtype}"
        )


def centre_of(kernel: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The rows and columns [..., fh, fw] in the middle of a kernel; of an even number the later."""
    rows, columns = (
        slice(whole // 2 - part // 2, whole // 2 - part // 2 + part)
        for whole, part in zip(kernel.shape[2:], shape[2:], strict=True)
    )
    return kernel[:, :, rows, columns]


def inserted_macs(op: Operator, in_shapes: tuple[Shape, ...]) -> int:
    """Those of a convolution of the map with zeros inserted that no piece of an operator has."""
    if (whole := op.with_zeros(*in_shapes)) is None:
        return 0
    convolution, shape = whole
    return convolution.macs(shape) - sum(piece.conv.macs for piece in op.lower(*in_shapes))


def out_size(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    """Output positions along one axis; ShapeError where the kernel exceeds the padded input."""
    reach = dilation * (kernel - 1) + 1
    padded = size + before + after
    if reach > padded:
        raise ShapeError(f"kernel reach {reach} is larger than the padded input {padded}")
    return (padded - reach) // stride + 1


@lru_cache(1 << 12)
def live_taps(
    outputs: int, kernel: int, stride: int, dilation: int, padding: int, size: int
) -> int:
    """Pairs of an output and a tap that meets one of `size` values, along one axis.

    Output o meets value o stride + tap dilation - padding.
    """
    pairs = 0
    for offset in range(-padding, dilation * kernel - padding, dilation):
        first = max(0, -(offset // stride))
        last = min(outputs - 1, (size - 1 - offset) // stride)
        pairs += max(0, last - first + 1)
    return pairs
