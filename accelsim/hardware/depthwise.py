"""Sizes of the depthwise engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from accelsim.errors import HardwareError
from accelsim.hardware.checks import check_whole
from accelsim.hardware.operands import Operands, check_operands

# Result words between the last tap of a tile and their reader, if one leaves in every clock, and
# clocks until their place is known to be free.
IN_FLIGHT = 21


@dataclass(frozen=True)
class DepthwiseEngine:
    """A flexible-kernel depthwise engine of lanes (channels) x pixels.

    results_per_clock : width of the result port, a multiple of `pixels`; None stands for pixels.
    fill_port : operands that the port which fills the banks takes in a clock, for all lanes
        together; 0 is wide enough for the producer to write the banks directly, off the clock.
    bank_depth : words of `pixels` operands in a lane's bank; two passes share it, half for each.
    tap_depth : entries of the tap memory, one weight per lane each; two passes share it likewise.
    max_kernel, max_stride, max_dilation, max_padding : largest along either axis (padding above
        and on the left).
    follows : parameters that go back to their default where another one changes.
    """

    name: ClassVar[str] = "depthwise"
    runs_all: ClassVar[bool] = False
    follows: ClassVar[Mapping[str, str]] = {"results_per_clock": "pixels"}
    lanes: int
    pixels: int
    results_per_clock: int | None = None
    fill_port: int = 0
    bank_depth: int = 4096
    tap_depth: int = 2048
    max_kernel: int = 64
    max_stride: int = 4
    max_dilation: int = 8
    max_padding: int = 255
    operands: Operands = field(default_factory=Operands)

    def __post_init__(self) -> None:
        check_whole("depthwise.lanes", self.lanes, 1, 512)
        check_whole("depthwise.pixels", self.pixels, 1, 256)
        if self.results_per_clock is not None:
            check_whole("depthwise.results_per_clock", self.results_per_clock, 1, self.multipliers)
            if self.results_per_clock % self.pixels:
                raise HardwareError(
                    f"depthwise.results_per_clock must be a multiple of pixels ({self.pixels}), "
                    f"not {self.results_per_clock}"
                )
        check_whole("depthwise.fill_port", self.fill_port, 0, self.multipliers)
        check_whole("depthwise.bank_depth", self.bank_depth, 4, 1 << 22)
        check_whole("depthwise.tap_depth", self.tap_depth, 2, 1 << 16)
        check_operands("depthwise", self.operands)
        check_whole("depthwise.max_kernel", self.max_kernel, 1, 255)
        check_whole("depthwise.max_stride", self.max_stride, 1, 15)
        check_whole("depthwise.max_dilation", self.max_dilation, 1, 63)
        check_whole("depthwise.max_padding", self.max_padding, 0, 4095)

    @property
    def multipliers(self) -> int:
        """One per lane and pixel."""
        return self.lanes * self.pixels

    @property
    def result_lanes(self) -> int:
        """Lanes whose results leave in one clock."""
        return (self.results_per_clock or self.pixels) // self.pixels

    @property
    def lead(self) -> int:
        """Clocks from the start of a pass's fill, or from taking its command, to its first tap.

        At least, as its first tile takes them: its pixels, twice as many in every two clocks, and
        beside them its taps, a bit of the quotients in every clock; and in front of both and
        behind.
        """
        pixels, quotient = (self.pixels - 1).bit_length(), self.max_kernel.bit_length()
        return max(3 + 2 * pixels, 10 + quotient) + 9

    @property
    def command_depth(self) -> int:
        """Words of the memory of commands: those that are taken, and not begun, are fewer."""
        return 8

    @property
    def queue_depth(self) -> int:
        """Tiles on their way to the taps: enough for one in every clock."""
        return 1 << (self.lead - 4).bit_length()

    @property
    def result_depth(self) -> int:
        """Words of the result memory: those of a tile, and what is under way in front of it."""
        return 1 << (-(-self.lanes // self.result_lanes) + IN_FLIGHT - 1).bit_length()

    @property
    def label(self) -> str:
        """The engine in words."""
        return f"{self.name} {self.lanes}x{self.pixels}"
