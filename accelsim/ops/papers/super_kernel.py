"""The super-kernel of single-path NAS (arXiv 1904.02877): one depthwise kernel holds all others.

While an architecture is sought, a 5 x 5 kernel W of all channels holds the 3 x 3 in its middle, and
its first half of the channels those of half the expansion. Indicators compare norms with thresholds
t that are trained, and are 1 where a norm is at least that:

    W_k = middle W + I(|ring W| - t_5) ring W
    W_eff = I(|first W_k| - t_50) (first W_k + I(|second W_k| - t_100) second W_k)

with the second factor only where the layer may be skipped. `decide` and `effective` are both lines.
What is run has no indicators: a depthwise layer with the kernel and the channels that were decided.
Norms are plain L2, as in the authors' code. Decisions are read as the equations say, not as the
script that comes with the code names them, which swaps two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from accelsim.checks import Requirement, one_of
from accelsim.errors import ShapeError
from accelsim.ir import INPUT, Layer, Network, Shape, centre_of
from accelsim.ops.conv2d import Conv2d
from accelsim.ops.depthwise import Depthwise
from accelsim.ops.geometry import Array, Pair
from accelsim.ops.papers.base import (
    FOLDABLE,
    INFERENCE,
    TRAIN,
    ConvolutionOperator,
    Cost,
    Key,
    Paper,
    Trained,
    centre,
    check_square,
    read_whole,
    take,
    wide,
)
from accelsim.ops.papers.convolutions import square_depthwise
from accelsim.ops.papers.mix_conv import mixable
from accelsim.ops.pointwise import Pointwise

ALL, HALF, NONE = "all", "half", "none"
LARGEST = 5


class Thresholds(NamedTuple):
    """What norms are compared with; 0 before training.

    ring : of the taps around the middle. first, second : of the halves of the channels.
    """

    ring: float = 0
    first: float = 0
    second: float = 0


class Decision(NamedTuple):
    """Rows and columns of the kernel that is run, and of which channels: all, half or none."""

    size: int
    share: str


@dataclass(frozen=True)
class SuperKernel(ConvolutionOperator):
    """A depthwise kernel that holds a smaller one, and one of half the channels; run as decided.

    groups : the channels, as it is depthwise.
    size : of the kernel that was decided, around the middle.
    share : all channels or the first half, the extra one of an odd number included.
    """

    name: ClassVar[str] = "super_kernel"
    paper: ClassVar[Paper] = Paper(
        "Stamoulis, Ding, Wang, Lymberopoulos, Priyantha, Liu, Marculescu",
        "Single-Path NAS: Designing Hardware-Efficient ConvNets in less than 4 Hours",
        "ECML PKDD 2019",
        "1904.02877",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "depthwise layers of 3 x 3 and 5 x 5"
    keys: ClassVar[Mapping[str, Key]] = {
        "size": Key(read_whole, Requirement("3 or 5", lambda size: size in (3, LARGEST))),
        "share": Key(str, one_of((ALL, HALF))),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost("25*Ci", "25*Ci*HWo"),
        INFERENCE: Cost("size^2*Ci", "size^2*Ci*HWo"),
    }
    size: int = LARGEST
    share: str = ALL

    def __post_init__(self) -> None:
        super().__post_init__()
        check_square(self.kernel)
        if self.size > self.kernel[0]:
            raise ShapeError(f"size must be at most {self.kernel[0]}, not {self.size}")
        if self.groups != self.out_channels:
            raise ShapeError(
                f"groups must be the {self.out_channels} channels of a depthwise layer, "
                f"not {self.groups}"
            )

    @property
    def _kept(self) -> int:
        """Channels that are run."""
        return self.groups if self.share == ALL else (self.groups + 1) // 2

    @property
    def _run(self) -> Pair:
        return self.size, self.size

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME, of all taps and channels; or of those that were decided."""
        if shape[0] != self.groups:
            raise ShapeError(f"groups must be the {shape[0]} channels, not {self.groups}")
        if self.form == TRAIN:
            return (self.last(name, self.whole(shape), *inputs),)
        corner = centre(self.kernel, self._run)
        *crop, run = self.part(name, inputs[0], shape, self._run, corner)
        op = run.op
        if self.share == HALF:
            assert isinstance(op, Depthwise)
            op = replace(op, channels=(0, self._kept))
        return (*crop, self.last(name, op, *run.inputs))

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """The taps in the middle, of the channels that are run; the others were not decided for."""
        whole = take(trained, name, self.kernel)
        kept = slice(self._kept)
        kernel = centre_of(whole.kernel, (self._kept, 1, *self._run))[kept]
        scale, offset = (None if x is None else wide(x)[kept] for x in whole[1:])
        return {name: Trained(wide(kernel), scale, offset)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it is depthwise with one of the kernels that the search has."""
        op = square_depthwise(network, layer)
        return op is not None and op.multiplier == 1 and op.kernel in ((3, 3), (5, 5))

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """The super-kernel around the layer's kernel, or what was decided of it."""
        conv, padding = mixable(network, layer)
        return cls(
            conv.out_channels,
            (LARGEST, LARGEST),
            conv.stride,
            "same_tf" if padding == "same_tf" else "same",
            conv.dilation,
            conv.out_channels,
            layer.bias,
            layer.norm,
            layer.activation,
            **keys,
        )

    def changes(self, network: Network, layer: Layer) -> dict[str, Layer]:
        """The expansion before the layer, without the channels that nothing reads any more.

        ShapeError where there is none that the layer alone reads.
        """
        if self.share == ALL or self.form == TRAIN:
            return {}
        (source,), reader = layer.inputs, layer.name
        while source != INPUT:
            before, readers = network.layer(source), _readers(network, source)
            if readers != [reader]:
                raise ShapeError(f"share {HALF} needs that no other layer reads {source}")
            op = before.op
            if isinstance(op, Conv2d | Pointwise) and op.groups == 1:
                return {source: replace(before, op=replace(op, out_channels=self._kept))}
            if network.in_shapes(before) != (network.shape(source),):
                break
            (source,), reader = before.inputs, source  # what files have behind an expansion
        raise ShapeError(f"share {HALF} needs an expansion before the layer, not {source}")


def _readers(network: Network, name: str) -> list[str]:
    return [layer.name for layer in network.layers if name in layer.inputs]


def decide(kernel: Array, thresholds: Thresholds, may_skip: bool = False) -> Decision:
    """What the indicators say of W[c, 1, k, k]; a norm that is its threshold is enough.

    Half the channels are never left out, unless the layer may be skipped.
    """
    ring, first, second = _indicators(kernel, thresholds)
    if may_skip and not first:
        return Decision(0, NONE)
    return Decision(kernel.shape[-1] if ring else kernel.shape[-1] - 2, ALL if second else HALF)


def effective(kernel: Array, thresholds: Thresholds, may_skip: bool = False) -> Array:
    """W_eff[c, 1, k, k] of W, what the layer multiplies with while it is trained."""
    ring, first, second = _indicators(kernel, thresholds)
    made = np.where(_in_middle(kernel) | ring, kernel, 0)
    made[(len(kernel) + 1) // 2 :] *= second
    return made * (first or not may_skip)


def _in_middle(kernel: Array) -> Array:
    inside = np.zeros(kernel.shape[2:], bool)
    inside[1:-1, 1:-1] = True
    return np.broadcast_to(inside, kernel.shape)


def _indicators(kernel: Array, thresholds: Thresholds) -> tuple[bool, bool, bool]:
    """Those of the ring, of the first and of the second half of the channels."""
    middle = _in_middle(kernel)
    ring = bool(np.linalg.norm(kernel[~middle]) >= thresholds.ring)
    kept = np.where(middle | ring, kernel, 0)
    half = (len(kernel) + 1) // 2
    first = bool(np.linalg.norm(kept[:half]) >= thresholds.first)
    return ring, first, bool(np.linalg.norm(kept[half:]) >= thresholds.second)
