"""Off-chip memory as a design sees it: two buffers on chip, and a port between them."""

from dataclasses import dataclass

from accelsim.hardware.checks import check_whole
from accelsim.phrases import counted

MOST_KIB = 1 << 22
MOST_WIDTH = 1 << 16


@dataclass(frozen=True)
class Memory:
    """Buffers on chip and the port to the memory off chip: a model, see accelsim.reuse.

    activation_kib, weight_kib : room for maps and for weights, in KiB.
    width_bytes : what the port moves in a clock of the design, read or written.
    """

    activation_kib: int
    weight_kib: int
    width_bytes: int

    def __post_init__(self) -> None:
        check_whole("memory.activation_kib", self.activation_kib, 1, MOST_KIB)
        check_whole("memory.weight_kib", self.weight_kib, 1, MOST_KIB)
        check_whole("memory.width_bytes", self.width_bytes, 1, MOST_WIDTH)

    @property
    def activation_bytes(self) -> int:
        """Room for maps."""
        return self.activation_kib << 10

    @property
    def weight_bytes(self) -> int:
        """Room for weights."""
        return self.weight_kib << 10

    def clocks(self, moved_bytes: int) -> int:
        """Clocks of the port for so many bytes."""
        return -(-moved_bytes // self.width_bytes)

    @property
    def label(self) -> str:
        """The memory in words."""
        return (
            f"a memory port of {counted(self.width_bytes, 'byte')} a clock, "
            f"{self.activation_kib:,} KiB for maps and {self.weight_kib:,} KiB for weights"
        )
