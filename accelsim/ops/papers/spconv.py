"""Split-based convolution, SPConv (arXiv 2006.12085): a few channels in 3 x 3, the others in 1 x 1.

The first alpha Ci channels, rounded down, go through a 3 x 3 convolution of two groups and, beside
it, 1 x 1; the sum has a batch norm. All others go through 1 x 1 with a bias and a batch norm. With
stride 2, what is 1 x 1 reads averages of 2 x 2, as in the authors' code. Both results are fused
without parameters: of each channel's means p and q, softmax(p, q) gives the weights of the two,
which is sigmoid(p - q) and sigmoid(q - p). They depend on the input, so that no pixel of the result
is known before both means are.

Run, norms are folded, and the two convolutions of the first channels are one of 3 x 3: full where
the groups are, elsewhere a single tap in the centre or, with stride 2, a quarter of it in each of
the four taps that the average has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import Requirement
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.add import Add
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.geometry import Array
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.masks import Mask
from accelsim.ops.papers.base import (
    DYNAMIC,
    INFERENCE,
    README,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Reported,
    Trained,
    read_share,
    wide,
)
from accelsim.ops.papers.convolutions import as_convolution, is_stem
from accelsim.ops.papers.parts import Parts
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.pool import Pool
from accelsim.ops.scale import Scale
from accelsim.ops.slice import Slice
from accelsim.ops.subtract import Subtract

# Taps of the merged kernel where there is no group, by stride.
ACROSS = {1: ((0, 0, 0), (0, 1, 0), (0, 0, 0)), 2: ((0, 0, 0), (0, 1, 1), (0, 1, 1))}
BRANCHES = "major", "minor"
GROUPS = 2  # whatever alpha is


@dataclass(frozen=True)
class SpConv(ConvolutionOperator):
    """3 x 3 of some channels and 1 x 1 of the others, weighted by the means of both.

    Its formulas have C3, the channels with 3 x 3, alpha Ci rounded down; and X, the taps that a
    merged kernel has where there is no group: 1, or 4 with stride 2.

    alpha : part of the channels, the first ones, that have 3 x 3.
    """

    name: ClassVar[str] = "spconv"
    paper: ClassVar[Paper] = Paper(
        "Zhang, Jiang, Lu, Han, Zeng, Gao, Men",
        "Split to Be Slim: An Overlooked Redundancy in Vanilla Convolution",
        "IJCAI 2020",
        "2006.12085",
    )
    cost_class: ClassVar[str] = DYNAMIC
    target: ClassVar[str] = "dense 3 x 3 convolutions but the first one"
    keys: ClassVar[Mapping[str, Key]] = {
        "alpha": Key(
            read_share,
            Requirement(
                "a number above 0 and below 1",
                lambda value: type(value) in (int, float) and 0 < value < 1,
            ),
        )
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Co*(9*C3/2 + Ci) + 5*Co", "Co*(9*C3/2 + Ci)*HWo"),
        INFERENCE: Cost("Co*((9 + X)*C3/2 + Ci - C3) + 2*Co", "Co*((9 + X)*C3/2 + Ci - C3)*HWo"),
    }
    reported: ClassVar[tuple[Reported, ...]] = tuple(
        Reported(network, variant, dataset, top1, gain, README)
        for network, dataset, variant, top1, gain in (
            ("resnet50", "ImageNet", "spconv", 76.26, 0.35),
            ("resnet50", "ImageNet", "spconv:alpha=0.25", 75.95, 0.04),
            ("resnet50", "ImageNet", "spconv:alpha=0.125", 75.40, -0.51),
            ("vgg16_cifar", "CIFAR-10", "spconv", 94.40, 0.40),
            ("vgg16_cifar", "CIFAR-10", "spconv:alpha=0.25", 93.94, -0.06),
            ("vgg16_cifar", "CIFAR-10", "spconv:alpha=0.125", 93.77, -0.23),
            ("vgg16_cifar", "CIFAR-10", "spconv:alpha=0.0625", 93.43, -0.57),
        )
    )
    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel != (3, 3):
            raise ShapeError(f"kernel must be 3 x 3, not {list(self.kernel)}")
        if self.stride not in ((1, 1), (2, 2)):
            raise ShapeError(f"stride must be 1 or 2 along both axes, not {list(self.stride)}")
        if self.dilation != (1, 1):
            raise ShapeError(f"dilation must be 1, not {list(self.dilation)}")
        if self.groups != 1:
            raise ShapeError(f"groups must be 1, not {self.groups}")
        if self.out_channels % GROUPS:
            raise ShapeError(f"out_channels must be even, not {self.out_channels}")

    def words(self, shape: Shape) -> dict[str, int]:
        """Channels C3 that have 3 x 3, and taps X of a merged kernel where it has no group."""
        return {"C3": int(self.alpha * shape[0]), "X": self.stride[0] ** 2}

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_major and NAME_minor with what is before them, their weights, and NAME, the sum."""
        first = self.words(shape)["C3"]
        self._check(shape, first)
        parts = Parts(name)
        some = parts.add("first", Slice((0, first)), *inputs)
        if self.form == TRAIN:
            grouped = Conv2d(self.out_channels, (3, 3), self.stride, 1, groups=GROUPS)
            group = parts.add("group", grouped, some)
            point = self._pointwise(parts, "point", some)
            major = parts.add("major", Add(), group, point, norm=True)
        else:
            mask = self._mask(first)
            merged = Conv2d(self.out_channels, (3, 3), self.stride, 1, mask=mask)
            major = parts.add("major", merged, some, bias=True)
        rest = parts.add("rest", Slice((first, shape[0])), *inputs)
        minor = self._pointwise(parts, "minor", rest, own=True)
        p, q = (
            parts.add(f"{each}_mean", GlobalPool(), source)
            for each, source in zip(BRANCHES, (major, minor), strict=True)
        )
        beta = parts.add("beta", Subtract(), p, q, activation="sigmoid")
        gamma = parts.add("gamma", Subtract(), q, p, activation="sigmoid")
        ends = [
            parts.add(f"{each}_weighted", Scale(), source, weight)
            for each, source, weight in zip(BRANCHES, (major, minor), (beta, gamma), strict=True)
        ]
        return (*parts.layers, self.last(name, Add(), *ends))

    def _check(self, shape: Shape, first: int) -> None:
        """ShapeError unless the operator fits a map."""
        channels, rows, columns = shape
        if first % GROUPS or first == 0:
            raise ShapeError(
                f"alpha must give an even number of the {channels} channels, of at least 2, not "
                f"{first}"
            )
        if (sides := self.sides(shape)) != (1, 1, 1, 1):
            raise ShapeError(f"padding must be 1 at all sides, not {list(sides)}")
        if self.stride == (2, 2) and (rows % 2 or columns % 2):
            raise ShapeError(
                f"stride 2 needs even numbers of rows and columns, not {rows} and {columns}"
            )

    def _pointwise(self, parts: Parts, part: str, source: str, own: bool = False) -> str:
        """1 x 1, of averages where there is a stride.

        own : whether it has a bias, and to be trained a norm.
        """
        if self.stride == (2, 2):
            source = parts.add(f"{part}_pooled", Pool("average", (2, 2)), source)
        op, norm = Pointwise(self.out_channels), own and self.form == TRAIN
        return parts.add(part, op, source, bias=own, norm=norm)

    def _mask(self, first: int) -> Mask:
        full, across = np.ones((3, 3), int), np.array(ACROSS[self.stride[0]])
        blocks = np.array([[full, across], [across, full]])
        return Mask.of_blocks(blocks, self.out_channels // GROUPS, first // GROUPS)

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The kernels of the first channels as one, its live taps alone; norms in both."""
        group, point, norm, minor = (
            trained[f"{name}_{part}"] for part in ("group", "point", "major", "minor")
        )
        each = group.kernel.shape[1]
        across = np.array(ACROSS[self.stride[0]])
        dense = _part(point.kernel, across.sum()) * across
        for place, kernels in enumerate(np.split(wide(group.kernel), GROUPS)):
            outputs = slice(place * len(kernels), (place + 1) * len(kernels))
            dense = dense.astype(np.result_type(dense, kernels), copy=False)
            dense[outputs, place * each : (place + 1) * each] += kernels
        live = self._mask(GROUPS * each).live(*dense.shape[:2])
        major = Trained(Trained(dense, norm.scale).scaled()[live], None, norm.offset)
        return {
            f"{name}_major": major,
            f"{name}_minor": Trained(minor.scaled(), None, minor.offset),
        }

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a dense 3 x 3 convolution, but not of the image."""
        conv = as_convolution(network, layer)
        is_one = conv is not None and conv.kernel == (3, 3) and conv.groups == 1
        return is_one and not is_stem(layer)


def _part(kernel: Array, taps: int) -> Array:
    """A kernel divided by a number of taps: of integers integers, where all of them divide."""
    whole = wide(kernel)
    if whole.dtype.kind == "i" and not (whole % taps).any():
        return whole // taps
    return np.asarray(whole / taps)
