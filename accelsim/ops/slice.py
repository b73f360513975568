"""Some channels of a map: an alias, which moves nothing."""

from dataclasses import dataclass
from typing import ClassVar

from accelsim.ir import Shape, Source
from accelsim.ops.base import Alias
from accelsim.ops.geometry import Pair, check_channels, take_inputs, take_part


@dataclass(frozen=True)
class Slice(Alias):
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
        first, stop = take_part("channels", self.channels, c)
        return stop - first, h, w

    def alias(self, *inputs: Shape) -> tuple[Source, ...]:
        """The chosen channels."""
        return tuple((0, channel) for channel in range(*self.channels))
