"""SuperConv: the branches of an ACB, their kernels parts of one (doi 10.1007/978-3-030-63833-7_57).

Reconstructed: only the abstract could be read. It says that branches are kept for training alone,
and that their kernels of several sizes are parts of one super-kernel, which spares parameters. What
is here: one kernel K and masks M_b, convolutions by the products M_b K, each with a batch norm,
summed; run as one kernel, the sum of s_b M_b K, with a bias. Which masks, and how many, is open and
a parameter; whether a branch is left out, as by an indicator, then is too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from accelsim.checks import Requirement, is_tuple, one_of
from accelsim.ir import Layer, Network, Shape, centre_of
from accelsim.ops.add import Add
from accelsim.ops.geometry import Pair
from accelsim.ops.papers.acb import Acb
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
    merge,
    read_words,
    take,
)

FULL = "full"
MASKS = (FULL, "column", "row", "centre")
OF_MASKS = Requirement(
    f"different ones of {', '.join(MASKS)} with + between them, of which one is {FULL}",
    lambda masks: (
        is_tuple(masks, one_of(MASKS)) and FULL in masks and len(set(masks)) == len(masks)
    ),
)


def parts(kernel: Pair, masks: tuple[str, ...]) -> dict[str, Pair]:
    """Rows and columns of what every mask keeps of a square kernel, around its middle."""
    k = kernel[0]
    kept = {FULL: (k, k), "column": (k, 1), "row": (1, k), "centre": (k - 2, k - 2)}
    return {mask: kept[mask] for mask in masks}


@dataclass(frozen=True)
class SuperConv(ConvolutionOperator):
    """A square convolution beside parts of its own kernel, summed; run as one.

    masks : what every branch keeps of the kernel: all of it, the column or the row in the middle,
        or all but its border.
    """

    name: ClassVar[str] = "superconv"
    paper: ClassVar[Paper] = Paper(
        "Liu, Ye, Huang, Lv",
        "SuperConv: Strengthening the Convolution Kernel via Weight Sharing",
        "ICONIP 2020",
    )
    cost_class: ClassVar[str] = FOLDABLE
    target: ClassVar[str] = Acb.target
    keys: ClassVar[Mapping[str, Key]] = {"masks": Key(read_words, OF_MASKS)}
    cost: ClassVar[Mapping[str, Cost]] = {
        TRAIN: Cost(
            "Co*(Ci/g)*k^2 + 2*masks*Co",
            "Co*(Ci/g)*(k^2 + 2*k)*HWo",
        ),
        INFERENCE: Cost("Co*(Ci/g)*k^2 + Co", "Co*(Ci/g)*k^2*HWo"),
    }
    masks: tuple[str, ...] = (FULL, "column", "row")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_square(self.kernel)

    @property
    def branches(self) -> dict[str, Pair]:
        """Rows and columns of every branch's part of the kernel, that of the whole first."""
        return parts(self.kernel, tuple(sorted(self.masks, key=MASKS.index)))

    def expand(self, name: str, inputs: tuple[str, ...], shape: Shape) -> tuple[Layer, ...]:
        """NAME; or NAME_full and a layer for every other mask, tied to it, and NAME, their sum."""
        if self.form == INFERENCE:
            op = self.whole(shape)
            return (Layer(name, op, inputs, bias=True, activation=self.activation),)
        whole, ends = f"{name}_{FULL}", []
        layers: list[Layer] = []
        for mask, kernel in self.branches.items():
            corner, tied = centre(self.kernel, kernel), None if mask == FULL else whole
            branch = f"{name}_{mask}"
            layers += self.part(branch, inputs[0], shape, kernel, corner, norm=True, tied=tied)
            ends.append(branch)
        if len(ends) == 1:
            return (replace(layers[0], name=name, activation=self.activation),)
        return (*layers, Layer(name, Add(), tuple(ends), activation=self.activation))

    def fold(self, name: str, trained: Mapping[str, Trained]) -> dict[str, Trained]:
        """One kernel and bias: that of all branches, each times its scale where its mask keeps it.

        Kernels of tied layers are not read.
        """
        return {name: fold_masked(name, self.kernel, self.branches, trained)}

    @classmethod
    def replaces(cls, network: Network, layer: Layer, **keys: Any) -> bool:
        """Whether an ACB would."""
        return Acb.replaces(network, layer)


def fold_masked(
    name: str, kernel: Pair, branches: Mapping[str, Pair], trained: Mapping[str, Trained]
) -> Trained:
    """The sum of parts of one kernel, each times its scale; of one branch alone it is NAME's."""
    if len(branches) == 1:
        return merge(kernel, [((0, 0), take(trained, name, kernel))])
    whole = take(trained, f"{name}_{FULL}", kernel).kernel
    return merge(
        kernel,
        (
            (
                centre(kernel, part),
                take(trained, f"{name}_{mask}")._replace(
                    kernel=centre_of(whole, (*whole.shape[:2], *part))
                ),
            )
            for mask, part in branches.items()
        ),
    )
