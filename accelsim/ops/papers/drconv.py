"""DRConv (arXiv 2003.12243): a kernel for every region of a map, all of them made of the image.

A guide F has a channel for each of m regions, and pixel (u, v) takes the kernel of the region t of
which F[t, u, v] is the greatest (eq. 2 of the paper), of equal ones of the first. The softmax over
regions is there for the gradients of training alone.

`code`, as the authors' code has it: the kernels are W_t = sum over j < nw of a[t, j] B_j of a bank
B, a = 2 sigmoid(fc(mean(x))) / nw with a bias in fc, and F is 1 x 1 without bias, of the input of
the block; the two 1 x 1 convolutions around a depthwise one share it, and where a stride changes
the size it is that of the nearest pixels. The factor 2 / nw is in the values of the bank. The code
ignores groups, so that here there are none.

`paper`, as a third party has written it after the paper: the averages of k x k parts of the map,
1 x 1 to m^2 values with a bias, sigmoid, and 1 x 1 in m groups, with a bias, to the kernels; F is
k x k with a bias, as the convolution itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar, Self

from accelsim.checks import check, of_type, one_of, whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.adaptive_pool import AdaptivePool
from accelsim.ops.geometry import check_bool, make_conv
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.linear import Linear
from accelsim.ops.papers.base import (
    DYNAMIC,
    INFERENCE,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Reported,
    read_whole,
)
from accelsim.ops.papers.convolutions import as_convolution, as_depthwise, convolution, is_stem
from accelsim.ops.papers.parts import Parts
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.region_conv import MOST_REGIONS, WAYS, RegionConv
from accelsim.ops.reshape import Reshape
from accelsim.ops.resize import Resize

CODE, PAPER = VERSIONS = ("code", "paper")


@dataclass(frozen=True)
class DrConv(ConvolutionOperator):
    """A convolution with a kernel for every region of the map, made of the image.

    m : regions.
    nw : kernels of the bank, of version code.
    version : code, of the authors; or paper.
    way : how it is computed, as of region_conv.
    guide : of version code, the layer whose map guides this one too; "" for one of its own.
    resized : whether that map is of another size than the result.
    """

    name: ClassVar[str] = "drconv"
    paper: ClassVar[Paper] = Paper(
        "Chen, Wang, Guo, Zhang, Sun",
        "Dynamic Region-Aware Convolution",
        "CVPR 2021",
        "2003.12243",
    )
    cost_class: ClassVar[str] = DYNAMIC
    target: ClassVar[str] = (
        "dense convolutions above 1 x 1 but the first one, and the two 1 x 1 around a depthwise one"
    )
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    keys: ClassVar[Mapping[str, Key]] = {
        "m": Key(read_whole, whole(1, MOST_REGIONS)),
        "nw": Key(read_whole, whole(1, 4096)),
        "version": Key(str, one_of(VERSIONS)),
        "way": Key(str, one_of(WAYS)),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        INFERENCE: Cost(
            "Co*Ci*k^2*nw + (Ci + 1)*m*nw + Ci*m",
            "Co*Ci*k^2*(HWo + m*nw) + Ci*m*nw + Ci*m*HW",
        )
    }
    reported: ClassVar[tuple[Reported, ...]] = (
        Reported(
            "shufflenet_v2_x0_5",
            "drconv:m=4",
            "ImageNet",
            67.1,
            4.0,
            "abstract of the paper: 6.3 % more, hence 4.0 points; m follows from its 46 M products",
        ),
    )
    m: int = 8
    nw: int = 8
    version: str = CODE
    way: str = "auto"
    guide: str = ""
    resized: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check("guide", self.guide, of_type(str), ShapeError)
        check_bool("resized", self.resized)
        if self.groups > 1:
            raise ShapeError(f"groups must be 1, as the kernels are dense, not {self.groups}")
        if self.guide and self.version == PAPER:
            raise ShapeError(f"guide is of version {CODE}; version {PAPER} has one for each layer")

    @property
    def reads(self) -> tuple[str, ...]:
        """The layer that makes a guide for several."""
        return (self.guide,) if self.guide else ()

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """What makes the kernels, NAME_kernels the last; NAME_guide, and NAME."""
        parts = Parts(name)
        (source,) = inputs
        if self.version == CODE:
            kernels = self._of_a_bank(parts, source, shape[0])
            guide = self._pointwise_guide(parts, source, shape)
        else:
            kernels = self._of_parts(parts, source, shape[0])
            attributes = self.kernel, self.stride, self.padding, self.dilation
            op = convolution(shape[0], self.m, *attributes)
            guide = parts.add("guide", op, source, bias=True)
        regions = RegionConv(
            self.out_channels,
            self.kernel,
            self.m,
            self.stride,
            self.padding,
            self.dilation,
            by_pixel=self.version == CODE,
            way=self.way,
        )
        return (*parts.layers, self.last(name, regions, source, guide, kernels))

    def _of_a_bank(self, parts: Parts, source: str, channels: int) -> str:
        """Version code: every kernel mixed of nw by an attention of its own."""
        pool = parts.add("pool", GlobalPool(), source)
        fc, rows = Linear(self.m * self.nw), Reshape((self.m, self.nw, 1), (1, 0, 2))
        attention = parts.add("fc", fc, pool, bias=True, activation="sigmoid")
        by_region = parts.add("attention", rows, attention)
        size = self.out_channels * channels * prod(self.kernel)
        return parts.add("kernels", Pointwise(size), by_region)

    def _of_parts(self, parts: Parts, source: str, channels: int) -> str:
        """Version paper: every tap from what is in its place of the map."""
        pools = GlobalPool() if self.kernel == (1, 1) else AdaptivePool(self.kernel)
        pool = parts.add("pool", pools, source)
        fc = parts.add("fc", Pointwise(self.m**2), pool, bias=True, activation="sigmoid")
        size = self.m * self.out_channels * channels
        return parts.add("kernels", Pointwise(size, groups=self.m), fc, bias=True)

    def _pointwise_guide(self, parts: Parts, source: str, shape: Shape) -> str:
        """Version code: F of the input, or that of another layer; of the size of the result."""
        conv = make_conv(
            shape, self.out_channels, self.kernel, self.stride, self.padding, self.dilation
        )
        size = conv.oh, conv.ow
        guide, resized = self.guide, self.resized
        if not guide:
            guide, resized = parts.add("guide", Pointwise(self.m), source), size != shape[1:]
        return parts.add("nearest", Resize(size), guide) if resized else guide

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is dense and larger than 1 x 1, or one of two around a depthwise one."""
        conv = as_convolution(network, layer)
        if conv is None or is_stem(layer):
            return False
        return (conv.groups == 1 and conv.kernel != (1, 1)) or _is_around(network, layer)

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The operator in the place of a convolution; the second of a block has the first's guide.

        ShapeError where it does not fit.
        """
        made = super().of(network, layer, **keys)
        first = _first(network, layer)
        if made.version == PAPER or first is None or _shares(network, first):
            return made
        resized = network.shape(first.name)[1:] != network.shape(layer.name)[1:]
        return replace(made, guide=f"{first.name}_guide", resized=resized)


def _is_around(network: Network, layer: Layer) -> bool:
    """Whether it is one of the two 1 x 1 convolutions around a depthwise one."""
    behind = (each for one in _readers(network, layer) for each in _readers(network, one))
    seconds = [layer, *behind]
    return any(layer in (each, _first(network, each)) for each in seconds if _first(network, each))


def _shares(network: Network, layer: Layer) -> bool:
    """Whether it has the guide of another: in a chain of blocks every second one."""
    first = _first(network, layer)
    return first is not None and not _shares(network, first)


def _first(network: Network, layer: Layer) -> Layer | None:
    """The 1 x 1 convolution which a depthwise one alone reads that a 1 x 1 convolution reads."""
    if not _is_dense_point(network, layer):
        return None
    between = _source(network, layer)
    if between is None or as_depthwise(network, between) is None:
        return None
    first = _source(network, between)
    if first is None or _readers(network, first) != [between]:
        return None
    return first if _is_dense_point(network, first) else None


def _source(network: Network, layer: Layer) -> Layer | None:
    """The layer whose map is its only input."""
    if len(layer.inputs) > 1:
        return None
    return next((each for each in network.layers if each.name == layer.inputs[0]), None)


def _readers(network: Network, layer: Layer) -> list[Layer]:
    return [each for each in network.layers if layer.name in each.inputs]


def _is_dense_point(network: Network, layer: Layer) -> bool:
    conv = as_convolution(network, layer)
    return conv is not None and conv.kernel == (1, 1) and conv.groups == 1 and not layer.prenorm
