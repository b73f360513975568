"""MAConv (Luo and Zhan 2022): linear layers one after the other, trained deep and run as one.

Reconstructed: only the abstract could be read. It says that a stack of layers is trained that costs
nothing more than a convolution when it is run. What is here: K x 1 and then 1 x K without anything
between them, K[o, c, i, j] = the sum over h of B[o, h, j] A[h, c, i]. Such kernels have at most the
rank of the layer between, so that a full kernel may stand beside them; that, and how wide the layer
between is, are parameters. Each layer is padded along its own axis alone, and has no bias or norm
before the last: else borders of zeros would not fold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import FLAG, whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.add import Add
from accelsim.ops.geometry import check_groups
from accelsim.ops.papers.base import (
    FOLDABLE,
    INFERENCE,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Trained,
    merge,
    read_flag,
    read_whole,
    take,
    wide,
)
from accelsim.ops.papers.convolutions import as_convolution, convolution


@dataclass(frozen=True)
class MaConv(ConvolutionOperator):
    """A vertical convolution, and a horizontal one of its results; run as one convolution.

    hidden : channels between them; out_channels if None.
    parallel : whether a convolution with the full kernel stands beside them; each of the two then
        has a norm, and what is run a bias.
    """

    name: ClassVar[str] = "maconv"
    paper: ClassVar[Paper] = Paper(
        "Luo, Zhan",
        "Multi-layer dynamic and asymmetric convolutions",
        "High Technology Letters 28(3), 2022",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = (
        "convolutions of more than one row and column, dense, grouped, depthwise"
    )
    keys: ClassVar[Mapping[str, Key]] = {
        "hidden": Key(read_whole, whole(1, 1 << 16), "Co"),
        "parallel": Key(read_flag, FLAG),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost(
            "hidden*(Ci/g)*k + Co*(hidden/g)*k",
            "hidden*(Ci/g)*k*HW/s + Co*(hidden/g)*k*HWo",
        ),
        INFERENCE: Cost("Co*(Ci/g)*k^2", "Co*(Ci/g)*k^2*HWo"),
    }
    hidden: int | None = None
    parallel: bool = False

    def __post_init__(self) -> None:
        if self.hidden is None:
            object.__setattr__(self, "hidden", self.out_channels)
        super().__post_init__()
        if 1 in self.kernel:
            raise ShapeError(f"kernel must have several rows and columns, not {list(self.kernel)}")

    @property
    def between(self) -> int:
        """Channels between the two layers."""
        assert self.hidden is not None
        return self.hidden

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME; or NAME_ver and NAME, with a full kernel NAME_ver, NAME_hor, NAME_full and NAME."""
        if self.form == INFERENCE:
            bias, norm = self.bias or self.parallel, self.norm and not self.parallel
            return (Layer(name, self.whole(shape), inputs, bias, norm, self.activation),)
        check_groups(self.groups, shape[0], self.between)
        top, bottom, left, right = self.sides(shape)
        (rows, columns), (down, across), (dh, dw) = self.kernel, self.stride, self.dilation
        vertical = convolution(
            shape[0],
            self.between,
            (rows, 1),
            (down, 1),
            (top, bottom, 0, 0),
            (dh, 1),
            self.groups,
        )
        horizontal = convolution(
            self.between,
            self.out_channels,
            (1, columns),
            (1, across),
            (0, 0, left, right),
            (1, dw),
            self.groups,
        )
        first = Layer(f"{name}_ver", vertical, inputs)
        if not self.parallel:
            epilogue = self.bias, self.norm, self.activation
            return first, Layer(name, horizontal, (first.name,), *epilogue)
        second = Layer(f"{name}_hor", horizontal, (first.name,), norm=True)
        beside = Layer(f"{name}_full", self.whole(shape), inputs, norm=True)
        ends = second.name, beside.name
        return first, second, beside, Layer(name, Add(), ends, activation=self.activation)

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The product of both kernels, and the full one added where it stands beside them."""
        first = take(trained, f"{name}_ver", (self.kernel[0], 1))
        last = take(trained, f"{name}_hor" if self.parallel else name, (1, self.kernel[1]))
        a, b = wide(first.kernel)[..., 0], wide(last.kernel)[:, :, 0]
        a = a.reshape(self.groups, -1, *a.shape[1:])
        b = b.reshape(self.groups, -1, *b.shape[1:])
        kernel = np.einsum("gohj,ghci->gocij", b, a).reshape(-1, a.shape[2], *self.kernel)
        product = last._replace(kernel=kernel)
        if not self.parallel:
            return {name: product}
        branches = [((0, 0), product), ((0, 0), take(trained, f"{name}_full", self.kernel))]
        return {name: merge(self.kernel, branches)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution of both axes."""
        conv = as_convolution(network, layer)
        return conv is not None and 1 not in conv.kernel
