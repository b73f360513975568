"""The hardware that is simulated and generated: sizes and options, valid from birth."""

import math
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from accelsim.errors import HardwareError
from accelsim.files import TomlFile, read_toml

Record = TypeVar("Record", "Operands", "SystolicArray", "DepthwiseEngine")


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
class Hardware:
    """The engines of one design and its clock.

    depthwise : beside the array, for depthwise layers; each engine has ports of its own.
    """

    array: SystolicArray
    clock_mhz: float = 500.0
    depthwise: DepthwiseEngine | None = None

    def __post_init__(self) -> None:
        mhz: Any = self.clock_mhz
        number = isinstance(mhz, int | float) and not isinstance(mhz, bool)
        if not number or not math.isfinite(mhz) or mhz <= 0:
            raise HardwareError(f"clock.mhz must be a positive number, not {mhz!r}")
        if self.depthwise and self.depthwise.operands != self.array.operands:
            raise HardwareError("the engines of one design must have the same operands")


class Preset(NamedTuple):
    """A named design to start from."""

    name: str
    about: str
    hardware: Hardware


def parse_array(text: str) -> tuple[int, int]:
    """Rows and columns of an array size such as 64x64; HardwareError where none can have it."""
    size = re.fullmatch(r"(-?[0-9]{1,9})[xX](-?[0-9]{1,9})", text.strip())
    if size is None:
        raise HardwareError(f"array size must be ROWSxCOLUMNS, for instance 64x64, not {text!r}")
    array = SystolicArray(int(size[1]), int(size[2]))
    return array.rows, array.columns


def parse_depthwise(text: str) -> tuple[int, int] | None:
    """Lanes and pixels of an engine size such as 8x64; None for `none`."""
    if text.strip() == "none":
        return None
    size = re.fullmatch(r"(-?[0-9]{1,9})[xX](-?[0-9]{1,9})", text.strip())
    if size is None:
        raise HardwareError(
            f"depthwise engine size must be LANESxPIXELS, for instance 8x64, or none, not {text!r}"
        )
    engine = DepthwiseEngine(int(size[1]), int(size[2]))
    return engine.lanes, engine.pixels


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = ", ".join(preset.name for preset in PRESETS)
    raise HardwareError(f"there is no preset {name!r}; there are {names}")


def load_hardware(path: str | Path) -> Hardware:
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
    _require(file, "array", "rows", "columns")
    operands = _apply(file, "operands", Operands())
    array = _apply(file, "array", SystolicArray(1, 1, operands=operands))
    depthwise = None
    if "depthwise" in file.data:
        _require(file, "depthwise", "lanes", "pixels")
        depthwise = _apply(file, "depthwise", DepthwiseEngine(1, 1, operands=operands))
    clock = file.data.get("clock", {})
    try:
        return Hardware(array, clock.get("mhz", Hardware.clock_mhz), depthwise)
    except HardwareError as error:
        raise file.error(str(error), "clock", "mhz") from None


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


def to_toml(hardware: Hardware) -> str:
    """Text of the hardware file that load_hardware reads back."""
    lines = []
    for table, part in (
        ("array", hardware.array),
        ("depthwise", hardware.depthwise),
        ("operands", hardware.array.operands),
    ):
        if part is not None:
            lines += [f"[{table}]"]
            values = ((key, getattr(part, key)) for key in TABLES[table])
            lines += [f"{key} = {_toml(value)}" for key, value in values if value is not None]
            lines += [""]
    return "\n".join([*lines, "[clock]", f"mhz = {hardware.clock_mhz}"]) + "\n"


def _toml(value: int | bool) -> str:
    return str(value).lower()


# Tables of a hardware file and their keys, in the order in which they are set and printed.
TABLES: dict[str, tuple[str, ...]] = {
    "array": tuple(f.name for f in fields(SystolicArray) if f.name != "operands"),
    "depthwise": tuple(f.name for f in fields(DepthwiseEngine) if f.name != "operands"),
    "operands": tuple(f.name for f in fields(Operands)),
    "clock": ("mhz",),
}


PRESETS = (
    Preset("tiny", "fits a small FPGA", Hardware(SystolicArray(8, 8), 100.0)),
    Preset("edge", "a microcontroller's accelerator", Hardware(SystolicArray(16, 16), 250.0)),
    Preset("embedded", "a camera or a drone", Hardware(SystolicArray(32, 32), 500.0)),
    Preset("mobile", "a phone; the default", Hardware(SystolicArray(64, 64), 500.0)),
    Preset("server", "an inference card", Hardware(SystolicArray(128, 128), 700.0)),
)
