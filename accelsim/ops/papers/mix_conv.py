"""MixConv: convolution with kernels of several sizes, a group of channels each (arXiv 1907.09595).

The paper's is depthwise. With `out_channels` it is dense: group i of the inputs makes group i of
the outputs, as the class GroupedConv2d of re-implementations of MixNet does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Self

from accelsim.checks import FLAG, Requirement, check, is_tuple, one_of, show, whole
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Network, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_pair,
    check_whole,
    resolve_padding,
)
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    Cost,
    Key,
    Paper,
    PaperOperator,
    read_flag,
    read_wholes,
)
from accelsim.ops.papers.convolutions import as_convolution
from accelsim.ops.slice import Slice

KERNELS = Requirement(
    "a list of whole numbers of at least 1",
    lambda value: is_tuple(value, whole(1)) and len(value) > 0,
)
ODD = Requirement(
    "different odd numbers from 1 to 31 with + between them",
    lambda value: len(set(value)) == len(value) and {*value} <= {*range(1, 32, 2)},
)
EQUAL, EXPONENTIAL = SPLITS = ("equal", "exponential")
KEYS = {
    "kernels": Key(read_wholes, ODD, "3+5+7"),
    "split": Key(str, one_of(SPLITS), EQUAL),
}
OF_VARIANTS = (3, 5, 7)  # kernels


def split_channels(channels: int, groups: int, split: str = EQUAL) -> list[int]:
    """Channels of every group: equal, the rest to the first; or each half of what is left.

    ShapeError where a group would have none.
    """
    if groups > channels:
        raise ShapeError(
            f"kernels must be at most one for each of the {channels} channels, not {groups}"
        )
    if split == EQUAL:
        return [channels // groups + channels % groups, *[channels // groups] * (groups - 1)]
    counts: list[int] = []
    for _ in range(groups - 1):
        counts.append((channels - sum(counts) + 1) // 2)
    counts.append(channels - sum(counts))
    if counts[-1] < 1:
        raise ShapeError(
            f"split {split} leaves none of {channels} channels for the last of {groups} kernels"
        )
    return counts


@dataclass(frozen=True)
class MixConv(PaperOperator):
    """Channels split into as many equal groups as there are kernels, each with its K x K.

    The remainder goes to the first group, as in the re-implementations of MixNet.

    kernels : K of each group.
    padding : "same" or "same_tf".
    out_channels : None for a depthwise convolution; else it is dense within each group.
    split : equal, or exponential, where each group has half of the channels that are left.
    """

    name: ClassVar[str] = "mix_conv"
    paper: ClassVar[Paper] = Paper(
        "Tan, Le", "MixConv: Mixed Depthwise Convolutional Kernels", "BMVC 2019", "1907.09595"
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = "depthwise layers with square kernels; with dense also dense ones"
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    keys: ClassVar[Mapping[str, Key]] = KEYS | {"dense": Key(read_flag, FLAG, "false")}
    cost: ClassVar[Mapping[str, Cost]] = {
        INFERENCE: Cost("sum(Co_i*(Ci_i/g_i)*k_i^2)", "sum(Co_i*(Ci_i/g_i)*k_i^2)*HWo"),
    }
    kernels: tuple[int, ...]
    stride: Pair = (1, 1)
    padding: str = "same"
    dilation: Pair = (1, 1)
    bias: bool = False
    norm: bool = False
    activation: str = "none"
    out_channels: int | None = None
    split: str = EQUAL

    def __post_init__(self) -> None:
        check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_choice("padding", self.padding, ("same", "same_tf"))
        check_pair("dilation", self.dilation)
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        if self.out_channels is not None:
            check_whole("out_channels", self.out_channels)
        check_choice("split", self.split, SPLITS)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME, one depthwise layer; or NAME_in1, NAME_1 and so on, and NAME, their concatenation.

        ... on an input of `shape`.
        """
        counts = split_channels(shape[0], len(self.kernels), self.split)
        padding: Padding = "same_tf" if self.padding == "same_tf" else "same"
        epilogue = self.bias, self.norm, self.activation
        if self.out_channels is None:
            each = tuple(
                (kernel, kernel)
                for kernel, count in zip(self.kernels, counts, strict=True)
                for _ in range(count)
            )
            alike = len(set(each)) == 1
            op = Depthwise(
                each[0] if alike else None,
                self.stride,
                padding,
                self.dilation,
                kernels=None if alike else each,
            )
            return (Layer(name, op, inputs, *epilogue),)
        outputs = split_channels(self.out_channels, len(self.kernels), self.split)
        layers = list(split_map(name, inputs, counts))
        made = [
            Layer(
                f"{name}_{place}",
                Conv2d(out, (kernel, kernel), self.stride, padding, self.dilation),
                (part.name,),
                *epilogue,
            )
            for place, (kernel, out, part) in enumerate(
                zip(self.kernels, outputs, layers, strict=True), 1
            )
        ]
        joined = Layer(name, Concat(), tuple(layer.name for layer in made))
        return (*layers, *made, joined)

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise with a square kernel; or dense, if these are asked for."""
        return is_mixable(network, layer, keys.get("dense", False))

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """Groups with their kernels in place of the one of all channels."""
        conv, padding = mixable(network, layer)
        depthwise = is_mixable(network, layer, dense=False)
        return cls(
            keys.get("kernels", OF_VARIANTS),
            conv.stride,
            padding,
            conv.dilation,
            layer.bias,
            layer.norm,
            layer.activation,
            None if depthwise else conv.out_channels,
            keys.get("split", EQUAL),
        )


def split_map(name: str, inputs: tuple[str, ...], counts: list[int]) -> tuple[Layer, ...]:
    """NAME_in1, NAME_in2 and so on: channels one after the other."""
    bounds = [*accumulate(counts, initial=0)]
    return tuple(
        Layer(f"{name}_in{place}", Slice((first, stop)), inputs)
        for place, (first, stop) in enumerate(pairwise(bounds), 1)
    )


def is_mixable(network: Network, layer: Layer, dense: bool) -> bool:
    """Whether a layer has square kernels above 1 x 1, depthwise or, if asked for, dense."""
    conv = as_convolution(network, layer)
    if conv is None or conv.kernel[0] != conv.kernel[1] or conv.kernel[0] == 1:
        return False
    channels = network.in_shapes(layer)[0][0]
    depthwise = conv.groups == channels == conv.out_channels
    return (depthwise and channels > 1) or (dense and conv.groups == 1)


def mixable(network: Network, layer: Layer) -> tuple[Conv2d, str]:
    """The convolution, and which padding it has; ShapeError unless that keeps its size."""
    conv = as_convolution(network, layer)
    assert conv is not None
    size = network.in_shapes(layer)[0][1:]
    about = size, conv.kernel, conv.stride, conv.dilation
    if conv.padding == "same_tf":
        return conv, "same_tf"
    if resolve_padding(conv.padding, *about) != resolve_padding("same", *about):
        raise ShapeError(
            f"padding {show(conv.padding)} is of one kernel size; it must keep the size of the "
            "input, as 'same' does"
        )
    return conv, "same"
