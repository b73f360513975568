"""Multi-layer dynamic convolution (Luo, Zhan 2022): layers without a non-linearity, gated by image.

Known of the paper is its abstract: parameters beyond those of a convolution lie in layers behind
each other, not in kernels beside each other. Trained, in its expanding form, attention multiplies
features between the layers. Run, in its compact form, it multiplies weights: one kernel for every
image.

Reconstructed is the rest. Two layers, of 1 x 1 from Ci to h channels and of K x K from h to Co; in
this order, because zeros around a map stay zeros behind a layer of 1 x 1 without a bias, so that
both forms are equal at the borders too. The gates are a = gate(F_2 relu(F_1 mean(x))), from A
values between, without biases. Then

    z = W_2 * (a (W_1 x))                        expanding
    K[o, c, i, j] = sum over h of W_2[o, h, i, j] a[h] W_1[h, c]     compact
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from accelsim.checks import Requirement, one_of, whole
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.conv_transpose2d import ConvTranspose2d
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.linear import Linear
from accelsim.ops.modulate import Modulate
from accelsim.ops.papers.base import (
    DYNAMIC,
    INFERENCE,
    SHARE,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Trained,
    read_share,
    read_whole,
)
from accelsim.ops.papers.convolutions import as_convolution, convolution, is_stem
from accelsim.ops.papers.parts import Parts
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.scale import Scale
from accelsim.ops.softmax import Softmax

OPTIONAL = Requirement(
    whole(1, 1 << 16).phrase, lambda value: value is None or whole(1, 1 << 16).allows(value)
)
GATES = SIGMOID, SOFTMAX = "sigmoid", "softmax"


@dataclass(frozen=True)
class MdConv(ConvolutionOperator):
    """1 x 1, gates of every image, and K x K, one after the other; run as one kernel of the image.

    Its formulas have A, the values of the attention, max(r Ci, least) rounded down.

    hidden : channels between the two; those of the input if None.
    r, least : values of the attention, as a part of the input channels, and at least so many.
    gate : what makes gates of them.
    """

    name: ClassVar[str] = "mdconv"
    paper: ClassVar[Paper] = Paper(
        "Luo, Zhan",
        "Multi-layer dynamic and asymmetric convolutions",
        "High Technology Letters 28(3), 2022",
    )
    cost_class: ClassVar[str] = DYNAMIC
    target: ClassVar[str] = "dense convolutions above 1 x 1 but the first one"
    keys: ClassVar[Mapping[str, Key]] = {
        "hidden": Key(read_whole, OPTIONAL, "Ci"),
        "r": Key(read_share, SHARE),
        "least": Key(read_whole, whole(1, 65536)),
        "gate": Key(str, one_of(GATES)),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost(
            "hidden*Ci + Co*hidden*k^2 + A*(Ci + hidden)",
            "hidden*Ci*HW + Co*hidden*k^2*HWo + A*(Ci + hidden)",
        ),
        INFERENCE: Cost(
            "hidden*Ci + Co*hidden*k^2 + A*(Ci + hidden)",
            "Co*Ci*k^2*(HWo + hidden) + A*(Ci + hidden)",
        ),
    }
    hidden: int | None = None
    r: float = 1 / 16
    least: int = 16
    gate: str = SIGMOID

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups != 1:
            raise ShapeError(f"groups must be 1, not {self.groups}")

    def words(self, shape: Shape) -> dict[str, int]:
        """The channels between the layers, and the values A of the attention."""
        return {
            "hidden": self.hidden or shape[0],
            "A": max(int(self.r * shape[0]), self.least),
        }

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """The gates; NAME_inner, NAME_gated and NAME, or the kernel and NAME."""
        h, width = self.words(shape).values()
        parts = Parts(name)
        pool = parts.add("pool", GlobalPool(), *inputs)
        squeeze = parts.add("squeeze", Linear(width), pool, activation="relu")
        if self.gate == SOFTMAX:
            gates = parts.add("gates", Softmax(), parts.add("scores", Linear(h), squeeze))
        else:
            gates = parts.add("gates", Linear(h), squeeze, activation="sigmoid")
        if self.form == TRAIN:
            inner = parts.add("inner", Pointwise(h), *inputs)
            sources: tuple[str, ...] = (parts.add("gated", Scale(), inner, gates),)
        else:
            taps = prod(self.kernel)
            rows = parts.add("rows", Modulate((h, 1, shape[0])), gates)
            # A product of matrices, in the order of a kernel: of every pixel c all taps in a row.
            product = ConvTranspose2d(self.out_channels, (1, taps), (1, taps))
            sources = *inputs, parts.add("kernel", product, rows)
        attributes = self.kernel, self.stride, self.padding, self.dilation
        channels = h if self.form == TRAIN else shape[0]
        op = convolution(channels, self.out_channels, *attributes)
        return (*parts.layers, self.last(name, op, *sources))

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The same weights in the order of a product of matrices."""
        made = dict(trained)
        inner, outer = made.pop(f"{name}_inner").kernel, made.pop(name)
        made[f"{name}_rows"] = Trained(inner.reshape(len(inner), 1, -1))
        by_input = outer.kernel.swapaxes(0, 1)
        made[f"{name}_kernel"] = Trained(by_input.reshape(*by_input.shape[:2], 1, -1))
        if outer.scale is not None or outer.offset is not None:
            made[name] = Trained(np.empty(0), outer.scale, outer.offset)
        return made

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a dense convolution, neither of 1 x 1 nor of the image."""
        conv = as_convolution(network, layer)
        return (
            conv is not None and conv.groups == 1 and prod(conv.kernel) > 1 and not is_stem(layer)
        )
