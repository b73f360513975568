"""Named designs to start from, and sizes as users write them."""

import re
from dataclasses import replace
from typing import NamedTuple

from accelsim.errors import HardwareError
from accelsim.hardware.depthwise import DepthwiseEngine
from accelsim.hardware.design import Hardware, third_party_design
from accelsim.hardware.systolic_array import SystolicArray
from accelsim.hardware.third_party import ColumnArray, Gemmini, TapSerial, WindowEngine


class Preset(NamedTuple):
    """A named design to start from."""

    name: str
    about: str
    hardware: Hardware


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
        third_party_design(TapSerial(8, 8, 8, 1, 8)),
    ),
    Preset(
        "window",
        "56 windows of 3x3 multipliers for depthwise layers beside the array; a model",
        third_party_design(WindowEngine(8, 7), SystolicArray(64, 64)),
    ),
    Preset(
        "column",
        "depthwise layers by im2col, a channel per column, beside the array; a model",
        third_party_design(ColumnArray(64, 8), SystolicArray(64, 64)),
    ),
    Preset(
        "gemmini", "Gemmini's mesh in its default size; a model", third_party_design(Gemmini(16))
    ),
)


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = ", ".join(preset.name for preset in PRESETS)
    raise HardwareError(f"there is no preset {name!r}; there are {names}")


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
    if design.depthwise is not None:
        return replace(design.depthwise, lanes=lanes, pixels=pixels, results_per_clock=None)
    if design.array is None:
        return DepthwiseEngine(lanes, pixels)
    return DepthwiseEngine(lanes, pixels, operands=design.array.operands)
