"""What an operator of a paper is: layers as they are trained, and as they are run.

A file of this package defines one, a frozen dataclass of the convolution that it stands for and of
the paper's hyper-parameters. Of its layers everything else follows: parameters and multiply-
accumulates of both forms, what runs where, and the golden reference of what is linear.

Formulas of costs are of one image and in these words: Ci and Co are channels of input and output,
k rows and columns of the kernel, s its stride, g groups, HW and HWo pixels of input and output;
others are hyper-parameters. Norms and biases count where they are the operator's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from accelsim.checks import Requirement, check, one_of, whole
from accelsim.errors import ShapeError, UnsupportedError
from accelsim.ir import ACTIVATIONS, INPUT, Layer, Network, Operator, Shape
from accelsim.ops.add import Add
from accelsim.ops.batch_norm import BatchNorm
from accelsim.ops.crop import Crop
from accelsim.ops.geometry import (
    Array,
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_padding,
    check_pair,
    check_whole,
    resolve_padding,
)
from accelsim.ops.modulate import Modulate
from accelsim.ops.multiply import Multiply
from accelsim.ops.papers.convolutions import as_convolution, convolution
from accelsim.ops.pool import Pool
from accelsim.ops.reshape import Reshape
from accelsim.ops.scale import Scale
from accelsim.tensors import MOST_CHANNELS

INFERENCE, TRAIN = FORMS = ("inference", "train")

MOST_KERNEL = 255  # rows, and columns; masks of some operators are made tap by tap

# What an operator costs an architect: nothing, once its branches are folded; shapes that differ
# within a layer; or work for every image before the first product.
FOLDABLE, IRREGULAR, DYNAMIC = "foldable", "static irregular", "input-dependent"


class Paper(NamedTuple):
    """Where an operator is from."""

    authors: str
    title: str
    venue: str
    arxiv: str = ""


README = "README of the authors' code"  # a source


class Reported(NamedTuple):
    """An accuracy that a paper, or what its authors have released, reports.

    network : as it is called here.
    variant : as users write it.
    dataset : on which the network classifies.
    top1 : percent of images whose class comes first.
    gain : over the same authors' network without the operator, in points.
    source : where the figures are from.

    What is not known is None.
    """

    network: str
    variant: str
    dataset: str
    top1: float | None
    gain: float | None
    source: str


class Cost(NamedTuple):
    """Formulas of the parameters and of the multiply-accumulates of a form."""

    params: str
    macs: str


class Key(NamedTuple):
    """A hyper-parameter that a variant may set.

    read : its value from a text; ValueError where it is none.
    requirement : what the value must be.
    default : in words, where the dataclass has none of that name.
    """

    read: Callable[[str], Any]
    requirement: Requirement
    default: str = ""


class Trained(NamedTuple):
    """What a layer multiplies with and adds: scale[k] times sums[k], and offset[k].

    kernel : shaped as the operator's `weight_shape`.
    scale, offset : of a batch norm; an offset alone is a bias. [k]
    """

    kernel: Array
    scale: Array | None = None
    offset: Array | None = None

    def apply(self, sums: Array) -> Array:
        """Sums [k, h, w], of integers int64, scaled and offset."""
        if self.scale is not None:
            sums = sums * wide(self.scale)[:, None, None]
        return sums if self.offset is None else sums + wide(self.offset)[:, None, None]

    def scaled(self) -> Array:
        """The kernel, that of every output channel times its scale."""
        kernel = wide(self.kernel)
        if self.scale is None:
            return kernel
        return kernel * wide(self.scale).reshape(-1, *[1] * (kernel.ndim - 1))


def read_whole(text: str) -> int:
    """A whole number in digits; ValueError for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(text)
    return int(text)


def read_flag(text: str) -> bool:
    """True or false; ValueError for anything else."""
    return bool(("false", "true").index(text))


def read_words(text: str) -> tuple[str, ...]:
    """Words with plus signs between them."""
    return tuple(text.split("+"))


def read_wholes(text: str) -> tuple[int, ...]:
    """Whole numbers with plus signs between them; ValueError for anything else."""
    return tuple(map(read_whole, text.split("+")))


def check_square(kernel: Pair) -> None:
    """ShapeError unless a kernel is square, odd and above 1 x 1."""
    rows, columns = kernel
    if rows != columns or rows % 2 == 0 or rows == 1:
        raise ShapeError(f"kernel must be square, odd and above 1, not {list(kernel)}")


def read_share(text: str) -> float:
    """A part of a whole, such as 1/4 or 0.25; ValueError for anything else."""
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below if slash else 1)
    except ZeroDivisionError:
        raise ValueError(text) from None


def wide(values: Array) -> Array:
    """Integers as int64, reals as float64."""
    return np.asarray(values, np.int64 if np.asarray(values).dtype.kind in "iu" else np.float64)


FORM = Key(str, one_of(FORMS), INFERENCE)
SHARE = Requirement(
    "a number above 0 and at most 1",
    lambda value: type(value) in (int, float) and 0 < value <= 1,
)


@dataclass(frozen=True)
class PaperOperator(ABC):
    """An operator of a paper; a macro, which expands into layers.

    name : in files; variants have it too, if it is in VARIANTS of `accelsim.ops.papers`.
    forms : how it can be expanded; where both are alike there is but one.
    target : which layers of a network it replaces as a variant, in words.
    keys : what a variant may set, beside `form` where there are two; attributes by their names.
    cost : by form.
    reported : accuracies, none of which is ours.
    """

    name: ClassVar[str]
    paper: ClassVar[Paper]
    cost_class: ClassVar[str]
    target: ClassVar[str]
    forms: ClassVar[tuple[str, ...]] = FORMS
    keys: ClassVar[Mapping[str, Key]] = {}
    cost: ClassVar[Mapping[str, Cost]]
    reported: ClassVar[tuple[Reported, ...]] = ()

    @abstractmethod
    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """The layers of the form, the last of which is NAME, on an input of `shape`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Layers, beside its input, that its layers read, and that stand before it."""
        return ()

    def words(self, shape: Shape) -> dict[str, int]:
        """Numbers in the formulas of costs that are no attributes, on an input of `shape`."""
        return {}

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """What the layers of the inference form have, from that of the train form's, by name.

        Integers give integers, exactly. Quantisation comes after it, since rounded parts do not add
        up to a rounded sum.
        """
        return dict(trained)

    @classmethod
    @abstractmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether the layer is one that the operator replaces, as `target` says."""

    @classmethod
    @abstractmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The operator in the place of that layer; ShapeError says why it does not fit."""

    def changes(self, network: Network, layer: Layer) -> dict[str, Layer]:
        """Other layers that change with the one in whose place it is, by name; for most none.

        What follows may then have fewer channels to read.
        """
        return {}

    @classmethod
    def all_keys(cls) -> dict[str, Key]:
        """What a variant may set."""
        return {**cls.keys, **({"form": FORM} if len(cls.forms) > 1 else {})}

    @classmethod
    def default(cls, key: str) -> str:
        """In words, what a key is where a variant does not set it."""
        own = next((each.default for each in fields(cls) if each.name == key), None)
        return cls.all_keys()[key].default or as_text(own)

    def network(self, shape: Shape) -> Network:
        """The layers on an input of `shape`, by themselves; the last one has the operator's name.

        Its `total_params` and `total_macs` are those of the form.
        """
        return Network(self.name, shape, self.expand(self.name, (INPUT,), shape))


def as_text(value: object) -> str:
    """A value of a key as users write it: numbers of a list stand between plus signs."""
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class ConvolutionOperator(PaperOperator):
    """An operator in the place of one convolution, whose attributes it has.

    kernel : at most MOST_KERNEL a side.
    padding : as of conv2d.
    bias, norm : whether the convolution has them; an operator with batch norms of its own has
        those, and a bias where they are folded.
    """

    out_channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = 0
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False
    norm: bool = False
    activation: str = "none"
    form: str = INFERENCE

    def __post_init__(self) -> None:
        check("out_channels", self.out_channels, whole(1, MOST_CHANNELS), ShapeError)
        check_pair("kernel", self.kernel)
        if max(self.kernel) > MOST_KERNEL:
            raise ShapeError(
                f"kernel must be at most {MOST_KERNEL} a side, not {list(self.kernel)}"
            )
        check_pair("stride", self.stride)
        check_padding(self.padding)
        check_pair("dilation", self.dilation)
        check_whole("groups", self.groups)
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check("form", self.form, FORM.requirement, ShapeError)
        for key, (_, requirement, _) in self.all_keys().items():
            if hasattr(self, key):  # others choose layers of a network
                check(key, getattr(self, key), requirement, ShapeError)

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The operator with the attributes of a convolution; ShapeError where it does not fit."""
        conv = as_convolution(network, layer)
        if conv is None:
            raise ShapeError(f"{layer.op.name} is no convolution of one kernel shape")
        return cls(
            conv.out_channels,
            conv.kernel,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            layer.bias,
            layer.norm,
            layer.activation,
            **keys,
        )

    def sides(self, shape: Shape) -> tuple[int, int, int, int]:
        """Rows and columns of zeros: top, bottom, left, right."""
        return resolve_padding(self.padding, shape[1:], self.kernel, self.stride, self.dilation)

    def part(
        self, name: str, source: str, shape: Shape, kernel: Pair, corner: Pair, **epilogue: Any
    ) -> tuple[Layer, ...]:
        """NAME, a convolution with a part of the kernel's taps; before it what crops its input.

        kernel, corner : rows and columns of the part, and where in the kernel it begins. Its taps
            meet what those of the whole kernel meet there; where that begins within the map, as
            with a padding of less than half a kernel, NAME_crop leaves out what no tap meets.
        """
        (dh, dw), (_, h, w) = self.dilation, shape
        top, bottom, left, right = self.sides(shape)
        rest = [
            whole - part - at for whole, part, at in zip(self.kernel, kernel, corner, strict=True)
        ]
        top, bottom = top - dh * corner[0], bottom - dh * rest[0]
        left, right = left - dw * corner[1], right - dw * rest[1]
        layers: list[Layer] = []
        if min(top, bottom, left, right) < 0:
            rows, columns = (max(0, -top), h - max(0, -bottom)), (max(0, -left), w - max(0, -right))
            layers.append(Layer(f"{name}_crop", Crop(rows, columns), (source,)))
            source = layers[0].name
        padding = max(0, top), max(0, bottom), max(0, left), max(0, right)
        op = convolution(
            shape[0], self.out_channels, kernel, self.stride, padding, self.dilation, self.groups
        )
        return (*layers, Layer(name, op, (source,), **epilogue))

    def last(self, name: str, op: Operator, *sources: str) -> Layer:
        """The layer that is the result, with what follows the convolution."""
        return Layer(name, op, sources, self.bias, self.norm, self.activation)

    def whole(self, shape: Shape) -> Operator:
        """The convolution itself."""
        attributes = self.kernel, self.stride, self.padding, self.dilation, self.groups
        return convolution(shape[0], self.out_channels, *attributes)


def take(trained: Mapping[str, Trained], name: str, kernel: Pair | None = None) -> Trained:
    """What a layer has; ShapeError where that is missing, or its kernel is not of that size."""
    if name not in trained:
        raise ShapeError(f"fold needs what layer {name} has, and is given that of {[*trained]}")
    rows, columns = kernel or np.shape(trained[name].kernel)[2:]
    if (found := [*np.shape(trained[name].kernel)[2:]]) != [rows, columns]:
        raise ShapeError(
            f"kernel of layer {name} must have {[rows, columns]} rows and columns, not {found}"
        )
    return trained[name]


def merge(kernel: Pair, parts: Iterable[tuple[Pair, Trained]]) -> Trained:
    """One kernel and bias for convolutions of the same map whose results are added.

    kernel : rows and columns of the merged one.
    parts : of every convolution the corner of `kernel` where its own begins, and what it has.
    """
    total, bias = np.zeros((), np.int64), np.zeros((), np.int64)
    for (row, column), part in parts:
        scaled = part.scaled()
        rows, columns = scaled.shape[2:]
        below, right = kernel[0] - rows - row, kernel[1] - columns - column
        total = total + np.pad(scaled, ((0, 0), (0, 0), (row, below), (column, right)))
        bias = bias + wide(np.zeros(len(scaled), int) if part.offset is None else part.offset)
    return Trained(total, None, bias)


def centre(kernel: Pair, part: Pair) -> Pair:
    """The corner at which a part of a kernel has the same centre; of an even size the later one."""
    rows, columns = (whole // 2 - size // 2 for whole, size in zip(kernel, part, strict=True))
    return rows, columns


def golden(
    network: Network,
    trained: Mapping[str, Trained],
    x: Array,
    given: Mapping[str, Array] = MappingProxyType({}),
) -> Array:
    """int64[k, h, w]: what the last layer makes of x[c, h, w] where all layers are linear.

    Sums and products of maps go from layer to layer as they are, in integers. Reals give reals.

    given : maps of layers that are not linear, by their names, such as attentions; what leads to
        them alone is not computed.

    UnsupportedError where another layer is not linear.
    """
    maps = {INPUT: x, **given}
    last = network.layers[-1].name
    needed = {last}
    for layer in reversed(network.layers):
        if layer.name in needed and layer.name not in maps:
            needed |= {*layer.inputs}
    for layer in network.layers:
        if layer.name in needed and layer.name not in maps:
            inputs = [maps[source] for source in layer.inputs]
            maps[layer.name] = _linear(layer, trained.get(layer.name), inputs)
    return maps[last]


def _linear(layer: Layer, trained: Trained | None, inputs: list[Array]) -> Array:
    op, shapes = layer.op, [each.shape for each in inputs]
    sources = op.alias(*shapes)
    if layer.activation != "none":
        raise UnsupportedError(f"{layer.activation} is not linear (layer {layer.name})")
    if sources is not None:
        return np.stack([inputs[place][channel] for place, channel in sources])
    if isinstance(op, Add | Scale | Multiply):
        made = sum(inputs) if isinstance(op, Add) else wide(inputs[0]) * wide(inputs[1])
        return np.asarray(made) if trained is None else trained.apply(wide(np.asarray(made)))
    if isinstance(op, Pool) and op == Pool("average", op.kernel):
        (c, _, _), (fh, fw), (_, h, w) = shapes[0], op.kernel, op.out_shape(*shapes)
        windows = inputs[0][:, : h * fh, : w * fw].reshape(c, h, fh, w, fw)
        return np.asarray(wide(windows).sum(axis=(2, 4)) / (fh * fw))
    if isinstance(op, Reshape):
        return inputs[0].reshape(op.shape).transpose(op.order)
    if isinstance(op, Modulate) and trained is not None:
        return wide(trained.kernel) * wide(inputs[0])
    if len(inputs) > 1 + getattr(op, "guided", False) and op.lower(*shapes):
        sums = wide(op.golden(np.empty(0), *inputs))
        return sums if trained is None else trained.apply(sums)
    if isinstance(op, Crop):
        (x,) = inputs
        return x[:, slice(*(op.rows or (None,))), slice(*(op.columns or (None,)))]
    if trained is not None and op.lower(*shapes):
        return trained.apply(wide(op.golden(trained.kernel, *inputs)))
    if trained is not None and isinstance(op, BatchNorm):
        return trained.apply(wide(inputs[0]))
    raise UnsupportedError(f"{op.name} is not linear, or has no weights (layer {layer.name})")
