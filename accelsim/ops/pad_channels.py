"""Channels of zeros around a map, as shortcuts without parameters have them (arXiv 1512.03385)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Call, Shape
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Reals, check_whole, take_inputs


@dataclass(frozen=True)
class PadChannels(OnHost):
    """The channels of a map between channels of zeros; values do not change.

    before, after : channels of zeros in front of those of the map, and behind them.
    """

    name: ClassVar[str] = "pad_channels"
    before: int = 0
    after: int = 0

    def __post_init__(self) -> None:
        check_whole("before", self.before, 0)
        check_whole("after", self.after, 0)

    def out_shape(self, *inputs: Shape) -> Shape:
        """(before + c + after, h, w)."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        return self.before + c + self.after, h, w

    def calls(self, weights: Reals, *inputs: Shape) -> tuple[Call, ...]:
        """A concatenation, in which zeros are on the scale of the map."""
        _, h, w = inputs[0]
        before, after = (
            (np.zeros((1, zeros, h, w), np.float32),) if zeros else ()
            for zeros in (self.before, self.after)
        )
        return (Call("Concat", (*before, 0, *after), {"axis": 1}),)
