"""Asymmetric convolution block of ACNet (arXiv 1908.03930): a cross beside a square kernel.

Trained are K x K, K x 1 and 1 x K, each with a batch norm, summed. Run is one K x K convolution
with a bias: the kernels, each times its scale, lie on each other's centres. As the authors' code
has it, 1 x 1 and kernels from 7 x 7 on stay plain, and where the padding is less than K // 2 the
two lines read a part of the map, so that windows stay aligned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from accelsim.checks import Requirement
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.add import Add
from accelsim.ops.geometry import Pair
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
    centre,
    check_square,
    merge,
    read_whole,
    take,
)
from accelsim.ops.papers.convolutions import as_convolution

LARGEST = 6  # kernels from 7 x 7 on stay as they are


@dataclass(frozen=True)
class Acb(ConvolutionOperator):
    """A square convolution beside a vertical and a horizontal one, summed; run as one.

    taps : of the vertical and the horizontal kernel; those of the square one if None. The first
        release of the code had 3 beside 5 x 5.
    """

    name: ClassVar[str] = "acb"
    paper: ClassVar[Paper] = Paper(
        "Ding, Guo, Ding, Han",
        "ACNet: Strengthening the Kernel Skeletons for Powerful CNN via Asymmetric Convolution "
        "Blocks",
        "ICCV 2019",
        "1908.03930",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "square convolutions from 2 x 2 to 6 x 6, dense and grouped"
    keys: ClassVar[Mapping[str, Key]] = {
        "taps": Key(read_whole, Requirement("3 or 5", lambda taps: taps in (None, 3, 5)), "k")
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Co*(Ci/g)*(k^2 + 2*k) + 6*Co", "Co*(Ci/g)*(k^2 + 2*k)*HWo"),
        INFERENCE: Cost("Co*(Ci/g)*k^2 + Co", "Co*(Ci/g)*k^2*HWo"),
    }
    reported: ClassVar[tuple[Reported, ...]] = (
        Reported("cifar_quick", "acb", "CIFAR-10", 86.87, 0.67, README),
        Reported("vgg16_cifar", "acb", "CIFAR-10", 94.54, 0.55, README),
        Reported("resnet18", "acb", "ImageNet", 71.2, 0.6, f"{README}, about"),
    )
    taps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_square(self.kernel)
        if self.taps is not None and self.taps > self.kernel[0]:
            most = f"{self.kernel[0]}, those of the kernel"
            raise ShapeError(f"taps must be at most {most}, not {self.taps}")

    @property
    def branches(self) -> dict[str, Pair]:
        """Rows and columns of every kernel, by what its layer is called behind the name."""
        taps = self.taps or self.kernel[0]
        return {"square": self.kernel, "ver": (taps, 1), "hor": (1, taps)}

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME; or NAME_square, NAME_ver, NAME_hor and NAME, their sum."""
        if self.form == INFERENCE:
            op = self.whole(shape)
            return (Layer(name, op, inputs, bias=True, activation=self.activation),)
        parts = [
            self.part(
                f"{name}_{branch}", inputs[0], shape, kernel, centre(self.kernel, kernel), norm=True
            )
            for branch, kernel in self.branches.items()
        ]
        ends = tuple(part[-1].name for part in parts)
        total = Layer(name, Add(), ends, activation=self.activation)
        return (*(layer for part in parts for layer in part), total)

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """One kernel and bias of the three."""
        parts = (
            (centre(self.kernel, kernel), take(trained, f"{name}_{branch}", kernel))
            for branch, kernel in self.branches.items()
        )
        return {name: merge(self.kernel, parts)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is a convolution with such a kernel, as the authors' code has it."""
        conv = as_convolution(network, layer)
        return conv is not None and conv.kernel[0] == conv.kernel[1] in range(2, LARGEST + 1)
