"""The hardware that is simulated and generated: sizes and options, valid from birth."""

import math
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from accelsim.errors import HardwareError
from accelsim.files import TomlFile, read_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


def _check(what: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise HardwareError(f"{what} must be a whole number from {low} to {high}, not {value!r}")


@dataclass(frozen=True)
class Operands:
    """Widths of what the multipliers see and of the sums.

    bits : width of an operand; 9 carries int8 or uint8 less its zero point.
    accumulator_bits : width of a sum; layers that could exceed it are refused, never wrapped.
    """

    bits: int = 9
    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        _check("operands.bits", self.bits, 8, 16)
        _check("operands.accumulator_bits", self.accumulator_bits, 2 * self.bits, 32)


@dataclass(frozen=True)
class SystolicArray:
    """A systolic array of rows x columns processing elements.

    max_taps : taps that a row's buffer holds, the longest kernel side of mode rows.
    accumulator_depth : words of each column's accumulator, for ws and is.
    overlap : whether consecutive passes overlap; False gives the plain machine.
    bank_depth : words of each operand bank in the generated core.
    """

    rows: int
    columns: int
    max_taps: int = 8
    accumulator_depth: int = 256
    overlap: bool = True
    bank_depth: int = 1024
    operands: Operands = field(default_factory=Operands)

    def __post_init__(self) -> None:
        _check("array.rows", self.rows, 1, 1024)
        _check("array.columns", self.columns, 1, 1024)
        _check("array.max_taps", self.max_taps, 1, 64)
        _check("array.accumulator_depth", self.accumulator_depth, 1, 65535)
        _check("array.bank_depth", self.bank_depth, 2, 1 << 24)
        if not isinstance(self.overlap, bool):
            raise HardwareError(f"array.overlap must be true or false, not {self.overlap!r}")

    @property
    def multipliers(self) -> int:
        """One per processing element."""
        return self.rows * self.columns


@dataclass(frozen=True)
class DepthwiseEngine:
    """A flexible-kernel depthwise engine of lanes (channels) x pixels.

    results_per_clock : width of the result port, a multiple of `pixels`; None stands for pixels.
    fill_port : operands that the port which fills the banks takes in a clock, for all lanes
        together; 0 is wide enough for the producer to write the banks directly, off the clock.
    bank_depth : words of `pixels` operands in a lane's bank; two passes share it.
    tap_depth : entries of the tap memory, one weight per lane each; two passes share it.
    max_kernel, max_stride, max_dilation, max_padding : largest along either axis (padding above
        and on the left).
    """

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
        _check("depthwise.lanes", self.lanes, 1, 512)
        _check("depthwise.pixels", self.pixels, 1, 256)
        if self.results_per_clock is not None:
            _check("depthwise.results_per_clock", self.results_per_clock, 1, self.multipliers)
            if self.results_per_clock % self.pixels:
                raise HardwareError(
                    f"depthwise.results_per_clock must be a multiple of pixels ({self.pixels}), "
                    f"not {self.results_per_clock}"
                )
        _check("depthwise.fill_port", self.fill_port, 0, self.multipliers)
        _check("depthwise.bank_depth", self.bank_depth, 4, 1 << 22)
        _check("depthwise.tap_depth", self.tap_depth, 2, 1 << 16)
        _check("depthwise.max_kernel", self.max_kernel, 1, 255)
        _check("depthwise.max_stride", self.max_stride, 1, 15)
        _check("depthwise.max_dilation", self.max_dilation, 1, 63)
        _check("depthwise.max_padding", self.max_padding, 0, 4095)

    @property
    def multipliers(self) -> int:
        """One per lane and pixel."""
        return self.lanes * self.pixels

    @property
    def result_lanes(self) -> int:
        """Lanes whose results leave in one clock."""
        return (self.results_per_clock or self.pixels) // self.pixels


@dataclass(frozen=True)
class TapSerial:
    """The engine of arXiv 2104.14125, as a model: see accelsim.peers.

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
    name: str = field(default="tap_serial", init=False)
    runs_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for parameter in ("rows", "columns", "outputs", "inputs"):
            _check(f"{self.name}.{parameter}", getattr(self, parameter), 1, 1024)
        _check(f"{self.name}.depthwise", self.depthwise, 1, self.outputs * self.inputs)

    @property
    def multipliers(self) -> int:
        """One per pixel, output and input channel."""
        return self.rows * self.columns * self.outputs * self.inputs


@dataclass(frozen=True)
class WindowEngine:
    """Windows of 3 x 3 multipliers for depthwise layers, as a model: see accelsim.peers.

    channels, pixels : windows in parallel, output pixels lying side by side in a row.
    """

    channels: int
    pixels: int
    name: str = field(default="window", init=False)
    runs_all: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(f"{self.name}.channels", self.channels, 1, 1024)
        _check(f"{self.name}.pixels", self.pixels, 1, 1024)

    @property
    def multipliers(self) -> int:
        """Nine per window."""
        return 9 * self.channels * self.pixels


@dataclass(frozen=True)
class ColumnArray:
    """Columns of multipliers that run a channel each by im2col, as a model: see accelsim.peers.

    rows, columns : output pixels and channels in parallel.
    """

    rows: int
    columns: int
    name: str = field(default="column", init=False)
    runs_all: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(f"{self.name}.rows", self.rows, 1, 1024)
        _check(f"{self.name}.columns", self.columns, 1, 1024)

    @property
    def multipliers(self) -> int:
        """One per row and column."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Gemmini:
    """A weight-stationary mesh under the convolution loops of Gemmini, as a model.

    size : rows and columns of the mesh; see accelsim.peers.
    """

    size: int
    name: str = field(default="gemmini", init=False)
    runs_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(f"{self.name}.size", self.size, 4, 1024)

    @property
    def multipliers(self) -> int:
        """One per row and column."""
        return self.size**2


PeerEngine = TapSerial | WindowEngine | ColumnArray | Gemmini


@dataclass(frozen=True)
class Hardware:
    """The engines of one design and its clock.

    depthwise : beside the array, for depthwise layers; each engine has ports of its own.
    """

    array: SystolicArray
    clock_mhz: float = 500.0
    depthwise: DepthwiseEngine | None = None

    def __post_init__(self) -> None:
        _check_clock(self.clock_mhz)
        if self.depthwise and self.depthwise.operands != self.array.operands:
            raise HardwareError("the engines of one design must have the same operands")

    @property
    def multipliers(self) -> int:
        """Of all engines."""
        return self.array.multipliers + (self.depthwise.multipliers if self.depthwise else 0)

    @property
    def label(self) -> str:
        """The engines in words."""
        words = f"array {self.array.rows}x{self.array.columns}"
        if not self.array.overlap:
            words += " without overlap"
        if self.depthwise:
            words += f", depthwise {self.depthwise.lanes}x{self.depthwise.pixels}"
        return words


@dataclass(frozen=True)
class PeerHardware:
    """A design with an engine of other people: it is counted by a model and has no RTL.

    engine : runs every layer that has a convolution, or depthwise layers only, as it says.
    array : ours, for all that the engine does not run; None where that is nothing.
    """

    engine: PeerEngine
    array: SystolicArray | None = None
    clock_mhz: float = 500.0
    depthwise: ClassVar[None] = None  # no engine of ours for depthwise layers

    def __post_init__(self) -> None:
        _check_clock(self.clock_mhz)
        if self.engine.runs_all != (self.array is None):
            raise HardwareError(
                f"{self.engine.name} runs every layer and stands alone"
                if self.array
                else f"{self.engine.name} runs depthwise layers only and needs an array beside it"
            )

    @property
    def multipliers(self) -> int:
        """Of all engines."""
        return self.engine.multipliers + (self.array.multipliers if self.array else 0)

    @property
    def label(self) -> str:
        """The engines in words."""
        engine = self.engine
        sizes = "x".join(str(getattr(engine, key)) for key in TABLES[engine.name])
        own = f"{engine.name} {sizes}"
        return f"{Hardware(self.array).label}, {own}" if self.array else own


Design = Hardware | PeerHardware

SLOWEST_MHZ, FASTEST_MHZ = 0.001, 100_000


def _check_clock(mhz: Any) -> None:
    number = isinstance(mhz, int | float) and not isinstance(mhz, bool)
    if not number or not mhz > 0 or mhz == math.inf:
        raise HardwareError(f"clock.mhz must be a positive number, not {mhz!r}")
    if not SLOWEST_MHZ <= mhz <= FASTEST_MHZ:
        raise HardwareError(f"clock.mhz must be from {SLOWEST_MHZ} to {FASTEST_MHZ}, not {mhz!r}")


class Preset(NamedTuple):
    """A named design to start from."""

    name: str
    about: str
    hardware: Design


def parse_array(text: str) -> tuple[int, int]:
    """Rows and columns of an array size such as 64x64; HardwareError where none can have it."""
    size = re.fullmatch(r"(-?[0-9]{1,9})[xX](-?[0-9]{1,9})", text.strip())
    if size is None:
        raise HardwareError(f"array size must be ROWSxCOLUMNS, for instance 64x64, not {text!r}")
    array = SystolicArray(int(size[1]), int(size[2]))
    return array.rows, array.columns


def parse_depthwise(text: str, design: Hardware) -> DepthwiseEngine | None:
    """The engine of a size such as 8x64 in that design, or None for `none`.

    A depthwise engine that the design has keeps its other parameters, but for the result port,
    which follows the pixels again.
    """
    if text.strip() == "none":
        return None
    size = re.fullmatch(r"(-?[0-9]{1,9})[xX](-?[0-9]{1,9})", text.strip())
    if size is None:
        raise HardwareError(
            f"depthwise engine size must be LANESxPIXELS, for instance 8x64, or none, not {text!r}"
        )
    lanes, pixels = int(size[1]), int(size[2])
    if design.depthwise is None:
        return DepthwiseEngine(lanes, pixels, operands=design.array.operands)
    return replace(design.depthwise, lanes=lanes, pixels=pixels, results_per_clock=None)


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = ", ".join(preset.name for preset in PRESETS)
    raise HardwareError(f"there is no preset {name!r}; there are {names}")


def load_hardware(path: str | Path) -> Design:
    """Hardware of a TOML file; FileError with file, line and key where it says something wrong."""
    file = read_toml(path)
    for name, table in file.data.items():
        if name not in TABLES:
            raise file.error(f"unknown table {name!r}, allowed are {', '.join(TABLES)}", name)
        if not isinstance(table, dict):
            raise file.error(f"{name} must be a table, written [{name}]", name)
        if unknown := [key for key in table if key not in TABLES[name]]:
            allowed = ", ".join(TABLES[name])
            raise file.error(
                f"unknown key {unknown[0]!r} in [{name}], allowed are {allowed}", name, unknown[0]
            )
    peer = _load_peer(file)
    if peer is None or not peer.runs_all:
        _require(file, "array", "rows", "columns")
    operands = _apply(file, "operands", Operands())
    array = _apply(file, "array", SystolicArray(1, 1, operands=operands))
    depthwise = None
    if "depthwise" in file.data:
        _require(file, "depthwise", "lanes", "pixels")
        depthwise = _apply(file, "depthwise", DepthwiseEngine(1, 1, operands=operands))
    mhz = file.data.get("clock", {}).get("mhz", Hardware.clock_mhz)
    try:
        if peer is None:
            return Hardware(array, mhz, depthwise)
        return PeerHardware(peer, None if peer.runs_all else array, mhz)
    except HardwareError as error:
        raise file.error(str(error), "clock", "mhz") from None


def _load_peer(file: TomlFile) -> PeerEngine | None:
    """The engine of other people that a file asks for, alone or beside the array."""
    found = [engine for engine in PEERS if engine.name in file.data]
    if not found:
        return None
    engine, *others = found
    excluded = [other.name for other in others] + ["depthwise"]
    if engine.runs_all:
        excluded += ["array", "operands"]
    for other in excluded:
        if other in file.data:
            raise file.error(f"[{other}] cannot stand beside [{engine.name}]", other)
    _require(file, engine.name, *TABLES[engine.name])
    return _apply(file, engine.name, engine)


def _require(file: TomlFile, table: str, *keys: str) -> None:
    for key in keys:
        if key not in file.data.get(table, {}):
            raise file.error(f"[{table}] needs {key}", table)


def _apply(file: TomlFile, table: str, record: Record) -> Record:
    """Record with the values of a table set one by one, so that an error knows its key."""
    values = file.data.get(table, {})
    for key in TABLES[table]:
        if key in values:
            try:
                record = replace(record, **{key: values[key]})
            except HardwareError as error:
                raise file.error(str(error), table, key) from None
    return record


def to_toml(hardware: Design) -> str:
    """Text of the hardware file that load_hardware reads back."""
    parts: list[tuple[str, Any]] = []
    if hardware.array is not None:
        parts += [("array", hardware.array), ("operands", hardware.array.operands)]
    if isinstance(hardware, PeerHardware):
        parts.append((hardware.engine.name, hardware.engine))
    elif hardware.depthwise is not None:
        parts.insert(1, ("depthwise", hardware.depthwise))
    lines = []
    for table, part in parts:
        values = ((key, getattr(part, key)) for key in TABLES[table])
        lines += [f"[{table}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in values if value is not None]
        lines += [""]
    return "\n".join([*lines, "[clock]", f"mhz = {hardware.clock_mhz}"]) + "\n"


def _toml(value: int | bool) -> str:
    return str(value).lower()


# Engines of other people, the smallest of each.
PEERS: tuple[PeerEngine, ...] = (
    TapSerial(1, 1, 1, 1),
    WindowEngine(1, 1),
    ColumnArray(1, 1),
    Gemmini(4),
)

# Tables of a hardware file and their keys, in the order in which they are set and printed.
TABLES: dict[str, tuple[str, ...]] = {
    "array": tuple(f.name for f in fields(SystolicArray) if f.name != "operands"),
    "depthwise": tuple(f.name for f in fields(DepthwiseEngine) if f.name != "operands"),
    "operands": tuple(f.name for f in fields(Operands)),
    "clock": ("mhz",),
    **{engine.name: tuple(f.name for f in fields(engine) if f.init) for engine in PEERS},
}


PRESETS = (
    Preset("tiny", "fits a small FPGA", Hardware(SystolicArray(8, 8), 100.0)),
    Preset("edge", "a microcontroller's accelerator", Hardware(SystolicArray(16, 16), 250.0)),
    Preset("embedded", "a camera or a drone", Hardware(SystolicArray(32, 32), 500.0)),
    Preset("mobile", "a phone; the default", Hardware(SystolicArray(64, 64), 500.0)),
    Preset(
        "flexible",
        "a phone, with an engine for depthwise layers of any kernel",
        Hardware(SystolicArray(64, 64), 500.0, DepthwiseEngine(8, 64)),
    ),
    Preset("server", "an inference card", Hardware(SystolicArray(128, 128), 700.0)),
    Preset(
        "tap_serial",
        "512 multipliers after arXiv 2104.14125, split as we like; a model",
        PeerHardware(TapSerial(8, 8, 8, 1, 8)),
    ),
    Preset(
        "window",
        "56 windows of 3x3 multipliers for depthwise layers beside the array; a model",
        PeerHardware(WindowEngine(8, 7), SystolicArray(64, 64)),
    ),
    Preset(
        "column",
        "depthwise layers by im2col, a channel per column, beside the array; a model",
        PeerHardware(ColumnArray(64, 8), SystolicArray(64, 64)),
    ),
    Preset("gemmini", "Gemmini's mesh in its default size; a model", PeerHardware(Gemmini(16))),
)
