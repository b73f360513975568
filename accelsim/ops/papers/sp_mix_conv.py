"""SP-MixConv: a MixConv whose groups are SuperConvs (doi 10.1007/978-3-030-63833-7_57).

Reconstructed: only the abstract could be read; it says that SuperConv is introduced into MixConv.
Channels are split as in MixConv; every group has parts of its own kernel beside it while it is
trained. Whether groups are depthwise or dense is open: the authors put it into a network without
depthwise layers, so that both are here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from accelsim.checks import FLAG, check, one_of
from accelsim.errors import ShapeError
from accelsim.ir import Layer, Network, Shape
from accelsim.ops.concat import Concat
from accelsim.ops.geometry import Padding, Pair, check_choice, check_pair, check_whole
from accelsim.ops.papers.base import (
    FOLDABLE,
    FORMS,
    INFERENCE,
    TRAIN,
    Cost,
    Key,
    Paper,
    PaperOperator,
    Trained,
    read_flag,
)
from accelsim.ops.papers.mix_conv import (
    EQUAL,
    KERNELS,
    KEYS,
    OF_VARIANTS,
    SPLITS,
    MixConv,
    is_mixable,
    mixable,
    split_channels,
    split_map,
)
from accelsim.ops.papers.superconv import OF_MASKS, SuperConv


@dataclass(frozen=True)
class SpMixConv(PaperOperator):
    """Channels split into groups, each a SuperConv with its K x K; run as a MixConv with biases.

    kernels : K of each group, odd and at least 3.
    padding : "same" or "same_tf".
    out_channels : None for depthwise groups; else they are dense.
    split : as of mix_conv.
    masks : as of superconv, in every group.
    """

    name: ClassVar[str] = "sp_mixconv"
    paper: ClassVar[Paper] = SuperConv.paper
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = "depthwise and dense layers with square kernels"
    keys: ClassVar[Mapping[str, Key]] = {
        **KEYS,
        "masks": SuperConv.keys["masks"],
        "dense": Key(read_flag, FLAG, "true"),
    }
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost(
            "sum(Co_i*(Ci_i/g_i)*k_i^2) + 2*masks*Co", "sum(Co_i*(Ci_i/g_i)*(k_i^2 + 2*k_i))*HWo"
        ),
        INFERENCE: Cost("sum(Co_i*(Ci_i/g_i)*k_i^2) + Co", "sum(Co_i*(Ci_i/g_i)*k_i^2)*HWo"),
    }
    kernels: tuple[int, ...]
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    activation: str = "none"
    out_channels: int | None = None
    split: str = EQUAL
    masks: tuple[str, ...] = SuperConv.masks
    form: str = INFERENCE

    def __post_init__(self) -> None:
        check("kernels", self.kernels, KERNELS, ShapeError)
        check_pair("stride", self.stride)
        check_choice("padding", self.padding, ("same", "same_tf"))
        if self.out_channels is not None:
            check_whole("out_channels", self.out_channels)
        check_choice("split", self.split, SPLITS)
        check("masks", self.masks, OF_MASKS, ShapeError)
        check("form", self.form, one_of(FORMS), ShapeError)
        self._groups([1] * len(self.kernels), [1] * len(self.kernels))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """The layers of a mix_conv; or NAME_in1, those of a superconv NAME_1 and so on, and NAME.

        ... on an input of `shape`.
        """
        if self.form == INFERENCE:
            run = MixConv(
                self.kernels,
                self.stride,
                "same_tf" if self.padding == "same_tf" else "same",
                self.dilation,
                True,
                False,
                self.activation,
                self.out_channels,
                self.split,
            )
            return run.expand(name, inputs, shape)
        counts = split_channels(shape[0], len(self.kernels), self.split)
        outputs = split_channels(self.out_channels or shape[0], len(self.kernels), self.split)
        parts = split_map(name, inputs, counts)
        layers = list(parts)
        for place, (op, part, count) in enumerate(
            zip(self._groups(counts, outputs), parts, counts, strict=True), 1
        ):
            layers += op.expand(f"{name}_{place}", (part.name,), (count, *shape[1:]))
        ends = tuple(f"{name}_{place}" for place in range(1, len(counts) + 1))
        return (*layers, Layer(name, Concat(), ends))

    def _groups(self, inputs: list[int], outputs: list[int]) -> list[SuperConv]:
        """The operator of every group."""
        return [
            SuperConv(
                out,
                (kernel, kernel),
                self.stride,
                self.padding,
                self.dilation,
                1 if self.out_channels else count,
                activation=self.activation,
                form=TRAIN,
                masks=self.masks,
            )
            for kernel, count, out in zip(self.kernels, inputs, outputs, strict=True)
        ]

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """One kernel and bias of every group; depthwise ones packed as one layer has them."""
        names = [f"{name}_{place}" for place in range(1, len(self.kernels) + 1)]
        ops = self._groups([1] * len(names), [1] * len(names))
        folded = {each: op.fold(each, trained)[each] for each, op in zip(names, ops, strict=True)}
        if self.out_channels is not None:
            return folded
        kernels = [each.kernel for each in folded.values()]
        alike = len(set(self.kernels)) == 1
        together = np.concatenate(kernels if alike else [kernel.ravel() for kernel in kernels])
        bias = np.concatenate([each.offset for each in folded.values() if each.offset is not None])
        return {name: Trained(together, None, bias)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether it has square kernels, depthwise or, unless that is not wanted, dense."""
        return is_mixable(network, layer, keys.get("dense", True))

    @classmethod
    def of(cls, network: Network, layer: Layer, **keys: Any) -> Self:
        """Groups with their kernels in place of the one of all channels."""
        keys = {"kernels": OF_VARIANTS} | {k: v for k, v in keys.items() if k != "dense"}
        conv, padding = mixable(network, layer)
        depthwise = is_mixable(network, layer, dense=False)
        return cls(
            stride=conv.stride,
            padding="same_tf" if padding == "same_tf" else "same",
            dilation=conv.dilation,
            activation=layer.activation,
            out_channels=None if depthwise else conv.out_channels,
            **keys,
        )
