"""XSepConv: a K x K depthwise convolution replaced by 2 x 2, 1 x K and K x 1 (arXiv 2002.12046).

Where a variant uses it follows from the paper's MobileNetV3-Small. Depthwise layers with an odd K
of at least 5 are replaced: those of stride 1 always, strided ones where that takes fewer multiply-
accumulates, which at stride 2 begins at K = 7. Those of the last stage, after the network's last
stride, get K = 3. The corner at which the 2 x 2 is padded cycles over the replaced layers of one
resolution.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from accelsim.checks import Requirement
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Network, Shape
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import (
    Padding,
    Pair,
    check_bool,
    check_choice,
    check_pair,
    check_whole,
)
from accelsim.ops.papers.base import (
    INFERENCE,
    IRREGULAR,
    Cost,
    Key,
    Paper,
    PaperOperator,
    read_whole,
)
from accelsim.ops.papers.convolutions import square_depthwise
from accelsim.ops.pointwise import Pointwise
from accelsim.ops.pool import Pool
from accelsim.ops.scale import Scale

LEAST_KERNEL = 5
LAST_STAGE_KERNEL = 3
# Where the 2 x 2 kernel's row and column of zeros lie. Half a pixel of shift each, which the
# corners of four successive layers cancel (improved symmetric padding); in this order those of two
# cancel already. (Top, bottom, left, right.)
CORNERS: dict[str, Padding] = {
    "bottom_right": (0, 1, 0, 1),
    "top_left": (1, 0, 1, 0),
    "bottom_left": (0, 1, 1, 0),
    "top_right": (1, 0, 0, 1),
}


@dataclass(frozen=True)
class XSepConv(PaperOperator):
    """2 x 2, 1 x K and K x 1 depthwise convolutions, one after the other.

    The 2 x 2 convolution runs at the full resolution, 1 x K takes the stride along the columns
    and K x 1 along the rows: at stride 2 that is (16 + 3 K) / K^2 of the original's products
    (eq. 4 of the paper), at stride 1 (4 + 2 K) / K^2 (eq. 3).

    kernel : K, odd.
    corner : bottom_right, top_left, bottom_left or top_right, where the 2 x 2 is padded.
    bias, norm, activation : of each of the three.
    final : whether the activation follows the last one too; not where it comes after the
        squeeze-excite that follows, as in the paper.
    """

    name: ClassVar[str] = "xsep_conv"
    paper: ClassVar[Paper] = Paper(
        "Chen, Lu, Xue, Liao",
        "XSepConv: Extremely Separated Convolution",
        "ICDIP 2021",
        "2002.12046",
    )
    cost_class: ClassVar[str] = IRREGULAR
    target: ClassVar[str] = (
        f"depthwise layers of {LEAST_KERNEL}x{LEAST_KERNEL} and larger of stride 1 (strided ones "
        "where it saves work)"
    )
    forms: ClassVar[tuple[str, ...]] = (INFERENCE,)
    keys: ClassVar[Mapping[str, Key]] = {
        "k": Key(
            read_whole,
            Requirement("an odd number from 3 to 999", lambda k: 3 <= k <= 999 and k % 2 == 1),
            "that of the layer",
        )
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        INFERENCE: Cost("Ci*(4 + 2*k)", "Ci*(4*HW + k*HW/s + k*HWo)")
    }
    kernel: int
    stride: Pair = (1, 1)
    corner: str = "bottom_right"
    bias: bool = False
    norm: bool = False
    activation: str = "none"
    final: bool = True

    def __post_init__(self) -> None:
        check_whole("kernel", self.kernel)
        if self.kernel % 2 == 0:
            raise ShapeError(f"kernel must be odd, not {self.kernel}")
        check_pair("stride", self.stride)
        check_choice("corner", self.corner, tuple(CORNERS))
        check_bool("bias", self.bias)
        check_bool("norm", self.norm)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_bool("final", self.final)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME_2x2, NAME_h (1 x K) and NAME (K x 1), on an input of any shape."""
        even, across = f"{name}_2x2", f"{name}_h"
        (sh, sw), last = self.stride, self.activation if self.final else "none"
        square = Depthwise((2, 2), padding=CORNERS[self.corner])
        row, column = Depthwise((1, self.kernel), (1, sw)), Depthwise((self.kernel, 1), (sh, 1))
        return (
            Layer(even, square, inputs, self.bias, self.norm, self.activation),
            Layer(across, row, (even,), self.bias, self.norm, self.activation),
            Layer(name, column, (across,), self.bias, self.norm, last),
        )

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise, large, and work is saved."""
        op = square_depthwise(network, layer)
        if op is None or op.dilation != (1, 1) or op.multiplier != 1:
            return False
        size, stride = _size(network, layer), op.stride[0]
        if size < LEAST_KERNEL or size % 2 == 0:
            return False
        k = _kernel(network, layer, keys.get("k"))
        products = 4 * stride**2 + k * stride + k  # of 2x2, 1xK and Kx1, for one output
        return stride == 1 or products < size**2

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The three in its place; the activation follows each that one follows in the network.

        k : K before the last stage; that of the layer if not given.
        """
        op = square_depthwise(network, layer)
        assert op is not None
        before = network.layers[: network.layers.index(layer)]
        size = network.in_shapes(layer)[0][1:]
        alike = [
            each
            for each in before
            if cls.replaces(network, each, **keys) and network.in_shapes(each)[0][1:] == size
        ]
        gated = [x for x in network.layers if isinstance(x.op, Scale) and x.inputs[0] == layer.name]
        final = layer.activation != "none" or not gated
        return cls(
            _kernel(network, layer, keys.get("k")),
            op.stride,
            tuple(CORNERS)[len(alike) % len(CORNERS)],
            layer.bias,
            layer.norm,
            layer.activation if final else gated[0].activation,
            final,
        )


def _kernel(network: Network, layer: Layer, kernel: int | None) -> int:
    """K of what replaces a layer."""
    if network.layers.index(layer) > _last_stride(network):
        return LAST_STAGE_KERNEL
    return kernel or _size(network, layer)


def _last_stride(network: Network) -> int:
    """Index of the last layer with a stride; the last stage follows it. One past all for none."""
    strided = [
        index
        for index, layer in enumerate(network.layers)
        if isinstance(layer.op, Conv2d | Depthwise | Pointwise | Pool) and layer.op.stride != (1, 1)
    ]
    return max(strided, default=len(network.layers))


def _size(network: Network, layer: Layer) -> int:
    op = square_depthwise(network, layer)
    return op.kernel[0] if op and op.kernel else 0
