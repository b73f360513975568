"""Some channels of a map: an alias, found by address."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.ir import Shape
from accelsim.numerics import Int8, Int32
from accelsim.ops.base import OnHost
from accelsim.ops.geometry import Pair, check_channels, take_channels, take_inputs


@dataclass(frozen=True)
class Slice(OnHost):
    """out = the channels from the first to the one before `stop`; nothing is copied.

    channels : (first, stop).
    """

    name: ClassVar[str] = "slice"
    channels: Pair

    def __post_init__(self) -> None:
        check_channels(self.channels)

    def out_shape(self, *inputs: Shape) -> Shape:
        """The chosen channels."""
        ((c, h, w),) = take_inputs(self.name, inputs, 1)
        first, stop = take_channels(self.channels, c)
        return stop - first, h, w

    def golden(self, weights: Int8, *inputs: Int8) -> Int32:
        """int32[stop - first, h, w] from int8[c, h, w]."""
        (x,) = inputs
        return x[slice(*self.channels)].astype(np.int32)
