"""Named designs to start from, and sizes as users write them."""

import re
from dataclasses import replace
from typing import NamedTuple

from accelsim.checks import suggestion
from accelsim.errors import HardwareError
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.design import Hardware, third_party_design
from accelsim.hardware.memory import Memory
from accelsim.hardware.sizes import Sizes, dimensions
from accelsim.hardware.systolic_array import SystolicArray
from accelsim.hardware.third_party import ColumnArray, Gemmini, TapSerial, WindowEngine


class Preset(NamedTuple):
    """A named design to start from."""

    name: str
    about: str
    hardware: Hardware


PHONE = Memory(256, 256, 16)
# Every memory gives the bandwidth of the parts that such designs are built with, at their clocks.
PRESETS = (
    Preset(
        "tiny",
        "fits a small FPGA; memory as of 32 bits of SDRAM at the same clock, 0.4 GB/s",
        Hardware(SystolicArray(8, 8), memory=Memory(64, 32, 4), assumed_mhz=100.0),
    ),
    Preset(
        "edge",
        "a microcontroller's accelerator; memory as of pseudo-static RAM of 16 bits at both edges "
        "of the clock, 1 GB/s",
        Hardware(SystolicArray(16, 16), memory=Memory(128, 64, 4), assumed_mhz=250.0),
    ),
    Preset(
        "embedded",
        "a camera or a drone; memory as of a channel of LPDDR4 of 16 bits, of which 4 GB/s remain",
        Hardware(SystolicArray(32, 32), memory=Memory(256, 128, 8)),
    ),
    Preset(
        "mobile",
        "a phone; the default; memory as of a quarter of the phone's LPDDR4X, 8 GB/s",
        Hardware(SystolicArray(64, 64), memory=PHONE),
    ),
    Preset(
        "flexible",
        "a phone, with an engine for depthwise layers of any kernel; memory as of mobile",
        Hardware(SystolicArray(64, 64), depthwise=DepthwiseEngine(8, 64), memory=PHONE),
    ),
    Preset(
        "server",
        "an inference card; memory as of half of the card's GDDR6, 179 GB/s",
        Hardware(SystolicArray(128, 128), memory=Memory(8192, 4096, 256), assumed_mhz=700.0),
    ),
    Preset(
        "tap_serial",
        "512 multipliers after arXiv 2104.14125, split as we like; a model; memory as of embedded",
        third_party_design(TapSerial(8, 8, 8, 1, 8), memory=Memory(256, 128, 8)),
    ),
    Preset(
        "window",
        "56 windows of 3x3 multipliers for depthwise layers beside the array; a model; memory as "
        "of mobile",
        third_party_design(WindowEngine(8, 7), SystolicArray(64, 64), memory=PHONE),
    ),
    Preset(
        "column",
        "depthwise layers by im2col, a channel per column, beside the array; a model; memory as "
        "of mobile",
        third_party_design(ColumnArray(64, 8), SystolicArray(64, 64), memory=PHONE),
    ),
    Preset(
        "gemmini",
        "Gemmini's mesh in its default size; a model; memory as of its scratchpad of 256 KiB, "
        "halved, and its bus of 128 bits",
        third_party_design(Gemmini(16), memory=Memory(128, 128, 16)),
    ),
)


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = [preset.name for preset in PRESETS]
    raise HardwareError(
        f"there is no preset {name!r}; there are {', '.join(names)}{suggestion(names, name)}"
    )


def parse_array(text: str) -> tuple[int, int]:
    """Rows and columns of an array size such as 64x64; HardwareError where none can have it."""
    rows, columns = _dimensions(text, SystolicArray(1, 1))
    return rows, columns


def parse_depthwise(text: str, design: Hardware) -> DepthwiseEngine | None:
    """The engine of a size such as 8x64 in that design, or None for `none`.

    A depthwise engine that the design has keeps its other parameters, but for the result port,
    which follows the pixels again.
    """
    size = parse_size(text, DepthwiseEngine(1, 1))
    if size is None:
        return None
    lanes, pixels = size
    if design.depthwise is not None:
        return replace(design.depthwise, lanes=lanes, pixels=pixels, results_per_clock=None)
    if design.array is None:
        return DepthwiseEngine(lanes, pixels)
    return DepthwiseEngine(lanes, pixels, operands=design.array.operands)


def parse_memory(text: str) -> Memory | None:
    """Buffers and port such as 256,256,16, or None for `none`, which leaves memory out."""
    if text.strip() == "none":
        return None
    sizes = re.fullmatch(",".join([r"\s*(-?[0-9]{1,9})\s*"] * 3), text)
    if sizes is None:
        raise HardwareError(
            "memory must be KiB for maps, KiB for weights and bytes a clock, for instance "
            f"256,256,16, or none, not {text!r}"
        )
    return Memory(*map(int, sizes.groups()))


def parse_size(text: str, engine: Sizes) -> tuple[int, ...] | None:
    """The dimensions of a size such as 64x64; HardwareError where no such engine can have it.

    An engine that does not run every layer may be left out: None for `none`.
    """
    return None if text.strip() == "none" and not engine.runs_all else _dimensions(text, engine)


def _dimensions(text: str, engine: Sizes) -> tuple[int, ...]:
    names = dimensions(engine)
    size = re.fullmatch("[xX]".join(["(-?[0-9]{1,9})"] * len(names)), text.strip())
    if size is None:
        what = engine.name if engine.runs_all else f"{engine.name} engine"
        usual = find_preset("flexible").hardware.engine(engine.name) or engine
        example = "x".join(str(getattr(usual, name)) for name in names)
        none = "" if engine.runs_all else ", or none"
        raise HardwareError(
            f"{what} size must be {'x'.join(map(str.upper, names))}, for instance {example}{none}, "
            f"not {text!r}"
        )
    values = tuple(map(int, size.groups()))
    replace(engine, **dict(zip(names, values, strict=True)))  # type: ignore[type-var]
    return values
