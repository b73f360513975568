"""Parallel depthwise convolutions, summed: re-parameterised large kernels (arXiv 2203.06717).

RepLKNet trains a K x K kernel beside a small one and merges them for inference; SLaK
(arXiv 2207.03620) keeps a k x 5, a 5 x k and a 5 x 5 kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from accelsim.checks import Requirement, check, is_tuple
from accelsim.errors import ShapeError
from accelsim.ir import ACTIVATIONS, Layer, Network, Shape
from accelsim.ops.add import Add
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import PAIR, Pair, check_bool, check_choice, check_pair
from accelsim.ops.papers.base import (
    FOLDABLE,
    INFERENCE,
    TRAIN,
    Cost,
    Key,
    Paper,
    PaperOperator,
    Trained,
    merge,
    read_whole,
    take,
)
from accelsim.ops.papers.convolutions import square_depthwise
from accelsim.ops.papers.mix_conv import mixable

KERNELS = Requirement(
    "a list of two whole numbers of at least 1 for every branch, no two the same",
    lambda value: is_tuple(value, PAIR) and 0 < len(value) == len(set(value)),
)
SMALL = 5  # beside a large kernel, as RepLKNet has it


@dataclass(frozen=True)
class ParallelDepthwise(PaperOperator):
    """Depthwise convolutions of one input, each with a batch norm, and their sum.

    kernels : one shape a branch, all different; "same" padding aligns their centres.
    merged : the form for inference, one convolution with a bias, as `fold` makes it.
    activation : after the sum.
    """

    name: ClassVar[str] = "parallel_depthwise"
    paper: ClassVar[Paper] = Paper(
        "Ding, Zhang, Han, Ding",
        "Scaling Up Your Kernels to 31x31: Revisiting Large Kernel Design in CNNs",
        "CVPR 2022",
        "2203.06717",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "square depthwise layers larger than the small kernel beside them"
    keys: ClassVar[Mapping[str, Key]] = {
        "small": Key(
            read_whole,
            Requirement("an odd number from 1 to 31", lambda k: k in range(1, 32, 2)),
            str(SMALL),
        )
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("Ci*(k^2 + small^2) + 4*Ci", "Ci*(k^2 + small^2)*HWo"),
        INFERENCE: Cost("Ci*k^2 + Ci", "Ci*k^2*HWo"),
    }
    kernels: tuple[Pair, ...]
    stride: Pair = (1, 1)
    merged: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_bool("merged", self.merged)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    @property
    def merged_kernel(self) -> Pair:
        """Rows and columns of the kernel that holds all branches."""
        return max(fh for fh, _ in self.kernels), max(fw for _, fw in self.kernels)

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME alone where merged; else NAME_fhxfw of each branch, and NAME, their sum."""
        if self.merged:
            op = Depthwise(self.merged_kernel, self.stride)
            return (Layer(name, op, inputs, bias=True, activation=self.activation),)
        branches = [
            Layer(f"{name}_{fh}x{fw}", Depthwise((fh, fw), self.stride), inputs, norm=True)
            for fh, fw in self.kernels
        ]
        if len(branches) == 1:
            op = Depthwise(self.kernels[0], self.stride)
            return (Layer(name, op, inputs, norm=True, activation=self.activation),)
        total = Layer(name, Add(), tuple(x.name for x in branches), activation=self.activation)
        return (*branches, total)

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """One kernel and bias: smaller kernels are added where "same" padding places them."""
        names = [f"{name}_{fh}x{fw}" for fh, fw in self.kernels]
        if len(names) == 1:
            names = [name]
        rows, columns = self.merged_kernel
        corners = [
            ((rows - 1) // 2 - (fh - 1) // 2, (columns - 1) // 2 - (fw - 1) // 2)
            for fh, fw in self.kernels
        ]
        branches = (take(trained, *each) for each in zip(names, self.kernels, strict=True))
        return {name: merge(self.merged_kernel, zip(corners, branches, strict=True))}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise with a kernel that is larger than the small one."""
        op = square_depthwise(network, layer)
        return op is not None and op.kernel is not None and op.kernel[0] > keys.get("small", SMALL)

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The kernel and the small one; ShapeError where that has no place beside it."""
        op = square_depthwise(network, layer)
        assert op is not None
        assert op.kernel is not None
        conv, padding = mixable(network, layer)
        if padding != "same" or conv.dilation != (1, 1) or op.multiplier != 1:
            raise ShapeError(
                "the layer must have padding same, no dilation and one output a channel"
            )
        small = keys.get("small", SMALL)
        merged = keys.get("form", INFERENCE) == INFERENCE
        return cls((op.kernel, (small, small)), conv.stride, merged, layer.activation)
