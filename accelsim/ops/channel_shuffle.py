"""Channels of groups in turn (arXiv 1707.01083): an alias, which moves nothing."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.errors import ShapeError
from accelsim.ir import Shape, Source
from accelsim.ops.base import Alias
from accelsim.ops.geometry import check_whole, take_inputs


@dataclass(frozen=True)
class ChannelShuffle(Alias):
    """out[i groups + g] = in[g c / groups + i]: the first channel of every group, then the next.

    groups : a divisor of the channels.
    """

    name: ClassVar[str] = "channel_shuffle"
    groups: int

    def __post_init__(self) -> None:
        check_whole("groups", self.groups)

    def out_shape(self, *inputs: Shape) -> Shape:
        """Shape of the input."""
        (shape,) = take_inputs(self.name, inputs, 1)
        if shape[0] % self.groups:
            raise ShapeError(f"groups must divide the {shape[0]} channels, not be {self.groups}")
        return shape

    def alias(self, *inputs: Shape) -> tuple[Source, ...]:
        """Channel i of every group, for i from 0."""
        each = inputs[0][0] // self.groups
        return tuple((0, g * each + i) for i in range(each) for g in range(self.groups))
