"""Gaussian-mask convolution, GMConv (arXiv 2302.04544): kernels times a round mask.

Known of the paper is its abstract: a Gaussian function makes a concentric mask over the kernel of
any convolution, and is trained with it. Reconstructed is

    m(i, j) = exp(-((i - c)^2 + (j - d)^2) / (2 sigma^2))

around c, d = (rows - 1) / 2, (columns - 1) / 2, which is 1 in the centre of odd kernels, and W m in
the place of W. Parameters of the operator are
whether a layer, every output channel or every kernel of one has a sigma; and whether that is
constant, learned, or follows from the image: sigmoid(F mean(x)) times the greatest that it may be.
What does not follow from the image folds into the weights. Then taps that the mask nearly removes
can be left out for good, which makes a circle of the kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import ABOVE_0, Requirement, one_of
from accelsim.errors import ShapeError
from accelsim.ir import Call, Layer, Network, Operator, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Array, Pair, Reals, take_inputs
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.linear import Linear
from accelsim.ops.masks import Mask
from accelsim.ops.modulate import Modulate
from accelsim.ops.papers.base import (
    FOLDABLE,
    INFERENCE,
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
from accelsim.ops.papers.convolutions import as_convolution
from accelsim.ops.papers.parts import Parts

SOURCES = CONSTANT, LEARNED, RUN_TIME = "constant", "learned", "runtime"
GRANULARITIES = LAYER, OUTPUT, KERNEL = "layer", "output", "kernel"
LEAST = 2.0**-20  # of the square of a sigma, which may be rounded to 0


def squares(kernel: Pair) -> Array:
    """float64[rows columns], of every tap the square of its distance from the centre."""
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in kernel)
    return np.asarray(np.add.outer(rows**2, columns**2).ravel())


def gaussian(kernel: Pair, sigmas: Array) -> Array:
    """float64[..., rows columns]: the masks of sigmas [...]."""
    wide_enough = np.maximum(np.asarray(sigmas, np.float64) ** 2, LEAST)
    return np.asarray(np.exp(-squares(kernel) / (2 * wide_enough[..., None])))


@dataclass(frozen=True)
class GaussianMask(OnHost):
    """out[o, c, tap] = exp(-square of the tap's distance from the centre / (2 sigma[o, c]^2)).

    kernel : rows and columns; taps lie along the columns of the result.
    count : sigmas, of output channels and of input channels.
    sigma : what the values of the input, or else learned ones, are multiples of.
    constant : whether all of them are 1, and nothing is learned.
    """

    name: ClassVar[str] = "gaussian_mask"
    kernel: Pair
    count: Pair
    sigma: float
    constant: bool = False

    def out_shape(self, *inputs: Shape) -> Shape:
        """(sigmas of outputs, of inputs, taps)."""
        for shape in inputs:
            take_inputs(self.name, inputs, 1)
            if prod(shape) != prod(self.count):
                raise ShapeError(
                    f"inputs of {self.name}: it takes {prod(self.count)} sigmas, not {prod(shape)}"
                )
        return *self.count, prod(self.kernel)

    def weight_shape(self, *inputs: Shape) -> tuple[int, ...]:
        """(sigmas of outputs, of inputs, 1), where they are learned."""
        return () if inputs or self.constant else (*self.count, 1)

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """The exponential of a quotient."""
        sigmas: int | Array = 0 if inputs else np.ones(self.count, np.float32)
        if not inputs and not self.constant:
            sigmas = weights
        first = len(inputs)
        return (
            Call("Reshape", (sigmas, np.array([1, *self.count, 1]))),
            Call("Mul", (first, np.array(self.sigma, np.float32))),
            Call("Mul", (first + 1, first + 1)),
            Call("Max", (first + 2, np.array(LEAST, np.float32))),
            Call("Div", (np.asarray(squares(self.kernel) / -2, np.float32), first + 3)),
            Call("Exp", (first + 4,)),
        )


@dataclass(frozen=True)
class GmConv(ConvolutionOperator):
    """A convolution whose kernels are multiplied with a Gaussian around their centres.

    Its formulas have L and R, the sigmas that are learned and those of every image; and T, the taps
    that stay.

    source : whether sigma is constant, learned, or of every image, the form of which is then one.
    granularity : what has a sigma: the layer, an output channel, or each of its kernels.
    sigma : the constant one; else what sigmas are multiples of, and the greatest of an image.
    cut : taps that a constant mask makes smaller than that are left out; 0 for none.
    """

    name: ClassVar[str] = "gmconv"
    paper: ClassVar[Paper] = Paper(
        "Chen, Li, Ning, Lin, He",
        "GMConv: Modulating Effective Receptive Fields for Convolutional Kernels",
        "IEEE TNNLS",
        "2302.04544",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "convolutions of several taps"
    keys: ClassVar[Mapping[str, Key]] = {
        "source": Key(str, one_of(SOURCES)),
        "granularity": Key(str, one_of(GRANULARITIES)),
        "sigma": Key(read_share, ABOVE_0),
        "cut": Key(
            read_share,
            Requirement(
                "a number from 0 to less than 1",
                lambda value: type(value) in (int, float) and 0 <= value < 1,
            ),
        ),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Co*(Ci/g)*k^2 + L + (Ci + 1)*R", "Co*(Ci/g)*k^2*HWo + Ci*R"),
        INFERENCE: Cost("Co*(Ci/g)*T + (Ci + 1)*R", "Co*(Ci/g)*T*HWo + Ci*R"),
    }
    reported: ClassVar[tuple[Reported, ...]] = (
        Reported("resnet50", "gmconv", "ImageNet", None, 0.85, "the abstract"),
    )
    source: str = LEARNED
    granularity: str = LAYER
    sigma: float = 1.0
    cut: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel == (1, 1):
            raise ShapeError("kernel must have several taps, not [1, 1]")
        if self.cut and self.source != CONSTANT:
            raise ShapeError(f"cut must be 0 where sigma is not constant, not {self.cut}")
        if self.cut and not self._live.any():
            raise ShapeError(f"cut must leave a tap of the mask, not be {self.cut}")

    @property
    def _live(self) -> Array:
        """bool[rows columns], the taps that stay."""
        mask = gaussian(self.kernel, np.array(self.sigma))
        return np.asarray(mask >= self.cut)

    def words(self, shape: Shape) -> dict[str, int]:
        """Sigmas that are learned, L, and of images, R; taps that stay, T."""
        count = prod(self._count(shape))
        return {
            "L": count if self.source == LEARNED else 0,
            "R": count if self.source == RUN_TIME else 0,
            "T": int(self._live.sum()) if self.cut else prod(self.kernel),
        }

    def _count(self, shape: Shape) -> Pair:
        """Sigmas of output channels, and of input channels."""
        outputs = 1 if self.granularity == LAYER else self.out_channels
        return outputs, shape[0] // self.groups if self.granularity == KERNEL else 1

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME alone, folded; else NAME_mask, NAME_kernel and NAME, before them NAME_sigma."""
        op = self.whole(shape)
        if self.form == INFERENCE and self.source != RUN_TIME:
            return (self.last(name, self._masked(op), *inputs),)
        parts, count = Parts(name), self._count(shape)
        sigmas = []
        if self.source == RUN_TIME:
            pool = parts.add("pool", GlobalPool(), *inputs)
            head = Linear(prod(count))
            sigmas = [parts.add("sigma", head, pool, bias=True, activation="sigmoid")]
        constant = self.source == CONSTANT
        mask = parts.add("mask", GaussianMask(self.kernel, count, self.sigma, constant), *sigmas)
        k, each, rows, columns = op.weight_shape(shape)
        kernel = parts.add("kernel", Modulate((k, each, rows * columns)), mask)
        return (*parts.layers, self.last(name, op, *inputs, kernel))

    def _masked(self, op: Operator) -> Operator:
        """Without the taps that are cut off."""
        live = self._live
        if not self.cut or live.all():
            return op
        assert isinstance(op, Conv2d | Depthwise)
        return replace(op, mask=Mask.everywhere(live.reshape(self.kernel)))

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The kernels times their masks, which are real numbers."""
        if self.source == RUN_TIME:
            return dict(trained)
        kernel, behind = trained[f"{name}_kernel"].kernel, trained.get(name)
        learned = trained.get(f"{name}_mask")
        units = np.ones((1, 1)) if learned is None else np.asarray(learned.kernel)[..., 0]
        masked = wide(kernel) * gaussian(self.kernel, self.sigma * units)
        if self.cut and not self._live.all():
            masked = masked[..., self._live].ravel()
        else:
            masked = masked.reshape(*kernel.shape[:2], *self.kernel)
        if behind is None:
            return {name: Trained(masked)}
        return {name: behind._replace(kernel=masked)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution of more than one tap."""
        conv = as_convolution(network, layer)
        return conv is not None and prod(conv.kernel) > 1
