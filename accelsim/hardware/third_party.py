"""Sizes of third-party engines: models without registers, which follow publications.

accelsim.engines.third_party says what they mean.
"""

from dataclasses import dataclass, field, fields
from typing import ClassVar

from accelsim.hardware.checks import check_whole


@dataclass(frozen=True)
class TapSerial:
    """The engine of arXiv 2104.14125, as a model.

    rows, columns : of the tile of output pixels made at a time.
    outputs, inputs : output and input channels at a time in regular and pointwise layers.
    depthwise : channels at a time in depthwise layers, by the same multipliers.

    The publication has 512 multipliers and does not say how they are split.
    """

    rows: int
    columns: int
    outputs: int
    inputs: int
    depthwise: int = 1
    third_party: ClassVar[bool] = True
    name: str = field(default="tap_serial", init=False)
    runs_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for parameter in ("rows", "columns", "outputs", "inputs"):
            check_whole(f"{self.name}.{parameter}", getattr(self, parameter), 1, 1024)
        check_whole(f"{self.name}.depthwise", self.depthwise, 1, self.outputs * self.inputs)

    @property
    def label(self) -> str:
        """The engine in words."""
        return label(self)

    @property
    def multipliers(self) -> int:
        """One per pixel, output and input channel."""
        return self.rows * self.columns * self.outputs * self.inputs


@dataclass(frozen=True)
class WindowEngine:
    """Windows of 3 x 3 multipliers for depthwise layers, as a model.

    channels, pixels : windows in parallel, output pixels lying side by side in a row.
    """

    channels: int
    pixels: int
    third_party: ClassVar[bool] = True
    name: str = field(default="window", init=False)
    runs_all: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_whole(f"{self.name}.channels", self.channels, 1, 1024)
        check_whole(f"{self.name}.pixels", self.pixels, 1, 1024)

    @property
    def label(self) -> str:
        """The engine in words."""
        return label(self)

    @property
    def multipliers(self) -> int:
        """Nine per window."""
        return 9 * self.channels * self.pixels


@dataclass(frozen=True)
class ColumnArray:
    """Columns of multipliers that run a channel each by im2col, as a model.

    rows, columns : output pixels and channels in parallel.
    """

    rows: int
    columns: int
    third_party: ClassVar[bool] = True
    name: str = field(default="column", init=False)
    runs_all: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_whole(f"{self.name}.rows", self.rows, 1, 1024)
        check_whole(f"{self.name}.columns", self.columns, 1, 1024)

    @property
    def label(self) -> str:
        """The engine in words."""
        return label(self)

    @property
    def multipliers(self) -> int:
        """One per row and column."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Gemmini:
    """A weight-stationary mesh under the convolution loops of Gemmini, as a model.

    size : rows and columns of the mesh; see accelsim.engines.third_party.
    """

    size: int
    third_party: ClassVar[bool] = True
    name: str = field(default="gemmini", init=False)
    runs_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(f"{self.name}.size", self.size, 4, 1024)

    @property
    def label(self) -> str:
        """The engine in words."""
        return label(self)

    @property
    def multipliers(self) -> int:
        """One per row and column."""
        return self.size**2


ThirdPartyEngine = TapSerial | WindowEngine | ColumnArray | Gemmini

# The smallest of each.
THIRD_PARTY: tuple[ThirdPartyEngine, ...] = (
    TapSerial(1, 1, 1, 1),
    WindowEngine(1, 1),
    ColumnArray(1, 1),
    Gemmini(4),
)


def label(engine: ThirdPartyEngine) -> str:
    """The engine and its sizes in words."""
    sizes = (str(getattr(engine, each.name)) for each in fields(engine) if each.init)
    return f"{engine.name} {'x'.join(sizes)}"
