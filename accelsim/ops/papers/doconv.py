"""DO-Conv (arXiv 2006.12030): a depthwise convolution in front of a 1 x 1, run as one convolution.

Trained are W, out_channels x c / groups x D_mul, and D, c x k^2 x D_mul, to which the identity is
added, so that D begins at 0. What is computed is either way the same, as
both are linear: features composed, a depthwise convolution by D with D_mul outputs a channel, and W
mixes these; or kernels composed, D times W, and one convolution, as the authors' code does it in
every step, for out_channels x c / groups x k^2 x D_mul products. Layers of the train form are the
former; the fold is the latter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import one_of, whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Array, check_pair
from accelsim.ops.papers.base import (
    FOLDABLE,
    INFERENCE,
    README,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Reported,
    Trained,
    read_whole,
    take,
    wide,
)
from accelsim.ops.papers.convolutions import as_convolution
from accelsim.ops.pointwise import Pointwise

CHANNEL, CYCLIC = PAIRINGS = ("channel", "cyclic")


@dataclass(frozen=True)
class DoConv(ConvolutionOperator):
    """A convolution whose kernel is the product of a depthwise and of a 1 x 1 kernel.

    d_mul : outputs of the depthwise convolution for a channel, at least the taps of the kernel,
        which it is if None.
    pairing : which rows of D belong to an input of a group, its own channel's, or those that the
        authors' code takes: output o and input i of its group have row (o c / groups + i) mod c.
        That is the same without groups and of depthwise layers; of others it is no composition of
        features, so that there is no train form.
    """

    name: ClassVar[str] = "doconv"
    paper: ClassVar[Paper] = Paper(
        "Cao, Li, Sun, Chen, Lischinski, Cohen-Or, Chen, Tu",
        "DO-Conv: Depthwise Over-parameterized Convolutional Layer",
        "IEEE TIP 2022",
        "2006.12030",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "convolutions larger than 1 x 1, dense, grouped and depthwise"
    keys: ClassVar[Mapping[str, Key]] = {
        "d_mul": Key(read_whole, whole(1, 4096), "k^2"),
        "pairing": Key(str, one_of(PAIRINGS)),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Ci*d_mul*k^2 + Co*(Ci/g)*d_mul", "(Ci*d_mul*k^2 + Co*(Ci/g)*d_mul)*HWo"),
        INFERENCE: Cost("Co*(Ci/g)*k^2", "Co*(Ci/g)*k^2*HWo"),
    }
    reported: ClassVar[tuple[Reported, ...]] = tuple(
        Reported(network, "doconv", "ImageNet", None, gain, README)
        for network, gain in (
            ("resnet18", 0.82),
            ("resnet50", 0.08),
            ("resnet101", 0.46),
            ("mobilenet_v1", 0.03),
            ("mobilenet_v2", 0.16),
        )
    )
    d_mul: int | None = None
    pairing: str = CHANNEL

    def __post_init__(self) -> None:
        check_pair("kernel", self.kernel)  # of which the default is made
        taps = prod(self.kernel)
        if self.d_mul is None:
            object.__setattr__(self, "d_mul", taps)
        super().__post_init__()
        if taps == 1:
            raise ShapeError("kernel must be larger than 1 x 1, for which there is no D")
        if self.products < taps:
            raise ShapeError(
                f"d_mul must be at least {taps}, the taps of the kernel, not {self.d_mul}"
            )

    @property
    def products(self) -> int:
        """D_mul."""
        assert self.d_mul is not None
        return self.d_mul

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME; or NAME_d, depthwise, and NAME, the 1 x 1 convolution of its outputs."""
        if self.form == INFERENCE:
            op = self.whole(shape)
            return (Layer(name, op, inputs, self.bias, self.norm, self.activation),)
        depthwise = 1 < self.groups == shape[0] == self.out_channels
        if self.pairing == CYCLIC and self.groups > 1 and not depthwise:
            raise ShapeError(
                f"pairing cyclic with {self.groups} groups has no train form, since one input "
                "would be multiplied by the D of another"
            )
        spread = Depthwise(
            self.kernel, self.stride, self.padding, self.dilation, multiplier=self.products
        )
        mixed = Pointwise(self.out_channels, groups=self.groups)
        return (
            Layer(f"{name}_d", spread, inputs),
            Layer(name, mixed, (f"{name}_d",), self.bias, self.norm, self.activation),
        )

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """W'[o, i, tap] = the sum over s of D[channel of o and i, s, tap] W[o, i, s]."""
        mixed = take(trained, name, (1, 1))
        d = wide(take(trained, f"{name}_d", self.kernel).kernel)
        d = d.reshape(-1, self.products, *self.kernel)
        w = wide(mixed.kernel).reshape(self.out_channels, -1, self.products)
        rows = self._rows(len(d), w.shape[1])
        return {name: mixed._replace(kernel=np.einsum("oisyx,ois->oiyx", d[rows], w))}

    def _rows(self, channels: int, inputs: int) -> Array:
        """The row of D for every output and every input of its group."""
        out, own = np.arange(self.out_channels)[:, None], np.arange(inputs)
        if self.pairing == CYCLIC:
            return np.asarray((out * inputs + own) % channels)
        return np.asarray(out // (self.out_channels // self.groups) * inputs + own)

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution with more than one tap."""
        conv = as_convolution(network, layer)
        return conv is not None and conv.kernel != (1, 1)


def with_identity(d: Array) -> Array:
    """The kernel of NAME_d, [c D_mul, 1, taps], of a D[c, taps, D_mul] that begins at 0.

    The identity stands as often as it fits whole into D_mul, and zeros behind it.
    """
    channels, taps, products = d.shape
    identity = np.zeros((taps, products), int)
    for first in range(0, products - taps + 1, taps):
        identity[:, first : first + taps] = np.eye(taps, dtype=int)
    return (wide(d) + identity).transpose(0, 2, 1).reshape(channels * products, 1, taps)
