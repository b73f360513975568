"""Omni-dimensional dynamic convolution (arXiv 2209.07947): attention along all axes of a kernel.

The kernel of an image is W(x) = sum over i of a_w[i] (a_f a_c a_s) W_i, with attentions over the n
kernels, the output channels, the input channels and the taps. As in the authors' code, one a_f, a_c
and a_s serve all n kernels, while the equation of the paper numbers them by kernel.

All attentions read one vector u = relu(norm(F_0 mean(x))) of A = max(r Ci, 16) values, rounded
down: a_f, a_c, a_s = sigmoid(F u), a_w = softmax(F u). Skipped, as constant 1, are a_f of
depthwise convolutions, a_s of 1 x 1, and a_w of a single kernel. The temperature, which training
lowers from 30 to 1, divides the weights of the heads; afterwards it is 1.

Layers are those of the code, with which the equation agrees: the input is scaled by a_c and the
result by a_f, so that only a_w and a_s make a kernel, and of one 1 x 1 none is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from accelsim.checks import whole
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.conv_transpose2d import ConvTranspose2d
from accelsim.ops.global_pool import GlobalPool
from accelsim.ops.linear import Linear
from accelsim.ops.modulate import Modulate
from accelsim.ops.multiply import Multiply
from accelsim.ops.papers.base import (
    DYNAMIC,
    INFERENCE,
    README,
    SHARE,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Reported,
    read_share,
    read_whole,
)
from accelsim.ops.papers.convolutions import as_convolution, is_shortcut, is_stem
from accelsim.ops.papers.parts import Parts
from accelsim.ops.reshape import Reshape
from accelsim.ops.scale import Scale
from accelsim.ops.softmax import Softmax


@dataclass(frozen=True)
class OdConv(ConvolutionOperator):
    """A convolution whose kernel every image mixes and scales by four attentions.

    Its formulas have A, the width of the attentions, max(r Ci, least) rounded down; and F, T and E,
    the values of the attentions over output channels, taps and kernels, 0 of one there is not.

    n : kernels that are mixed.
    r : width of the attentions, as a part of the input channels.
    least : of that width.
    """

    name: ClassVar[str] = "odconv"
    paper: ClassVar[Paper] = Paper(
        "Li, Zhou, Yao", "Omni-Dimensional Dynamic Convolution", "ICLR 2022", "2209.07947"
    )
    cost_class: ClassVar[str] = DYNAMIC
    target: ClassVar[str] = "all convolutions but the first one and projections of shortcuts"
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    keys: ClassVar[Mapping[str, Key]] = {
        "n": Key(read_whole, whole(1, 4096)),
        "r": Key(read_share, SHARE),
        "least": Key(read_whole, whole(1, 65536)),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        INFERENCE: Cost(
            "n*Co*(Ci/g)*k^2 + (2*A + 1)*Ci + 2*A + (A + 1)*(F + T + E)",
            "Co*(Ci/g)*k^2*(HWo + E) + A*(2*Ci + F + T + E)",
        )
    }
    reported: ClassVar[tuple[Reported, ...]] = tuple(
        Reported(network, variant, "ImageNet", top1, gain, README)
        for network, variant, top1, gain in (
            ("mobilenet_v2", "odconv", 74.74, 3.09),
            ("mobilenet_v2", "odconv:n=4", 75.29, 3.64),
            ("resnet18", "odconv", 73.05, 2.80),
            ("resnet18", "odconv:n=4", 74.19, 3.94),
            ("resnet50", "odconv", 77.87, 1.64),
            ("resnet50", "odconv:n=4", 78.50, 2.27),
            ("resnet101", "odconv", 78.84, 1.40),
            ("resnet101", "odconv:n=2", 79.15, 1.71),
        )
    )
    n: int = 1
    r: float = 1 / 16
    least: int = 16

    def words(self, shape: Shape) -> dict[str, int]:
        """A, width of the attentions; F, T and E, values of a_f, a_s and a_w, 0 of none."""
        taps = prod(self.kernel)
        return {
            "A": max(int(self.r * shape[0]), self.least),
            "F": 0 if self._is_depthwise(shape) else self.out_channels,
            "T": taps if taps > 1 else 0,
            "E": self.n if self.n > 1 else 0,
        }

    def _is_depthwise(self, shape: Shape) -> bool:
        return self.groups == shape[0] == self.out_channels and self.groups > 1

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """The attentions, NAME_input, the kernel, and NAME; or NAME_conv before it, with a_f."""
        words, parts = self.words(shape), Parts(name)
        pool = parts.add("pool", GlobalPool(), *inputs)
        squeeze = parts.add("squeeze", Linear(words["A"]), pool, norm=True, activation="relu")

        def head(part: str, values: int, activation: str = "sigmoid") -> str:
            return parts.add(part, Linear(values), squeeze, bias=True, activation=activation)

        scaled = parts.add("input", Scale(), *inputs, head("channel", shape[0]))
        tap = head("spatial", words["T"]) if words["T"] else None
        expert = head("expert", self.n, "none") if words["E"] else None
        op = self.whole(shape)
        kernel = self._kernel(parts, prod(op.weight_shape(shape)), tap, expert)
        sources = (scaled, kernel) if kernel else (scaled,)
        if words["F"]:
            conv = parts.add("conv", op, *sources)
            op, sources = Scale(), (conv, head("filter", words["F"]))
        return (*parts.layers, self.last(name, op, *sources))

    def _kernel(self, parts: Parts, size: int, tap: str | None, expert: str | None) -> str | None:
        """The layer that makes a kernel of `size` values; None where it is constant."""
        rows, columns = self.kernel
        each = size // (rows * columns), rows, columns
        if tap:
            tap = parts.add("taps", Reshape((1, rows, columns)), tap)
        if not expert:
            return parts.add("kernel", Modulate(each), tap) if tap else None
        attention = parts.add("attention", Softmax(), expert)
        if not tap:
            return parts.add("mixed", Linear(size), attention)
        # Linear too, but its result has rows and columns: one pixel makes a patch of taps.
        mixed = parts.add("mixed", ConvTranspose2d(each[0], self.kernel, self.kernel), attention)
        return parts.add("kernel", Multiply(), mixed, tap)

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution, neither of the image nor of a shortcut."""
        conv = as_convolution(network, layer)
        return conv is not None and not is_stem(layer) and not is_shortcut(network, layer)
